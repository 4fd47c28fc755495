"""What counters that begin again, go away and come back have counted together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import fsum


@dataclass
class Account:
    """One sum: what each counter said last, and what lies before that and behind it."""

    base: float = 0
    last: dict[str, float] = field(default_factory=dict)
    changed: bool = False

    def add(self, target: str, value: float) -> None:
        """What the counter says now; a decrease means that it began again at 0."""
        before = self.last.pop(target, None)
        if before is not None and value < before:
            self.base += before
        self.last[target] = value  # at the end: what is in front was not heard of for longest
        self.changed = self.changed or before != value

    def fold(self, present: Collection[str], most_absent: int) -> None:
        """Keep of all but the newest absent counters only what they had counted."""
        excess = len(self.last) - len(present) - most_absent
        for target in [t for t in self.last if t not in present][: max(0, excess)]:
            self.base += self.last.pop(target)
            self.changed = True

    def total(self) -> float:
        """The sum; whole where every counter is."""
        told = [self.base, *self.last.values()]
        return fsum(told) if any(isinstance(v, float) for v in told) else sum(told)
