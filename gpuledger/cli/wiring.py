"""Where the parts meet: a runner with alerts beside it, and the service around them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from gpuledger.config import Config
from gpuledger.service import Reader
from gpuledger.store import Store

if TYPE_CHECKING:
    from analytics.runner import Runner
    from analytics.service import Service


def make_runner(store: Store, configuration: Config) -> Runner:
    """The runner, evaluating the alert rules at the end of each tick."""
    from alerts.engine import make_engine
    from alerts.settings import AlertSettings
    from analytics.runner import Runner

    engine = make_engine(store, configuration.section("alerts", AlertSettings))

    def evaluate(now: datetime) -> None:
        engine.tick(now)

    return Runner(store, configuration, steps=(evaluate,))


def make_service(store: Store, configuration: Config, *, report_html: str = "") -> Service:
    """The service over an open store."""
    from analytics.server import environment_token
    from analytics.service import Service

    return Service(
        store=store,
        reader=store.reader(),
        runner=make_runner(store, configuration),
        token=environment_token(),
        report_html=report_html,
    )


def weekly_report(reader: Reader, week: str = "", fmt: str = "html") -> str:
    """The report of an ISO week, or of the seven days before the last booked minute."""
    from analytics.book import last_booked
    from analytics.report import render, weekly
    from analytics.report.markdown import render_markdown

    if week:
        since, until = weekly.week_bounds(week)
    else:
        since, until = weekly.last_seven_days(last_booked(reader) or datetime.now().astimezone())
    report = weekly.collect(reader, since, until)
    return render_markdown(report) if fmt == "md" else render.render_html(report)
