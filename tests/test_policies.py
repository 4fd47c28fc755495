"""A limited caller sees its own team's rows and nobody else's, of every table and view."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.job_teams import JobTeams
from gpuledger import policies
from gpuledger.batch import by_table
from gpuledger.catalogue import (
    TABLES,
    AccountHour,
    Allocation,
    GpuSample,
    Job,
    JobTeam,
    Person,
    Team,
)
from gpuledger.ddl import targets
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from gpuledger.views import VIEWS
from tests import two_teams
from tests.conftest import empty
from tests.store_contract import AWKWARD, both_stores
from tests.two_teams import BLUE, RED, SINCE, told

ENGINES = ("embedded", "served")
READABLE = [t.name for t in targets() if t.kind in {"table", "view"}]
# What a team sees nothing of, not even its own.
CLOSED = {
    *("filesystem_samples", "netfs_samples", "object_store_samples", "source_runs"),
    *("agent_samples", "spool_losses", "quarantine", "backfill_chunks", "missing_values"),
    *(
        "leases",
        "api_tokens",
        "api_token_uses",
        "audit_log",
        "forgotten",
        "node_states",
        "asset_states",
    ),
    *("price_book", "cloud_bills", "report_snapshots"),
}
FEW = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=ENGINES)
def filled(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Every table with a row of each team, on both engines."""
    for store in both_stores(request):
        empty(store)
        two_teams.fill(store)
        yield store
        empty(store)


def test_every_table_says_which_rows_a_team_may_see() -> None:
    assert set(policies.RULES) == set(TABLES)


def test_what_has_no_statement_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "RULES", {})
    assert set(policies.conditions((RED,), "gpuledger").values()) == {policies.CLOSED}


def test_a_team_sees_all_of_its_own_rows_and_none_of_others(
    filled: Store, request: pytest.FixtureRequest
) -> None:
    embedded = request.node.callspec.params["filled"] == "embedded"
    two_teams.check(filled, READABLE if embedded else (*TABLES, *VIEWS), CLOSED)


def test_the_test_has_a_row_for_every_table_and_view(engine: Store) -> None:
    two_teams.fill(engine)
    missing = [name for name in READABLE if not told(engine, name) and "losers" not in name]
    empty(engine)
    assert missing == []


def test_both_teams_see_what_both_may(filled: Store) -> None:
    seen = told(filled.only((RED, BLUE)), "v_book_1h")
    assert {row["team"] for row in seen} == {RED, BLUE, ""}


def test_what_is_free_is_everybodys(filled: Store) -> None:
    seen = filled.only((BLUE,)).select("SELECT state FROM ledger_1m WHERE alloc_id = 0")
    assert seen == [{"state": "free_surplus"}]


def test_nobody_of_that_name_sees_no_job(filled: Store) -> None:
    assert told(filled.only(("green",)), "jobs") == []


def test_no_team_is_no_limit(filled: Store) -> None:
    assert filled.only(()) is filled


@pytest.mark.parametrize("teams", [("",), (RED, "")])
def test_a_team_without_a_name_is_refused(filled: Store, teams: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        filled.only(teams)


def test_a_limit_can_only_be_narrowed(filled: Store) -> None:
    limited = filled.only((RED, "green"))
    assert told(limited.only((RED, BLUE)), "accounts_1h") == told(
        filled.only((RED,)), "accounts_1h"
    )
    with pytest.raises(ConfigError):
        limited.only((BLUE,))


def test_every_way_to_ask_is_limited(filled: Store) -> None:
    limited = filled.only((RED,))
    sql = "SELECT count() AS n FROM jobs"
    assert limited.value(sql) == 1
    assert limited.select_typed(sql)[1] == [(1,)]
    with limited.stream("SELECT user FROM jobs") as blocks:
        assert [row["user"] for block in blocks for row in block] == ["red-user"]
    assert BLUE.encode() not in limited.parquet("SELECT * FROM jobs")
    assert limited.within(limited.reader()._limits).value(sql) == 1


def test_a_reader_of_a_limited_store_is_limited(store: Store) -> None:
    two_teams.fill(store)
    for reader in (store.only((RED,)).reader(), store.reader().only((RED,))):
        assert [r["user"] for r in reader.select("SELECT user FROM jobs")] == ["red-user"]
        reader.close()


# --- names ------------------------------------------------------------------------------------

hostile = st.one_of(
    st.sampled_from([AWKWARD, "'", "\\", "\\'", "')) OR 1 -- ", "{x:String}", "%s", "'}", "red,"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)


@FEW
@given(mine=hostile, other=hostile)
def test_names_of_teams_are_only_names(engine: Store, mine: str, other: str) -> None:
    empty(engine)
    two = [(mine, "a"), (other, "b")] if mine != other else [(mine, "a")]
    rows = [changed(_of(AccountHour), team=team, user=user) for team, user in two]
    engine.insert_rows(rows)
    seen = engine.only((mine,)).select("SELECT team, user FROM v_book_1h")
    assert seen == [{"team": mine, "user": "a"}]
    empty(engine)


def _of(kind: type[Row]) -> Any:
    """Red's row of that table."""
    return two_teams.row_of(kind, RED)


# --- when a GPU was theirs ---------------------------------------------------------------------


def test_telemetry_of_a_gpu_is_hidden_while_others_have_it(store: Store) -> None:
    given = changed(_of(Allocation), valid_to=SINCE + timedelta(minutes=10))
    still = changed(given, alloc_id=2, gpu_id=2, valid_from=SINCE, valid_to=FOREVER)
    rows = [
        changed(_of(GpuSample), gpu_id=gpu, slot=slot, ts=SINCE + timedelta(hours=hour, minutes=5))
        for slot, gpu in enumerate((given.gpu_id, 2, 3))
        for hour in (0, 2)
    ]
    write(store, _of(JobTeam), given, still, *rows)
    seen = store.only((RED,)).select("SELECT gpu_id, ts FROM gpu_samples ORDER BY gpu_id, ts")
    assert [(r["gpu_id"], r["ts"].hour) for r in seen] == [(2, 12), (2, 14), (given.gpu_id, 12)]
    hours = store.only((RED,)).select("SELECT gpu_id, ts FROM v_gpu_samples_1h")
    assert sorted((r["gpu_id"], r["ts"].hour) for r in hours) == [
        (2, 12),
        (2, 14),
        (given.gpu_id, 12),
    ]
    days = store.only((RED,)).select("SELECT gpu_id FROM v_gpu_samples_1d ORDER BY gpu_id")
    assert [r["gpu_id"] for r in days] == [2, given.gpu_id]


# --- whose a job is ---------------------------------------------------------------------------

NOW = datetime(2026, 3, 4, 13, tzinfo=UTC)


def seen_by(store: Store, team: str) -> list[str]:
    return [r["job_id"] for r in store.only((team,)).select("SELECT job_id FROM v_jobs")]


def write(store: Store, *rows: Row) -> None:
    for batch in by_table(rows):
        store.insert(batch)


def a_job(**values: object) -> Row:
    return changed(_of(Job), **{"job_id": "c/1", "user": "ann", "team": "acc", **values})


def a_team(**values: object) -> Row:
    return changed(_of(Team), **{"kind": "account", "name": "acc", "team": RED, **values})


def test_a_job_belongs_to_the_team_of_its_account(store: Store) -> None:
    write(store, a_job(), a_team())
    JobTeams(store).write(NOW)
    assert (seen_by(store, RED), seen_by(store, "acc")) == (["c/1"], [])


def test_a_job_belongs_to_the_team_of_its_users_mail(store: Store) -> None:
    person = changed(_of(Person), user="ann", team="", mail="ann@red.example")
    write(store, a_job(team=""), a_team(kind="mail", name="red.example"), person)
    JobTeams(store).write(NOW)
    limited = store.only((RED,))
    assert seen_by(store, RED) == ["c/1"]
    assert limited.value("SELECT mail FROM v_people") == "ann@red.example"


def test_a_job_that_nobody_asked_about_yet_is_hidden(store: Store) -> None:
    write(store, a_job(), a_team())
    assert seen_by(store, RED) == []


def test_new_jobs_are_added_and_nothing_is_written_twice(store: Store) -> None:
    kept = JobTeams(store)
    write(store, a_job(), a_team())
    kept.write(NOW)
    write(store, a_job(job_id="c/2", seen_at=NOW))
    kept.write(NOW)
    kept.write(NOW)
    assert sorted(seen_by(store, RED)) == ["c/1", "c/2"]
    assert store.value("SELECT count() FROM job_teams") == 2


def test_a_job_moves_when_its_account_does(store: Store) -> None:
    kept = JobTeams(store)
    write(store, a_job(), a_team())
    kept.write(NOW)
    write(store, a_team(team=BLUE, version=2))
    kept.write(datetime(2026, 3, 5, tzinfo=UTC))
    assert (seen_by(store, RED), seen_by(store, BLUE)) == ([], ["c/1"])
