"""A cluster's past driven through a scheduler again: with advice, more nodes or another policy."""

from analytics.replay.drive import drive
from analytics.replay.history import history
from analytics.replay.outcome import Outcome, Scenario, Waits
from analytics.replay.task import Task, Trace
from analytics.replay.whatif import Comparison, Interval, add_nodes, compare, without_nodes

__all__ = [
    "Comparison",
    "Interval",
    "Outcome",
    "Scenario",
    "Task",
    "Trace",
    "Waits",
    "add_nodes",
    "compare",
    "drive",
    "history",
    "without_nodes",
]
