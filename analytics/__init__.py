"""Rows to verdicts, and the service that serves them."""
