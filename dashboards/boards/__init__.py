"""One module per board; each has one public value, `board`."""
