"""`gpuledger people`: who works here, and which of them nobody pays for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gpuledger.cli import lists, options, show


@click.group("people")
def command() -> None:
    """People and their teams."""


@command.command("import")
@lists.FILE
@options.store_option
@options.config_option
@lists.COMPLETE
def import_(path: Path, store_url: str, config_path: Path | None, complete: bool) -> None:
    """Take a CSV of people, or the groups of a directory (a member's team is the group).

    Columns of a CSV: user, name, mail, team, valid_from, valid_to. A directory's export is LDIF
    (.ldif) or JSON (.json: SCIM, or groups with their members).
    """
    from analytics import people

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    now = datetime.now(UTC)
    lists.take(path, lambda: people.import_people(store, path, now, complete=complete))
    store.close()


@command.command("unmapped")
@options.store_option
@options.config_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@options.format_option("table", "json", "csv")
def unmapped(store_url: str, config_path: Path | None, limit: int, fmt: str) -> None:
    """Users whose GPU-hours nobody pays for, most first."""
    from analytics import people

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = people.unmapped(reader, limit)
    show.answer(rows, fmt, show.plain_table, "Every GPU-hour has a team.")
