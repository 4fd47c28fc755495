"""`gpuledger report`: what management reads."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options
from gpuledger.files import write_text


@click.group("report")
def command() -> None:
    """Reports from the book."""


@command.command("weekly")
@options.store_option
@options.config_option
@click.option("--week", default="", help="ISO week, e.g. 2026-W47; default: the last seven days.")
@options.format_option("html", "md")
@click.option("--out", type=click.Path(path_type=Path), help="File; default: standard output.")
def weekly(store_url: str, config_path: Path | None, week: str, fmt: str, out: Path | None) -> None:
    """What was paid for, what it did, and what to do. The same book gives the same bytes."""
    from gpuledger.cli.wiring import weekly_report

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    text = weekly_report(reader, week, fmt)
    if out:
        write_text(out, text)
        click.echo(out)
    else:
        click.echo(text, nl=False)
