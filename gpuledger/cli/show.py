"""How commands print: JSON and CSV for programs, tables for people."""

from __future__ import annotations

import csv
import json
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gpuledger.schema import FOREVER, Column, Samples
from gpuledger.schema import Row as TableRow
from gpuledger.units import BYTE

if TYPE_CHECKING:
    from rich.table import Table

    from gpuledger.checks import Check

Row = Mapping[str, Any]

FILE_WIDTH = 120
SHORT_ID = 8
DEVICES_ABREAST = 4
NOTHING = "–"
VERDICT_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}
STAMPED = {"ts", "interval_seconds", "cluster", "node", "epoch", "gpu_id", "version"}


def as_json(value: Any) -> None:
    """One JSON value on standard output; times RFC 3339."""
    click.echo(json.dumps(value, default=_plain, indent=2))


def as_csv(rows: Sequence[Row]) -> None:
    """Rows as CSV with a header; nested values as JSON."""
    if not rows:
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([_cell(v) for v in row.values()] for row in rows)


def answer(
    rows: Sequence[Row], fmt: str, table: Callable[[Sequence[Row]], None], nothing: str
) -> None:
    """Rows in the format asked for; for people, a sentence where there are none."""
    if fmt == "json":
        as_json(rows)
    elif fmt == "csv":
        as_csv(rows)
    elif rows:
        table(rows)
    else:
        click.echo(nothing)


def ledger_table(rows: Sequence[Row], by: Sequence[str], title: str, limit: int = 0) -> None:
    """The book as a table that adds up to 100 %; only its first lines where a limit says so."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_footer=True, box=None, pad_edge=False)
    total = sum(r["gpu_hours"] for r in rows)
    for name in by:
        table.add_column(name, footer="all owned time" if name == by[0] else "", overflow="fold")
    for name, footer in (
        ("GPU-hours", f"{total:,.1f}"),
        ("share", "100.0 %" if rows else ""),
        ("worth", money(_sum(rows, "capacity_value"), _currency(rows))),
        ("cash avoidable", money(_sum(rows, "cash_avoidable"), _currency(rows))),
    ):
        table.add_column(name, footer=footer, justify="right", no_wrap=True)
    table.add_column("grade")
    for row in rows[: limit or None]:
        table.add_row(*(_named(row, name) for name in by), *_figures(row), _grades(row))
    _print(table)
    priced = sum(r["gpu_hours"] * (r["priced_ratio"] or 0.0) for r in rows)
    if 0 < priced < 0.9999 * total:
        click.echo(
            f"worth covers {100 * priced / total:.3g} % of the GPU-hours: the rest has no price"
        )
    if 0 < limit < len(rows):
        click.echo(f"… and {len(rows) - limit:,} more: --limit 0 shows all")


def _grades(row: Row) -> str:
    """The grade, or the share of each: one unseen hour must not hide a week of good evidence."""
    shares = row["grades"]
    if len(shares) < 2:
        return str(row["grade"])
    return " ".join(f"{g} {100 * share:.3g} %" for g, share in shares.items())


def _print(table: Table) -> None:
    """As wide as the terminal, or as a file that people open."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)


def _named(row: Row, name: str) -> str:
    from rich.markup import escape

    from gpuledger.states import BY_NAME

    text = escape(str(row[name])) if row[name] is not None else "–"
    return f"[{BY_NAME[text].colour}]■[/] {text}" if name == "state" else text


def _figures(row: Row) -> tuple[str, ...]:
    return (
        f"{row['gpu_hours']:,.1f}",
        f"{100 * row['share']:.1f} %",
        money(row["capacity_value"], row["currency"]),
        money(row["cash_avoidable"], row["currency"]),
    )


def recommendations_table(rows: Sequence[Row], title: str = "Recommendations") -> None:
    """What to do, with what it frees."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("what to do", ratio=1)
    table.add_column("team", no_wrap=True)
    for name in ("GPU-hours freed", "worth"):
        table.add_column(name, justify="right", no_wrap=True)
    for r in rows:
        text = f"{escape(r['title'])}\n[dim]{escape(r['because'])}\n{escape(r['command'])}[/dim]"
        worth = money(r["gain_capacity_value"], r["currency"])
        gain = f"{r['gain_gpu_hours']:,.0f} in {r['horizon_seconds'] / 86_400:.3g} d"
        table.add_row(
            r["recommendation_id"][:SHORT_ID], text, escape(r["team"] or "–"), gain, worth
        )
    _print(table)


def findings_table(rows: Sequence[Row], title: str = "Findings") -> None:
    """What is wrong."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("id", "kind", "team", "since"):
        table.add_column(name, no_wrap=True)
    table.add_column("GPU-hours", justify="right", no_wrap=True)
    table.add_column("what", ratio=1)
    for r in rows:
        hours = f"{r['gpu_seconds'] / 3600:,.1f}"
        table.add_row(
            r["finding_id"][:SHORT_ID],
            r["kind"],
            escape(r["team"] or "–"),
            f"{r['since']:%m-%d %H:%M}",
            hours,
            escape(r["summary"]),
        )
    _print(table)


def rows_by_table(rows: Sequence[TableRow]) -> None:
    """Readings as people compare them: a table each, a line per quantity, a column per device.

    Facts (inventory, jobs, reasons) have a line each.
    """
    groups: dict[str, list[TableRow]] = {}
    for row in rows:
        groups.setdefault(row.table.name, []).append(row)
    for group in groups.values():
        if isinstance(group[0].table.layout, Samples):
            for i in range(0, len(group), DEVICES_ABREAST):
                _print(_readings(group[i : i + DEVICES_ABREAST], group))
            if silent := _silent(group):
                told = f"not told here: {', '.join(silent)}"
                click.echo(textwrap.fill(told, FILE_WIDTH, subsequent_indent="  "))
        else:
            _print(_facts(group))
        click.echo()


def _facts(group: Sequence[TableRow]) -> Table:
    """A line per fact; columns that say nothing of any are left out."""
    from rich.markup import escape
    from rich.table import Table

    columns = [c for c in group[0].table.columns if c.name not in STAMPED | {"seen_at"}]
    told = [c for c in columns if any(_reading(c, row) != NOTHING for row in group)]
    table = Table(title=group[0].table.name, title_justify="left", box=None, pad_edge=False)
    for column in told:
        table.add_column(column.name, overflow="fold")
    for row in group:
        table.add_row(*(escape(_reading(c, row)) for c in told))
    return table


def _silent(group: Sequence[TableRow]) -> list[str]:
    """Quantities that none of the devices tells."""
    return [
        c.name
        for c in group[0].table.columns
        if c.name not in STAMPED and all(_reading(c, row) == NOTHING for row in group)
    ]


def _readings(abreast: Sequence[TableRow], group: Sequence[TableRow]) -> Table:
    """A line per quantity that one of the group tells, a column for each of those abreast."""
    from rich.markup import escape
    from rich.table import Table

    keys, left_out = abreast[0].table.keys, {*STAMPED, *_silent(group)}
    table = Table(title=abreast[0].table.name, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for row in abreast:
        device = escape(" ".join(_reading(c, row) for c in keys if c.name not in STAMPED))
        table.add_column(device or _reading_node(row), justify="right", overflow="fold")
    for column in abreast[0].table.columns:
        if column not in keys and column.name not in left_out:
            table.add_row(column.name, *(escape(_reading(column, row)) for row in abreast))
    return table


def _reading_node(row: TableRow) -> str:
    return str(row.values().get("node", ""))


def _reading(column: Column[Any], row: TableRow) -> str:
    """A value as people read it; missing is a dash."""
    from rich.filesize import decimal

    value = row.values()[column.name]
    if value in {None, ""} or value == FOREVER:
        return NOTHING
    if column.unit is BYTE:
        return decimal(int(value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1e4 else f"{value}"


def checks_table(checks: Sequence[Check]) -> None:
    """A line per check: how it stands, what was found, what to do."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("found", ratio=1, overflow="fold")
    for check in checks:
        advice = f"\n[dim]→ {escape(check.advice)}[/]" if check.advice else ""
        style = VERDICT_STYLES[check.verdict]
        verdict = f"[{style}]{check.verdict}[/]"
        table.add_row(verdict, check.name, f"{escape(check.found)}{advice}")
    _print(table)


def money(amount: float | None, currency: str | None) -> str:
    """An amount in whole units, or that there is no price."""
    return "no price" if amount is None else f"{amount:,.0f} {currency or ''}".strip()


def _sum(rows: Sequence[Row], key: str) -> float | None:
    known = [r[key] for r in rows if r[key] is not None]
    return sum(known) if known else None


def _currency(rows: Sequence[Row]) -> str:
    return next((r["currency"] for r in rows if r["currency"]), "")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return _plain(value)
    return json.dumps(value) if isinstance(value, dict | list) else value
