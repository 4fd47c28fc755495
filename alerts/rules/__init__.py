"""One module per alert rule; each has one public value, `rule`."""
