"""One module per advisor; each has one public value, `advisor`."""
