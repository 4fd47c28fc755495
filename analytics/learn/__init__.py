"""What history teaches: floors, start-up times, busier phases, kinds of work, demand."""

from __future__ import annotations

from datetime import datetime

from analytics.learn import classes, floors, forecast, job_stats, startups
from analytics.learn.settings import LearnSettings
from gpuledger.store import Store

DEFAULTS = LearnSettings()


def learn_all(
    store: Store,
    now: datetime,
    settings: LearnSettings = DEFAULTS,
    since: datetime | None = None,
) -> None:
    """Bring everything that is learned up to `now`; meant for once an hour, harmless twice.

    With `since`, job statistics are made again from there on: history came in.
    """
    job_stats.learn(store, now, settings, since)
    startups.learn(store, now, settings)
    floors.learn(store, now, settings)
    classes.learn(store, now, settings)
    forecast.learn(store, now, settings)


__all__ = ["LearnSettings", "learn_all"]
