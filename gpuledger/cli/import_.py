"""`gpuledger import`: what an export wrote, back into a store."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gpuledger.cli import options


@click.command("import")
@click.argument("source", metavar="DIR|s3://BUCKET/PREFIX")
@options.store_option
@options.config_option
@options.tables_option
def command(source: str, store_url: str, config_path: Path | None, tables: str) -> None:
    """Bring an export back into a store; what is there already is never changed nor doubled."""
    from gpuledger.lake.back import Importer
    from gpuledger.lake.files import open_files
    from gpuledger.lake.layout import chosen

    picked = chosen(tables)
    files = open_files(source, os.environ)
    store = options.open_store(store_url, options.load_config(config_path))
    importer = Importer(store, files)
    importer.contents()
    store.apply()
    added: dict[str, int] = {}
    for name, taken in importer.run(picked):
        added[name] = taken.added
        click.echo(
            f"{name}: {taken.added:,} rows added, {taken.there:,} were there"
            + (f" ({taken.differing:,} with other values, which stay)" if taken.differing else "")
            + (f", {taken.expired:,} older than the store keeps" if taken.expired else "")
        )
    if added:
        options.audited(store, "import.export", source, None, added)
    store.close()
    click.echo(f"{source}: " + ("the import is complete" if added else "it has none of them"))
