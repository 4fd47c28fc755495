"""How commands print: JSON and CSV for programs, tables for people."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gpuledger import tabular
from gpuledger.catalogue.host import MissingValue, SourceRun
from gpuledger.catalogue.work import GpuLink
from gpuledger.cli import notes
from gpuledger.schema import FOREVER, Column, Kind, Samples
from gpuledger.schema import Row as TableRow
from gpuledger.units import BYTE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from gpuledger.checks import Check

Row = Mapping[str, Any]

FILE_WIDTH = 120
SHORT_ID = 8
DEVICES_ABREAST = 4
NOTHING = "–"
VERDICT_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}
STAMPED = {"ts", "interval_seconds", "cluster", "node", "epoch", "gpu_id", "version", "seen_at"}
MISSING_COLUMNS = ("source", "reading", "reason", "detail")
UNBROKEN = 100_000
SMALL, LARGE = 1e-3, 9999.5
# Whole numbers of these are counts; others are names: of a process, a slot.
COUNTED = {Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE}


def as_json(value: Any) -> None:
    """One JSON value on standard output; times RFC 3339."""
    click.echo(json.dumps(value, default=_plain, indent=2))


def as_csv(rows: Sequence[Row]) -> None:
    """Rows as CSV with a header; nested values as JSON, and no text is a formula."""
    for lines in tabular.csv_blocks([*rows[0]], [rows]) if rows else ():
        click.echo(lines, nl=False)


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


def _console() -> Console:
    """As wide as the terminal, or as a file that people open."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)


def _print(table: Table) -> None:
    _console().print(table)


def _fits(table: Table) -> bool:
    """Whether no cell of it must be broken."""
    console = _console()
    boundless = console.options.update(width=UNBROKEN)
    return console.measure(table, options=boundless).maximum <= console.width


def _named(row: Row, name: str) -> str:
    from rich.markup import escape

    from gpuledger.states import BY_NAME

    text = escape(str(row[name])) if row[name] is not None else "–"
    return f"[{BY_NAME[text].colour}]■[/] {text}" if name == "state" else text


def _figures(row: Row) -> tuple[str, ...]:
    return (
        f"{row['gpu_hours']:,.1f}",
        "" if row["share"] is None else f"{100 * row['share']:.1f} %",
        money(row["capacity_value"], row["currency"]),
        money(row["cash_avoidable"], row["currency"]),
    )


def recommendations_table(rows: Sequence[Row], title: str = "Recommendations") -> None:
    """What to do, with what it frees."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("what to do", ratio=1, overflow="fold")
    table.add_column("team", no_wrap=True)
    for name in ("GPU-hours freed", "worth"):
        table.add_column(name, justify="right", no_wrap=True)
    told: set[str] = set()
    for r in rows:
        command = notes.once(r["command"] or "", told)
        undo = notes.undo(r.get("undo") or "", told)
        reasons = "\n".join(escape(t) for t in (r["because"], command, undo) if t)
        text = f"{escape(r['title'])}\n[dim]{reasons}[/dim]"
        worth = money(r["gain_capacity_value"], r["currency"])
        table.add_row(
            r["recommendation_id"][:SHORT_ID], text, escape(r["team"] or NOTHING), _gain(r), worth
        )
    _print(table)


def _gain(row: Row) -> str:
    """GPU-hours, and what they add where larger gains are made of the same."""
    gain, net = row["gain_gpu_hours"], row.get("net_gain_gpu_hours")
    if gain is None:
        return NOTHING
    told = f"{gain:,.0f} in {row['horizon_seconds'] / 86_400:.3g} d{_ends(row)}"
    return told if net is None or net > gain - 0.5 else f"{told}\n{net:,.0f} beyond the above"


def _ends(row: Row) -> str:
    """The interval of the gain, in a line of its own; empty where it has none."""
    low, high = row.get("gain_low_gpu_hours"), row.get("gain_high_gpu_hours")
    return "" if low is None or high is None or low == high else f"\n{low:,.0f} to {high:,.0f}"


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


def plain_table(rows: Sequence[Row], title: str = "") -> None:
    """Rows as they are: a column for each key, numbers to the right."""
    from rich.markup import escape

    table = _table(title)
    for name, value in rows[0].items():
        number = isinstance(value, int | float)
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_told(v)) for v in row.values()))
    _print(table)


def _told(value: Any) -> str:
    if isinstance(value, datetime):
        return NOTHING if value == FOREVER else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return _number(value)
    return str(value) if value not in {None, ""} else NOTHING


def rows_by_table(rows: Sequence[TableRow]) -> None:
    """Readings as people compare them: a table each, a line per quantity, a column per device.

    Facts (inventory, jobs) have a line each, where they fit into one; what sources say of
    themselves and of what is missing always has.
    """
    groups: dict[str, list[TableRow]] = {}
    for row in rows:
        groups.setdefault(row.table.name, []).append(row)
    for name, group in groups.items():
        if name == MissingValue.table.name:
            _print(_missing(group))
        elif name == SourceRun.table.name:
            _print(_facts(group))
        elif isinstance(group[0].table.layout, Samples):
            _print_abreast(group)
        else:
            _print_facts(group)
        click.echo()


def _print_facts(group: Sequence[TableRow]) -> None:
    """A line per fact; where that is too wide, a line per column and the facts abreast."""
    kept = [r for r in group if not (isinstance(r, GpuLink) and r.nvlinks == 0)]
    table = _facts(kept) if kept else None
    if table and _fits(table):
        _print(table)
    elif table:
        _print_abreast(kept, tell_silent=False)
    if len(kept) < len(group):
        click.echo(f"{group[0].table.name}: {len(group) - len(kept)} without NVLinks")


def _print_abreast(group: Sequence[TableRow], *, tell_silent: bool = True) -> None:
    for i in range(0, len(group), DEVICES_ABREAST):
        _print(_readings(group[i : i + DEVICES_ABREAST], group))
    if tell_silent and (silent := _silent(group)):
        told = f"not told here: {', '.join(silent)}"
        click.echo(textwrap.fill(told, FILE_WIDTH, subsequent_indent="  "))


def _facts(group: Sequence[TableRow]) -> Table:
    """A line per fact; columns that say nothing of any are left out."""
    columns = [c for c in group[0].table.columns if c.name not in STAMPED]
    told = [c for c in columns if any(_reading(c, row) != NOTHING for row in group)]
    lines = [[_reading(c, row) for c in told] for row in group]
    return _lines(group[0].table.name, [c.name for c in told], lines)


def _missing(group: Sequence[TableRow]) -> Table:
    """A line per reason; what it holds for is counted where it is many."""
    said: dict[tuple[str, ...], list[str]] = {}
    for row in group:
        values = row.values()
        line = tuple(str(values[name] or NOTHING) for name in MISSING_COLUMNS)
        said.setdefault(line, []).append(str(values["subject"] or NOTHING))
    lines = [[*line, _counted(subjects)] for line, subjects in said.items()]
    return _lines(group[0].table.name, [*MISSING_COLUMNS, "subject"], lines)


def _counted(subjects: Sequence[str]) -> str:
    return subjects[0] if len(subjects) == 1 else f"{len(subjects)}: {subjects[0]}, …"


def _table(title: str) -> Table:
    """An empty one, wide enough for its title."""
    from rich.table import Table

    return Table(title=title, title_justify="left", box=None, pad_edge=False, min_width=len(title))


def _lines(title: str, names: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    """A plain table of text."""
    from rich.markup import escape

    table = _table(title)
    for name in names:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*map(escape, line))
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

    keys, left_out = abreast[0].table.keys, {*STAMPED, *_silent(group)}
    table = _table(abreast[0].table.name)
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
    return _number(value) if isinstance(value, float) or column.kind in COUNTED else str(value)


def _number(value: float) -> str:
    """Four digits, or all before the point; never with an exponent."""
    if 0 < abs(value) < SMALL:
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return f"{value:,.4g}" if abs(value) < LARGE else f"{value:,.0f}"


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
