"""`gpuledger success`: what became better, with an interval, or why nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show


@click.command("success")
@options.store_option
@options.config_option
@click.option("--since", default="7d", show_default=True, help="What is judged: 7d, 2w or a time.")
@click.option(
    "--baseline",
    default="",
    metavar="FROM/UNTIL",
    help="What it is compared with, two times; default: the first 28 booked days.",
)
@options.format_option("table", "json", "csv")
def command(store_url: str, config_path: Path | None, since: str, baseline: str, fmt: str) -> None:
    """The four success metrics before and after, each with its 95 % interval."""
    from analytics import book, success

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    until = book.last_booked(reader)
    before = success.baseline(baseline)
    sides = success.windows(reader, until and book.parse_since(since, until), before)
    found = list(success.metrics(reader, *sides)) if sides else []
    show.answer([success.row(m) for m in found], fmt, _table, "Nothing is booked yet.")
    if fmt == "table" and sides:
        then, now = (f"{s.since:%Y-%m-%d %H:%M} to {s.until:%Y-%m-%d %H:%M}" for s in sides)
        click.echo(f"before: {then} UTC, after: {now} UTC")


def _table(rows: Sequence[show.Row]) -> None:
    show.plain_table([_told(r) for r in rows], "Success metrics")


def _told(row: show.Row) -> dict[str, Any]:
    change = row["not_shown"] and f"not shown: {row['not_shown']}"
    return {
        "metric": row["metric"],
        "what": row["what"],
        "before": _value(row, "before"),
        "after": _value(row, "after"),
        "change (95 %)": change
        or f"{_value(row, 'change')} ({_value(row, 'low')} to {_value(row, 'high')})",
        "n": f"{row['n_before']}, {row['n_after']}",
        "grade": row["grade"] or show.NOTHING,
    }


def _value(row: show.Row, name: str) -> str:
    value = row[name]
    if value is None:
        return show.NOTHING
    sign = "+" if name in {"change", "low", "high"} else ""
    match row["unit"]:
        case "ratio":
            return f"{100 * value:{sign}.1f} %"
        case "seconds":
            return f"{value:{sign},.0f} s"
        case _:
            return f"{value:{sign}.3g}"
