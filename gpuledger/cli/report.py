"""`gpuledger report`: what management and team leads read, and how it reaches them."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options, releases, show
from gpuledger.cli.releases import Office, opened, tell_deliveries, week_option
from gpuledger.errors import ConfigError
from gpuledger.files import write_bytes

if TYPE_CHECKING:
    from analytics.report.send.papers import Papers
    from gpuledger.service import Reader

FORMATS = ("html", "pdf", "md", "json")


@click.group("report")
def command() -> None:
    """Reports from the book: drafted, annotated, released, sent."""


for _step in (releases.draft, releases.note, releases.release, releases.status):
    command.add_command(_step)


@command.command("weekly")
@options.store_option
@options.config_option
@week_option("the last seven days")
@click.option("--team", default="", help="The part of one team, for its lead; it names users.")
@click.option("--edition", type=click.IntRange(1), help="This edition [default: the newest].")
@click.option("--live", is_flag=True, help="The book as it is now, also where a week is frozen.")
@options.format_option(*FORMATS)
@click.option("--out", type=click.Path(path_type=Path), help="File; default: standard output.")
@click.option("--send", is_flag=True, help="Send what is due to whom it is due, now.")
@click.option("--dry-run", is_flag=True, help="With --send: say what would go to whom.")
@click.option("--again", is_flag=True, help="With --send: also what was sent, refused or lost.")
def weekly(
    store_url: str,
    config_path: Path | None,
    week: str,
    team: str,
    edition: int | None,
    live: bool,
    fmt: str,
    out: Path | None,
    send: bool,
    dry_run: bool,
    again: bool,
) -> None:
    """What was paid for, what it did, and what to do.

    A week that was drafted or released is shown as it was frozen; any other as the book is now.
    The same input gives the same bytes, in every format.
    """
    _check_flags(send=send, dry_run=dry_run, again=again, shown=_shown(fmt, out, team, live=live))
    _check_edition(edition, week=week, team=team, live=live, send=send)
    if send:
        _send(store_url, config_path, week, dry_run=dry_run, again=again)
        return
    papers = _papers(store_url, config_path, week, team, edition=edition or 0, live=live)
    _write(_printed(papers, fmt), fmt, out)


def _check_flags(*, send: bool, dry_run: bool, again: bool, shown: bool) -> None:
    if (dry_run or again) and not send:
        raise ConfigError("--dry-run and --again go with --send")
    if send and shown:
        raise ConfigError(
            "--send sends a frozen week to everybody, in every format: no --team, --live,"
            " --edition, --format or --out"
        )


def _shown(fmt: str, out: Path | None, team: str, *, live: bool) -> bool:
    """Whether something was said of what is shown."""
    return bool(out or team or live or fmt != FORMATS[0])


def _check_edition(edition: int | None, *, week: str, team: str, live: bool, send: bool) -> None:
    if edition and (send or live or team or not week):
        raise ConfigError(
            "--edition is of a --week as it was frozen for management: no --team, --live or --send"
        )


def _papers(
    store_url: str, config_path: Path | None, week: str, team: str, *, edition: int, live: bool
) -> Papers:
    """The report in all its forms; which one it is, is said beside it."""
    from gpuledger.cli.wiring import team_papers, weekly_papers

    configuration = options.load_config(config_path)
    reader = options.open_for_questions(store_url, configuration)
    if team:
        return team_papers(reader, configuration, team, week, live=live)
    papers = weekly_papers(reader, configuration, week, edition=edition, live=live)
    if week:
        click.echo(_which(papers), err=True)
    return papers


def _which(papers: Papers) -> str:
    from analytics.report.edition import edition_line
    from analytics.report.value import WeeklyReport

    assert isinstance(papers.report, WeeklyReport)
    return f"{papers.report.week}: {edition_line(papers.report)}"


def _printed(papers: Papers, fmt: str) -> bytes:
    from analytics.report.pdf import render_pdf

    if fmt == "pdf":
        return render_pdf(papers.html)
    texts = {"html": papers.html} if fmt == "html" else {"md": papers.markdown, "json": papers.json}
    return texts[fmt].encode()


def _write(body: bytes, fmt: str, out: Path | None) -> None:
    if out:
        click.echo(write_bytes(out, body))
    elif fmt == "pdf" and sys.stdout.isatty():
        raise ConfigError("a PDF is nothing for a terminal: give --out FILE")
    else:
        click.echo(body, nl=False)


def _send(
    store_url: str, config_path: Path | None, week: str, *, dry_run: bool, again: bool
) -> None:
    """Send what is due, or only say it; a week that nobody drafted is drafted first."""
    from analytics.report import release, snapshot
    from analytics.report.send.run import Sender
    from analytics.report.snapshot import DRAFT

    now = datetime.now(UTC)
    if dry_run:
        configuration = options.load_config(config_path)
        reader = options.open_for_questions(store_url, configuration)
        _tell_plan(reader, Office.of(configuration), week, now)
        return
    with opened(store_url, config_path) as (store, office):
        name = week or office.desk.last_whole(store)
        frozen = snapshot.latest(store, name) or release.draft(
            store, office.desk, name, getpass.getuser(), now
        )
        click.echo(frozen.told)
        done = Sender(store, office.settings.delivery, office.desk).send(
            frozen, now, again=again, budget_s=float("inf")
        )
        tell_deliveries(store, name)
        if frozen.state == DRAFT:
            click.echo(f"management gets it once it is released: report release --week {name}")
    if set(done.states) - {"sent"}:
        raise click.exceptions.Exit(3)


def _tell_plan(reader: Reader, office: Office, week: str, now: datetime) -> None:
    """Who would get what, and what became of it so far."""
    from analytics.report import snapshot
    from analytics.report.send import run
    from analytics.report.snapshot import DRAFT, Snapshot

    name = week or office.desk.last_whole(reader)
    standing = snapshot.latest(reader, name)
    click.echo(standing.told if standing else f"{name} is not drafted yet")
    frozen = standing or Snapshot(name, 0, 0, 1, DRAFT, "", settled=False, by="", at=now)
    of = (office.settings.delivery, office.desk.zone, frozen)
    rows = [
        {
            "what": p.delivery.what,
            "by": p.delivery.channel,
            "to": p.delivery.target,
            "state": p.told,
        }
        for p in run.planned(reader, *of)
    ]
    if not rows:
        click.echo("Nobody gets it: [report.delivery] names nobody.")
    show.plain_table(rows, "Deliveries") if rows else None
    for team in run.unreachable(reader, *of):
        click.echo(f"team {team}: no mail address; see 'gpuledger teams import'")
