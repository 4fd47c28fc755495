"""`gpuledger forecast`: what will be asked for and what will be there, with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show


@click.command("forecast")
@options.store_option
@options.config_option
@options.format_option("table", "json")
def command(store_url: str, config_path: Path | None, fmt: str) -> None:
    """Demand and usable GPUs of the next 7 and 28 days, with a band and its past error."""
    from analytics.learn import forecast

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = forecast.current(reader)
    days = forecast.days_booked(reader)
    show.answer(rows, fmt, _table, f"No forecast: it needs 14 whole days, the book has {days}.")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    made = max(row["made"] for row in rows)
    title = f"Forecast from {made:%Y-%m-%d} on, in GPUs"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("cluster", "pool", "what", "next"):
        table.add_column(name, overflow="fold")
    for name in ("expected", "80 % band", "past error", "week before", "covered"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("method", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=show.FILE_WIDTH).print(table)
    click.echo(
        "Means of the steps: hours for 7 days, whole days for 28. Errors are sums of misses over"
        " sums of values\nof past forecasts; 'week before' is that of the same week again, and the"
        " method where nothing beats it."
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["cluster"],
        row["pool"] or "all",
        row["measure"],
        f"{row['horizon_days']} d",
        f"{row['expected']:,.1f}",
        f"{row['low']:,.1f} to {row['high']:,.1f}",
        *(_percent(row[n]) for n in ("error_ratio", "naive_error_ratio", "cover_ratio")),
        row["method"],
    )


def _percent(ratio: float | None) -> str:
    return show.NOTHING if ratio is None else f"{100 * ratio:.1f} %"
