"""Tests of `analytics.repacking`."""
