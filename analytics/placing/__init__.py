"""Placing the waiting queue on free GPUs: what fits where, and why what stays free is free."""
