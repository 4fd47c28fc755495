"""A simulated cluster: the telemetry and scheduler tables of a site that does not exist.

`world` decides what happens, `telemetry` tells it as agents and a scheduler would, `truth` keeps
the labels that tests compare the book with. No part reads a label: the demo's rows go through the
same catalogue and batches as those of real devices.
"""
