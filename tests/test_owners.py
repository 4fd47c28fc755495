"""Who pays for a job: account, namespace, project, person and mail, at the time it started."""

from __future__ import annotations

from datetime import datetime

from gpuledger.batch import EPOCH
from gpuledger.catalogue import Person, Team
from gpuledger.measures import UNMAPPED_HOURS, UNMAPPED_SHARE, select
from gpuledger.owners import job_owners
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.analytics.world import asset, at, booked, cells, given, job, write


def team(
    name: str,
    pays: str,
    kind: str = "account",
    since: datetime = EPOCH,
    until: datetime = FOREVER,
) -> Team:
    return Team(kind=kind, name=name, team=pays, valid_from=since, valid_to=until, version=1)


def person(pays: str = "", mail: str = "", user: str = "ana") -> Person:
    return Person(user=user, mail=mail, team=pays, valid_from=EPOCH, version=1)


def owners(store: Store) -> dict[str, str]:
    return {r["job_id"]: r["team"] for r in store.select(job_owners())}


def test_without_teams_the_account_pays(store: Store) -> None:
    write(store, [job("1", team="vision"), job("2", team="unmapped")])
    assert owners(store) == {"c/1": "vision", "c/2": "unmapped"}


def test_the_account_belongs_to_a_team(store: Store) -> None:
    write(store, [job("1", team="acc7"), team("acc7", "vision")])
    assert owners(store) == {"c/1": "vision"}


def test_what_is_said_of_one_cluster_comes_before_what_is_said_of_all(store: Store) -> None:
    write(store, [job("1", team="acc7"), team("acc7", "vision"), team("c/acc7", "speech")])
    assert owners(store) == {"c/1": "speech"}


def test_the_team_is_that_of_the_time_when_the_job_started(store: Store) -> None:
    write(store, [team("acc7", "old", until=at(60)), team("acc7", "new", since=at(60))])
    write(store, [job("1", team="acc7", started=at(59)), job("2", team="acc7", started=at(60))])
    assert owners(store) == {"c/1": "old", "c/2": "new"}


def test_a_person_pays_where_the_account_is_nobodys(store: Store) -> None:
    write(store, [job("1", team="unmapped"), job("2", team="acc7"), person("robotics")])
    write(store, [team("acc7", "vision")])
    assert owners(store) == {"c/1": "robotics", "c/2": "vision"}


def test_a_mail_address_counts_before_its_domain(store: Store) -> None:
    write(store, [job("1", team="unmapped"), job("2", team="unmapped", user="ben")])
    write(store, [person(mail="Ana@x.org"), person(mail="ben@x.org", user="ben")])
    write(store, [team("x.org", "all", "mail"), team("ana@x.org", "vision", "mail")])
    assert owners(store) == {"c/1": "vision", "c/2": "all"}


def test_the_book_shows_the_team_and_counts_what_has_none(store: Store) -> None:
    rows = [
        *cells("productive", range(45), native="1"),
        *cells("alloc_idle", range(45, 60), native="2"),
    ]
    write(store, [asset(0), given("1", 0), given("2", 0), *booked(rows, at(60))])
    write(store, [job("1", team="acc7"), job("2", team="unmapped"), team("acc7", "vision")])
    found = store.select("SELECT DISTINCT team FROM v_book_1m ORDER BY team")
    assert [r["team"] for r in found] == ["unmapped", "vision"]
    [said] = store.select(f"SELECT {select(UNMAPPED_SHARE, UNMAPPED_HOURS)} FROM v_book_1m")
    assert said == {"unmapped_ratio": 0.25, "unmapped_gpu_hours": 0.25}
