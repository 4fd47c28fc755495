"""When to read: whole multiples of the period on the wall clock, kept with the monotonic one."""

from __future__ import annotations

from dataclasses import dataclass

from collector.source import Clock

ON_TIME_S = 0.05  # a reading this late still counts as on time: the p99 that we promise
# The same of a long period: a minute's reading that is a little late is still that minute's.
ON_TIME_SHARE = 0.05
COVER_PERIODS = 2.5  # a row never speaks for more than this; the rest of a gap is unknown
STEP_S = 1.0  # below that, a moved wall clock is time synchronisation at work


@dataclass(frozen=True)
class Tick:
    """One reading's place in time: `wall_ms` stamps it, `elapsed_s` is what it covers."""

    wall_ms: int
    elapsed_s: float


class Pace:
    """Deadlines of one source, and the interval that each of its readings covers."""

    def __init__(self, period_s: float, clock: Clock) -> None:
        self.period_s = period_s
        self._clock = clock
        self._deadline: float | None = None
        self._previous: float | None = None

    def wait_s(self) -> float:
        """Seconds until the next reading; deadlines that passed meanwhile are left out."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        due = now if self._deadline is None else max(now, self._deadline + self.period_s)
        # The nearest whole multiple on the wall clock, so that all nodes read together.
        phase = (wall + due - now) / self.period_s
        aligned = due + (round(phase) - phase) * self.period_s
        self._deadline = aligned if aligned > now else aligned + self.period_s
        return self._deadline - now

    def follow(self, before: Pace) -> None:
        """Cover from where another pace's last reading ended."""
        self._previous = before._previous

    def tick(self) -> Tick:
        """Stamp the reading that begins now. The first covers nothing: nobody looked before."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        late = now - (now if self._deadline is None else self._deadline)
        if abs(late) < min(max(ON_TIME_S, ON_TIME_SHARE * self.period_s), self.period_s / 2):
            now, wall = now - late, wall - late
        elapsed = 0.0 if self._previous is None else now - self._previous
        self._previous = now
        return Tick(round(wall * 1000), round(min(elapsed, COVER_PERIODS * self.period_s), 3))


class ClockWatch:
    """Notices steps of the wall clock against the monotonic one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: float | None = None

    def step_s(self) -> float:
        """By how much the wall clock was moved since the last call; 0 for less than a second."""
        offset = self._clock.wall() - self._clock.monotonic()
        before = offset if self._offset is None else self._offset
        self._offset = offset
        return offset - before if abs(offset - before) >= STEP_S else 0.0
