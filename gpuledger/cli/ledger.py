"""`gpuledger ledger`: the book of a span by dimensions."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gpuledger import tabular
from gpuledger.cli import options, show
from gpuledger.errors import ConfigError


class _Ledger(click.Command):
    """The book itself, and below it what it is compared with."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """`ledger reconcile …` is a command of its own, with none of the options here."""
        if args[:1] != ["reconcile"]:
            return super().make_context(info_name, args, parent, **extra)
        from gpuledger.cli import reconcile

        return reconcile.command.make_context("ledger reconcile", args[1:], parent, **extra)


@click.command(
    "ledger", cls=_Ledger, epilog="'gpuledger ledger reconcile' compares it with accounting."
)
@options.store_option
@options.config_option
@click.option("--since", default="7d", show_default=True, help="7d, 12h, 90m or an RFC 3339 time.")
@click.option(
    "--by", default="state", show_default=True, help="state, team, user, job, node, pool, cluster."
)
@click.option(
    "--restated", is_flag=True, help="With what became known of whole hours after they closed."
)
@click.option("--limit", default=50, show_default=True, help="Lines of a table; 0 = all.")
@options.format_option("table", "json", "csv", "parquet")
def command(
    store_url: str,
    config_path: Path | None,
    since: str,
    by: str,
    restated: bool,
    limit: int,
    fmt: str,
) -> None:
    """The book: where every GPU-hour went. The shares add up to 100 %."""
    from analytics import book

    dimensions = book.dimensions(by)
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    span = book.span(reader, since)
    rows = book.ledger(reader, span, dimensions, restated=restated)
    if fmt == "json":
        show.as_json(rows)
    elif fmt == "csv":
        show.as_csv(rows)
    elif fmt == "parquet":
        _parquet(rows)
    elif span is None:
        click.echo("No GPU owned: nothing was booked yet.")
    else:
        what = "Restated book" if restated else "Book"
        title = f"{what} from {span.since:%Y-%m-%d %H:%M} to {span.until:%Y-%m-%d %H:%M} UTC"
        show.ledger_table(rows, dimensions, title, limit)
        click.echo(_loose(rows))


def _parquet(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as a Parquet file on standard output, which is no terminal. ConfigError."""
    if sys.stdout.isatty():
        raise ConfigError("format parquet: it is nothing for a terminal; write > FILE")
    for piece in tabular.parquet_blocks(tabular.kinds_of(rows), [rows]):
        click.echo(piece, nl=False)


def _loose(rows: Sequence[Mapping[str, Any]]) -> str:
    """What of the book could be won back, in words: a table has no room for it."""
    recoverable = sum(r["recoverable_gpu_hours"] for r in rows)
    slack = sum(r["slack_gpu_hours"] for r in rows)
    return (
        f"recoverable: {recoverable:,.1f} GPU-hours, which waiting jobs could have used;"
        f" slack: {slack:,.1f}, idle, stranded\nor underused (these count half) while nobody waited"
    )
