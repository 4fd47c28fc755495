"""Tests of the SQL that books."""
