"""`gpuledger findings`: what is wrong."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options, show


@click.command("findings")
@options.store_option
@options.config_option
@click.option("--all", "everything", is_flag=True, help="Also those that ended.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@options.format_option("table", "json", "csv")
def command(
    store_url: str, config_path: Path | None, everything: bool, limit: int, fmt: str
) -> None:
    """What is wrong, costliest first."""
    from analytics import book

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = book.findings(reader, open_only=not everything, limit=limit)
    show.answer(rows, fmt, show.findings_table, "No findings.")
