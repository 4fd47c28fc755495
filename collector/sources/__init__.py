"""One module per source; each has one public value, `source`."""
