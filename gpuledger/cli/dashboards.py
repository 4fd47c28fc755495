"""`gpuledger dashboards`: boards for Grafana, and pages for people without it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import checking, options
from gpuledger.errors import ConfigError, nearest
from gpuledger.files import read_secret, writable, write_text

if TYPE_CHECKING:
    from dashboards.panel import Board
    from dashboards.push import Datasource
    from gpuledger.service import Reader


@click.group("dashboards")
def command() -> None:
    """Generated boards: files, checks, Grafana, and static pages."""


@command.command("build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory.")
def build(out: Path) -> None:
    """Write one JSON file per board."""
    from dashboards.build import write

    for path in write(writable(out)):
        click.echo(path)


@command.command("check")
@checking.asked_option
@options.config_option
def check(store_url: str, config_path: Path | None) -> int:
    """Ask every query of every board, and look at words, links and Grafana's JSON.

    Ends with 1 where a board is wrong; each defect is one line.
    """
    from dashboards.build import boards
    from dashboards.check import DashboardSettings, end_of, questions
    from dashboards.check import check as defects

    configuration = options.load_config(config_path)
    most = configuration.section("dashboards", DashboardSettings).read_rows
    found = boards()
    with checking.reader(store_url, config_path) as reader:
        wrong = [*defects(found, reader, end_of(reader), most)]
    asked = sum(1 for board in found.values() for _ in questions(board))
    return checking.verdict(wrong, f"{len(found)} boards, {asked} queries")


@command.command("push")
@click.option("--grafana", "url", required=True, metavar="URL", help="http(s)://host[:port][/path]")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    required=True,
    help="Holds the token of a service account, one line.",
)
@click.option("--folder", default="gpuledger", show_default=True, help="Folder of the boards.")
@click.option(
    "--datasource-host", default="", help="ClickHouse as Grafana reaches it; default: none is made."
)
@click.option("--datasource-port", default=9000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--datasource-protocol",
    default="native",
    show_default=True,
    type=click.Choice(["native", "http"]),
)
@click.option("--datasource-secure", is_flag=True, help="TLS to ClickHouse.")
@click.option("--datasource-user", default="grafana", show_default=True)
@click.option("--datasource-password-file", type=click.Path(path_type=Path), help="One line.")
@click.option("--datasource-database", default="gpuledger", show_default=True)
@click.option("--datasource-uid", default="gpuledger", show_default=True)
@click.option("--force", is_flag=True, help="Replace boards that somebody edited in Grafana.")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
def push(url: str, token_file: Path, folder: str, force: bool, dry_run: bool, **source: Any) -> int:
    """Bring folder, data source and boards into Grafana. A second push changes nothing.

    Ends with 1 where something was left alone, such as a board that somebody edited.
    """
    from dashboards.build import boards
    from dashboards.grafana import Grafana, checked_url
    from dashboards.push import Outcome, Push

    grafana = Grafana(checked_url(url), read_secret(token_file, "--token-file"))
    kept = False
    for done in Push(grafana, force, dry_run).everything(boards(), folder, _datasource(source)):
        click.echo(done.line(dry=dry_run))
        kept |= done.outcome is Outcome.KEPT
    return 1 if kept else 0


def _datasource(given: Mapping[str, Any]) -> Datasource | None:
    """The data source of the options; None without a host."""
    from dashboards.push import Datasource

    told = {name.removeprefix("datasource_"): value for name, value in given.items()}
    path = told["password_file"]
    if not told["host"]:
        if path:
            raise ConfigError("--datasource-password-file: give --datasource-host too")
        return None
    return Datasource(
        host=told["host"],
        port=told["port"],
        protocol=told["protocol"],
        secure=told["secure"],
        username=told["user"],
        password=read_secret(path, "--datasource-password-file") if path else "",
        database=told["database"],
        uid=told["uid"],
    )


@command.command("preview")
@options.store_option
@options.config_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory.")
@click.option("--since", default="7d", show_default=True, help="7d, 12h, 90m or an RFC 3339 time.")
@click.option("--board", "names", multiple=True, metavar="NAME", help="Only that one; repeatable.")
def preview(
    store_url: str, config_path: Path | None, out: Path, since: str, names: tuple[str, ...]
) -> None:
    """Write each board with its data as a page that needs neither Grafana nor a network."""
    from dashboards.build import boards
    from dashboards.preview.page import Preview

    found = _chosen(boards(), names)
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    began, until = _range(reader, since)
    for name, text in Preview(found, reader, began, until).pages():
        click.echo(write_text(out / name, text))


def _chosen(found: Mapping[str, Board], names: tuple[str, ...]) -> Mapping[str, Board]:
    """Boards by name, all without any. ConfigError offers the nearest."""
    for name in names:
        if name not in found:
            raise ConfigError(f"--board {name}: there is no such board{nearest(name, found)}")
    return {name: board for name, board in found.items() if not names or name in names}


def _range(reader: Reader, since: str) -> tuple[datetime, datetime]:
    """Back from the last booked minute, or from this hour where nothing is booked."""
    from analytics import book

    until = book.last_booked(reader) or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    began = book.parse_since(since, until)
    if began >= until:
        raise ConfigError(f"--since {since}: it is not before {until:%Y-%m-%d %H:%M} UTC")
    return began, until
