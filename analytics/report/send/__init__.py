"""Delivery of reports: by mail, to an object store, to a webhook; each once, and written down."""
