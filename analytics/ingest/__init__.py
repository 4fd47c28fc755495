"""The doors through which batches arrive."""
