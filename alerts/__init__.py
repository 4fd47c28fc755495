"""Alert rules as data, their evaluation and delivery."""
