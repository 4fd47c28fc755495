"""The weekly report: a typed value and its renderings."""
