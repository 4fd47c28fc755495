"""`gpuledger exempt`: idleness that was agreed to."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options, show
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from gpuledger.catalogue import Exemption
    from gpuledger.store import Store


@click.command("exempt")
@click.argument("subject", default="", metavar="[JOB|service/NAME]")
@options.store_option
@options.config_option
@click.option("--reason", default="", help="Why it may idle.")
@click.option("--until", default="", help="12h, 7d from now, or a date; every exemption ends.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind of finding; repeatable.")
@click.option("--approve", is_flag=True, help="Agree, as the lead of the team that pays.")
@click.option("--end", is_flag=True, help="End it now.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Who asks or agrees.")
@click.option("--all", "everything", is_flag=True, help="List also those that ended.")
@options.format_option("table", "json", "csv")
def command(
    subject: str,
    store_url: str,
    config_path: Path | None,
    reason: str,
    until: str,
    kinds: tuple[str, ...],
    approve: bool,
    end: bool,
    by: str,
    everything: bool,
    fmt: str,
) -> None:
    """Exempt a job or service from findings, for a reason and a time; without one, list them.

    It counts once the lead of the team that pays has approved it.
    """
    from analytics import exemptions

    now = datetime.now(UTC)
    if not subject:
        reader = options.open_for_questions(store_url, options.load_config(config_path))
        rows = exemptions.listed(reader, now, everything=everything)
        show.answer(rows, fmt, show.plain_table, "Nothing is exempt.")
        return
    if approve and end:
        raise ConfigError("--approve or --end: one of the two")

    def act(store: Store) -> Exemption:
        if approve:
            return exemptions.approve(store, subject, by, now)
        if end:
            return exemptions.end(store, subject, now)
        request = exemptions.Request(subject, reason, exemptions.ends(until, now), by, kinds)
        return exemptions.ask(store, request, now)

    verb = "approve" if approve else "end" if end else "ask"
    _tell(_with_store(store_url, config_path, act, verb), fmt)


def _with_store(
    store_url: str, config_path: Path | None, act: Callable[[Store], Exemption], verb: str
) -> Exemption:
    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    row = act(store)
    options.audited(store, f"exemption.{verb}", row.subject, None, row.values())
    store.close()
    return row


def _tell(row: Exemption, fmt: str) -> None:
    values: dict[str, Any] = {k: v for k, v in row.values().items() if k != "version"}
    if fmt != "table":
        show.answer([values], fmt, show.plain_table, "")
        return
    agreed = f"approved by {row.approved_by}" if row.approved_by else "waits for approval"
    click.echo(f"{row.subject}: exempt until {row.valid_to:%Y-%m-%d %H:%M} UTC, {agreed}")
