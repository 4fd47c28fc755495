"""The whole way: an alert in the store, the section and its receivers, a real SMTP server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.make import make_teller
from alerts.receivers import load
from alerts.rules.job_idle_gpu import rule
from alerts.settings import AlertSettings, Mode
from alerts.tell import Teller
from gpuledger.catalogue import AlertState, Person
from gpuledger.store import Store
from tests.alerts.world import alert
from tests.components.fixtures import or_skip
from tests.components.smtp import PASSWORD, USER, SmtpServer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = 'ana<script>alert("1")</script>\'; =cmd() \U0001f469\u200d\U0001f52c'
JOB = "alpha/" + "j" * 300


def told(store: Store, teller: Teller, now: datetime, alerts: list[AlertState]) -> dict[str, str]:
    """Receiver to outcome of what was noted."""
    out = {}
    for notes in teller.tell(alerts, now):
        store.insert_rows(notes)
        out |= {n.receiver: n.outcome for n in notes}
    return out


def test_one_of_three_recipients_is_refused_and_a_user_of_any_name_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = Person(user=HOSTILE, mail="ana@example.org", valid_from=NOON - MINUTE, version=1)
    own = alert(NOON, JOB, user=HOSTILE, owner="user", summary=f"{JOB} ({HOSTILE}) idles")
    stands = [own, alert(NOON, "alpha/n1")]
    store.insert_rows([user])
    store.insert_rows(stands)
    with or_skip(SmtpServer(tmp_path, tls=True)) as smtp:
        monkeypatch.setenv("SSL_CERT_FILE", str(smtp.certificate))
        secret = PASSWORD.replace(" ", "%20")
        server = f"mailtos://{USER}:{secret}@localhost:{smtp.port}?from=g@example.org&mode=starttls"
        three = ", ".join(f'"mailto:{name}@example.org"' for name in ("a", "b", "c"))
        text = f'mail = "{server}"\nplatform = [{three}]'
        teller = make_teller(
            store,
            {rule.name: rule},
            AlertSettings(mode=Mode.PAGE),
            load("", {"GPULEDGER_RECEIVERS": text}),
        )
        smtp.refused.add("b@example.org")
        first = told(store, teller, NOON, stands)
        assert first.pop("platform/b@example.org").startswith("not taken: ")
        assert set(first.values()) == {"accepted"}
        smtp.refused.clear()
        assert told(store, teller, NOON + MINUTE, stands) == {"platform/b@example.org": "accepted"}
        assert told(store, teller, NOON + 2 * MINUTE, stands) == {}
    got = sorted(r for mail in smtp.mails for r in mail.recipients)
    assert got == [f"{name}@example.org" for name in ("a", "ana", "b", "c")]
    (own_mail,) = (m for m in smtp.mails if m.recipients == ["ana@example.org"])
    assert f"{JOB} ({HOSTILE}) idles" in own_mail.text
    assert PASSWORD not in str(store.select("SELECT * FROM notifications"))
