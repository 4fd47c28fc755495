"""When somebody may be told: quiet hours, daily summaries, and days between repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from alerts.rule import Severity

DAY = timedelta(days=1)
# Waiting after the first, second, third … failure, in minutes; the last one from then on.
RETRIES_MIN = (1, 2, 4, 8, 16, 32, 60)
# A tick that comes a little early is the one that was waited for.
EARLY = timedelta(seconds=5)


@dataclass(frozen=True)
class Timing:
    """The hours of one installation; `quiet` is None where there are no quiet hours.

    Wall-clock hours of `zone`: a day of 23 or 25 hours has each of them once, and a summary whose
    hour the clock leaps over comes an hour later.
    """

    zone: tzinfo = UTC
    quiet: tuple[time, time] | None = None
    quiet_unless: Severity = Severity.CRITICAL
    digest_at: time = time(8)
    digest_below: Severity = Severity.WARNING
    repeat_days: float = 7.0
    only_summaries: bool = False

    def is_summarised(self, severity: Severity) -> bool:
        """Whether alerts of that severity come in the daily summary."""
        return self.only_summaries or severity.rank < self.digest_below.rank

    def quiet_until(self, severity: Severity, now: datetime) -> datetime | None:
        """The end of the quiet hours that keep such an alert back; None where nothing does."""
        if self.quiet is None or severity.rank >= self.quiet_unless.rank:
            return None
        begins, ends = self.quiet
        wall = now.astimezone(self.zone).time()
        within = begins <= wall < ends if begins <= ends else wall >= begins or wall < ends
        return self._next(ends, now) if within else None

    def last_summary(self, now: datetime) -> datetime:
        """The latest hour of a summary that has come: what fired before it is due."""
        return self._next(self.digest_at, now, days_before=1)

    def next_summary(self, now: datetime) -> datetime:
        """The hour of the summary that comes next."""
        return self._next(self.digest_at, now)

    def _next(self, at: time, now: datetime, days_before: int = 0) -> datetime:
        """When the clock shows `at` next, or the time before that; UTC."""
        today = now.astimezone(self.zone).date()
        days = [datetime.combine(today + n * DAY, at, self.zone) for n in (-1, 0, 1, 2)]
        moments = [day.astimezone(UTC) for day in days]
        first = next(i for i, moment in enumerate(moments) if moment > now)
        return moments[first - days_before]


def is_retried(failures: int, last: datetime, now: datetime) -> bool:
    """Whether it is time to try again after so many failures."""
    if not failures:
        return True
    wait = RETRIES_MIN[min(failures, len(RETRIES_MIN)) - 1]
    return now - last + EARLY >= timedelta(minutes=wait)
