"""What a site already knows of its past, read into the store before any agent is installed."""
