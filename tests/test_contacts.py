"""What is a mail or web address; that of a team is in tests/alerts and tests/analytics/report."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gpuledger.catalogue import Person, Team
from gpuledger.contacts import is_address, is_web, of_teams
from gpuledger.schema import UNSET_TIME
from gpuledger.store import Store

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("text", ["https://wiki.example.org/a", "http://h"])
def test_a_web_address_may_be_a_link(text: str) -> None:
    assert is_web(text)


@pytest.mark.parametrize("text", ["", "javascript:alert(1)", "wiki.example.org", "https://a b"])
def test_anything_else_may_not(text: str) -> None:
    assert not is_web(text)


def test_a_mail_address_has_one_at_sign() -> None:
    assert is_address("ana@example.org")
    assert not is_address("ana@example.org, ben@example.org")


def test_leads_are_written_to_before_their_team(store: Store) -> None:
    def team(name: str, **more: str) -> Team:
        return Team(kind="account", name=name, team=name, valid_from=UNSET_TIME, version=1, **more)

    store.insert_rows(
        [team("led", lead="max", mail="all@x.org"), team("own", mail="own@x.org"), team("none")]
    )
    store.insert_rows([Person(user="max", mail="max@x.org", valid_from=UNSET_TIME, version=1)])
    assert of_teams(store, NOW) == {"led": ["max@x.org"], "none": [], "own": ["own@x.org"]}
