"""Findings about what was agreed to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics import consent
from analytics.book import Span
from analytics.runner import Runner
from gpuledger import plugins
from gpuledger.catalogue import Finding
from gpuledger.catalogue.people import Exemption, Service
from gpuledger.config import Config
from gpuledger.rows import changed
from gpuledger.store import Store
from tests.analytics.world import at, card, given, job, node_state, samples, write

SPAN = Span(at(0), at(120))


def exemption(**told: Any) -> Exemption:
    values: dict[str, Any] = {
        "subject": "c/1",
        "reason": "demo on Friday",
        "owner": "ana",
        "approved_by": "lea",
        "valid_from": at(-60),
        "valid_to": at(600),
        "version": 1,
    }
    return Exemption(**{**values, **told})


def chat(**told: Any) -> Service:
    values = {"cluster": "c", "service": "chat", "jobs": "chat-", "valid_from": at(-60)}
    return Service(**{**values, "version": 1, **told})


def finding(**told: Any) -> Finding:
    values: dict[str, Any] = {
        "finding_id": 1,
        "kind": "idle",
        "subject": "c/1",
        "user": "ana",
        "team": "vision",
        "since": at(0),
        "until": at(120),
        "open": 1,
        "gpus": 8,
        "gpu_seconds": 100.0,
        "capacity_value": None,
        "cash_avoidable": None,
        "grade": "A",
        "owner": "job owner",
        "action": "End it.",
        "confidence_ratio": 0.9,
        "summary": "c/1 idles",
        "evidence": "SELECT 1",
        "version": 1,
    }
    return Finding(**{**values, **told})


def honoured(store: Store, **told: Any) -> Finding:
    (found,) = consent.honoured(store, [finding(**told)], SPAN)
    return found


def test_every_kind_of_advice_to_a_job_is_excused(store: Store) -> None:
    write(store, [exemption()])
    kinds = plugins.names("analytics.detectors")
    told = consent.honoured(store, [finding(kind=kind) for kind in kinds], SPAN)
    assert [f.kind for f in told] == list(kinds)
    for found in told:
        assert (found.cause, found.owner) == ("exempt", "ana")
        assert found.action.startswith("Nothing until 2026-03-02 20:00 UTC: demo on Friday (appr")
        assert (found.gpu_seconds, found.summary) == (100.0, "c/1 idles")


@pytest.mark.parametrize(
    ("told", "excused"),
    [
        ({"kinds": "idle,notebook"}, True),
        ({"kinds": "straggler"}, False),
        ({"approved_by": ""}, False),
        ({"subject": "c/2"}, False),
        ({"valid_to": at(120)}, False),
        ({"valid_from": at(121)}, False),
        ({"valid_from": at(119)}, True),
    ],
)
def test_only_what_was_agreed_to_is_excused(
    store: Store, told: dict[str, Any], excused: bool
) -> None:
    write(store, [exemption(**told)])
    assert (honoured(store).cause == "exempt") == excused


@pytest.mark.parametrize(("valid_to", "excused"), [(at(50), True), (at(30), False)])
def test_what_has_ended_stays_as_it_was_agreed(store: Store, valid_to: Any, excused: bool) -> None:
    write(store, [exemption(valid_to=valid_to)])
    assert (honoured(store, until=at(40), open=0).cause == "exempt") == excused


def test_of_two_exemptions_the_one_that_lasts_longer_is_told(store: Store) -> None:
    write(store, [exemption(), exemption(valid_from=at(-30), valid_to=at(900), reason="course")])
    assert "course" in honoured(store).action


@pytest.mark.parametrize("owner", ["hardware operations", "platform", "scheduler admin"])
def test_what_is_not_the_owners_to_change_is_told_all_the_same(store: Store, owner: str) -> None:
    write(store, [exemption()])
    assert honoured(store, owner=owner).action == "End it."


@pytest.mark.parametrize("subject", ["c/1", "c/service/chat"])
def test_an_exempted_service_excuses_itself_and_its_replicas(store: Store, subject: str) -> None:
    told = job("1", name="chat-7b", started=at(0))
    write(store, [exemption(subject="service/chat"), chat(), told, job("2", name="train")])
    assert honoured(store, subject=subject).cause == "exempt"
    assert honoured(store, subject="c/2").cause == ""


def test_a_service_of_another_cluster_excuses_nothing_here(store: Store) -> None:
    told = job("1", name="chat-7b", started=at(0))
    write(store, [exemption(subject="service/chat"), chat(cluster="d"), told])
    assert honoured(store).cause == ""


def test_others_stay_as_they_are_and_in_their_order(store: Store) -> None:
    write(store, [exemption()])
    rest = [finding(subject="c/2"), finding(subject="c/3")]
    found = consent.honoured(store, [rest[0], finding(), rest[1]], SPAN)
    assert [f.cause for f in found] == ["", "exempt", ""]
    assert [found[0], found[2]] == rest
    assert consent.honoured(store, [], SPAN) == []


def test_a_tick_honours_it_and_proposes_nothing(store: Store) -> None:
    write(
        store,
        [
            card(0),
            node_state(gpus=1),
            *samples(0, 0, 30),
            *samples(0, 30, 120, active=0.0),
            job("1", started=at(0)),
            given("1", 0),
            changed(exemption(), valid_to=at(600) + timedelta(days=1)),
        ],
    )
    Runner(store, Config({"runner": {"settle_s": 0}})).tick(at(150))
    found = store.select("SELECT kind, cause, owner FROM v_findings WHERE subject = 'c/1'")
    assert {(r["cause"], r["owner"]) for r in found} == {("exempt", "ana")}
    assert store.select("SELECT * FROM v_recommendations") == []
