"""The page of `benchmarks/accuracy.py`: figures by kind of finding, causes, and the bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.labelled.rules import KINDS, RULES
from tests.labelled.score import Score
from tests.labelled.truth import CAUSES

WITHIN_S = 360.0
PER_GPU_HOURS = 10_000.0
Causes = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Bar:
    """One promise: what it asks, what was measured, whether it is kept (None: nothing to say)."""

    asks: str
    measured: str
    kept: bool | None

    def __str__(self) -> str:
        word = {True: "kept  ", False: "MISSED", None: "no data"}[self.kept]
        return f"{word:<8} {self.asks}: {self.measured}"


def detectors(
    scores: Mapping[str, Score], built: set[str], kinds: Mapping[str, int], gpu_hours: float
) -> str:
    """A line for each kind: precision, recall, times to detection, false alarms."""
    head = f"{'finding':<16} {'findings':>8} {'precision':>9} {'recall':>7} {'of':>4}"
    lines = [f"{head} {'median':>8} {'slowest':>8} {'false alarms per 10,000 GPU-h':>30}"]
    for kind in RULES:
        if kind not in built and not kinds.get(kind):
            lines.append(f"{kind:<16} not built")
            continue
        s = scores[kind]
        alarms = s.wrong / gpu_hours * PER_GPU_HOURS
        lines.append(
            f"{kind:<16} {s.right + s.wrong + s.open:>8} {_share(s.precision):>9}"
            f" {_share(s.recall):>7} {s.found + s.missed:>4}"
            f" {_minutes(s.median_s):>8} {_minutes(s.delay(1)):>8} {alarms:>20.1f} ({s.wrong})"
        )
    others = sorted(set(kinds) - set(RULES))
    lines += [f"{kind:<16} {kinds[kind]:>8} not scored: no truth about it" for kind in others]
    return "\n".join(lines)


def confusion(causes: Causes) -> str:
    """True causes by given causes; '-' is a job that nobody found, '?' one without a cause."""
    given = sorted({g for _, g in causes}, key=lambda g: (g in "-?", g))
    short = {g: g if len(g) < 11 else "".join(w[:4] + "." for w in g.split("_")) for g in given}
    lines = [f"{'true cause':<20}" + "".join(f"{short[g]:>11}" for g in given)]
    for true in CAUSES:
        if any(causes.get((true, g)) for g in given):
            row = "".join(f"{causes.get((true, g)) or '·':>11}" for g in given)
            lines.append(f"{true:<20}{row}")
    return "\n".join(lines) if given else "no job with a known cause"


def bars(
    scores: Mapping[str, Score],
    causes: Causes,
    gpu_hours: float,
    harm: Sequence[str],
    stops: int,
    built: set[str],
) -> str:
    """Every bar with its figure."""
    told = [*_idle(scores["idle"]), _harm(harm, stops), *_causes(causes)]
    told += _stalled(scores["stalled"], gpu_hours, "stalled" in built)
    return "\n".join(str(bar) for bar in told)


def _idle(s: Score) -> Iterator[Bar]:
    yield Bar("idle, precision >= 0.98", _share(s.precision), _at_least(s.precision, 0.98))
    yield Bar("idle, recall >= 0.98", f"{_share(s.recall)} of {s.found + s.missed}",
              _at_least(s.recall, 0.98))  # fmt: skip
    within = sum(d <= WITHIN_S for d in s.delays_s) / len(s.delays_s) if s.delays_s else None
    measured = (
        f"median {_minutes(s.median_s)}, 90 % under {_minutes(s.delay(0.9))}, slowest"
        f" {_minutes(s.delay(1))}; {_share(within)} of {len(s.delays_s)} turns within 6 min"
    )
    yield Bar("idle found within 6 min of the turn (median)", measured,
              None if s.median_s is None else s.median_s <= WITHIN_S)  # fmt: skip
    yield Bar("idle found within 6 min of the turn (98 % of turns)", _share(within),
              _at_least(within, 0.98))  # fmt: skip
    if s.starts_s:
        slowest = f"{min(s.starts_s) / 60:.1f} to {max(s.starts_s) / 60:.1f} min"
        yield Bar("jobs that never began (start-up is waited for)", slowest, None)


def _harm(harm: Sequence[str], stops: int) -> Bar:
    told = f"{len(harm)} of {stops} proposals to end a job"
    listed = "".join(f"\n           {h}" for h in harm[:10])
    return Bar("no 'stop this' advice on a working job", told + listed, not harm if stops else None)


def _causes(causes: Causes) -> Iterator[Bar]:
    total = sum(causes.values())
    right = sum(n for (true, given), n in causes.items() if true == given)
    found = sum(n for (_, given), n in causes.items() if given != "-")
    share = right / total if total else None
    of_found = _share(right / found if found else None)
    measured = f"{_share(share)} of {total} jobs, {of_found} of the {found} found"
    yield Bar("cause right in >= 0.85", measured, _at_least(share, 0.85))


def _stalled(s: Score, gpu_hours: float, built: bool) -> Iterator[Bar]:
    if not built:
        yield Bar("stalled, recall >= 0.95", "not built", None)
        return
    alarms = s.wrong / gpu_hours * PER_GPU_HOURS
    yield Bar("stalled, recall >= 0.95", f"{_share(s.recall)} of {s.found + s.missed}",
              _at_least(s.recall, 0.95))  # fmt: skip
    enough = gpu_hours >= PER_GPU_HOURS or s.wrong > 0
    note = "" if enough else f" (only {gpu_hours:,.0f} GPU-hours were looked at)"
    yield Bar("stalled, < 1 false alarm per 10,000 GPU-hours", f"{alarms:.2f}{note}",
              alarms < 1 if enough else None)  # fmt: skip


def markdown(shown: str) -> str:
    """The page with what it rests on, for people who did not run it."""
    return f"""# How right the detectors are

Printed by `python benchmarks/accuracy.py --write`. Sites are made up, but richer than what any
detector looks for (tests/labelled/README.md says how, and from which sources); two of them, and all
their seeds, were never used to choose a threshold. Telemetry is fed tick by tick; a finding counts
from the first tick at which somebody could have read it, and everything that was ever reported is
judged, also what was taken back later.

- **precision**: share of findings that are right for at least half of their time. Findings of
  which the truth cannot tell (an idle quarter of a shared GPU, a pause on the processors) count
  neither way.
- **recall**: share of labelled spans, long enough and seen by telemetry, that some finding told of.
- **median, slowest**: from the turn itself (to the second) to that first tick: five whole minutes,
  the rest of the minute that was cut, settling, and the wait for the next tick.
- **stop advice**: any proposal whose command or title ends a job that works, is about to go on, or
  serves.

Read with care: the truth is told by job, so that findings about a service (`service/…`) match none
and the precision of `serving` says nothing; rows come once a minute, each source with a phase of
its own, so that a minute is whole up to a minute later than with agents, which tell every second.

```text
{shown}
```
"""


def misses(scores: Mapping[str, Score]) -> str:
    """What was missed and what was wrong, by kind."""
    lines = []
    for kind, s in scores.items():
        lines += [f"{kind} missed: {m}" for m in s.misses[:20]]
        lines += [f"{kind} wrong:  {a}" for a in s.alarms[:20]]
    return "\n".join(lines)


def _at_least(value: float | None, bar: float) -> bool | None:
    return None if value is None else value >= bar


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _minutes(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / 60:.1f} min"


__all__ = ["KINDS", "Bar", "bars", "confusion", "detectors", "markdown", "misses"]
