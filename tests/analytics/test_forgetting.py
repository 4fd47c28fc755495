"""A person who is forgotten is named by no row of any table any more, and nothing else changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from analytics import forgetting
from analytics.forgetting import Again, Forgetting
from gpuledger.batch import by_table
from gpuledger.catalogue import ROWS, TABLES, AccountHour, AuditEntry, Forgotten, Job, Person, Team
from gpuledger.cli import cli
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.schema import Column, Holds, Kind, Row
from gpuledger.store import Store
from tests import two_teams
from tests.conftest import empty
from tests.store_contract import AWKWARD, both_stores

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ANN, FULL, MAIL = "ann", "Ann Example", "Ann@red.example"
FORMS = {
    Holds.NAME: ANN,
    Holds.NAMES: f"bob,{ANN},{ANN},joann",
    Holds.WORDS: f'{{"by": "cli:{ANN}"}} {FULL} <{MAIL.lower()}> {ANN} {ANN}, joann',
}
NAMED = re.compile(rf"\b{ANN}\b|{FULL}|{MAIL}", re.IGNORECASE)
# Texts that hold names of other things, or of a person only by chance: with the reason why not.
NO_PERSONS = {
    "gpu_events.told_by": "a source",
    "source_runs.reason": "an error of a source",
    "quarantine.reason": "what is wrong with rows",
    "missing_values.reason": "a word of ours",
    "jobs.reason": "a word of the scheduler",
    "runs.matched_by": "a word of ours",
    "ledger_adjust.reason": "a word of ours",
    "services.jobs": "beginning of job names",
    "progress_samples.rank": "a number",
    "quotas.parent": "another queue",
    "leases.holder": "a process of the service",
    "quarantine.body": "rows as they came; gone with retention",
    "cgroup_samples.name": "a job's or pod's id",
    "report_deliveries.what": "a team",
    "leases.name": "what is leased",
    "api_tokens.teams": "teams",
    "reservations.teams": "accounts",
    "alert_states.rule": "name of a rule",
}


@pytest.fixture(scope="module", params=["embedded", "served"])
def filled(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Every table with rows of ann, and of bob."""
    for store in both_stores(request):
        empty(store)
        for batch in by_table(rows()):
            store.insert(batch)
        yield store
        empty(store)


def rows() -> Iterator[Row]:
    """A row of each table that is about ann, and one that is about bob."""
    for kind in (kind for kind in ROWS if kind is not Forgotten):
        told: dict[str, Any] = {c.name: FORMS[c.holds] for c in kind.table.columns if c.holds}
        if kind is Person:
            told |= {"name": FULL, "mail": MAIL}
        if kind is Team:
            told |= {"kind": "mail", "name": MAIL}
        yield changed(two_teams.row_of(kind, "red"), **told)
        bob = {c.name: "bob" for c in kind.table.columns if c.holds}
        yield changed(two_teams.row_of(kind, "blue"), **bob)


def texts(store: Store, table: str) -> list[str]:
    """Every row as a text."""
    return [str(row) for row in store.select(f"SELECT * FROM {table} ORDER BY ALL")]


def naming(store: Store) -> list[str]:
    """The tables with a row that names ann."""
    return [name for name in TABLES if any(NAMED.search(row) for row in texts(store, name))]


HOLDING = {t.name for t in forgetting.tables()}


def test_the_plan_tells_every_table_and_changes_nothing(filled: Store) -> None:
    found = Forgetting(filled, ANN).plan()
    assert {f.table for f in found} == HOLDING == set(naming(filled))
    assert {f.rows for f in found} == {1}


def test_nobody_is_named_afterwards_and_no_row_is_gone(filled: Store) -> None:
    before = {name: texts(filled, name) for name in TABLES if name != "forgotten"}
    one = Forgetting(filled, ANN)
    one.carry_out(NOW)
    assert naming(filled) == []
    for name, told in before.items():
        after = texts(filled, name)
        assert len(after) == len(told), name
        assert {row for row in told if not NAMED.search(row)} <= set(after), name
        assert sum(one.pseudonym in row for row in after) == (name in HOLDING), name
        assert sum("joann" in row for row in after) == sum("joann" in row for row in told), name


def test_a_second_time_finds_nothing_and_the_pseudonym_stays(filled: Store) -> None:
    first = Forgetting(filled, ANN)
    first.carry_out(NOW)
    second = Forgetting(filled, ANN)
    assert second.pseudonym == first.pseudonym
    assert second.carry_out(NOW + timedelta(days=1)) == []


def test_frozen_values_keep_their_digest_right(filled: Store) -> None:
    Forgetting(filled, ANN).carry_out(NOW)
    pairs = filled.select(
        "SELECT sha256, lower(hex(SHA256(value))) AS real FROM report_snapshots WHERE state != ''"
        " AND position(value, 'gone-') > 0"
    )
    assert [p["sha256"] for p in pairs] == [p["real"] for p in pairs]
    assert len(pairs) == 1


# --- runs that end in the middle --------------------------------------------------------------


def write(store: Store, *given: Row) -> None:
    for batch in by_table(given):
        store.insert(batch)


def job(user: str = ANN, **values: Any) -> Any:
    return changed(two_teams.row_of(Job, "red"), **{"user": user, "name": "train", **values})


def person(user: str = ANN) -> Any:
    return changed(two_teams.row_of(Person, "red"), user=user, name=FULL, mail=MAIL)


class Stopped(Exception):
    """As a kill would."""


def test_an_interrupted_run_goes_on_with_the_same_pseudonym(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {Job, Person, Team, AuditEntry}
    write(store, *(row for row in rows() if type(row) in kinds))
    for stop_at in range(4):
        with monkeypatch.context() as patch:
            _stop(patch, store, stop_at)
            with pytest.raises(Stopped):
                Forgetting(store, ANN).carry_out(NOW)
    Forgetting(store, ANN).carry_out(NOW)
    held = [kind.table.name for kind in kinds]
    assert not any(NAMED.search(row) for name in held for row in texts(store, f"v_{name}"))
    assert [len(texts(store, f"v_{name}")) for name in held] == [2, 2, 2, 2]
    assert store.value("SELECT count() FROM v_forgotten") == 1


def _stop(patch: pytest.MonkeyPatch, store: Store, at: int) -> None:
    """No more than that many statements."""
    done = iter(range(1000))
    for name in ("everywhere", "command"):
        run = getattr(store, name)

        def counted(sql: str, run: Any = run, **settings: Any) -> None:
            if next(done) >= at:
                raise Stopped
            run(sql, **settings)

        patch.setattr(store, name, counted)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [AWKWARD, "a.b", "a+b", "a\\Eb", "^.*$", "ä ö", "(", "x'; --"])
def test_any_name_is_only_a_name(store: Store, name: str) -> None:
    write(store, job(name), job("bob", job_id="c/2"), job("axb", job_id="c/3"))
    one = Forgetting(store, name)
    one.carry_out(NOW)
    assert {r["user"] for r in store.select("SELECT user FROM jobs")} == {
        one.pseudonym,
        "bob",
        "axb",
    }


def test_others_whose_name_begins_so_keep_theirs(store: Store) -> None:
    write(store, job(), job("ann.b", job_id="c/2"), job("joann", job_id="c/3"))
    Forgetting(store, ANN).carry_out(NOW)
    users = {r["user"] for r in store.select("SELECT user FROM jobs")}
    assert {"ann.b", "joann"} < users


def test_sums_stay_what_they_were(store: Store) -> None:
    booked = changed(two_teams.row_of(AccountHour, "red"), user=ANN)
    write(store, booked)
    sums = "SELECT team, state, sum(gpu_ms) AS ms, count() AS n FROM accounts_1h GROUP BY ALL"
    before = store.select(sums)
    Forgetting(store, ANN).carry_out(NOW)
    assert store.select(sums) == before


def test_an_address_keeps_its_domain_which_tells_the_team(store: Store) -> None:
    write(store, person())
    one = Forgetting(store, ANN)
    one.carry_out(NOW)
    assert store.value("SELECT mail FROM v_people") == f"{one.pseudonym}@red.example"


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(ConfigError):
        Forgetting(store, name)


def test_a_pseudonym_is_not_forgotten_again(store: Store) -> None:
    write(store, job())
    one = Forgetting(store, ANN)
    one.carry_out(NOW)
    with pytest.raises(ConfigError, match="pseudonym"):
        Forgetting(store, one.pseudonym)


# --- rows that come later ---------------------------------------------------------------------


def test_rows_that_come_later_get_the_same_pseudonym(store: Store) -> None:
    write(store, job())
    one = Forgetting(store, ANN)
    one.carry_out(NOW)
    again = Again(store)
    write(store, job(job_id="c/2"), job("bob", job_id="c/3"))
    again.step(NOW)
    users = [r["user"] for r in store.select("SELECT user FROM jobs ORDER BY job_id")]
    assert sorted(users) == sorted([one.pseudonym, one.pseudonym, "bob"])


def test_it_is_looked_for_once_a_day(store: Store) -> None:
    again = Again(store)
    write(store, job())
    Forgetting(store, ANN).carry_out(NOW)
    again.step(NOW)
    write(store, job(job_id="c/2"))
    again.step(NOW + timedelta(hours=23))
    assert store.value("SELECT count() FROM jobs WHERE user = 'ann'") == 1
    again.step(NOW + timedelta(hours=24))
    assert store.value("SELECT count() FROM jobs WHERE user = 'ann'") == 0


# --- the catalogue ----------------------------------------------------------------------------

SUSPECT = re.compile(
    r"(^|_)(user|users|by|mail|owner|lead|who|holder|receiver|note|reason|person|value)(_|$)"
)


def _texts() -> Iterator[tuple[str, Column[Any]]]:
    for table in TABLES.values():
        for column in table.columns:
            if column.kind in {Kind.LABEL, Kind.TEXT}:
                yield f"{table.name}.{column.name}", column


def test_every_column_that_sounds_like_a_person_is_marked_or_explained() -> None:
    unclear = [n for n, c in _texts() if SUSPECT.search(c.name) and not c.holds]
    assert [n for n in unclear if n not in NO_PERSONS] == []


def test_every_explanation_is_about_a_column_without_a_mark() -> None:
    unmarked = {name for name, column in _texts() if not column.holds}
    assert set(NO_PERSONS) <= unmarked


# --- the command ------------------------------------------------------------------------------


def run(store: Store, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr("gpuledger.cli.options.open_store", lambda *_: store)
    monkeypatch.setattr(store, "close", lambda: None)
    address = str(store.address)
    done = CliRunner().invoke(cli, ["people", "forget", *words, "--store", address], obj={})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_shows_its_plan_and_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, job())
    told = run(store, monkeypatch, ANN, "--dry-run")
    assert "jobs" in told
    assert store.value("SELECT user FROM jobs") == ANN
    assert store.value("SELECT count() FROM audit_log") == 0


def test_the_command_is_audited_without_the_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, job())
    run(store, monkeypatch, ANN)
    entry = store.select("SELECT * FROM audit_log")[0]
    assert entry["action"] == "people.forget"
    assert entry["subject"].startswith("gone-")
    assert not NAMED.search(str(entry))
