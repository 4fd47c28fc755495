from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from alerts.notify import MOST_AT_ONCE, Alertmanager, Heartbeat, payload, watchdog
from tests.alerts.world import Answers, alert
from tests.components.process import free_port

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def answers() -> Iterator[Answers]:
    with Answers() as it:
        yield it


def sender(url: str) -> Alertmanager:
    return Alertmanager(url, timeout_s=2, sleep=lambda _: None)


def test_a_firing_alert_ends_by_itself_if_we_fall_silent() -> None:
    told = payload(alert(NOW), NOW)
    assert (told["startsAt"], told["endsAt"]) == (
        "2026-03-02T10:00:00+00:00",
        "2026-03-02T10:10:00+00:00",
    )
    assert told["labels"]["alertname"] == "JobIdleGPU"
    assert told["annotations"]["summary"] == "idle"


def test_a_resolved_alert_ended_when_it_did() -> None:
    done = payload(alert(NOW, resolved=NOW + timedelta(minutes=5)), NOW + HOUR)
    assert done["endsAt"] == "2026-03-02T10:05:00+00:00"


def test_what_was_over_before_anybody_heard_stands_for_a_while_and_says_so() -> None:
    done = payload(alert(NOW, resolved=NOW + timedelta(minutes=5)), NOW + HOUR, late=True)
    assert done["endsAt"] == "2026-03-02T11:10:00+00:00"
    assert done["annotations"]["summary"] == "idle (over since 2026-03-02 10:05 UTC)"


def test_the_watchdog_fires_until_we_fall_silent() -> None:
    told = watchdog(NOW)
    assert told["labels"]["alertname"] == "Watchdog"
    assert told["endsAt"] == "2026-03-02T10:10:00+00:00"


def test_accepted(answers: Answers) -> None:
    bodies = [payload(alert(NOW), NOW)]
    assert sender(f"{answers.url}/").send(bodies) == "accepted"
    assert answers.asked == [("/api/v2/alerts", bodies)]


def test_many_alerts_come_in_requests_of_a_bounded_size(answers: Answers) -> None:
    assert sender(answers.url).send([{"n": n} for n in range(MOST_AT_ONCE + 1)]) == "accepted"
    assert [len(body) for _, body in answers.asked] == [MOST_AT_ONCE, 1]


def test_a_busy_server_is_asked_again(answers: Answers) -> None:
    answers.statuses = [503, 500]
    assert sender(answers.url).send([{}]) == "accepted"
    assert len(answers.asked) == 3


def test_a_server_that_stays_busy_is_left_for_the_next_tick(answers: Answers) -> None:
    answers.statuses = [503, 503, 503]
    assert sender(answers.url).send([{}]) == "answered 503: what is wrong (3 tries)"


def test_a_refusal_is_not_repeated(answers: Answers) -> None:
    answers.statuses = [400]
    assert sender(answers.url).send([{}]) == "refused, 400: what is wrong"
    assert len(answers.asked) == 1


def test_nobody_there() -> None:
    outcome = sender(f"http://127.0.0.1:{free_port()}").send([{}])
    assert outcome.startswith("cannot be reached: ")
    assert outcome.endswith("(3 tries)")


def test_a_heartbeat_is_a_get_of_its_address(answers: Answers) -> None:
    assert Heartbeat(f"{answers.url}/ping/secret").beat()
    assert answers.asked == [("/ping/secret", None)]


def test_without_an_address_there_is_no_heartbeat() -> None:
    assert Heartbeat("").beat()


def test_a_heartbeat_that_nobody_hears_is_told_without_its_address(
    answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    answers.statuses = [404]
    with caplog.at_level(logging.WARNING):
        assert not Heartbeat(f"{answers.url}/ping/secret").beat()
        assert not Heartbeat(f"http://127.0.0.1:{free_port()}/secret", timeout_s=1).beat()
        assert not Heartbeat("secret://x y", timeout_s=1).beat()
    assert len(caplog.messages) == 3
    assert "secret" not in caplog.text
