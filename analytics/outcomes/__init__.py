"""What became of recommendations that were applied, and what that says of the next ones."""
