"""Facts from metrics that a site already has: who holds which GPU, and which jobs wait."""

from analytics.facts.facts import Facts
from analytics.facts.recall import recall

__all__ = ["Facts", "recall"]
