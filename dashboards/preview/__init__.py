"""Boards as static pages: the same questions and words for people without Grafana."""
