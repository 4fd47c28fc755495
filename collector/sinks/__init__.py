"""One module per sink."""
