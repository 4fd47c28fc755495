"""What every panel must show of the demo, computed from the simulator's truth and its raw rows."""
