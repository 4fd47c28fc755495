"""Reports for management name nobody, however a name is written; ordinary words stay."""

from __future__ import annotations

import pytest

from analytics.report import release, snapshot
from analytics.report.persons import Persons, persons
from analytics.report.weekly import collect
from gpuledger.catalogue import Person, Team
from gpuledger.config import Config
from gpuledger.schema import UNSET_TIME
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet
from tests.analytics.report.office import DRAFTED, RELEASED, W47, accounts, quick, staff

ALL = ("bob", "Bob Smith", "José", "a", "to", "1000", "a.b", "gpu", "vision")
KNOWN = Persons(ALL, teams=["vision"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bob-notebook of Bob, bobsled", "owner-notebook of owner, bobsled"),
        ("train-bob2, 3bob_x", "train-owner2, 3owner_x"),
        ("Bob Smith's run", "owner's run"),
        ("bob_smith bobsmith Smith, Bob", "owner owner owner"),
        ("b\u200bob JOSE\u0301", "owner owner"),
        ("a.b (x)", "owner (x)"),
    ],
)
def test_a_name_is_taken_out_however_it_is_written(text: str, told: str) -> None:
    assert KNOWN.out_of(text) == told


@pytest.mark.parametrize(
    "text", ["a job to end, e.g. 1,000 or 1000 GPU-hours", "gpuledger recommend", "team vision"]
)
def test_ids_that_are_ordinary_words_and_names_of_teams_stay(text: str) -> None:
    assert KNOWN.out_of(text) == text


def test_an_id_that_is_an_ordinary_word_is_a_person_within_a_name() -> None:
    assert KNOWN.out_of("run-a-2, to_test") == "run-owner-2, owner_test"


def test_of_many_persons_a_text_is_clean_soon() -> None:
    crowd = Persons([f"user{number}" for number in range(30_000)])
    assert crowd.out_of("of user29999") == "of owner"


def _people(store: Store) -> None:
    always = {"valid_from": UNSET_TIME, "version": 1}
    store.insert_rows([Person(user="bob", name="Bob Smith", mail="", team="vision", **always)])
    store.insert_rows([Team(team="vision", lead="vera", kind="account", name="vision", **always)])


def test_everybody_known_is_a_person(store: Store) -> None:
    fleet = Fleet(store)
    fleet.job("alpha/1", user="eve")
    fleet.recommend("End it", 9.0)
    fleet.decide("End it", "accepted", MONDAY)
    fleet.write()
    _people(store)
    assert persons(store).out_of("eve, Bob Smith and Vera of vision") == (
        "owner, owner and owner of vision"
    )


def test_remarks_and_reasons_name_nobody_of_any_team(store: Store) -> None:
    accounts(store)
    _people(store)
    staff(store, {"robotics": ("rob", "rob@example.org")})
    release.annotate(store, W47, "robotics", "ask Bob Smith", "rob", DRAFTED)
    release.draft(store, quick(), W47, "ada", DRAFTED)
    release.release(store, quick(), W47, "ada", RELEASED)
    release.draft(store, quick(), W47, "ada", RELEASED, "bob2 booked Vera's job")
    frozen = snapshot.shown(store, W47)
    assert frozen is not None
    assert [n.text for n in frozen.report().lead_notes] == ["ask owner"]
    latest = snapshot.latest(store, W47)
    assert latest is not None
    assert latest.corrects == "owner2 booked owner's job"


def test_wastes_and_decisions_name_nobody(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.job("alpha/1", name="Bob Smith's run", user="bob", started=MONDAY)
    fleet.hours(0, "alloc_idle", MONDAY, 3, "alpha/1")
    fleet.recommend("End Bob Smith's run", 9.0, user="bob")
    fleet.write()
    _people(store)
    report = collect(store, MONDAY, MONDAY + WEEK)
    assert [w.job_name for w in report.wastes] == ["owner's run"]
    assert [d.title for d in report.decisions] == ["End owner's run"]


def test_decisions_before_are_those_of_the_released_report(store: Store) -> None:
    """What a manager read is told on, also when something larger was proposed since."""
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 192)
    for title, gain in (("told", 9.0), ("alike", 5.0)):
        fleet.recommend(title, gain, created=MONDAY)
    fleet.write()
    release.draft(store, whole(), W47, "ada", DRAFTED)
    release.release(store, whole(), W47, "ada", RELEASED)
    later = Fleet(store)
    later.recommend("late", 99.0, created=MONDAY + WEEK - HOUR)
    later.write()
    told = collect(store, MONDAY + WEEK, MONDAY + 2 * WEEK).last_decisions
    assert [(b.title, b.more) for b in told] == [("told", 1)]


def whole() -> release.Desk:
    """A desk that makes whole reports."""
    return release.Desk.of(Config())
