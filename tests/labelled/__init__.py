"""Labelled telemetry: clusters whose every GPU and job has a known cause of what it shows.

Nothing here may import `analytics`: what detectors are judged by must not know them.
"""
