"""Messages through Apprise to a real SMTP server and a real HTTP server."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from alerts.apprise_door import AppriseDoor, checked
from alerts.message import Message
from alerts.receivers import Receivers
from alerts.routing import Target
from gpuledger.errors import ConfigError
from tests.alerts.world import Answers
from tests.components.fixtures import or_skip
from tests.components.process import free_port
from tests.components.smtp import PASSWORD, USER, SmtpServer

HOSTILE = "alpha/<script>alert(\"1\")</script> 'q' =cmd() \U0001f469\u200d\U0001f52c " + "x" * 300
MESSAGE = Message("[high] JobIdleGPU", f"- {HOSTILE}\n\nMessage 00", (), 0xFEED)


@pytest.fixture(scope="module")
def smtp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpServer]:
    with or_skip(SmtpServer(tmp_path_factory.mktemp("smtp"), tls=True)) as server:
        yield server


@pytest.fixture
def mailed(smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> SmtpServer:
    """The server, trusted, with nothing taken yet."""
    monkeypatch.setenv("SSL_CERT_FILE", str(smtp.certificate))
    smtp.mails.clear()
    smtp.refused.clear()
    return smtp


class Heard(logging.Handler):
    """Everything that reaches the root's handlers, as a service's log does."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()


@pytest.fixture
def log() -> Iterator[Heard]:
    heard = Heard()
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)


@pytest.fixture
def web() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers


def server(smtp: SmtpServer, password: str = PASSWORD) -> str:
    secret = password.replace(" ", "%20")
    return f"mailtos://{USER}:{secret}@localhost:{smtp.port}?from=gpu@example.org&mode=starttls"


def to(address: str) -> Target:
    return Target("platform", address)


def test_a_mail_goes_out_encrypted_and_arrives_whole(mailed: SmtpServer) -> None:
    door = AppriseDoor(server(mailed))
    assert door.send(to("mailto:ana@example.org"), MESSAGE) == "accepted"
    [mail] = mailed.mails
    assert (mail.sender, mail.recipients, mail.encrypted) == (
        "gpu@example.org",
        ["ana@example.org"],
        True,
    )
    assert HOSTILE in mail.text
    assert mail.content["Subject"] == "[high] JobIdleGPU"
    assert mail.content["X-Gpuledger-Message"] == "000000000000feed"
    assert mail.content.get_content_type() == "text/plain"


def test_a_refused_recipient_is_told_with_the_servers_words(mailed: SmtpServer) -> None:
    mailed.refused.add("bo@example.org")
    outcome = AppriseDoor(server(mailed)).send(to("mailto:bo@example.org"), MESSAGE)
    assert outcome.startswith("not taken: ")
    assert "550" in outcome
    assert "no such user" in outcome
    assert mailed.mails == []


def test_each_recipient_of_one_address_is_sent_to_on_its_own(mailed: SmtpServer) -> None:
    door = AppriseDoor()
    parts = door.split(f"{server(mailed)}&to=a@example.org,b@example.org,c@example.org")
    mailed.refused.add("b@example.org")
    outcomes = [door.send(to(part), MESSAGE) for part in parts]
    assert [o == "accepted" for o in outcomes] == [True, False, True]
    assert [m.recipients for m in mailed.mails] == [["a@example.org"], ["c@example.org"]]


def test_a_server_that_is_not_trusted_gets_nothing(smtp: SmtpServer) -> None:
    outcome = AppriseDoor(server(smtp)).send(to("mailto:ana@example.org"), MESSAGE)
    assert "certificate verify failed" in outcome


def test_a_wrong_password_is_told_and_never_shown(
    mailed: SmtpServer, log: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    door = AppriseDoor(server(mailed, "battery staple"))
    outcome = door.send(to("mailto:ana@example.org"), MESSAGE)
    assert "535" in outcome
    assert "staple" not in outcome + log.text + "".join(capsys.readouterr())


def test_a_webhook_gets_json_with_the_name_whole(web: Answers) -> None:
    address = f"json://user:password@127.0.0.1:{web.server.server_port}/hook"
    assert AppriseDoor().send(to(address), MESSAGE) == "accepted"
    [(path, body)] = web.asked
    assert path == "/hook"
    assert body["title"] == "[high] JobIdleGPU"
    assert HOSTILE in body["message"]


def test_a_slack_like_webhook_gets_the_name_whole(web: Answers) -> None:
    # Mattermost takes what Slack does, at an address of one's own.
    address = f"mmost://127.0.0.1:{web.server.server_port}/3ccdd113474722377935511fc85d3dd4"
    assert AppriseDoor().send(to(address), MESSAGE) == "accepted"
    [(_, body)] = web.asked
    assert "\U0001f469\u200d\U0001f52c" in body["text"]
    assert "x" * 300 in body["text"]


def test_slack_is_given_no_markup_by_a_name() -> None:
    service = AppriseDoor()._service("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#gpus")
    escaped = service.dialect_convert("<!channel> <https://evil|here>", "text")
    assert escaped == "&lt;!channel&gt; &lt;https://evil|here&gt;"


@pytest.mark.parametrize(
    "address",
    [
        "json://user:hunter2hunter@127.0.0.1:{port}/token1234",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#gpus?cto=0.2&rto=0.2",
    ],
)
def test_an_outcome_holds_no_part_of_the_address(web: Answers, address: str, log: Heard) -> None:
    web.statuses = [500]
    whole = address.format(port=web.server.server_port)
    outcome = AppriseDoor(timeout_s=0.5).send(to(whole), MESSAGE)
    assert outcome.startswith("not taken: ")
    for secret in ("hunter2hunter", "token1234", "T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ"):
        assert secret not in outcome + log.text


def test_nobody_there_is_an_outcome() -> None:
    outcome = AppriseDoor(timeout_s=1).send(to(f"json://127.0.0.1:{free_port()}"), MESSAGE)
    assert outcome.startswith("not taken: ")


@pytest.mark.parametrize("address", ["nonsense", "gopher://x", "slack://", "mailto:no address"])
def test_an_address_that_means_nothing_is_refused_without_being_shown(address: str) -> None:
    door = AppriseDoor("mailtos://u:p@mail.example.org")
    with pytest.raises(ConfigError) as refused:
        checked(Receivers(teams={"vision": (address,)}, mail="mailtos://u:p@x.org"), door)
    assert "teams.vision" in str(refused.value)
    assert "://x" not in str(refused.value)


def test_a_plain_mail_address_needs_a_server() -> None:
    with pytest.raises(ConfigError, match="needs 'mail'"):
        checked(Receivers(platform=("mailto:a@example.org",)), AppriseDoor())


def test_a_mail_server_must_be_one() -> None:
    with pytest.raises(ConfigError, match="mail: write a server"):
        checked(Receivers(mail="json://h"), AppriseDoor("json://h"))


def test_copies_are_refused_since_they_could_not_be_tried_again_alone() -> None:
    address = "mailtos://u:p@example.org?to=a@example.org&cc=b@example.org"
    with pytest.raises(ConfigError, match="cc or bcc"):
        checked(Receivers(platform=(address,)), AppriseDoor())


def test_receivers_with_several_recipients_become_one_address_each() -> None:
    address = "mailtos://u:p@example.org?to=a@example.org,b@example.org"
    found = checked(Receivers(platform=(address, "json://h")), AppriseDoor())
    assert len(found.platform) == 3


def test_an_address_of_people_cannot_add_recipients(mailed: SmtpServer) -> None:
    door = AppriseDoor(server(mailed))
    door.send(to("mailto:a@example.org\r\nBcc: evil@example.org"), MESSAGE)
    door.send(to("mailto:a@example.org?to=evil@example.org"), MESSAGE)
    assert [m.recipients for m in mailed.mails if len(m.recipients) != 1] == []
