"""Where the parts meet: a runner with alerts beside it, and the service around them."""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpuledger.config import Config
from gpuledger.service import Reader
from gpuledger.store import Address, Store

if TYPE_CHECKING:
    from analytics.report.send.papers import Papers
    from analytics.runner import Runner, Step
    from analytics.service import Service


def make_runner(store: Store, configuration: Config, *, reports: bool = False) -> Runner:
    """The runner; each tick ends with the alert rules, changes, and runs of experiments.

    With `reports`, and then with the schedule of the weekly report.
    """
    from alerts.make import make_engine
    from alerts.settings import AlertSettings
    from analytics import changes
    from analytics.experiments.server import MlflowSettings
    from analytics.experiments.sync import Experiments
    from analytics.placing.settings import PlacementSettings
    from analytics.repacking.history import History
    from analytics.repacking.settings import SnapshotSettings
    from analytics.report.schedule import Schedule
    from analytics.runner import Runner
    from gpuledger.states import LedgerSettings

    engine = make_engine(store, configuration.section("alerts", AlertSettings), os.environ)

    def evaluate(now: datetime) -> None:
        engine.tick(now)

    experiments = Experiments(store, configuration.section("mlflow", MlflowSettings))
    history = History(
        store,
        configuration.section("snapshot", SnapshotSettings),
        configuration.section("ledger", LedgerSettings),
        configuration.section("placement", PlacementSettings),
    )
    # Alerts first: they wait for no server of experiments.
    steps: list[Step] = [evaluate, partial(changes.note, store), experiments.step, history.step]
    if reports:
        steps.append(Schedule(store, configuration).step)
    return Runner(store, configuration, steps)


# Where accepted rows wait, beside an embedded store or in the directory where a service runs.
SPOOL = "gpuledger-relay.db"


def relay_spool(given: Path | None, address: Address) -> Path:
    """The file of the relay's journal; a directory that is given holds it."""
    path = given or (address.directory or Path()) / SPOOL
    return path / SPOOL if path.is_dir() else path


def make_service(
    store: Store, configuration: Config, *, report_html: str = "", spool: Path | None = None
) -> Service:
    """The service over an open store."""
    from analytics.ingest.intake import make_intake
    from analytics.server import token
    from analytics.service import Service

    return Service(
        store=store,
        reader=store.reader(),
        runner=make_runner(store, configuration, reports=True),
        token=token(os.environ) or secrets.token_urlsafe(32),
        ingest_token=token(os.environ, "GPULEDGER_INGEST_TOKEN"),
        report_html=report_html,
        intake=make_intake(relay_spool(spool, store.address), store, configuration),
    )


def weekly_report(reader: Reader, configuration: Config | None = None) -> str:
    """The page of the seven days before the last booked minute."""
    return weekly_papers(reader, configuration or Config()).html


def weekly_papers(
    reader: Reader,
    configuration: Config,
    week: str = "",
    *,
    edition: int = 0,
    live: bool = False,
) -> Papers:
    """An ISO week, frozen where it is, or the seven days before the last booked minute."""
    from analytics.report import release
    from analytics.report.send.papers import Papers

    desk = release.Desk.of(configuration)
    if not week:
        return Papers(desk.newest(reader, datetime.now().astimezone()))
    return Papers(release.report(reader, desk, week, edition=edition, live=live))


def team_papers(
    reader: Reader, configuration: Config, team: str, week: str = "", *, live: bool = False
) -> Papers:
    """One team's part of an ISO week, frozen where it is, or of the last seven booked days."""
    from analytics.book import last_booked
    from analytics.report import pages, release, snapshot, teams, weekly, weeks
    from analytics.report.send.papers import Papers

    desk = release.Desk.of(configuration)
    if week:
        frozen = None if live else snapshot.shown(reader, week)
        if frozen and (page := pages.shown(reader, frozen, team)):
            return Papers(page)
        bounds = weeks.bounds(week, desk.zone)
    else:
        bounds = weekly.last_seven_days(last_booked(reader) or datetime.now().astimezone())
    return Papers(teams.collect(reader, team, *bounds, desk.zone))
