"""`gpuledger export`: the store as Parquet files in a directory or bucket."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from gpuledger.lake.out import Done


@click.command("export")
@options.store_option
@options.config_option
@click.option("--out", required=True, metavar="DIR|s3://BUCKET/PREFIX", help="Where to write.")
@options.tables_option
@click.option("--since", default="", help="7d, or a date; default: everything there is.")
@click.option("--until", default="", help="As --since; default: now.")
@click.option("--readable", is_flag=True, help="In base units, for other programs; cannot return.")
def command(
    store_url: str,
    config_path: Path | None,
    out: str,
    tables: str,
    since: str,
    until: str,
    readable: bool,
) -> None:
    """Write tables as Parquet, by table and date; run again, it writes only what has changed.

    Whole dates (UTC) are written: every one that has any of the span.
    """
    from gpuledger.lake.files import open_files
    from gpuledger.lake.layout import chosen
    from gpuledger.lake.out import Exporter

    picked = chosen(tables)
    first, last = _instant(since), _instant(until)
    if first and first >= (last or datetime.now(UTC)):
        raise ConfigError(f"--since {since} is not before --until {until or 'now'}")
    files = open_files(out, os.environ)
    source = options.open_for_export(store_url, options.load_config(config_path))
    unchanged = 0
    for name, done in Exporter(source, files, readable=readable).run(picked, first, last):
        unchanged += done.unchanged
        if done.files or done.kept:
            click.echo(f"{name}: {_said(done)}")
    left = f" ({unchanged} dates were unchanged)" if unchanged else ""
    click.echo(f"{out}: the export is complete{left}")


def _said(done: Done) -> str:
    written = f"{done.rows:,} rows in {done.files} file{'s' * (done.files != 1)}"
    written += f" ({done.bytes / 1e6:,.2f} MB)"
    kept = f"{done.kept} dates kept of which the store has less now" if done.kept else ""
    return ", ".join(filter(None, (written if done.files else "", kept)))


def _instant(text: str) -> datetime | None:
    from analytics.book import parse_since

    return parse_since(text, datetime.now(UTC)) if text else None
