"""Who gets what: leads with the draft, management with the release, everything once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from analytics.report import release
from analytics.report.send import log, run
from analytics.report.send.papers import Papers
from analytics.report.send.run import Sender, Sent, planned
from analytics.report.settings import DeliverySettings
from analytics.report.snapshot import Snapshot
from gpuledger import contacts
from gpuledger.catalogue import Team
from gpuledger.schema import UNSET_TIME
from gpuledger.store import Store
from tests.analytics.report.office import (
    DRAFTED,
    EVERYBODY,
    LEADS,
    W47,
    accounts,
    by_mail,
    delivery,
    quick,
    recipients,
    staff,
)
from tests.components.s3 import S3
from tests.components.smtp import SmtpServer

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _no_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PDF takes a second; test_mail has one."""
    monkeypatch.setattr(Papers, "pdf", None)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[SmtpServer]:
    with SmtpServer(tmp_path) as server:
        yield server


@pytest.fixture
def drafted(store: Store) -> Snapshot:
    accounts(store)
    staff(store)
    return release.draft(store, quick(), W47, "ada", DRAFTED)


def released(store: Store) -> Snapshot:
    return release.release(store, quick(), W47, "ada", DRAFTED)


def sent(store: Store, settings: DeliverySettings, frozen: Snapshot, **how: Any) -> Sent:
    return Sender(store, settings, quick()).send(frozen, how.pop("now", DRAFTED), **how)


def test_a_draft_goes_to_leads_and_a_release_to_everybody(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(by_mail(mail, tmp_path))
    assert sent(store, settings, drafted).states == {"sent": 2}
    assert recipients(mail) == ["rob@example.org", "vera@example.org"]
    robotics = mail.mails[0].content.get_body(("html",))
    assert robotics
    assert "user0" in robotics.get_content()
    assert "user1" not in robotics.get_content()
    assert sent(store, settings, released(store)).states == {"sent": 3}
    assert recipients(mail)[2:] == list(EVERYBODY)
    management = mail.mails[2].content.get_body(("html",))
    assert management
    assert "user1" not in management.get_content()


def test_nothing_is_sent_twice(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(by_mail(mail, tmp_path))
    sent(store, settings, drafted)
    assert sent(store, settings, drafted).states == {}
    assert len(mail.mails) == 2
    assert sent(store, settings, drafted, again=True).states == {"sent": 2}


def test_one_refused_recipient_stays_refused_and_the_others_got_it(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    mail.refused.add(EVERYBODY[1])
    settings = delivery(by_mail(mail, tmp_path, team_leads=False))
    done = released(store)
    assert sent(store, settings, done).states == {"sent": 2, "refused": 1}
    assert sent(store, settings, done, now=DRAFTED + timedelta(days=1)).states == {}
    told = {row["target"]: (row["state"], row["reason"]) for row in log.listed(store, W47)}
    assert told[EVERYBODY[1]] == ("refused", "550 no such user")
    assert told[EVERYBODY[0]] == ("sent", "")


def test_a_failed_delivery_is_tried_again_later_and_later(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(by_mail(mail, tmp_path, management=[EVERYBODY[0]], team_leads=False))
    done = released(store)
    mail.stop()
    tries = [
        minute
        for minute in range(40)
        if sent(store, settings, done, now=DRAFTED + minute * MINUTE).states
    ]
    assert tries == [0, 1, 3, 7, 15, 31]
    mail.start()
    assert sent(store, settings, done, now=DRAFTED + 63 * MINUTE).states == {"sent": 1}
    assert recipients(mail) == [EVERYBODY[0]]
    (row,) = log.listed(store, W47)
    assert (row["state"], row["tries"]) == ("sent", 7)


def test_after_the_last_try_a_person_must_look(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(
        by_mail(mail, tmp_path, management=[EVERYBODY[0]], team_leads=False, attempts=2)
    )
    done = released(store)
    mail.stop()
    for minute in (0, 1, 100, 1000):
        sent(store, settings, done, now=DRAFTED + minute * MINUTE)
    (row,) = log.listed(store, W47)
    assert (row["state"], row["tries"]) == ("failed", 2)
    mail.start()
    assert sent(store, settings, done, again=True).states == {"sent": 1}


def test_what_a_service_began_before_it_ended_is_not_sent_again(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(by_mail(mail, tmp_path, management=[EVERYBODY[0]], team_leads=False))
    done = released(store)
    (plan,) = planned(store, settings, quick().zone, done)
    assert log.begin(store, plan.delivery, None, DRAFTED)
    assert sent(store, settings, done, now=DRAFTED + MINUTE).states == {}
    assert sent(store, settings, done, now=DRAFTED + 60 * MINUTE).states == {}
    (row,) = log.listed(store, W47)
    assert row["state"] == "unsure"
    assert mail.mails == []


def test_of_two_services_one_sends(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(by_mail(mail, tmp_path, management=[EVERYBODY[0]], team_leads=False))
    (plan,) = planned(store, settings, quick().zone, released(store))
    assert log.begin(store, plan.delivery, None, DRAFTED)
    assert log.begin(store, plan.delivery, None, DRAFTED) is None


def test_a_run_ends_in_time_and_the_next_one_goes_on(
    store: Store, drafted: Snapshot, mail: SmtpServer, tmp_path: Path
) -> None:
    settings = delivery(by_mail(mail, tmp_path, team_leads=False))
    done = released(store)
    seconds = iter(range(0, 1000, 20))
    slow = Sender(store, settings, quick(), clock=lambda: float(next(seconds)))
    first = slow.send(done, DRAFTED)
    assert (first.states, first.left) == ({"sent": 1}, 2)
    assert sent(store, settings, done).states == {"sent": 2}
    assert sorted(recipients(mail)) == sorted(EVERYBODY)


def test_a_team_without_an_address_is_named(store: Store, mail: SmtpServer, tmp_path: Path) -> None:
    accounts(store)
    staff(store, {"vision": LEADS["vision"], "robotics": ("rob", "x@y\r\nBcc: z@example.org")})
    frozen = release.draft(store, quick(), W47, "ada", DRAFTED)
    settings = delivery(by_mail(mail, tmp_path))
    assert run.unreachable(store, settings, quick().zone, frozen) == ["robotics"]
    plan = planned(store, settings, quick().zone, frozen)
    assert [p.delivery.target for p in plan if not p.held] == ["vera@example.org"]
    assert {p.told for p in plan} == {"to be sent", "waits for the release"}


def test_a_released_report_lies_in_the_object_store(
    store: Store, drafted: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    with S3() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        bucket = boto3.session.Session().client("s3")
        settings = delivery({"s3": "s3://reports/gpu/weekly/", "s3_endpoint": server.url})
        done = released(store)
        assert sent(store, settings, done).states == {"failed": 1}
        bucket.create_bucket(Bucket="reports")
        later = DRAFTED + 2 * MINUTE
        assert sent(store, settings, done, now=later).states == {"sent": 1}
        keys = [o["Key"] for o in bucket.list_objects_v2(Bucket="reports")["Contents"]]
        assert keys == [
            f"gpu/weekly/2026-W47/edition-1/gpu-report-2026-W47.{end}"
            for end in ("html", "json", "md")
        ]
        found = bucket.get_object(Bucket="reports", Key=keys[1])
        assert found["ContentType"] == "application/json"
        assert json.loads(found["Body"].read())["week"] == W47


class Hook:
    """A webhook that answers what it is told and keeps what it got."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.got: list[dict[str, Any]] = []
        hook = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 0:
                    self.connection.close()
                    return
                hook.got.append(json.loads(body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/services/T0/secret"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_a_webhook_gets_text_and_links(store: Store, drafted: Snapshot, tmp_path: Path) -> None:
    done = released(store)
    with Hook() as hook:
        secret = tmp_path / "chat"
        secret.write_text(f"{hook.url}\n")
        desk = quick(console="https://gpu.example.org/")
        sender = Sender(store, delivery({"webhook_file": str(secret)}), desk)
        assert sender.send(done, DRAFTED).states == {"sent": 1}
    (got,) = hook.got
    assert got["text"].startswith("**GPU report, 2026\\-W47" if "\\-" in got["text"] else "**GPU")
    assert (got["week"], got["edition"], got["snapshot_id"]) == (W47, 1, done.name)
    assert got["link"] == "https://gpu.example.org/weekly-report.html"
    (row,) = log.listed(store, W47)
    assert row["target"] == "chat"


@pytest.mark.parametrize(
    ("status", "state"), [(503, "failed"), (429, "failed"), (404, "refused"), (302, "refused")]
)
def test_what_a_webhook_answers_counts_and_its_secret_is_not_told(
    store: Store, drafted: Snapshot, status: int, state: str
) -> None:
    done = released(store)
    with Hook(status) as hook:
        assert sent(store, delivery({"webhook": hook.url}), done).states == {state: 1}
    (row,) = log.listed(store, W47)
    assert str(status) in row["reason"]
    assert "secret" not in row["reason"] + row["target"]


def test_a_webhook_that_breaks_off_is_unsure_and_one_that_is_away_is_tried_again(
    store: Store, drafted: Snapshot
) -> None:
    done = released(store)
    with Hook(0) as hook:
        assert sent(store, delivery({"webhook": hook.url}), done).states == {"unsure": 1}
    away = delivery({"webhook": hook.url.replace("secret", "other").replace("127.0.0.1", "[::1]")})
    assert sent(store, away, done).states == {"failed": 1}
    assert all("secret" not in row["reason"] for row in log.listed(store, W47))


def test_a_lead_without_a_usable_address_is_told_by_the_teams(store: Store) -> None:
    accounts(store)
    staff(store, {"robotics": ("rob", "rob..x@example.org")})
    account = {"kind": "account", "name": "robotics", "valid_from": UNSET_TIME, "version": 2}
    store.insert_rows([Team(team="robotics", lead="rob", mail="team@example.org", **account)])
    assert contacts.of_teams(store, DRAFTED)["robotics"] == ["team@example.org"]


def test_a_message_that_cannot_be_made_is_refused_and_stops_nobody(
    store: Store, mail: SmtpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts(store)
    real = run.compose

    def compose(delivery: log.Delivery, *of: Any) -> Any:
        if delivery.target == EVERYBODY[0]:
            raise ValueError("no address")
        return real(delivery, *of)

    monkeypatch.setattr(run, "compose", compose)
    settings = delivery(by_mail(mail, tmp_path, team_leads=False))
    release.draft(store, quick(), W47, "ada", DRAFTED)
    assert sent(store, settings, released(store)).states == {"refused": 1, "sent": 2}
