"""What advisors share: gains as intervals, and the comparison with waiting and with a policy."""
