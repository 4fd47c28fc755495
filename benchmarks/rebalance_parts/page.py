"""Figures as tables in Markdown, for the screen and for docs/measurements/rebalancing.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.rebalance_parts.runs import DRAIN, GREEDY, SIZES, Outcome

BAR_MEDIAN, BAR_LEAST, BAR_BOUND = 0.99, 0.95, 0.90


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its columns as wide as they need."""
    every = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in every)


def grouped(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], list[Outcome]]:
    """By kind of fleet and load, in order."""
    out: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        out.setdefault(outcome.case.group, []).append(outcome)
    return out


def methods(outcomes: Sequence[Outcome]) -> list[str]:
    """The names of all methods that every fleet was given to."""
    return [name for name in outcomes[0].by if all(name in o.by for o in outcomes)]


def shares(values: Iterable[float | None]) -> str:
    """Median and least, in percent."""
    told = [v for v in values if v is not None]
    return f"{median(told):.1%} ({min(told):.0%})" if told else "-"


def quality(outcomes: Sequence[Outcome]) -> str:
    """Share of the best known reduction of F, and of the bound's, median (least) per group."""
    names = methods(outcomes)
    last = names[-1] if len(names) > 2 else ""
    head = ["states", "load", "n", *names, f"bound, {last}"]
    rows = []
    for (kind, load), some in grouped(outcomes).items():
        rows.append(
            [
                *(kind, load, str(len(some))),
                *(shares(o.of_best(name) for o in some) for name in names),
                shares(o.of_bound(last) for o in some),
            ]
        )
    every = [shares(o.of_best(name) for o in outcomes) for name in names]
    bound = shares(o.of_bound(last) for o in outcomes)
    rows.append(["**all**", "", str(len(outcomes)), *every, bound])
    return table(head, rows)


def fragments(outcomes: Sequence[Outcome]) -> str:
    """F, mean per group in GPUs: doing nothing, each method, the best known, the bound."""
    names = methods(outcomes)
    head = ["states", "load", "nothing", *names, "best known", "bound"]
    rows = []
    for (kind, load), some in grouped(outcomes).items():
        values = [
            [o.start.frag for o in some],
            *([o.by[name].frag for o in some] for name in names),
            [o.best for o in some],
            [o.least for o in some],
        ]
        rows.append([kind, load, *(f"{sum(v) / len(v):.2f}" for v in values)])
    return table(head, rows)


def slots(outcomes: Sequence[Outcome], last: str) -> str:
    """Tasks of 1/2/4/8 whole GPUs that there is room for, summed over each group."""
    head = ["states", "load", "nothing", DRAIN, GREEDY, last]
    rows = []
    for (kind, load), some in grouped(outcomes).items():
        columns = [
            [o.start for o in some],
            *([o.by[n] for o in some] for n in (DRAIN, GREEDY, last)),
        ]
        rows.append(
            [
                *(kind, load),
                *(
                    "/".join(str(sum(r.slots[i] for r in column)) for i in range(len(SIZES)))
                    for column in columns
                ),
            ]
        )
    return table(head, rows)


def verdict(outcomes: Sequence[Outcome], name: str) -> str:
    """Whether the bars are met."""
    told = [v for v in (o.of_best(name) for o in outcomes) if v is not None]
    bound = [v for v in (o.of_bound(name) for o in outcomes) if v is not None]
    if not told:
        return "nothing to gain anywhere"
    middle, least, reached = median(told), min(told), median(bound)
    slowest = max(o.by[name].seconds for o in outcomes)
    return (
        f"{name}: of the best known reduction median {middle:.1%}"
        f" ({_met(middle >= BAR_MEDIAN)} {BAR_MEDIAN:.0%}), least {least:.1%}"
        f" ({_met(least >= BAR_LEAST)} {BAR_LEAST:.0%}); of the bound's median {reached:.1%}"
        f" ({_met(reached >= BAR_BOUND)} {BAR_BOUND:.0%}); slowest plan {slowest:.1f} s;"
        f" {sum(o.by[name].mode == 'batch' for o in outcomes)} of {len(outcomes)} plans are batches"
    )


def _met(good: bool) -> str:
    return "met:" if good else "missed:"
