"""The schedule: draft, leads, release, management; what was missed is made up once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.report import release, schedule, snapshot
from analytics.report.schedule import Schedule
from analytics.report.send.papers import Papers
from gpuledger.cli.wiring import make_runner
from gpuledger.config import Config
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK
from tests.analytics.report.office import (
    DRAFTED,
    EVERYBODY,
    RELEASED,
    W47,
    QuickDesk,
    accounts,
    by_mail,
    moments,
    quick,
    recipients,
    staff,
)
from tests.components.smtp import SmtpServer


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Papers, "pdf", None)
    monkeypatch.setattr(schedule, "Desk", QuickDesk)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[SmtpServer]:
    with SmtpServer(tmp_path) as server:
        yield server


@pytest.fixture
def settings(mail: SmtpServer, tmp_path: Path) -> dict[str, Any]:
    return by_mail(mail, tmp_path)


def scheduled(store: Store, settings: dict[str, Any], **more: Any) -> Schedule:
    return Schedule(store, Config({"report": {"delivery": settings, **more}}))


def states(store: Store, week: str = W47) -> list[tuple[str, datetime]]:
    return [(s.state, s.at) for s in snapshot.steps(store, week)]


def test_a_week_runs_by_itself(store: Store, settings: dict[str, Any], mail: SmtpServer) -> None:
    accounts(store)
    staff(store)
    plan = scheduled(store, settings)
    for now in moments(DRAFTED - HOUR, RELEASED + HOUR):
        plan.step(now)
    assert states(store) == [("draft", DRAFTED), ("released", RELEASED)]
    assert recipients(mail) == ["rob@example.org", "vera@example.org", *EVERYBODY]


def test_a_restart_sends_nothing_again(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store)
    staff(store)
    for now in (DRAFTED, DRAFTED + HOUR, RELEASED, RELEASED + HOUR):
        scheduled(store, settings).step(now)
    assert len(mail.mails) == 5


def test_the_schedule_keeps_the_time_of_its_zone(store: Store, settings: dict[str, Any]) -> None:
    # In Berlin the week begins an hour earlier, and Monday 08:00 is 07:00 UTC.
    accounts(store)
    plan = scheduled(store, settings, timezone="Europe/Berlin")
    plan.step(DRAFTED - HOUR - timedelta(minutes=1))
    assert states(store) == []
    plan.step(DRAFTED - HOUR)
    assert [state for state, _ in states(store)] == ["draft"]


def test_after_a_week_of_downtime_the_newest_week_alone_is_made_up(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store, hours=168 + 168 + 48)
    staff(store)
    plan = scheduled(store, settings, release_after_h=0)
    back = MONDAY + 2 * WEEK + 40 * HOUR
    for now in moments(back, back + 3 * HOUR):
        plan.step(now)
    assert states(store) == []
    assert states(store, "2026-W48") == [("draft", back), ("released", back)]
    assert len(mail.mails) == 5


def test_a_release_waits_until_the_book_has_settled(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store, hours=168)
    plan = scheduled(store, settings, release_after_h=0)
    plan.step(DRAFTED)
    plan.step(RELEASED)
    assert [state for state, _ in states(store)] == ["draft"]
    accounts(store, hours=192)
    plan.step(RELEASED + HOUR)
    assert [state for state, _ in states(store)] == ["draft", "released"]
    assert recipients(mail) == list(EVERYBODY)


def test_a_draft_waits_until_the_week_is_booked(store: Store, settings: dict[str, Any]) -> None:
    accounts(store, hours=167)
    scheduled(store, settings).step(DRAFTED)
    assert states(store) == []


def test_without_a_time_or_release_by_schedule_people_do_it(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store)
    scheduled(store, settings, send_at="").step(RELEASED)
    assert states(store) == []
    plan = scheduled(store, settings, release_after_h=-1)
    for now in (DRAFTED, RELEASED, RELEASED + WEEK / 2):
        plan.step(now)
    assert [state for state, _ in states(store)] == ["draft"]
    release.release(store, quick(), W47, "ada", RELEASED)
    plan.step(RELEASED + HOUR)
    assert recipients(mail) == list(EVERYBODY)


def test_a_server_that_is_down_on_monday_gets_it_later(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store)
    plan = scheduled(store, settings, release_after_h=0)
    mail.stop()
    for now in moments(DRAFTED, DRAFTED + HOUR, minutes=10):
        plan.step(now)
    mail.start()
    plan.step(DRAFTED + 2 * HOUR)
    plan.step(DRAFTED + 3 * HOUR)
    assert recipients(mail) == list(EVERYBODY)


def test_a_store_without_the_week_has_no_report(store: Store, settings: dict[str, Any]) -> None:
    scheduled(store, settings).step(DRAFTED)
    accounts(store)
    scheduled(store, settings).step(DRAFTED - 10 * WEEK)
    assert store.value("SELECT count() FROM report_snapshots") == 0


def test_the_service_has_the_schedule_among_its_steps(store: Store) -> None:
    alone = make_runner(store, Config())
    serving = make_runner(store, Config(), reports=True)
    assert len(serving._steps) == len(alone._steps) + 1
    serving._steps[-1](DRAFTED)
    assert store.value("SELECT count() FROM report_snapshots") == 0


def test_a_week_that_is_released_late_or_corrected_reaches_everybody(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store, hours=168 + 192)
    plan = scheduled(store, {**settings, "team_leads": False}, release_after_h=-1)
    plan.step(DRAFTED)
    late = DRAFTED + WEEK + HOUR
    release.release(store, quick(), W47, "ada", late)
    plan.step(late)
    assert recipients(mail) == list(EVERYBODY)
    release.draft(store, quick(), W47, "ada", late + HOUR, "prices")
    release.release(store, quick(), W47, "ada", late + 2 * HOUR)
    plan.step(late + 2 * HOUR)
    plan.step(late + 3 * HOUR)
    assert recipients(mail) == list(EVERYBODY) * 2


def test_a_new_reader_gets_no_pile_of_old_reports(
    store: Store, settings: dict[str, Any], mail: SmtpServer
) -> None:
    accounts(store, hours=168 + 192)
    scheduled(store, {}, release_after_h=0).step(RELEASED)
    scheduled(store, settings, release_after_h=-1).step(RELEASED + WEEK + HOUR)
    assert mail.mails == []
