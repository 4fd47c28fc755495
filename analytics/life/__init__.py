"""The life of recommendations: decisions, what they mute, what was carried out, what overlaps."""
