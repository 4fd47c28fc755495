"""One module per detector; each has one public value, `detector`."""
