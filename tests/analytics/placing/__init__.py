"""Tests of `analytics.placing`."""
