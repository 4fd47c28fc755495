"""Where the parts meet: a runner with alerts beside it, and the service around them."""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.service import Reader
from gpuledger.store import Address, Store

if TYPE_CHECKING:
    from analytics.runner import Runner
    from analytics.service import Service


def make_runner(store: Store, configuration: Config) -> Runner:
    """The runner; each tick ends with changes, runs of experiments, and the alert rules."""
    from alerts.engine import make_engine
    from alerts.settings import AlertSettings
    from analytics import changes
    from analytics.experiments.server import MlflowSettings
    from analytics.experiments.sync import Experiments
    from analytics.placing.settings import PlacementSettings
    from analytics.repacking.history import History
    from analytics.repacking.settings import SnapshotSettings
    from analytics.runner import Runner
    from gpuledger.states import LedgerSettings

    engine = make_engine(store, configuration.section("alerts", AlertSettings))

    def evaluate(now: datetime) -> None:
        engine.tick(now)

    experiments = Experiments(store, configuration.section("mlflow", MlflowSettings))
    history = History(
        store,
        configuration.section("snapshot", SnapshotSettings),
        configuration.section("ledger", LedgerSettings),
        configuration.section("placement", PlacementSettings),
    )
    steps = (partial(changes.note, store), experiments.step, history.step, evaluate)
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
        runner=make_runner(store, configuration),
        token=token(os.environ) or secrets.token_urlsafe(32),
        ingest_token=token(os.environ, "GPULEDGER_INGEST_TOKEN"),
        report_html=report_html,
        intake=make_intake(relay_spool(spool, store.address), store, configuration),
    )


def weekly_report(reader: Reader, week: str = "", fmt: str = "html") -> str:
    """The report of an ISO week, or of the seven days before the last booked minute."""
    from analytics.book import last_booked
    from analytics.report import render, weekly
    from analytics.report.markdown import render_markdown

    if week:
        since, until = weekly.week_bounds(week)
        _check_booked(reader, week, since, until)
    else:
        since, until = weekly.last_seven_days(last_booked(reader) or datetime.now().astimezone())
    report = weekly.collect(reader, since, until)
    return render_markdown(report) if fmt == "md" else render.render_html(report)


def _check_booked(reader: Reader, week: str, since: datetime, until: datetime) -> None:
    """Refuse a week of which no hour is booked: a report of nothing looks like one of idleness."""
    booked = "SELECT min(hour) AS first, max(booked_until) AS last FROM booked_hours FINAL"
    rows = reader.select(f"{booked} HAVING count() > 0")
    if not any(r["first"] < until and r["last"] > since for r in rows):
        there = "".join(
            f": the book is {r['first']:%Y-%m-%d} to {r['last']:%Y-%m-%d}" for r in rows
        )
        raise ConfigError(f"nothing is booked of week {week}{there}")
