"""`gpuledger recommend`: what to do about it."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options, show


@click.group("recommend")
def command() -> None:
    """Recommendations: printed for people, never carried out."""


@command.command("list")
@options.store_option
@options.config_option
@click.option("--status", type=click.Choice(["proposed", "expired"]), default="proposed")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@options.format_option("table", "json", "csv")
def list_(store_url: str, config_path: Path | None, status: str, limit: int, fmt: str) -> None:
    """What to do, largest gain first."""
    from analytics import book

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = book.recommendations(reader, status=status, limit=limit)
    show.answer(rows, fmt, show.recommendations_table, "Nothing to recommend.")


@command.command("show")
@click.argument("identifier")
@options.store_option
@options.config_option
def show_(identifier: str, store_url: str, config_path: Path | None) -> None:
    """One recommendation with its finding and evidence, as JSON; ID as `list` prints it."""
    from analytics import book

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    show.as_json(book.recommendation(reader, identifier))
