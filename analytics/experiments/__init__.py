"""Experiments: runs of a tracking server become jobs, and are told what they used."""
