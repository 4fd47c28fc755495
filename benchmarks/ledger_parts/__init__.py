"""What the ledger's benchmark books: a fleet made inside the engine."""
