"""`gpuledger restore`: a backup, back into an empty database."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options


@click.command("restore")
@options.store_option
@options.config_option
@click.option(
    "--from", "source", required=True, metavar="PATH|DEST", help="What `backup --to` was given."
)
def command(store_url: str, config_path: Path | None, source: str) -> None:
    """Bring a backup back into an empty database; nothing is ever overwritten."""
    from gpuledger.backup import Backups

    store = options.open_store(store_url, options.load_config(config_path))
    done = Backups(store).restore(source)
    store.close()
    click.echo(f"{store.address}: restored {done.bytes / 1e6:,.1f} MB from {done.place}")
