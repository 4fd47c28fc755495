"""`gpuledger diff`: what was changed on nodes, cards, quotas and pools."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from gpuledger.catalogue.change import CHANGE_KINDS
from gpuledger.cli import options, show


@click.command("diff")
@options.store_option
@options.config_option
@click.option("--since", default="7d", show_default=True, help="7d, 12h, 2w or a time.")
@click.option("--node", default="", help="Only this node.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(CHANGE_KINDS), help="Only these.")
@options.format_option("table", "json", "csv")
def command(
    store_url: str,
    config_path: Path | None,
    since: str,
    node: str,
    kinds: Sequence[str],
    fmt: str,
) -> None:
    """What was changed: drivers, firmware, cards, MIG, quotas, pools, drains; newest first."""
    from analytics import book, changes

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    until = book.last_booked(reader) or datetime.now(UTC)
    # What was changed after the last booked minute is news too.
    span = book.Span(book.parse_since(since, until), datetime.now(UTC) + timedelta(days=1))
    rows = changes.between(reader, span, node=node, kinds=kinds)
    show.answer(rows, fmt, _table, f"Nothing was changed since {span.since:%Y-%m-%d %H:%M} UTC.")


def _table(rows: Sequence[show.Row]) -> None:
    show.plain_table([_told(r) for r in rows], "Changes")


def _told(row: show.Row) -> dict[str, Any]:
    slot = "" if row["slot"] is None else f" GPU {row['slot']}"
    return {
        "when": f"{row['ts']:%Y-%m-%d %H:%M}",
        "where": f"{row['node'] or row['cluster']}{slot}",
        "what": row["kind"],
        "of": row["subject"] or show.NOTHING,
        "before": row["before"] or show.NOTHING,
        "after": row["after"] or show.NOTHING,
    }
