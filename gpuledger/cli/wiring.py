"""Where the parts meet: a runner with alerts beside it, and the service around them."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpuledger.config import Config
from gpuledger.service import Reader
from gpuledger.store import Address, Store, StoreSettings

if TYPE_CHECKING:
    from analytics.report.send.papers import Papers
    from analytics.runner import Runner, Step
    from analytics.service import Service
    from analytics.watch import Watch


def make_runner(
    store: Store, configuration: Config, *, reports: bool = False, watch: Watch | None = None
) -> Runner:
    """The runner; each tick ends with the alert rules, changes, and runs of experiments.

    With `reports`, and then with the schedule of the weekly report.
    """
    from alerts.make import make_engine
    from alerts.settings import AlertSettings
    from analytics import changes
    from analytics.aging import Aging
    from analytics.experiments.server import MlflowSettings
    from analytics.experiments.sync import Experiments
    from analytics.forgetting import Again
    from analytics.placing.settings import PlacementSettings
    from analytics.repacking.history import History
    from analytics.repacking.settings import SnapshotSettings
    from analytics.report.schedule import Schedule
    from analytics.runner import NamedStep, Runner
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
    steps: dict[str, Step] = {
        "alerts": evaluate,
        "changes": partial(changes.note, store),
        "experiments": experiments.step,
        "snapshots": history.step,
        "forgotten": Again(store).step,
        "aging": Aging(store, configuration.section("store", StoreSettings).persons_days).step,
    }
    if reports:
        steps["report"] = Schedule(store, configuration).step
    named = [NamedStep(name, step) for name, step in steps.items()]
    return Runner(store, configuration, named, watch)


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
    from analytics.access.keys import Keys
    from analytics.access.trust import certificates, issuers
    from analytics.ingest.intake import make_intake
    from analytics.server import token
    from analytics.service import Service

    watch = make_watch(configuration, "serve")
    store.watch = watch.question
    return Service(
        store=store,
        reader=store.reader(),
        runner=make_runner(store, configuration, reports=True, watch=watch),
        token=token(os.environ) or secrets.token_urlsafe(32),
        ingest_token=token(os.environ, "GPULEDGER_INGEST_TOKEN"),
        keys=Keys(store),
        issuers=issuers(configuration),
        certificates=certificates(configuration),
        report_html=report_html,
        intake=make_intake(relay_spool(spool, store.address), store, configuration),
        watch=watch,
        configuration=configuration,
        alerts=KnownAlerts(configuration),
    )


@dataclass(frozen=True)
class KnownAlerts:
    """What the part of alerts tells the service."""

    configuration: Config

    def rules(self) -> list[dict[str, Any]]:
        """Every rule: what it says, and who hears of it. ConfigError."""
        from alerts import receivers, status
        from alerts.build import rules
        from alerts.make import known_rules
        from alerts.settings import AlertSettings

        settings = self.configuration.section("alerts", AlertSettings)
        known = {rule.name: rule for rule in rules().values()} | known_rules(settings)
        found = receivers.load(settings.receivers_file, os.environ)
        return status.listed(known, settings, found)

    def check(self, rule: str) -> None:
        """ConfigError for a rule that there is not; empty = all of them."""
        from alerts.build import rules
        from gpuledger.errors import ConfigError, nearest

        known = {r.name for r in rules().values()}
        if rule and rule not in known:
            raise ConfigError(f"rule {rule}: there is none{nearest(rule, known)}")

    def status(
        self, reader: Reader, *, rule: str = "", resolved: bool = False
    ) -> list[dict[str, Any]]:
        """Where alerts stand. ConfigError for a rule that there is not."""
        from alerts import status

        self.check(rule)
        return status.status(reader, rule=rule, resolved=resolved)


def make_watch(configuration: Config, service: str) -> Watch:
    """What watches a process; it sends nothing before its telemetry is opened."""
    from analytics.telemetry import Telemetry, TelemetrySettings
    from analytics.watch import Watch

    settings = configuration.section("telemetry", TelemetrySettings)
    return Watch(Telemetry(settings, service))


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
