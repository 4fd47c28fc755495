"""People, teams and services: imported in time, and met where the book asks who pays."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analytics import people
from analytics.ledger import Ledger, Window
from analytics.lists import BadLines
from gpuledger.batch import EPOCH
from gpuledger.catalogue import Service
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, given, job, samples, write

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHAT = Service(cluster="c", service="chat", jobs="serve-", valid_from=EPOCH, version=0)


def listed(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def teams_of(store: Store) -> dict[str, str]:
    rows = store.select("SELECT user, team FROM v_people WHERE valid_to > now64(3)")
    return {r["user"]: r["team"] for r in rows}


def test_a_list_of_people_is_taken_once(store: Store, tmp_path: Path) -> None:
    path = listed(tmp_path, "user,name,mail,team\nana,Ana,ana@x.org,vision\nben,,,nlp\n")
    assert people.import_people(store, path, NOW).written == 2
    assert people.import_people(store, path, NOW).written == 0
    assert teams_of(store) == {"ana": "vision", "ben": "nlp"}


def test_a_bad_line_leaves_everything_as_it_was(store: Store, tmp_path: Path) -> None:
    path = listed(tmp_path, "user,valid_from,valid_to\nana,,\nben,2026-02-01,2026-01-01\n")
    with pytest.raises(BadLines):
        people.import_people(store, path, NOW)
    assert store.value("SELECT count() FROM people") == 0


def test_two_words_about_one_person_are_refused(store: Store, tmp_path: Path) -> None:
    path = listed(tmp_path, "user,team\nana,x\nana,y\n")
    with pytest.raises(ConfigError, match="two lines say different things of ana"):
        people.import_people(store, path, NOW)


@pytest.mark.parametrize(
    "told",
    [
        {"vision": ["ana"], "nlp": ["ben"]},
        [{"name": "vision", "members": ["ana"]}, {"cn": "nlp", "memberUid": ["ben"]}],
        {
            "Resources": [
                {"displayName": "vision", "members": [{"value": "1", "display": "ana"}]},
                {"displayName": "nlp", "members": [{"value": "2", "display": "ben"}]},
            ]
        },
    ],
)
def test_groups_of_a_directory_are_teams(store: Store, tmp_path: Path, told: object) -> None:
    people.import_people(store, listed(tmp_path, json.dumps(told), "groups.json"), NOW)
    assert teams_of(store) == {"ana": "vision", "ben": "nlp"}


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ('{"a": ["ana"], "b": ["ana"]}', "ana is in the groups a and b"),
        ('{"a": "ana"}', "group 1 has no name or no list"),
        ('{"a": [7]}', "member without a user name"),
        ("7", "neither groups"),
        ("{", "no JSON"),
    ],
)
def test_groups_that_say_nothing_certain_are_refused(
    store: Store, tmp_path: Path, told: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        people.import_people(store, listed(tmp_path, told, "groups.json"), NOW)
    assert store.value("SELECT count() FROM people") == 0


def test_a_team_that_gets_another_lead_keeps_its_history(store: Store, tmp_path: Path) -> None:
    first = listed(tmp_path, "kind,name,team,lead\naccount,a,vision,ana\n")
    people.import_teams(store, first, NOW)
    people.import_teams(store, listed(tmp_path, "kind,name,team,lead\naccount,a,vision,ben\n"), NOW)
    rows = store.select(
        "SELECT lead, valid_to = {now:DateTime64(3)} AS ended FROM v_teams", now=NOW
    )
    assert {(r["lead"], r["ended"]) for r in rows} == {("ana", 1), ("ben", 0)}


def test_what_is_no_mail_address_is_refused_by_line(store: Store, tmp_path: Path) -> None:
    lines = "user,mail\nana,ana@x.org\nben,ben at x.org\ncem,\neva,a@x.org;b@x.org\n"
    with pytest.raises(BadLines) as caught:
        people.import_people(store, listed(tmp_path, lines), NOW)
    assert caught.value.lines == (
        "line 3: mail: 'ben at x.org' is no mail address",
        "line 5: mail: 'a@x.org;b@x.org' is no mail address",
    )
    with pytest.raises(BadLines) as caught:
        people.import_teams(
            store, listed(tmp_path, "kind,name,team,mail\naccount,a,vision,all\n"), NOW
        )
    assert caught.value.lines == ("line 2: mail: 'all' is no mail address",)
    assert store.value("SELECT count() FROM people") == 0


def test_an_unknown_kind_of_team_is_refused(store: Store, tmp_path: Path) -> None:
    path = listed(tmp_path, "kind,name,team\nlabel,a,vision\n")
    with pytest.raises(BadLines) as caught:
        people.import_teams(store, path, NOW)
    assert caught.value.lines == (
        "line 2: kind 'label' is none of account, namespace, project, mail",
    )


def test_a_service_that_changes_keeps_its_beginning(store: Store, tmp_path: Path) -> None:
    head = "cluster,service,jobs,least_replicas,valid_from\n"
    people.import_services(store, listed(tmp_path, f"{head}c,chat,serve-,2,2026-01-01\n"), NOW)
    taken = people.import_services(store, listed(tmp_path, f"{head}c,chat,serve-,4,\n"), NOW)
    assert taken.written == 1
    [row] = store.select("SELECT least_replicas, valid_from FROM v_services")
    assert row == {"least_replicas": 4, "valid_from": datetime(2026, 1, 1, tzinfo=UTC)}


def test_hours_that_are_provisional_are_booked_again_for_a_new_team(
    store: Store, tmp_path: Path
) -> None:
    write(store, [asset(0), given("1", 0, until=at(30)), job("1", team="acc7"), *samples(0, 0, 60)])
    ledger = Ledger(store)
    ledger.book(Window(START, at(60)), at(61))
    assert ledger.dirty(at(60)) == []
    people.import_teams(store, listed(tmp_path, "kind,name,team\naccount,acc7,vision\n"), at(62))
    [again] = ledger.dirty(at(60))
    ledger.book(again, at(63))
    teams = store.select("SELECT DISTINCT team FROM v_book_1h WHERE team != ''")
    assert [r["team"] for r in teams] == ["vision"]


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ("c,chat,serve-,-1", "least_replicas -1 is not 0 to 1,000,000"),
        ("c,chat,serve-,99999999999999999999", "is not 0 to 1,000,000"),
        ("c,chat,serve-,two", "least_replicas: 'two' is no whole number"),
        ("c,chat,,1", "jobs: nothing is said"),
    ],
)
def test_a_service_that_cannot_be_is_refused_by_line(
    store: Store, tmp_path: Path, cells: str, complaint: str
) -> None:
    path = listed(tmp_path, f"cluster,service,jobs,least_replicas\n{cells}\n")
    with pytest.raises(BadLines) as caught:
        people.import_services(store, path, NOW)
    assert caught.value.lines[0].endswith(complaint)


@pytest.mark.parametrize(
    "wrong", [{"jobs": ""}, {"cluster": " "}, {"jobs": "a\nb"}, {"least_replicas": 1 << 70}]
)
def test_a_service_that_would_match_everything_or_nothing_is_not_declared(
    store: Store, wrong: dict[str, Any]
) -> None:
    """Regression: an empty beginning made every job of the cluster a replica."""
    with pytest.raises(ConfigError):
        people.declare(store, [changed(CHAT, **wrong)], NOW)
    assert store.value("SELECT count() FROM services") == 0


def test_a_service_of_a_cluster_that_nobody_knows_is_declared_with_a_word(store: Store) -> None:
    write(store, [asset(0)])
    assert people.declare(store, [CHAT], NOW).notes == ()
    [note] = people.declare(store, [changed(CHAT, cluster="cc")], NOW).notes
    assert note == "no GPU of a cluster 'cc' is known; did you mean 'c'?"
