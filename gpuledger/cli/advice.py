"""One recommendation as people read it: what it promises, why, how, its life and its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from gpuledger.cli import show
from gpuledger.schema import FOREVER

DAY_S = 86_400
FIGURE = "{:,.4g}"


def print_one(row: show.Row) -> None:
    """A recommendation as `analytics.book.recommendation` tells it."""
    lines = [{"": name, " ": text} for name, text in _lines(row) if text]
    show.plain_table(lines, f"{row['recommendation_id']}: {row['title']}")
    print_commands(row["command"] or "", row["undo"] or "")
    if row["life"]:
        click.echo()
        show.plain_table([_step(step) for step in row["life"]], "What became of it")


def print_commands(command: str, undo: str) -> None:
    """As they are, outside of any table, so that they can be copied."""
    if command:
        click.echo(f"\nCommands, for a person to run:\n\n{command}")
    if undo:
        click.echo(f"\nWhat takes them back:\n\n{undo}")


def _lines(row: show.Row) -> Iterator[tuple[str, str]]:
    yield "status", f"{row['status']}, since {row['created']:%Y-%m-%d %H:%M} UTC"
    yield "kind", row["kind"]
    yield "about", ", ".join(filter(None, (row["subject"], row["user"], row["team"])))
    yield "gain", _gain(row)
    yield "worth", _worth(row)
    yield "waits", _waits(row)
    yield "confidence", _percent(row["confidence_ratio"])
    yield "because", row["because"]
    yield "to do", "" if row["command"] else "no command"
    yield "finding", _finding(row["finding"])
    yield "outcome", _outcome(row["outcome"])


def _gain(row: show.Row) -> str:
    if row["gain_gpu_hours"] is None:
        return ""
    within = _span(row, "gain_gpu_hours", "gain_low_gpu_hours", "gain_high_gpu_hours")
    told = f"{within} GPU-hours in {row['horizon_seconds'] / DAY_S:.3g} d"
    net = row["net_gain_gpu_hours"]
    beyond = net is not None and net < row["gain_gpu_hours"] - 0.5
    return f"{told}, {net:,.0f} of them beyond what gains more" if beyond else told


def _worth(row: show.Row) -> str:
    told = [show.money(row["gain_capacity_value"], row["currency"])]
    if row["gain_cash_avoidable"] is not None:
        told.append(f"{show.money(row['gain_cash_avoidable'], row['currency'])} of cash avoidable")
    return ", ".join(told)


def _waits(row: show.Row) -> str:
    if row["gain_wait_seconds"] is None:
        return ""
    ends = ("gain_wait_low_seconds", "gain_wait_high_seconds")
    return f"{_span(row, 'gain_wait_seconds', *ends)} s less for the mean job, in a replay"


def _span(row: show.Row, expected: str, low: str, high: str) -> str:
    """`247 (0 to 1,344)`: the ends only where they are known and differ."""
    told = _figure(row[expected])
    if row[low] is None or row[high] is None:
        return f"{told} (interval not known)"
    if row[low] == row[high]:
        return told
    return f"{told} ({_figure(row[low])} to {_figure(row[high])})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else FIGURE.format(value)


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * ratio:.0f} %"


def _finding(finding: show.Row | None) -> str:
    if finding is None:
        return ""
    return f"{finding['finding_id'][: show.SHORT_ID]} {finding['kind']}: {finding['summary']}"


def _outcome(outcome: show.Row | None) -> str:
    if outcome is None:
        return ""
    if outcome["reason"]:
        return str(outcome["reason"])
    ends = ("low_gpu_hours", "high_gpu_hours")
    return f"won {_span(outcome, 'measured_gpu_hours', *ends)} GPU-hours"


def _step(step: show.Row) -> dict[str, Any]:
    until = step["until"]
    return {
        "at": step["at"],
        "status": step["status"],
        "by": step["by"],
        "reason": step["reason"],
        "until": FOREVER if until is None else until,
    }
