"""The console: pages on which people look and decide; a module a page, HTML made here alone."""
