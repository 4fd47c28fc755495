"""Parts of `benchmarks/rebalance.py`: fleets in use, rivals, and the page of figures."""
