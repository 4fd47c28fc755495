"""The service's exposition for Prometheus."""

from __future__ import annotations

import math
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from gpuledger.catalogue import AlertState
from gpuledger.errors import StoreError
from gpuledger.guard import QueryClass
from gpuledger.store import Store
from tests.analytics.web import BEARER, client, idle_cluster, make_service
from tests.analytics.world import HOSTILE, at, write
from tests.components.prometheus import promtool_check_metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def alert(
    subject: str, value: float | None, state: str = "firing", labels: str = "{}"
) -> AlertState:
    return AlertState(
        rule="job_idle_gpu",
        subject=subject,
        state=state,
        since=at(0),
        value=value,
        labels=labels,
        annotations="{}",
        version=1,
    )


def scrape(store: Store) -> str:
    answer = client(make_service(store), **BEARER).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


def values(store: Store) -> Samples:
    return {
        # To Prometheus an empty label is no label.
        (s.name, frozenset((n, v) for n, v in s.labels.items() if v)): s.value
        for family in text_string_to_metric_families(scrape(store))
        for s in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_the_last_hour_of_the_book_is_there_by_state(store: Store) -> None:
    idle_cluster(store)
    found = values(store)
    assert found[key("gpuledger_book_gpu_seconds", state="alloc_idle")] == 3600
    assert found[key("gpuledger_book_gpu_seconds", state="productive")] == 3600
    assert found[key("gpuledger_last_booked_timestamp_seconds")] == at(180).timestamp()


def test_open_findings_are_counted_by_kind(store: Store) -> None:
    idle_cluster(store)
    assert values(store)[key("gpuledger_open_findings", kind="idle")] == 1


def test_alerts_that_go_on_have_their_value_and_no_reading_is_not_zero(store: Store) -> None:
    write(store, [alert("a", 1.5), alert("b", None, "pending"), alert("c", 2, "resolved")])
    found = values(store)
    assert found[key("gpuledger_alert_value", rule="job_idle_gpu", subject="a")] == 1.5
    assert math.isnan(found[key("gpuledger_alert_value", rule="job_idle_gpu", subject="b")])
    assert len(found) == 3


def test_alerts_tell_by_what_they_are_grouped_and_who_hears_of_them(store: Store) -> None:
    write(store, [alert("a", 1.5, labels='{"user": "ana", "cluster": "c", "pool": "p"}')])
    named = {"rule": "job_idle_gpu", "subject": "a", "user": "ana", "cluster": "c"}
    assert values(store)[key("gpuledger_alert_value", **named)] == 1.5


def test_promtool_has_nothing_against_it_whatever_subjects_are_called(store: Store) -> None:
    idle_cluster(store)
    write(store, [alert(f"{HOSTILE}\n", 1.5), alert("b", None)])
    assert promtool_check_metrics(scrape(store)) == []


class Gone(Store):
    """A store that does not answer."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    def within(self, _: QueryClass) -> Store:
        return self

    def select(self, *_: Any, **__: Any) -> Any:
        raise StoreError("the store is gone")

    def value(self, *_: Any, **__: Any) -> Any:
        raise StoreError("the store is gone")


def test_a_store_that_is_gone_is_told_and_the_services_own_figures_stay(store: Store) -> None:
    service = make_service(store)
    service.store = Gone()
    known = client(service, **BEARER)
    known.get("/readyz")
    text = known.get("/metrics").text
    assert "gpuledger_store_up 0.0" in text
    counted = 'request_duration_seconds_count{method="GET",route="/readyz",status="503"} 1.0'
    assert counted in text
    assert promtool_check_metrics(text) == []


def test_requests_questions_and_steps_are_there_with_their_durations(store: Store) -> None:
    service = make_service(store)
    store.watch = service.watch.question
    known = client(service, **BEARER)
    with service.watch.step("booking"):
        known.get("/readyz")
    text = known.get("/metrics").text
    for name, labels in (
        ("request", 'method="GET",route="/readyz",status="200"'),
        ("query", 'class="booking",outcome="ok"'),
        ("tick_step", 'outcome="ok",step="booking"'),
    ):
        assert f"gpuledger_{name}_duration_seconds_count{{{labels}}} 1.0" in text
    assert promtool_check_metrics(text) == []


def test_an_empty_store_exposes_no_value(store: Store) -> None:
    assert values(store) == {key("gpuledger_store_up"): 1}
    assert promtool_check_metrics(scrape(store)) == []
