"""How right detectors are on labelled sites that no threshold was chosen on; --tuning: the others.

Each site is fed tick by tick, as a live one would be: a finding counts from the first tick at which
a person could have read it, and all that was ever reported is judged. Exit status 1: advice to
end a job that works.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

# A sibling of ours is called collector.py: the packages must come first.
sys.path.insert(0, str(Path(__file__).parent.parent))

from analytics.runner import Runner, RunnerSettings
from gpuledger import plugins
from gpuledger.config import Config
from gpuledger.store import Address, Store
from tests.labelled import page, site
from tests.labelled.scenario import Scenario, build
from tests.labelled.score import Advice, Found, Judge, Score, added

PAGE = Path(__file__).parent.parent / "docs/measurements/accuracy.md"
MINUTE = timedelta(minutes=1)
# Jobs turn idle or hang within so many minutes amid the scenario; until well after, the runner
# ticks every minute (on the first seed of each site), and else every half an hour.
WATCHED_MIN, SETTLE_MIN, SELDOM_MIN = 20, 15, 30
# An agent's rows of a minute are in the store some seconds after it.
DELIVERY = timedelta(seconds=5)
# The runner ticks as soon as a minute has settled.
SETTLED = timedelta(seconds=RunnerSettings().settle_s)
CONFIG = Config({"prices": {"currency": "EUR", "capacity_value": 2.0, "energy_price": 0.2}})


@dataclass
class Seen:
    """What the ticks of one scenario showed."""

    reported: dict[int, datetime] = field(default_factory=dict)
    proposed: dict[int, list[datetime]] = field(default_factory=dict)
    tick_s: list[float] = field(default_factory=list)


@dataclass
class Result:
    """What one scenario came to."""

    name: str
    gpu_hours: float
    scores: dict[str, Score]
    causes: Counter[tuple[str, str]]
    harm: list[str]
    stops: int
    kinds: Counter[str]
    tick_s: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small site of 3 hours")
    parser.add_argument("--tuning", action="store_true", help="tuning sites and seeds")
    parser.add_argument("--only", help="one site, by name", choices=sorted(site.VARIANTS))
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each site")
    parser.add_argument("--misses", action="store_true", help="list what was missed or wrong")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} as well")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        store = Store(Address(Path(home) / "store"))
        store.apply()
        results = [_run(store, *planned) for planned in _planned(asked)]
        store.close()
    harm = [h for r in results for h in r.harm]
    shown = _page(results, asked, time.monotonic() - began)
    print(shown)
    if asked.write:
        PAGE.write_text(page.markdown(shown))
    sys.exit(1 if harm else 0)


@dataclass(frozen=True)
class Plan:
    """When jobs turn idle or hang, and when the runner ticks; minutes from the start.

    Times to detection mean something only where it ticks every minute (`timed`).
    """

    ticks: Sequence[int]
    turns: tuple[int, int] = (180, 180 + WATCHED_MIN)
    timed: bool = False


SELDOM = Plan(range(SELDOM_MIN, 361, SELDOM_MIN))
OFTEN = Plan(sorted({*SELDOM.ticks, *range(180, 180 + WATCHED_MIN + SETTLE_MIN)}), timed=True)
QUICK = Plan((85, 120), (80, 85))


def _planned(asked: argparse.Namespace) -> Iterator[tuple[Scenario, Plan]]:
    """All sites with held-out seeds; or, for tuning, tuning sites with tuning seeds."""
    if asked.quick:
        name = asked.only or ("hopper" if asked.tuning else "blackwell")
        seed = (site.TUNING_SEEDS if asked.tuning else site.HELD_OUT_SEEDS)[0]
        small = site.small(site.VARIANTS[name])
        yield build(small, seed, hours=QUICK.ticks[-1] / 60, turns=QUICK.turns), QUICK
        return
    names = site.TUNING if asked.tuning else (*site.HELD_OUT, *site.TUNING)
    seeds = site.TUNING_SEEDS if asked.tuning else site.HELD_OUT_SEEDS
    for i, seed in enumerate(seeds[: asked.seeds]):
        plan = SELDOM if i else OFTEN
        for name in names:
            if asked.only in {None, name}:
                yield build(name, seed, turns=plan.turns), plan


def _run(store: Store, scenario: Scenario, plan: Plan) -> Result:
    """Feed and tick one scenario into an empty store, and judge what came of it."""
    _empty(store)
    runner, seen = Runner(store, CONFIG), Seen()
    fed = scenario.start
    for minute in plan.ticks:
        now = scenario.start + minute * MINUTE + SETTLED
        scenario.feed(store, fed, now - DELIVERY)
        fed = now - DELIVERY
        began = time.monotonic()
        runner.tick(now)
        seen.tick_s.append(time.monotonic() - began)
        _look(store, now + timedelta(seconds=seen.tick_s[-1]), seen)
    return _judged(store, scenario, plan, seen)


def _look(store: Store, now: datetime, seen: Seen) -> None:
    """What can be read from now on."""
    for row in store.select("SELECT finding_id FROM v_findings"):
        seen.reported.setdefault(row["finding_id"], now)
    proposed = "SELECT recommendation_id FROM v_recommendations WHERE status = 'proposed'"
    for row in store.select(proposed):
        seen.proposed.setdefault(row["recommendation_id"], []).append(now)


def _judged(store: Store, scenario: Scenario, plan: Plan, seen: Seen) -> Result:
    judge = Judge(scenario.cluster, scenario.truth)
    findings = [
        Found(
            *(row["kind"], row["subject"], row["since"], row["until"], row["cause"]),
            words=f"{row['summary']} {row['action']}",
            gpu_seconds=row["gpu_seconds"],
            reported=seen.reported.get(row["finding_id"]),
        )
        for row in store.select("SELECT * FROM v_findings ORDER BY finding_id")
    ]
    advices = [
        Advice(
            *(row["kind"], row["subject"], row["command"], row["title"]),
            tuple(seen.proposed.get(row["recommendation_id"], ())),
        )
        for row in store.select("SELECT * FROM v_recommendations ORDER BY recommendation_id")
    ]
    low, high = (scenario.start + t * MINUTE for t in plan.turns)
    return Result(
        *(f"{scenario.variant.name}/{scenario.seed}", scenario.gpu_hours),
        scores=judge.scores(findings, (low, high) if plan.timed else None),
        causes=judge.causes(findings),
        harm=judge.harm(advices),
        stops=sum(a.stops for a in advices),
        kinds=Counter(f.known_as for f in findings),
        tick_s=seen.tick_s,
    )


def _empty(store: Store) -> None:
    """A process can open one embedded store only, so every scenario gets the same."""
    filled = (
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
        " AND engine LIKE '%MergeTree'"
    )
    for row in store.select(filled):
        store.command(f"TRUNCATE TABLE `{row['name']}`")


def _page(results: Sequence[Result], asked: argparse.Namespace, took_s: float) -> str:
    built = {page.KINDS.get(n, n) for n in plugins.names("analytics.detectors")}
    scores = added(r.scores for r in results)
    causes: Counter[tuple[str, str]] = sum((r.causes for r in results), Counter())
    hours = sum(r.gpu_hours for r in results)
    kinds: Counter[str] = sum((r.kinds for r in results), Counter())
    ticks = sorted(t for r in results for t in r.tick_s)
    head = (
        f"{', '.join(r.name for r in results)}: {hours:,.0f} GPU-hours in {took_s:.0f} s;"
        f" {len(ticks)} ticks, median {ticks[len(ticks) // 2]:.2f} s, longest {ticks[-1]:.1f} s"
    )
    harm, stops = [h for r in results for h in r.harm], sum(r.stops for r in results)
    parts = [
        head,
        page.detectors(scores, built, kinds, hours),
        page.confusion(causes),
        page.bars(scores, causes, hours, harm, stops, built),
    ]
    if asked.misses:
        parts.append(page.misses(scores))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
