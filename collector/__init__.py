"""The node agent: devices to rows."""
