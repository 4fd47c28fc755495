"""Tests of facts from exporters."""
