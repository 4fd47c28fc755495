"""Launchers of the real services that component tests drive."""
