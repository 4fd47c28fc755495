"""`gpuledger tokens`: who may send to the service, and who may ask it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options, show
from gpuledger.cli.options import Command

if TYPE_CHECKING:
    from analytics.access.caller import Caller
    from analytics.access.issue import Office

Issued = tuple[Mapping[str, Any], str]


@click.group("tokens")
def command() -> None:
    """Tokens of nodes, people and programs; the secret of each is shown once."""


def _expires(default: str | None, help: str) -> Callable[[Command], Command]:
    return click.option("--expires", default=default, show_default=bool(default), help=help)


@command.command("create")
@click.option("--role", required=True, help="ingest, viewer, team-owner, operator or admin.")
@click.option("--name", default="", help="Who has it [default for ingest: CLUSTER/NODE].")
@click.option("--team", "teams", multiple=True, help="Whose rows it sees; repeatable.")
@click.option("--cluster", default="", help="Cluster whose rows it may send.")
@click.option("--node", default="", help="Node whose rows it may send.")
@click.option("--tables", default="", metavar="NAMES", help="Tables that it may send to.")
@_expires("365d", "90d, a date, or never.")
@options.store_option
@options.config_option
@options.format_option("table", "json")
def create(store_url: str, config_path: Path | None, fmt: str, **given: Any) -> None:
    """Make a token and print it, this once."""
    from analytics.access.issue import Wanted

    given["tables"] = [name.strip() for name in given["tables"].split(",") if name.strip()]
    given["teams"] = list(given["teams"])

    def here(office: Office, by: Caller) -> Issued:
        issued = office.create(by, Wanted(**given))
        return issued.told, issued.token

    _print(*_issued(store_url, config_path, "/v1/tokens", given, here), fmt)


@command.command("rotate")
@click.argument("token_id")
@click.option("--grace", default="1d", show_default=True, help="How long the old one goes on.")
@_expires("", "90d, a date, or never [default: it lives as long as the old one did].")
@options.store_option
@options.config_option
@options.format_option("table", "json")
def rotate(token_id: str, store_url: str, config_path: Path | None, fmt: str, **given: Any) -> None:
    """Make a new token in place of an old one, which goes on for a time."""

    def here(office: Office, by: Caller) -> Issued:
        issued = office.rotate(by, token_id, **given)
        return issued.told, issued.token

    path = f"/v1/tokens/{_in_path(token_id)}/rotate"
    _print(*_issued(store_url, config_path, path, given, here), fmt)


@command.command("revoke")
@click.argument("token_id")
@options.store_option
@options.config_option
def revoke(token_id: str, store_url: str, config_path: Path | None) -> None:
    """Take a token back: it opens nothing any more within seconds."""
    from gpuledger.service import running_service

    service = running_service(store_url, os.environ)
    if service:
        service.call("DELETE", f"/v1/tokens/{_in_path(token_id)}")
    else:
        _at_the_store(store_url, config_path, lambda office, by: office.revoke(by, token_id))
    click.echo(f"{token_id}: revoked")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
def list_(everything: bool, store_url: str, config_path: Path | None, fmt: str) -> None:
    """Tokens, and when each was used last; no secrets."""
    from analytics.access import issue

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = issue.listed(reader, datetime.now(UTC), everything=everything)
    show.answer(rows, fmt, _table, "There is no token.")


def _table(rows: Sequence[show.Row]) -> None:
    show.plain_table([_line(row) for row in rows], "Tokens")


def _line(row: show.Row) -> dict[str, Any]:
    bound = "/".join(filter(None, (row["cluster"], row["node"])))
    tables = ", ".join(row["tables"])
    return {
        "id": row["token_id"],
        "name": row["name"],
        "role": row["role"],
        "for": ", ".join(row["teams"]) or " ".join(filter(None, (bound, tables))) or "all",
        "state": row["state"],
        "expires": row["expires_at"] or "never",
        "used last": row["used_at"] or "never",
    }


def _issued(
    store_url: str,
    config_path: Path | None,
    path: str,
    body: Mapping[str, Any],
    here: Callable[[Office, Caller], Issued],
) -> Issued:
    """A new token by the service that holds the store, or else by the store."""
    from gpuledger.service import running_service

    service = running_service(store_url, os.environ)
    if service is None:
        issued: Issued = _at_the_store(store_url, config_path, here)
        return issued
    told = service.call("POST", path, body)
    return told, told.pop("token")


def _at_the_store(
    store_url: str, config_path: Path | None, act: Callable[[Office, Caller], Any]
) -> Any:
    from analytics.access.caller import Caller, Role
    from analytics.access.issue import Office

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    try:
        return act(Office(store), Caller(options.who(), Role.ADMIN))
    finally:
        store.close()


def _print(told: Mapping[str, Any], token: str, fmt: str) -> None:
    if fmt == "json":
        show.as_json({**told, "token": token})
        return
    click.echo(token)
    ends = told["expires_at"]
    until = f"{ends:%Y-%m-%d %H:%M} UTC" if isinstance(ends, datetime) else ends or "it is revoked"
    click.echo(f"{told['name']}: {told['role']} until {until}; it is not shown again", err=True)


def _in_path(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
