"""`gpuledger teams`: to whom accounts, namespaces, projects and mail domains belong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gpuledger.cli import lists, options, show


@click.group("teams")
def command() -> None:
    """Teams: who pays for an account, namespace, project or mail domain."""


@command.command("import")
@lists.FILE
@options.store_option
@options.config_option
@lists.COMPLETE
def import_(path: Path, store_url: str, config_path: Path | None, complete: bool) -> None:
    """Take a CSV of teams.

    Columns: kind (account, namespace, project, mail), name, team, lead, mail, department,
    valid_from, valid_to.
    """
    from analytics import people

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    now = datetime.now(UTC)
    lists.take(
        path, lambda: people.import_teams(store, path, now, complete=complete), store, "teams"
    )
    store.close()


@command.command("list")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
def list_(store_url: str, config_path: Path | None, fmt: str) -> None:
    """What belongs to whom today."""
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = reader.select(
        "SELECT kind, name, team, lead, mail, department, valid_from FROM v_teams"
        " WHERE valid_to > now64(3) AND valid_from <= now64(3) ORDER BY team, kind, name"
    )
    show.answer(rows, fmt, show.plain_table, "No team is known: see 'gpuledger teams import'.")
