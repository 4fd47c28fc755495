"""`gpuledger ledger`: the book of a span by dimensions."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options, show


@click.command("ledger")
@options.store_option
@options.config_option
@click.option("--since", default="7d", show_default=True, help="7d, 12h, 90m or an RFC 3339 time.")
@click.option(
    "--by", default="state", show_default=True, help="state, team, user, job, node, pool, cluster."
)
@click.option("--limit", default=50, show_default=True, help="Lines of a table; 0 = all.")
@options.format_option("table", "json", "csv")
def command(
    store_url: str, config_path: Path | None, since: str, by: str, limit: int, fmt: str
) -> None:
    """The book: where every GPU-hour went. The shares add up to 100 %."""
    from analytics import book

    dimensions = book.dimensions(by)
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    span = book.span(reader, since)
    rows = book.ledger(reader, span, dimensions)
    if fmt == "json":
        show.as_json(rows)
    elif fmt == "csv":
        show.as_csv(rows)
    elif span is None:
        click.echo("No GPU owned: nothing was booked yet.")
    else:
        title = f"Book from {span.since:%Y-%m-%d %H:%M} to {span.until:%Y-%m-%d %H:%M} UTC"
        show.ledger_table(rows, dimensions, title, limit)
