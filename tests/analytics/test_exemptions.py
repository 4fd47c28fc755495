"""Exemptions: asked for with a reason and an end, approved by the lead of the team that pays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.exemptions import Request, approve, ask, end, ends, listed
from gpuledger.batch import EPOCH
from gpuledger.catalogue import Service, Team
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.world import at, job, write

NOW = at(600)
WEEK = NOW + timedelta(days=7)


@pytest.fixture
def site(store: Store) -> Store:
    """A job and a service of a team with a lead."""
    lead = Team(kind="account", name="acc7", team="vision", lead="lea", valid_from=EPOCH, version=1)
    chat = Service(
        cluster="c", service="chat", team="vision", jobs="serve-", valid_from=EPOCH, version=1
    )
    write(store, [job("1", team="acc7"), lead, chat])
    return store


def request(subject: str = "c/1", reason: str = "demo", kinds: tuple[str, ...] = ()) -> Request:
    return Request(subject, reason, WEEK, "ana", kinds)


def states(store: Store, minute: float = 601) -> list[str]:
    return [r["state"] for r in listed(store, at(minute), everything=True)]


@pytest.mark.parametrize("subject", ["c/1", "service/chat"])
def test_an_exemption_holds_once_the_lead_agrees(site: Store, subject: str) -> None:
    ask(site, request(subject, kinds=("idle",)), NOW)
    assert states(site) == ["waits for approval"]
    assert approve(site, subject, "lea", NOW).approved_by == "lea"
    assert states(site) == ["holds"]


def test_nobody_but_the_lead_agrees(site: Store) -> None:
    ask(site, request(), NOW)
    with pytest.raises(ConfigError, match="ana does not lead team vision: lea may approve"):
        approve(site, "c/1", "ana", NOW)
    assert states(site) == ["waits for approval"]


def test_a_team_without_a_lead_agrees_to_nothing(store: Store) -> None:
    write(store, [job("1", team="nlp")])
    ask(store, request(), NOW)
    with pytest.raises(ConfigError, match="nobody is known to lead team nlp"):
        approve(store, "c/1", "ana", NOW)


def test_it_ends_by_itself_and_can_be_ended_before(site: Store) -> None:
    ask(site, request(), NOW)
    assert states(site, 600 + 8 * 1440) == ["ended"]
    end(site, "c/1", at(700))
    assert states(site, 701) == ["ended"]
    with pytest.raises(ConfigError, match="no exemption of 'c/1' is open"):
        end(site, "c/1", at(702))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (request("1"), "there is no job '1'; did you mean 'c/1'"),
        (request("service/chatt"), "no service 'chatt' is declared; did you mean 'chat'"),
        (request(reason=" "), "needs a reason"),
        (request(kinds=("idel",)), "unknown kind of finding 'idel'; did you mean 'idle'"),
        (Request("c/1", "x", NOW, "ana"), "not in the future"),
    ],
)
def test_what_makes_no_sense_is_refused(site: Store, wrong: Request, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ask(site, wrong, NOW)
    assert listed(site, NOW) == []


def test_an_end_is_a_date_or_so_far_from_now() -> None:
    assert ends("7d", NOW) == WEEK
    assert ends("2026-12-24", NOW).isoformat() == "2026-12-24T00:00:00+00:00"
    for wrong in ("", "soon", "7y", "-5d", "d"):
        with pytest.raises(ConfigError, match=r"an exemption ends|--until .*: write 12h, 7d"):
            ends(wrong, NOW)


@pytest.mark.parametrize("text", ["9999w", "9999-12-31"])
def test_an_end_after_all_time_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="an exemption ends"):
        ends(text, NOW)
