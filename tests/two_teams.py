"""Rows of two teams in every table, every text of them marked with the team that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any

from gpuledger.batch import by_table
from gpuledger.catalogue import ROWS, TABLES, AccountHour, Cell
from gpuledger.identity import hash64
from gpuledger.schema import FOREVER, Column, Kind, Row
from gpuledger.store import Store

SINCE = datetime(2026, 3, 4, 12, tzinfo=UTC)
RED, BLUE = "red", "blue"
# Words of the machine and the schema, which are nobody's.
PLAIN = {
    "cluster": "c",
    "pool": "c/h100",
    "pools": "",
    "model": "NVIDIA H100",
    "gpu_model": "",
    "currency": "EUR",
    "source": "nvml",
    "scheduler": "slurm",
    "state": "busy",
    "provider": "own",
    "tables": "[]",
}
# What hardware and the schema say of themselves: open to everybody, so no team is in it.
NEUTRAL = {"assets", "gpus", "gpu_links", "pools", "node_owner", "changes", "power_floors"}
NEUTRAL |= {"startup_times", "prices", "rates", "forecasts", "booked_hours", "fragmentation_1h"}
SPECIAL: dict[tuple[str, str], str] = {
    ("changes", "kind"): "driver",
    ("teams", "kind"): "account",
    ("cgroup_samples", "name"): "TEAM-1",
    ("reservations", "users"): "TEAM-user",
    ("reservations", "teams"): "TEAM",
    ("exemptions", "subject"): "c/TEAM-1",
    ("queue_samples", "project"): "TEAM",
    ("report_deliveries", "what"): "team/TEAM",
    ("teams", "name"): "TEAM",
    ("alert_states", "labels"): '{"team": "TEAM"}',
}
FREE = {"state": "free_surplus", "flags": "", "cause": "", "gpu_seconds": 60.0}
JOBS = {"job_id", "job"}
TEAMS = {"team"}
PEOPLE = {"user", "by", "owner", "approved_by", "lead", "who", "made_by"}


def rows() -> Iterator[Row]:
    """One row of each table for each team, about one job of it on a GPU of its own."""
    for team in (RED, BLUE):
        for row in ROWS:
            yield row_of(row, team)
    # What nobody had, as the book tells it.
    free = {c.name: _value("ledger_1m", c, RED) for c in Cell.table.columns}
    yield Cell(**{**free, "alloc_id": 0, **FREE})
    none = {c.name: _value("accounts_1h", c, RED) for c in AccountHour.table.columns}
    yield AccountHour(**{**none, "job": "", "job_name": "", "user": "", "team": ""})


def row_of(kind: type[Row], team: str) -> Any:
    """That team's row of a table."""
    return kind(**{c.name: _value(kind.table.name, c, team) for c in kind.table.columns})


def fill(store: Store) -> None:
    """Insert them, as far as the store has the tables."""
    for batch in by_table(rows()):
        store.insert(batch)


def _value(table: str, column: Column[Any], team: str) -> Any:
    match column.kind:
        case Kind.TIME:
            return _time(column.name)
        case Kind.LABEL | Kind.TEXT:
            return _text(table, column.name, team)
        case Kind.IDENT:
            return hash64(f"{team}/{column.name}")
        case Kind.NUMBER:
            return {"version": 1, "slot": int(team == BLUE)}.get(column.name, 1)
        case Kind.BITS:
            return 1
        case _:
            return 1.0


def _time(name: str) -> datetime:
    if name in {"valid_to", "ended", "until", "resolved", "expires_at", "revoked_at"}:
        return FOREVER
    if name == "ts":
        return SINCE + timedelta(seconds=30)
    return SINCE


def _text(table: str, name: str, team: str) -> str:
    neutral = name in PLAIN or table in NEUTRAL
    number = 1 if team == RED else 2
    known = {
        **dict.fromkeys(JOBS, f"c/{team}-1"),
        **dict.fromkeys(TEAMS, team),
        **dict.fromkeys(PEOPLE, f"{team}-user"),
        "node": f"n{number}" if table in NEUTRAL else f"{team}-n-{number}",
    }
    if (table, name) in SPECIAL:
        return SPECIAL[table, name].replace("TEAM", team)
    if name in known:
        return known[name]
    return PLAIN.get(name, f"{name}-of-{number}") if neutral else f"{team}-{name}"


def told(store: Store, name: str) -> list[dict[str, Any]]:
    """Every row of a table or view."""
    return store.select(f"SELECT * FROM {name} ORDER BY ALL")


def names(row: dict[str, Any], team: str) -> bool:
    """Whether the row names that team, its users or jobs."""
    return any(team in str(value) for value in row.values())


def check(store: Store, views: Iterable[str], closed: AbstractSet[str]) -> None:
    """Of each table and view red sees all of its own (of closed ones nothing), and nothing of blue.

    AssertionError names the table or view that tells more or less.
    """
    limited = store.only((RED,))
    for name in views:
        seen = told(limited, name)
        mine = [row for row in told(store, name) if names(row, RED)]
        assert [row for row in seen if names(row, BLUE)] == [], name
        own = [row for row in seen if names(row, RED)]
        assert own == ([] if table_of(name) in closed else mine), name


def table_of(name: str) -> str:
    """The table behind a view or rollup."""
    plain = name.removeprefix("v_")
    return next((t for t in sorted(TABLES, key=len, reverse=True) if plain.startswith(t)), plain)
