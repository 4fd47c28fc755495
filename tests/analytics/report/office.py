"""A booked week of two teams, with leads and addresses, and the desk that reports on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from analytics.report import weeks
from analytics.report.release import Desk
from analytics.report.settings import DeliverySettings
from analytics.report.value import WeeklyReport
from gpuledger.catalogue import AccountHour, BookedHour, Person, Team
from gpuledger.config import Config
from gpuledger.schema import UNSET_TIME
from gpuledger.service import Reader
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet
from tests.components.smtp import PASSWORD, USER, SmtpServer

W47 = "2026-W47"
# Tuesday 00:00 UTC after the week: every cell of it is closed.
SETTLED = MONDAY + WEEK + timedelta(hours=24)
# Monday 08:00 and Tuesday 08:00 UTC after the week.
DRAFTED, RELEASED = MONDAY + WEEK + 8 * HOUR, MONDAY + WEEK + 32 * HOUR
LEADS = {"robotics": ("rob", "rob@example.org"), "vision": ("vera", "vera@example.org")}
PRODUCTIVE = """
SELECT sum(gpu_seconds) / 3600 FROM v_book_1h WHERE state = 'productive'
AND hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}
"""
EVERYBODY = ("a@example.org", "b@example.org", "c@example.org")


def book(store: Store, hours: int = 192, teams: dict[str, str] | None = None) -> Fleet:
    """Two GPUs, one by each team (name to job name); `hours` from Monday on are booked."""
    fleet = Fleet(store)
    fleet.gpus(2)
    fleet.price()
    for gpu, (team, name) in enumerate((teams or {"vision": "train", "robotics": "sim"}).items()):
        half = hours // 2
        for part, (state, count) in enumerate((("productive", half), ("alloc_idle", hours - half))):
            job, began = f"alpha/{gpu + 1}{part}", MONDAY + part * half * HOUR
            fleet.job(job, team, name, user=f"user{gpu}", submitted=began, started=began)
            fleet.hours(gpu, state, began, count, job)
    fleet.write()
    return fleet


def accounts(
    store: Store, hours: int = 192, *, idle: bool = True, teams: tuple[str, ...] = tuple(LEADS)
) -> None:
    """The same in few rows, which whole reports could not rest on: accounts, and hours booked."""
    half = hours // 2
    told = [
        (team, state, MONDAY + part * half * HOUR, half if idle else hours * (1 - part))
        for team in teams
        for part, state in enumerate(("productive", "alloc_idle"))
    ]
    store.insert_rows([_account(n, *row) for n, row in enumerate(told) if row[-1]])
    store.insert_rows([_booked(MONDAY), _booked(MONDAY + (hours - 1) * HOUR)])


def _account(number: int, team: str, state: str, hour: datetime, hours: int) -> AccountHour:
    return AccountHour(
        hour=hour,
        job=f"alpha/{number}",
        job_name="train",
        user=f"user{number // 2}",
        team=team,
        state=state,
        gpu_seconds=3600.0 * hours,
        energy_joules=None,
        recoverable_seconds=0.0,
        grade="A",
        cluster="alpha",
        node="n01",
        pool="main",
        model="H100",
        flags="",
        cause="",
    )


def _booked(hour: datetime) -> BookedHour:
    return BookedHour(
        hour=hour,
        fingerprint=1,
        booked_until=hour + HOUR,
        owned_seconds=7200.0,
        booked_at=hour + HOUR,
        version=1,
    )


def staff(store: Store, leads: dict[str, tuple[str, str]] | None = None) -> None:
    """Teams with leads, and the leads' addresses."""
    told = LEADS if leads is None else leads
    for team, (lead, mail) in told.items():
        account = {"kind": "account", "name": team, "valid_from": UNSET_TIME, "version": 1}
        store.insert_rows([Team(team=team, lead=lead, **account)])
        person = {"user": lead, "mail": mail, "valid_from": UNSET_TIME, "version": 1}
        store.insert_rows([Person(team=team, **person)])


def desk(**settings: Any) -> Desk:
    """The desk of a configuration with these keys of `[report]`."""
    return Desk.of(Config({"report": settings}))


def quick(**settings: Any) -> Desk:
    """The same for tests that only look at whether numbers changed."""
    return QuickDesk.of(Config({"report": settings}))


class QuickDesk(Desk):
    """Desks whose reports differ in what was productive alone: a whole one takes half a second."""

    pattern: ClassVar[list[WeeklyReport]] = []

    def live(self, reader: Reader, week: str) -> WeeklyReport:
        """The week as the book is now."""
        since, until = weeks.bounds(week, self.zone)
        if not self.pattern:
            self.pattern.append(super().live(reader, week))
        return replace(
            self.pattern[0],
            week=week,
            since=since,
            until=until,
            timezone=str(self.zone),
            gpu_hours=reader.value(PRODUCTIVE, since=since, until=until) or 0.0,
        )


def by_mail(server: SmtpServer, folder: Path, **more: Any) -> dict[str, Any]:
    """Section `[report.delivery]` for a server of the tests: three managers and the leads."""
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    secure: dict[str, Any] = {"smtp_security": "none"}
    if server.tls or server.implicit:
        security = "tls" if server.implicit else "starttls"
        secure = {"smtp_security": security, "smtp_ca": str(server.certificate)}
    if server.tls:
        secure |= {"smtp_user": USER, "smtp_password_file": str(password)}
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "sender": "reports@example.org",
        "management": EVERYBODY,
        "team_leads": True,
        "timeout_s": 5.0,
        **secure,
        **more,
    }


def delivery(settings: dict[str, Any]) -> DeliverySettings:
    """The same, validated."""
    return Config({"report.delivery": settings}).section("report.delivery", DeliverySettings)


def recipients(server: SmtpServer) -> list[str]:
    """Who got mail, in order."""
    return [address for mail in server.mails for address in mail.recipients]


def moments(first: datetime, last: datetime, minutes: int = 30) -> list[datetime]:
    """Every so many minutes from one instant to another."""
    count = int((last - first) / timedelta(minutes=minutes)) + 1
    return [first + i * timedelta(minutes=minutes) for i in range(count)]
