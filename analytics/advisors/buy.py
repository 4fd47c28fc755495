"""Buy or don't buy: what demand will lack in four weeks, and what could be won back of it first.

Lacking is what the forecast of demand has above that of usable GPUs. Of it, GPUs that stand idle,
stalled, stranded or wanted would give a part, as far as such time is won back in practice. Only the
rest is a reason to buy. Silent where even the upper edge of the forecast lacks nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from analytics import evidence
from analytics.advice import outlook, prices, replayed
from analytics.advice.interval import Interval, of_days
from analytics.advice.outlook import Outlook
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advice.replayed import Wait
from analytics.advisor import Advisor
from analytics.replay import add_nodes
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store

HORIZON = timedelta(days=outlook.MONTH_D)
HISTORY = timedelta(days=14)


class BuySettings(Settings):
    """Section `[buy]`."""

    # Half of what is underused counts as loose already; of the rest, people give back a part.
    won_back_ratio: Annotated[float, "share of loose GPU time that advice wins back"] = 0.5
    least_gpus: Annotated[float, "GPUs lacking on average that are not worth a message"] = 1.0
    most_jobs: Annotated[int, "newest jobs that a replay has at most"] = 5_000


def advise(
    store: Store,
    settings: Settings,
    findings: Sequence[Finding],  # noqa: ARG001 - the same for every advisor
    now: datetime,
) -> Iterator[Recommendation]:
    """One sentence per pool that may lack GPUs in the next four weeks."""
    assert isinstance(settings, BuySettings)
    looks = outlook.finest(outlook.outlooks(store, outlook.MONTH_D, now))
    short = [look for look in looks if look.lacking.high >= settings.least_gpus]
    for look in short:
        yield _proposal(store, settings, look, now)


def _proposal(store: Store, settings: BuySettings, look: Outlook, now: datetime) -> Recommendation:
    loose = _loose(store, look, now).times(settings.won_back_ratio)
    rest = _rest(look.lacking, loose)
    count = math.ceil(rest.expected) if rest.expected >= settings.least_gpus else 0
    price = prices.price(store, now, look.cluster, look.pool)
    hours = HORIZON / timedelta(hours=1)
    wait = _wait(store, settings, look, count, now) if count else None
    back = max(0.0, look.lacking.expected - rest.expected)
    gain = Gain(
        HORIZON,
        # What is bought is filled as far as it was lacking.
        _filled(rest, count).times(hours),
        price.worth(_filled(rest, count).expected * hours),
        # A purchase deferred: GPUs that need not be bought, at what they are worth.
        price.worth(back * hours) if not count else None,
        price.currency,
        wait,
    )
    return proposal(
        "buy",
        f"{look.cluster}/{look.pool}/{'buy' if count else 'not'}/{look.made:%G-%V}",
        now,
        gain,
        subject=f"{look.cluster}/{look.pool}",
        title=_title(look, count, rest),
        resources=resources([f"pool/{look.cluster}/{look.pool}"], gain.gpu_hours.expected),
        confidence_ratio=look.cover_ratio,
        created=look.made,
        because=_because(look, loose, rest, wait, count),
    )


def _rest(lacking: Interval, loose: Interval) -> Interval:
    """GPUs that stay lacking when loose ones are won back; the worst of both at the upper end."""
    return Interval(
        max(0.0, lacking.expected - loose.expected),
        max(0.0, lacking.low - loose.high),
        max(0.0, lacking.high - loose.low),
    )


def _filled(rest: Interval, count: int) -> Interval:
    return Interval(*(min(count, v) for v in (rest.expected, rest.low, rest.high)))


def _title(look: Outlook, count: int, rest: Interval) -> str:
    """The sentence for management."""
    where = look.pool or look.cluster
    if count:
        high = math.ceil(rest.high)
        upto = f" (at most {high})" if high > count else ""
        return f"Buy {evidence.counted(count, 'GPU')}{upto} for {where}"
    return f"Do not buy GPUs for {where}: win back what stands idle first"


def _because(look: Outlook, loose: Interval, rest: Interval, wait: Wait | None, count: int) -> str:
    past = "unknown" if look.error_ratio is None else f"{look.error_ratio:.0%}"
    told = (
        f"demand is expected to exceed the usable GPUs by {look.lacking.words('GPUs')} on average"
        f" in the next {outlook.MONTH_D} days (past error of such forecasts {past}); GPUs idle,"
        f" stranded or wanted would give {loose.words('GPUs')} of that first;"
        f" {rest.words('GPUs')} would still be lacking"
    )
    return f"{told}; {replayed.words(wait)}" if count else told


def _loose(store: Store, look: Outlook, now: datetime) -> Interval:
    """GPUs that were loose in the two weeks before, mean of the days."""
    rows = store.select(
        _LOOSE_SQL, since=now - HISTORY, until=now, cluster=look.cluster, pool=look.pool
    )
    days = [r["gpus"] for r in rows]
    return of_days(days, min(days, default=0.0), max(days, default=0.0))


def _wait(
    store: Store, settings: BuySettings, look: Outlook, count: int, now: datetime
) -> Wait | None:
    """How much shorter waits would have been with as many GPUs more, in nodes like the usual."""
    nodes = replayed.nodes(store, now, look.cluster)
    told = replayed.trace(store, nodes, now, settings.most_jobs)
    if told is None:
        return None
    like = max(nodes, key=lambda n: (n.gpus, n.name))
    more = add_nodes(told, math.ceil(count / max(1, like.gpus)), like.model, like.gpus)
    return replayed.waits(told, after_trace=more)


_TIME = "DateTime64(3, 'UTC')"
_WITHIN = f"minute >= {{since:{_TIME}}} AND minute < {{until:{_TIME}}}"
_LOOSE_SQL = f"""
SELECT b.day AS day, ifNull(l.loose, 0) / b.seconds AS gpus
FROM (SELECT toStartOfDay(hour) AS day, sum(dateDiff('second', hour, booked_until)) AS seconds
  FROM booked_hours FINAL WHERE hour >= {{since:{_TIME}}} AND hour < {{until:{_TIME}}}
  GROUP BY day HAVING seconds > 0) AS b
LEFT JOIN (SELECT toStartOfDay(minute) AS day, sum(loose_ms) / 1000 AS loose FROM recoverable_1m
  WHERE {_WITHIN} AND cluster = {{cluster:String}} AND {{pool:String}} IN ('', pool)
  GROUP BY day) AS l ON l.day = b.day
ORDER BY day"""

advisor = Advisor(
    "Buy GPUs, or win back those that stand idle first",
    BuySettings,
    advise,
    every_min=360,
)
