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
    lists.take(
        path, lambda: people.import_people(store, path, now, complete=complete), store, "people"
    )
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


@command.command("forget")
@click.argument("name")
@options.store_option
@options.config_option
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@options.format_option("table", "json", "csv")
def forget(name: str, store_url: str, config_path: Path | None, dry_run: bool, fmt: str) -> None:
    """Put a pseudonym in place of a person's user name, full name and mail, in every table.

    NAME is the user name that schedulers know. Closed cells are included; sums stay what they were.
    The service must not run on the same embedded store. What was exported, backed up or sent stays
    as it is (docs/privacy.md).
    """
    from analytics.forgetting import Forgetting

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    forgetting = Forgetting(store, name)
    found = forgetting.plan() if dry_run else forgetting.carry_out(datetime.now(UTC))
    rows = [vars(f) for f in found]
    show.answer(rows, fmt, show.plain_table, "No row names this person.")
    if not dry_run:
        told = {"tables": len(found), "rows": sum(f.rows for f in found)}
        options.audited(store, "people.forget", forgetting.pseudonym, after=told)
        click.echo(f"forgotten: the person is {forgetting.pseudonym} from now on", err=True)
    store.close()
