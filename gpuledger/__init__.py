"""The spine of gpuledger: the words that collector, analytics, dashboards and alerts share."""

__version__ = "0.1.0"
