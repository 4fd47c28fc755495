"""Grafana boards, generated from the catalogue and its measures."""
