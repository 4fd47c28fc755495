"""The service's exposition for Prometheus."""

from __future__ import annotations

import math

from prometheus_client.parser import text_string_to_metric_families

from gpuledger.catalogue import AlertState
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
    assert len(found) == 2


def test_alerts_tell_by_what_they_are_grouped_and_who_hears_of_them(store: Store) -> None:
    write(store, [alert("a", 1.5, labels='{"user": "ana", "cluster": "c", "pool": "p"}')])
    named = {"rule": "job_idle_gpu", "subject": "a", "user": "ana", "cluster": "c"}
    assert values(store)[key("gpuledger_alert_value", **named)] == 1.5


def test_promtool_has_nothing_against_it_whatever_subjects_are_called(store: Store) -> None:
    idle_cluster(store)
    write(store, [alert(f"{HOSTILE}\n", 1.5), alert("b", None)])
    assert promtool_check_metrics(scrape(store)) == []


def test_an_empty_store_exposes_no_value(store: Store) -> None:
    assert values(store) == {}
    assert promtool_check_metrics(scrape(store)) == []
