"""`gpuledger backup`: the whole database, copied by the engine itself."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options


@click.command("backup")
@options.store_option
@options.config_option
@click.option("--to", required=True, metavar="PATH|DEST", help="Where to; must not be there yet.")
@click.option("--base", default="", metavar="PATH|DEST", help="An older backup: only the rest.")
def command(store_url: str, config_path: Path | None, to: str, base: str) -> None:
    """Copy the whole database: an embedded store to a path, a server to where it may write.

    On a server TO is ClickHouse's own, e.g. "Disk('backups', 'monday.zip')" or
    "S3('https://host/bucket/monday', 'key', 'secret')". An embedded store must not be served
    meanwhile.
    """
    from gpuledger.backup import Backups

    store = options.open_store(store_url, options.load_config(config_path))
    done = Backups(store).make(to, base)
    store.close()
    click.echo(
        f"{done.place}: {done.own_files:,} files, {done.own_bytes / 1e6:,.1f} MB written"
        + (f" of {done.files:,} files, {done.bytes / 1e6:,.1f} MB" if base else "")
    )
