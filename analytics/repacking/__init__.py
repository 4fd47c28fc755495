"""Which few moves free the most: snapshot, measure, search, order and bound of a plan."""
