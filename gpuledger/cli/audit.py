"""`gpuledger audit`: who decided and changed what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show


@click.command("audit")
@click.option("--since", default="7d", show_default=True, help="7d, 12h, or a time.")
@click.option("--limit", default=10_000, show_default=True, type=click.IntRange(1, 1_000_000))
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
def command(since: str, limit: int, store_url: str, config_path: Path | None, fmt: str) -> None:
    """Every decision and change, the latest first; nobody changes or removes them."""
    from analytics import book
    from analytics.access import history

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = history.read(reader, book.parse_since(since, datetime.now(UTC)), limit=limit)
    if fmt == "csv":
        rows = [_flat(row) for row in rows]
    show.answer(rows, fmt, _table, "Nothing was decided or changed.")


def _flat(row: show.Row) -> dict[str, Any]:
    return {**row, **{name: _json(row[name]) for name in ("before", "after")}}


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _table(rows: Sequence[show.Row]) -> None:
    names = ("at", "who", "role", "action", "subject", "after")
    show.plain_table([{n: _flat(row)[n] for n in names} for row in rows], "Audit")
