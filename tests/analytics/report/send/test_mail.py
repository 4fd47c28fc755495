"""Mail over a real SMTP server: encrypted, one message each, and only sure failures tried again."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.report.send.log import MANAGEMENT, Delivery
from analytics.report.send.mail import LONGEST_SUBJECT, Mailer, compose
from analytics.report.send.outcome import FAILED, REFUSED, SENT, UNSURE
from analytics.report.send.papers import Papers
from analytics.report.settings import DeliverySettings
from analytics.report.teams import TeamReport
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from tests.analytics.report.build import MONDAY, WEEK
from tests.analytics.report.office import DRAFTED, W47, by_mail, delivery
from tests.components.fixtures import skipping
from tests.components.smtp import SmtpServer

HOSTILE = "x\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script> 🚀 'q\" `rm` ".ljust(
    300, "Ω"
)
TEAM = TeamReport(
    team="vision",
    week=W47,
    since=MONDAY,
    until=MONDAY + WEEK,
    timezone="UTC",
    gpu_hours=10.0,
    gpu_hours_before=None,
    utilization_ratio=0.5,
    utilization_ratio_before=None,
    loose_gpu_hours=0.0,
    currency="",
    capacity_value=None,
    loose_value=None,
    jobs=1,
    grade="A",
    states=(),
    wastes=(),
    advice=(),
    more_advice=0,
    note="",
)


class Plain(Papers):
    """Papers without a PDF, which takes a second."""

    pdf = None


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., SmtpServer]]:
    servers: list[SmtpServer] = []

    def serve(**how: Any) -> SmtpServer:
        server = SmtpServer(tmp_path, **how)
        with skipping():
            server.start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.stop()


def to(recipient: str = "a@example.org") -> Delivery:
    return Delivery(W47, 1, MANAGEMENT, "mail", recipient)


def send(settings: DeliverySettings, *recipients: str, papers: Papers | None = None) -> list[str]:
    """States of messages to these recipients, over one connection."""
    made = papers or Plain(TEAM)
    with Mailer(settings) as mailer:
        return [mailer.send(r, compose(to(r), made, settings, DRAFTED)).state for r in recipients]


def test_a_message_goes_over_starttls_with_a_login(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving(tls=True)
    assert send(delivery(by_mail(server, tmp_path)), "a@example.org") == [SENT]
    (mail,) = server.mails
    assert (mail.encrypted, mail.sender) == (True, "reports@example.org")
    assert mail.recipients == ["a@example.org"]


def test_a_message_goes_over_tls_from_the_first_byte(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving(implicit=True)
    assert send(delivery(by_mail(server, tmp_path)), "a@example.org") == [SENT]
    assert len(server.mails) == 1


def test_a_server_of_whom_nobody_vouches_gets_nothing(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving(tls=True)
    settings = delivery(by_mail(server, tmp_path, smtp_ca=""))
    with Mailer(settings) as mailer:
        outcome = mailer.send("a@example.org", compose(to(), Plain(TEAM), settings, DRAFTED))
    assert outcome.state == FAILED
    assert "certificate" in outcome.reason
    assert server.mails == []


def test_without_encryption_offered_nothing_is_said(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving()
    settings = delivery(by_mail(server, tmp_path, smtp_security="starttls"))
    assert send(settings, "a@example.org") == [FAILED]
    assert server.mails == []


@pytest.mark.parametrize(
    ("content", "told"), [("wrong", "535"), (None, "No such file or directory")]
)
def test_a_login_that_fails_is_said_and_tried_again(
    serving: Callable[..., SmtpServer], tmp_path: Path, content: str | None, told: str
) -> None:
    server = serving(tls=True)
    settings = delivery(by_mail(server, tmp_path))
    password = tmp_path / "password"
    password.write_text(content) if content else password.unlink()
    with Mailer(settings) as mailer:
        outcome = mailer.send("a@example.org", compose(to(), Plain(TEAM), settings, DRAFTED))
    assert outcome.state == FAILED
    assert told in outcome.reason


def test_one_recipient_refused_of_three_does_not_stop_the_others(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving()
    server.refused.add("b@example.org")
    server.says.later.add("c@example.org")
    everybody = ("a@example.org", "b@example.org", "c@example.org", "d@example.org")
    states = send(delivery(by_mail(server, tmp_path)), *everybody)
    assert states == [SENT, REFUSED, FAILED, SENT]
    assert [m.recipients for m in server.mails] == [["a@example.org"], ["d@example.org"]]


@pytest.mark.parametrize(("answer", "state"), [("554 spam", REFUSED), ("452 no room", FAILED)])
def test_what_the_server_says_of_a_message_counts(
    serving: Callable[..., SmtpServer], tmp_path: Path, answer: str, state: str
) -> None:
    server = serving()
    server.says.answer = answer
    assert send(delivery(by_mail(server, tmp_path)), "a@example.org") == [state]


def test_a_message_that_was_handed_over_when_the_line_broke_is_unsure(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving()
    server.says.breaks_off = True
    assert send(delivery(by_mail(server, tmp_path)), "a@example.org") == [UNSURE]


def test_a_server_that_is_away_is_asked_once_a_run(
    serving: Callable[..., SmtpServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serving()
    settings = delivery(by_mail(server, tmp_path))
    server.stop()
    asked: list[int] = []
    connect = Mailer._connect
    monkeypatch.setattr(Mailer, "_connect", lambda self: asked.append(1) or connect(self))
    assert send(settings, "a@example.org", "b@example.org") == [FAILED, FAILED]
    assert len(asked) == 1


def test_a_message_has_text_page_and_pdf(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving()
    send(delivery(by_mail(server, tmp_path)), "a@example.org", papers=Papers(TEAM))
    message = server.mails[0].content
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "application/pdf"]
    assert "GPU report for team vision" in server.mails[0].text
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "gpu-report-2026-W47-vision.pdf"
    assert attached.get_content().startswith(b"%PDF-")


def test_the_same_delivery_has_the_same_message_id(tmp_path: Path) -> None:
    settings = delivery({"smtp_host": "x", "sender": "reports@example.org"})
    one, other = (compose(to(), Plain(TEAM), settings, DRAFTED) for _ in range(2))
    assert one["Message-ID"] == other["Message-ID"]
    assert one["Message-ID"] != compose(to("b@x.org"), Plain(TEAM), settings, DRAFTED)["Message-ID"]
    assert one["Date"] == "Mon, 23 Nov 2026 08:00:00 +0000"


def test_a_hostile_name_adds_no_header_and_no_markup(
    serving: Callable[..., SmtpServer], tmp_path: Path
) -> None:
    server = serving()
    send(
        delivery(by_mail(server, tmp_path)),
        "a@example.org",
        papers=Plain(replace(TEAM, team=HOSTILE)),
    )
    (mail,) = server.mails
    assert mail.recipients == ["a@example.org"]
    assert mail.content["Bcc"] is None
    assert mail.content["Subject"].startswith("GPU report for team x Bcc: victim@example.org")
    assert len(mail.content["Subject"]) <= LONGEST_SUBJECT
    assert "🚀" in mail.content["Subject"]
    page = mail.content.get_body(("html",))
    assert page
    assert "<script>" not in page.get_content()
    assert "&lt;script&gt;" in page.get_content()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"management": ["a@b\r\nBcc: c@d"]}, "is no mail address"),
        ({"management": ["a b@c.org"]}, "is no mail address"),
        ({"sender": "<a@b.org>"}, "is no mail address"),
        ({"management": ["a@b.org"]}, "mail needs smtp_host and sender"),
        ({"smtp_user": "ada"}, "smtp_password_file"),
        (
            {"smtp_user": "ada", "smtp_password_file": "f", "smtp_security": "none"},
            "a password needs",
        ),
        ({"smtp_port": 70000}, "is no port"),
        ({"webhook": "ftp://x"}, "webhook: write https"),
        ({"webhook": "https://x/y", "webhook_file": "f"}, "one of the two"),
        ({"s3": "bucket/prefix"}, "write s3://bucket/prefix"),
        ({"attempts": 0}, "below 1"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"smtp_security": "ssl"}, "smtp_security"),
        ({"smpt_host": "x"}, "smpt_host"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], told: str) -> None:
    from analytics.report.settings import ReportSettings

    with pytest.raises(ConfigError, match=told):
        Config({"report": {"delivery": settings}}).section("report", ReportSettings)


class Leaving:
    """An SMTP connection that answers DATA with 421 and closes, as RFC 5321, 3.8 has it."""

    def mail(self, _address: str) -> tuple[int, bytes]:
        return 250, b"OK"

    rcpt = mail

    def data(self, _message: bytes) -> tuple[int, bytes]:
        raise smtplib.SMTPDataError(421, b"shutting down")

    def rset(self) -> None:
        raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")

    quit = rset

    def close(self) -> None:
        pass


def test_a_server_that_leaves_at_data_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DeliverySettings(smtp_host="h", sender="a@example.org")
    monkeypatch.setattr(Mailer, "_connect", lambda _: Leaving())
    with Mailer(settings) as mailer:
        outcome = mailer.send("a@example.org", compose(to(), Plain(TEAM), settings, DRAFTED))
        assert mailer._server is None
    assert (outcome.state, outcome.reason) == (FAILED, "421 shutting down")


def test_the_plain_part_shows_no_markdown() -> None:
    settings = DeliverySettings(smtp_host="h", sender="a@example.org")
    team = replace(TEAM, team="a_b*")
    part = compose(to(), Plain(team), settings, DRAFTED).get_body(("plain",))
    assert part is not None
    text = part.get_content()
    assert text.startswith("GPU report for team a_b*")
    assert "\\" not in text
