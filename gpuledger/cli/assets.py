"""`gpuledger assets`: the asset list, which is what the book adds up to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gpuledger.cli import lists, options, show


@click.group("assets")
def command() -> None:
    """The asset list: what is paid for, from when to when."""


@command.command("import")
@lists.FILE
@options.store_option
@options.config_option
@click.option("--cluster", default="", help="Cluster of lines that name none.")
@lists.COMPLETE
def import_(
    path: Path, store_url: str, config_path: Path | None, cluster: str, complete: bool
) -> None:
    """Take a CSV of places: node and slot, or the serial of the card.

    Columns: cluster, node, slot, serial, model, pool, provider, valid_from, valid_to, state
    (service, delivered, repair, powered_down, retired), state_from, reason.
    """
    from analytics import asset_list

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    now = datetime.now(UTC)
    lists.take(
        path,
        lambda: asset_list.import_assets(store, path, now, cluster=cluster, complete=complete),
        store,
        "assets",
    )
    store.close()


@command.command("list")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
def list_(store_url: str, config_path: Path | None, fmt: str) -> None:
    """What is owned: places by cluster, pool, model, provider and state."""
    from analytics import asset_list

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = asset_list.owned(reader, datetime.now(UTC))
    show.answer(rows, fmt, show.plain_table, "Nothing is owned yet.")
