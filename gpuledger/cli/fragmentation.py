"""`gpuledger fragmentation`: what is free in crumbs, why, and the largest job that could start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show

Row = Mapping[str, Any]


@click.command("fragmentation")
@options.store_option
@options.config_option
@click.option(
    "--at",
    default="now",
    show_default=True,
    metavar="TIME",
    help="now, 2h (ago), or a time of the book.",
)
@click.option("--pool", default="", metavar="TEXT", help="Only pools that have it in their name.")
@click.option(
    "--by",
    type=click.Choice(("pool", "node", "cluster")),
    default="pool",
    show_default=True,
    help="What a row is about; the most fragmented node comes first.",
)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Rows of --by node.",
)
@options.format_option("table", "json")
def command(
    store_url: str, config_path: Path | None, at: str, pool: str, by: str, limit: int, fmt: str
) -> None:
    """Free GPUs: of what use they are, what fits now, and what after a full repack."""
    from analytics.placing.settings import PlacementSettings
    from analytics.repacking import answer
    from analytics.repacking.settings import SnapshotSettings
    from gpuledger.states import LedgerSettings

    configuration = options.load_config(config_path)
    reader = options.open_for_questions(store_url, configuration)
    when, rows = answer.fragmentation(
        reader,
        at,
        pool,
        configuration.section("snapshot", SnapshotSettings),
        configuration.section("ledger", LedgerSettings),
        configuration.section("placement", PlacementSettings),
        by,
    )
    title = f"Fragmentation at {when:%Y-%m-%d %H:%M} UTC, in GPUs" if when else ""
    told = partial(_told, title=title)
    if by == "node":
        told = partial(_told_of_nodes, title=title, count=len(rows))
        rows = rows[:limit]
    show.answer(rows, fmt, told, "No GPU owned: nothing was booked yet.")


def _told(rows: Sequence[Row], title: str) -> None:
    show.plain_table([_line(row) for row in rows], title)
    click.echo("Slots are tasks of so many GPUs that fit now, and (at most) after a full repack.")
    for row in rows:
        click.echo(row["sentence"])


def _told_of_nodes(rows: Sequence[Row], title: str, count: int) -> None:
    # Nodes of several sizes have slots of several sizes: each row has a column for all of them.
    sizes = dict.fromkeys(k for row in rows for k in row["slots"])
    widest = sorted(sizes, key=int)[:SIZES_SHOWN]
    show.plain_table([_line_of_node(row, widest) for row in rows], title)
    click.echo("Slots are tasks of so many GPUs that fit now.")
    if len(rows) < count:
        click.echo(f"{len(rows)} of {count:,} nodes; --limit shows more.")


def _line_of_node(row: Row, sizes: Sequence[str]) -> dict[str, Any]:
    return {
        "node": f"{row['cluster']}: {row['node']}",
        "pool": row["pool"],
        "free": row["free"],
        "fragments": row["fragmented"],
        "why": _causes(row["causes"]),
        **{f"× {k}": row["slots"].get(k, 0) for k in sizes},
        "largest": row["largest"],
        "stranded": _causes(row["stranded"]),
    }


def _line(row: Row) -> dict[str, Any]:
    slots = {f"× {k}": f"{n} ({row['repacked'][k]})" for k, n in row["slots"].items()}
    name = {"pool": f"{row['cluster']}: {row['pool']}"} if "pool" in row else {}
    return {
        **(name or {"cluster": row["cluster"]}),
        "free": row["free"],
        "fragments": row["fragmented"],
        "why": _causes(row["causes"]),
        **{name: slots[name] for name in list(slots)[:SIZES_SHOWN]},
        "stranded": _causes(row["stranded"]),
    }


def _causes(causes: Mapping[str, float]) -> str:
    return ", ".join(f"{gpus:,.3g} {why}" for why, gpus in causes.items()) or show.NOTHING


SIZES_SHOWN = 5
