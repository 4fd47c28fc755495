"""The life of a week's report on the command line: draft, remarks, release, and who got it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options, show
from gpuledger.config import Config

if TYPE_CHECKING:
    from analytics.report.release import Desk
    from analytics.report.settings import ReportSettings
    from analytics.report.snapshot import Snapshot
    from gpuledger.service import Reader
    from gpuledger.store import Store

Command = Callable[..., Any]
WHOLE = "the last one that is booked to its end"


@dataclass(frozen=True)
class Office:
    """What commands about reports need of the configuration."""

    settings: ReportSettings
    desk: Desk

    @classmethod
    def of(cls, configuration: Config) -> Office:
        """The office that a configuration describes. ConfigError."""
        from analytics.report.release import Desk
        from analytics.report.settings import ReportSettings

        return cls(configuration.section("report", ReportSettings), Desk.of(configuration))


def week_option(default: str = WHOLE) -> Callable[[Command], Command]:
    """`--week`, empty where none is given. ConfigError where no such week exists."""
    return click.option(
        "--week",
        default="",
        metavar="WEEK",
        callback=_existing,
        help=f"ISO week, e.g. 2026-W47 [default: {default}].",
    )


def _existing(_context: click.Context, _option: click.Parameter, week: str) -> str:
    from analytics.report import weeks

    if week:
        weeks.bounds(week)
    return week


by_option = click.option("--by", default=options.who, show_default="cli:you", help="Who does it.")


@contextmanager
def opened(store_url: str, config_path: Path | None) -> Iterator[tuple[Store, Office]]:
    """The store for writing, its schema up to date, and the office."""
    configuration = options.load_config(config_path)
    office = Office.of(configuration)
    store = options.open_store(store_url, configuration)
    try:
        store.apply()
        yield store, office
    finally:
        store.close()


def _audited(store: Store, verb: str, week: str, by: str, **more: Any) -> None:
    options.audited(store, f"report.{verb}", week, None, {"by": by, **more})


@click.command("draft")
@options.store_option
@options.config_option
@week_option()
@click.option("--reason", default="", help="Why, where it corrects a released report.")
@by_option
def draft(store_url: str, config_path: Path | None, week: str, reason: str, by: str) -> None:
    """Freeze a week's numbers for its leads to annotate; again, it takes the newest numbers."""
    from analytics.report import release

    with opened(store_url, config_path) as (store, office):
        name = week or office.desk.last_whole(store)
        made = release.draft(store, office.desk, name, by, datetime.now(UTC), reason)
        _audited(store, "draft", name, by, reason=reason, edition=made.edition)
        click.echo(made.told)
        if not made.settled:
            click.echo(f"provisional: the book settles {office.desk.settles(name):%F %H:%M} UTC")


@click.command("note")
@click.argument("text")
@options.store_option
@options.config_option
@week_option()
@click.option("--team", required=True, help="Whose remark it is.")
@by_option
def note(
    text: str, store_url: str, config_path: Path | None, week: str, team: str, by: str
) -> None:
    """Remark on a week, as the lead of a team; the last remark holds, '' takes it back.

    The report shows it with the team's name; persons are taken out of it.
    """
    from analytics.report import release

    with opened(store_url, config_path) as (store, office):
        name = week or office.desk.last_whole(store)
        release.annotate(store, name, team, text, by, datetime.now(UTC))
        _audited(store, "note", name, by, team=team, note=text)
        click.echo(f"{name}, team {team}: {'remark kept' if text else 'remark taken back'}")


@click.command("release")
@options.store_option
@options.config_option
@week_option()
@click.option("--early", is_flag=True, help="Also while late data may still change its numbers.")
@by_option
def release(store_url: str, config_path: Path | None, week: str, early: bool, by: str) -> None:
    """Release a draft: from then on a week's report does not change, and may be sent."""
    from analytics.report import release as of_week

    with opened(store_url, config_path) as (store, office):
        name = week or office.desk.last_whole(store)
        now = datetime.now(UTC)
        done = of_week.release(store, office.desk, name, by, now, early=early)
        _audited(store, "release", name, by, early=early, edition=done.edition)
        click.echo(done.told)


@click.command("status")
@options.store_option
@options.config_option
@week_option()
@options.format_option("table", "json")
def status(store_url: str, config_path: Path | None, week: str, fmt: str) -> None:
    """What became of a week's report: drafts, releases, corrections, deliveries."""
    from analytics.report import snapshot
    from analytics.report.send import log

    configuration = options.load_config(config_path)
    reader = options.open_for_questions(store_url, configuration)
    name = week or Office.of(configuration).desk.last_whole(reader)
    steps = snapshot.steps(reader, name)
    if fmt == "json":
        deliveries = log.listed(reader, name)
        show.as_json({"week": name, "steps": [*map(_step, steps)], "deliveries": deliveries})
        return
    for step in steps:
        click.echo(step.told + (f": {step.corrects}" if step.corrects else ""))
    if not steps:
        click.echo(f"{name} is not drafted yet")
    tell_deliveries(reader, name)


def _step(step: Snapshot) -> dict[str, Any]:
    return {
        "step": step.step,
        "edition": step.edition,
        "state": step.state,
        "snapshot_id": step.name,
        "corrects": step.corrects or None,
        "settled": step.settled,
        "by": step.by,
        "at": step.at,
    }


def tell_deliveries(reader: Reader, week: str) -> None:
    """Who got what of a week, as a table; one line where nobody did."""
    from analytics.report.send import log

    rows = log.listed(reader, week)
    if rows:
        show.plain_table(rows, "Deliveries")
    else:
        click.echo("Nothing was sent.")
