"""Why jobs make little use of their GPUs: features, rules and verdicts."""
