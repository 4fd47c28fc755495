"""`gpuledger replay`: a cluster's past through a scheduler again, as it was and with a change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options, show
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from analytics.replay import Comparison, Interval, Outcome, Scenario, Trace
    from analytics.replay.saturate import Saturation

LENGTH = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}
NODES = re.compile(r"(\d+)x(.+):(\d+)")
HELP = """Drive a cluster's past through a scheduler again.

TRACE is a list of tasks as the openb trace has them (CSV), or what `sacct --allusers --allocations
--parsable2` with the fields of `gpuledger backfill` printed; also packed by gzip. Nodes come from
--nodes: a list as openb has them (CSV), or what `scontrol show node` printed.

Without TRACE, the jobs of the last days that --store has; without --nodes, its nodes.

With a what-if, the trace is driven twice, and both are shown beside each other.
"""


@click.command("replay", help=HELP, short_help="A past, scheduled again with a what-if.")
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option("--nodes", "nodes_path", type=click.Path(path_type=Path), help="See above.")
@options.address_option("store", "STORE", "Where jobs and nodes come from that no file tells.")
@options.config_option
@click.option("--since", default="14d", show_default=True, help="How far back jobs of the store.")
@click.option(
    "--drive",
    type=click.Choice(["time", "saturation"]),
    default="time",
    show_default=True,
    help="By the times of the trace; or fill the cluster until 130 % of its GPUs were asked for.",
)
@click.option("--today", default="best-fit", show_default=True, help="Policy of the cluster.")
@click.option(
    "--policy",
    default="",
    help="What if it were best-fit, fgd, fgd-demand, spread or random.",
)
@click.option(
    "--moves", default=0, show_default=True, help="What if so many tasks moved as advised,"
)
@click.option("--every", default="6h", show_default=True, help="once in that time.")
@click.option(
    "--time-limit", default=5.0, show_default=True, help="Seconds for the planner, each time."
)
@click.option("--add-nodes", default="", metavar="NxMODEL:GPUS", help="What if, e.g. 4xH100:8.")
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    metavar="TEAM=GPUS",
    help="What if a team held at most so many at once; may be given again.",
)
@click.option(
    "--load",
    type=float,
    help="Draw tasks at random that ask for so many percent of all GPU time,",
)
@click.option("--days", default=2.0, show_default=True, help="for so many days.")
@click.option(
    "--timezone", default="UTC", show_default=True, help="Of times in sacct's files, if not UTC."
)
@click.option("--seed", default=0, show_default=True)
@options.format_option("table", "json")
def command(
    drive: str,
    load: float | None,
    days: float,
    fmt: str,
    seed: int,
    today: str,
    policy: str,
    moves: int,
    every: str,
    time_limit: float,
    add_nodes: str,
    quotas: tuple[str, ...],
    **sources: Any,
) -> None:
    """Load, drive, report; the help that people see is HELP."""
    from analytics.replay.task import at_load

    what_if = _WhatIf(today, policy, moves, every, time_limit, add_nodes, quotas)
    found = _loaded(**sources)
    if load is not None:
        found = at_load(found, load / 100, days, seed)
    for note in found.notes:
        click.echo(note, err=True)
    if drive == "saturation":
        _saturated(found, what_if, seed, fmt)
    else:
        _timed(found, what_if, seed, fmt)


@dataclass(frozen=True)
class _WhatIf:
    """What is to be different the second time."""

    today: str
    policy: str
    moves: int
    every: str
    time_limit_s: float
    add_nodes: str
    quotas: tuple[str, ...]

    def trace(self, trace: Trace) -> Trace:
        """With more nodes."""
        from analytics.replay import add_nodes

        if not self.add_nodes:
            return trace
        found = NODES.fullmatch(self.add_nodes)
        if not found:
            raise ConfigError(f"--add-nodes {self.add_nodes}: write e.g. 4xH100:8")
        return add_nodes(trace, int(found[1]), found[2], int(found[3]))

    def scenario(self, before: Scenario) -> Scenario:
        """With another policy, moves and quotas."""
        return replace(
            before,
            policy=self.policy or before.policy,
            moves=self.moves,
            every_h=_hours(self.every) if self.moves else before.every_h,
            plan_limit_s=self.time_limit_s if self.moves else before.plan_limit_s,
            quotas=dict(_quota(text) for text in self.quotas),
        )


def _loaded(
    *,
    trace: Path | None,
    nodes_path: Path | None,
    store_url: str,
    config_path: Path | None,
    since: str,
    timezone: str,
) -> Trace:
    """From files, and from the store what no file tells."""
    from analytics.book import parse_since
    from analytics.repacking.snapshot import snapshot
    from analytics.replay import history
    from analytics.replay.load import load, load_nodes

    if store_url and not (trace and nodes_path):
        reader = options.open_for_questions(store_url, options.load_config(config_path))
        now = datetime.now(UTC)
        nodes = load_nodes(nodes_path) if nodes_path else snapshot(reader, now).nodes
        if not trace:
            return history(reader, nodes, parse_since(since, now), now)
    elif trace and nodes_path:
        nodes = load_nodes(nodes_path)
    else:
        raise ConfigError("name a file as TRACE and one with --nodes, or a --store")
    return load(trace, nodes, options.zone(timezone))


def _saturated(trace: Trace, what_if: _WhatIf, seed: int, fmt: str) -> None:
    """The cluster filled, by one policy or by two."""
    from analytics.replay.saturate import saturate

    if what_if.moves or what_if.quotas:
        raise ConfigError("--drive saturation: nothing ends there, so no --moves and no --quota")
    policy, after = what_if.policy or what_if.today, what_if.trace(trace)
    runs = {"before": saturate(trace.nodes, trace.tasks, what_if.today, seed)}
    if policy != what_if.today or after is not trace:
        runs["after"] = saturate(after.nodes, trace.tasks, policy, seed)
    if fmt == "json":
        show.as_json({name: _curve(run) for name, run in runs.items()})
        return
    title = "Percent of all GPUs, when tasks had asked for so many percent of them"
    show.plain_table(_curve_rows(runs), title)


def _curve(run: Saturation) -> dict[str, Any]:
    return {
        "policy": run.policy,
        "tasks": run.tasks,
        "failed_tasks": run.failed,
        "allocated_percent": [round(v, 3) for v in run.allocated],
        "fragments_percent": [round(v, 3) for v in run.fragments],
    }


def _curve_rows(runs: dict[str, Saturation]) -> list[dict[str, Any]]:
    return [
        {
            "asked for": at,
            **{f"allocated {name}, {run.policy}": run.allocated[at] for name, run in runs.items()},
            **{f"fragments {name}, {run.policy}": run.fragments[at] for name, run in runs.items()},
        }
        for at in range(0, len(runs["before"].allocated), 10)
    ]


def _timed(trace: Trace, what_if: _WhatIf, seed: int, fmt: str) -> None:
    """The trace driven as it was and, where there is a what-if, with it."""
    from analytics.replay import Scenario, compare, drive

    before = Scenario(policy=what_if.today, seed=seed)
    after, more = what_if.scenario(before), what_if.trace(trace)
    if after == before and more is trace:
        outcomes, found = {"before": drive(trace, before)}, None
    else:
        found = compare(trace, before, after, after_trace=more)
        outcomes = {"before": found.before, "after": found.after}
    if fmt == "json":
        told: dict[str, Any] = {name: _told(o) for name, o in outcomes.items()}
        show.as_json({**told, "wait_saved_seconds": _saved(found)} if found else told)
        return
    show.plain_table([_line(name, outcomes) for name in _FIGURES], "GPU-hours")
    click.echo()
    show.plain_table(list(_wait_rows(outcomes)), "Waits, by the size of tasks in GPUs")
    if found and found.wait_saved_s.jobs:
        click.echo(f"\n{_in_words(found.wait_saved_s)}")


def _hours(text: str) -> float:
    found = LENGTH.fullmatch(text)
    if not found or not float(found[1]):
        raise ConfigError(f"--every {text}: write e.g. 6h, 90m or 1d")
    return float(found[1]) * HOURS[found[2]]


def _quota(text: str) -> tuple[str, float]:
    team, sign, gpus = text.rpartition("=")
    if not sign or not re.fullmatch(r"\d+(\.\d+)?", gpus):
        raise ConfigError(f"--quota {text}: write e.g. vision=64")
    return team, float(gpus)


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "gpu_hours": outcome.gpu_hours,
        "allocated_gpu_hours": outcome.allocated_gpu_hours,
        "unallocated_gpu_hours": outcome.unallocated_gpu_hours,
        "stranded_gpu_hours": outcome.stranded_gpu_hours,
        "moves": outcome.moves,
        "lost_gpu_hours": outcome.lost_gpu_hours,
        "waits": [
            {
                "size": w.size,
                "tasks": w.tasks,
                "never_started": w.never,
                "mean_seconds": w.mean_s,
                "p50_seconds": w.p50_s,
                "p95_seconds": w.p95_s,
            }
            for w in outcome.waits
        ],
    }


def _saved(found: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "size": size,
            "tasks": saved.jobs,
            "mean_seconds": saved.mean,
            "low_seconds": saved.low,
            "high_seconds": saved.high,
        }
        for size, saved in found.saved_s.items()
    ]


def _wait_rows(outcomes: dict[str, Outcome]) -> Iterator[dict[str, Any]]:
    waits = {name: {w.size: w for w in o.waits} for name, o in outcomes.items()}
    for size, first in waits["before"].items():
        row: dict[str, Any] = {"GPUs": size, "tasks": first.tasks}
        for word, key in _WAITS.items():
            for name, of in waits.items():
                row[f"{word} {name}"] = _length(getattr(of[size], key))
        yield {**row, **{f"never {name}": of[size].never for name, of in waits.items()}}


def _in_words(saved: Interval) -> str:
    less = saved.mean >= 0
    low, high = sorted(v if less else -v for v in (saved.low, saved.high))
    return (
        f"On average a task waits {_length(abs(saved.mean))} {'less' if less else 'more'}"
        f" (95 %: {_length(low)} to {_length(high)}, over {saved.jobs:,} tasks)."
    )


_WAITS = {"mean": "mean_s", "median": "p50_s", "p95": "p95_s"}
_FIGURES = {
    "owned": "gpu_hours",
    "allocated": "allocated_gpu_hours",
    "not allocated": "unallocated_gpu_hours",
    "of it stranded": "stranded_gpu_hours",
    "done again after moves": "lost_gpu_hours",
    "moves": "moves",
}


def _line(name: str, columns: dict[str, Outcome]) -> dict[str, Any]:
    return {"": name, **{at: getattr(o, _FIGURES[name]) for at, o in columns.items()}}


def _length(seconds: float | None) -> str:
    """As people say it: seconds, minutes or hours."""
    if seconds is None:
        return show.NOTHING
    if abs(seconds) < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if abs(seconds) < 7200 else f"{seconds / 3600:.1f} h"
