"""The book against what others say: every GPU-hour of difference with a reason, and the rest."""
