"""`gpuledger free`: what is free now, in which pieces, and why the rest is not usable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show
from gpuledger.measures import REQUEST_SIZES

Row = Mapping[str, Any]


@click.command("free")
@options.store_option
@options.config_option
@click.option("--model", default="", metavar="TEXT", help="Only GPUs whose model has it in it.")
@options.format_option("table", "json", "csv")
def command(store_url: str, config_path: Path | None, model: str, fmt: str) -> None:
    """What is free now, in blocks of 1, 2, 4 and 8 GPUs on one node, and when the next come."""
    from analytics.placing import free

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    at, rows = free.free(reader, model)
    if fmt == "json":
        show.as_json(rows)
    elif fmt == "csv":
        show.as_csv(rows)
    elif at is None:
        click.echo("No GPU owned: nothing was booked yet.")
    else:
        show.plain_table([_told(r) for r in rows], f"Free at {at:%Y-%m-%d %H:%M} UTC")


def _told(row: Row) -> dict[str, Any]:
    blocks = {f"× {size}": row[f"blocks_{size}"] for size in REQUEST_SIZES}
    return {
        "GPUs": f"{row['cluster']}: {row['model'] or 'unknown'}",
        "owned": row["owned_gpus"],
        "in use": row["used_gpus"],
        "free": row["free_gpus"],
        **blocks,
        "not usable": _reasons(row["not_usable"]),
        "next come free": _next(row),
    }


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in counts.items()) or show.NOTHING


def _next(row: Row) -> str:
    """By the time limits of the jobs that run; they may end before."""
    if row["next_free"] is None:
        return show.NOTHING
    return f"{row['next_free_gpus']} by {row['next_free']:%m-%d %H:%M}"
