"""What learning is worth on data that it was not made on: forecasts and classes of work.

    benchmarks/learning.py [--quick] [--openb FILE] [--train MODEL]

Forecasts are replayed day by day, each from what was known then. Classes are judged on sites and
seeds that the model has not seen; `--train` makes the model anew from those it may see.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from analytics.learn import classes, model, train
from analytics.learn.features import Features
from benchmarks.learning_parts import jobs
from benchmarks.learning_parts.replay import Outcome, replay
from benchmarks.learning_parts.series import HOURS, Values, arrivals, made_up
from tests.labelled import site

BAR_GAIN, BAR_COVER = 0.20, (0.78, 0.82)
MADE_UP_SEEDS = (1, 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, under 20 s")
    parser.add_argument(
        "--openb", type=Path, help="the trace's list of tasks (default: its counts)"
    )
    parser.add_argument("--train", type=Path, help="write the model of work classes, then judge it")
    asked = parser.parse_args()
    forecasts(asked.openb)
    four_weeks(MADE_UP_SEEDS, every_d=28 if asked.quick else 3)
    with jobs.engine() as store:
        if asked.train:
            make_model(store, asked.train)
        work_classes(store, quick=asked.quick, path=asked.train)


def forecasts(path: Path | None) -> None:
    """Arrivals of the public trace, 1-7 days ahead."""
    tasks, gpus = arrivals(path)
    days = len(tasks) // HOURS
    print(f"openb arrivals, 1-7 days ahead, {days} whole days, forecasts from day 14 on")
    print(f"  bar: {BAR_GAIN:.0%} better than the week before, 78-82 % inside the band")
    for name, hourly in (("tasks", tasks), ("GPUs", gpus)):
        for title, day, values in (
            ("by the hour", HOURS, hourly),
            ("by the day", 1, _daily(hourly)),
        ):
            for less in (0, 1):
                kept = values[: len(values) - less * day]
                began = time.monotonic()
                out = replay(kept, day, 7)
                about = f"{name} {title}{', without the last day' if less else ''}"
                _tell(about, out, time.monotonic() - began, bar=True)
    surge = _daily(tasks)
    print(
        f"  the last whole day has {surge[-1]:.0f} tasks, the median day {np.median(surge):.0f}\n"
    )


def four_weeks(seeds: Sequence[int], every_d: int) -> None:
    """Made-up demand, 28 days ahead."""
    print("made-up demand (no real data), 1-28 days ahead by the day, 210 days; no bar")
    for seed in seeds:
        began = time.monotonic()
        out = replay(made_up(seed), 1, 28, first_d=60, every_d=every_d)
        _tell(f"seed {seed}", out, time.monotonic() - began, bar=False)
    print()


def _daily(hourly: Values) -> Values:
    return np.asarray(hourly.reshape(-1, HOURS).sum(axis=1))


def _tell(about: str, out: Outcome, took_s: float, *, bar: bool) -> None:
    low, high = BAR_COVER
    verdict = ""
    if bar:
        gain = "met" if out.gain >= BAR_GAIN else "MISSED"
        cover = "met" if low <= round(out.cover, 2) <= high else "MISSED"
        verdict = f"  gain {gain}, band {cover}"
    methods = ", ".join(f"{n} {c}" for n, c in out.methods.most_common())
    print(
        f"  {about:<40} WAPE {out.wape:.3f}, week before {out.naive_wape:.3f},"
        f" gain {out.gain:+.1%}, inside {out.cover:.1%}{verdict}\n{'':<42} {methods};"
        f" {took_s:.1f} s"
    )


def make_model(store: jobs.Store, path: Path) -> None:
    """Train on the sites and seeds that may be seen."""
    found, works = jobs.joined(
        [jobs.labelled(store, name, seed) for name in site.TUNING for seed in site.TUNING_SEEDS]
    )
    about = f"tests/labelled, sites {' and '.join(site.TUNING)}, seeds 1-6, {len(works)} jobs"
    body = train.train(found.values, works, about)
    path.write_bytes(body)
    print(f"{path}: {len(works)} jobs, SHA-256 {hashlib.sha256(body).hexdigest()}\n")


def work_classes(store: jobs.Store, *, quick: bool, path: Path | None) -> None:
    """The model against the rule, on sites and seeds of their own."""
    known = (
        model.load(path, hashlib.sha256(path.read_bytes()).hexdigest()) if path else model.load()
    )
    if quick:
        small = site.small(site.VARIANTS[site.HELD_OUT[0]])
        parts = [jobs.labelled(store, small, site.HELD_OUT_SEEDS[0], hours=4)]
    else:
        parts = [
            jobs.labelled(store, name, seed)
            for name in site.HELD_OUT
            for seed in site.HELD_OUT_SEEDS[:2]
        ]
    found, works = jobs.joined(parts)
    print(f"classes of work, {len(works)} jobs of sites and seeds that were not trained on")
    hidden = Features(
        found.jobs, train.hidden(found.values), found.minutes, ("batch",) * len(found.jobs)
    )
    for title, seen in (("as the scheduler tells", found), ("nobody says interactive", hidden)):
        shares = known.shares(seen.values)
        judged = [known.classes[i] for i in shares.argmax(axis=1)]
        print(
            f"  {title}: right by rule {_right(classes.rule(seen), works):.1%},"
            f" by model {known.version} {_right(judged, works):.1%}"
        )
        _by_class(judged, works)


def _right(judged: Sequence[str], works: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(judged, works, strict=True)) / len(works)


def _by_class(judged: Sequence[str], works: Sequence[str]) -> None:
    pairs = list(zip(judged, works, strict=True))
    for name in classes.CLASSES:
        true, said = works.count(name), judged.count(name)
        both = pairs.count((name, name))
        recall = f"{both / true:.2f}" if true else "-"
        precision = f"{both / said:.2f}" if said else "-"
        print(f"    {name:<12} {true:>5} jobs, recall {recall}, precision {precision}")


if __name__ == "__main__":
    main()
