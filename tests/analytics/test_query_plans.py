"""What the service asks reads what it needs: partitions and keys of large tables, never all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from analytics import book
from analytics.report import weekly
from dashboards import build
from dashboards.macros import expand
from gpuledger.lake.layout import lake_tables
from gpuledger.store import Store
from tests.analytics.web import idle_cluster
from tests.analytics.world import at

# The tables that grow with time; a question of a span must not read all of one.
LARGE = {t.name for t in lake_tables().values() if t.time}
HOURS = 24 * 20
# Histories of recurring jobs and of the report go back a quarter: there is more than a year of it.
DAYS = 400
QUARTERS = ("accounts_1h",)


Question = tuple[str, dict[str, Any]]


class Recorder(Store):
    """A store that remembers every question."""

    asked: list[Question]

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        self.asked.append((sql, parameters))
        return super().select(sql, **parameters)

    def value(self, sql: str, **parameters: Any) -> Any:
        self.asked.append((sql, parameters))
        return super().value(sql, **parameters)

    def command(self, sql: str, **settings: Any) -> None:
        if "SELECT" in sql and sql.lstrip().startswith("INSERT"):
            self.asked.append((sql[sql.index("SELECT") :], {}))
        super().command(sql, **settings)


def filled(store: Store) -> None:
    """A row an hour (or day) of the time before in every table that grows, past the rollups."""
    for table in lake_tables().values():
        if table.time:
            long = table.name.endswith("_1d") or table.name in QUARTERS
            step, count = ("Day", DAYS) if long else ("Hour", HOURS)
            before = f"toDateTime64('2026-03-02 09:00:00', 3, 'UTC') - toInterval{step}(number)"
            store.command(
                f"INSERT INTO {table.name} ({table.time}) SELECT {before} FROM numbers({count})",
                max_partitions_per_insert_block=0,
            )


@pytest.fixture(scope="module")
def asked(engine: Store) -> Iterator[tuple[Store, list[Question]]]:
    recorder = Recorder(engine.address)
    recorder.asked = []
    idle_cluster(recorder)
    weekly.collect(recorder, at(-60), at(180))
    for by in book.DIMENSIONS:
        book.ledger(recorder, book.span(recorder, "2h"), [by])
    book.findings(recorder)
    book.recommendations(recorder)
    recorder.asked += [(sql, {}) for sql in panels()]
    recorder.close()
    for view in (n for n in engine.existing() if n.endswith("_mv")):
        engine.command(f"DROP VIEW {view}")
    filled(engine)
    yield engine, recorder.asked
    engine.apply()
    for name, columns in engine.existing().items():
        if columns and not name.startswith("v_") and not name.endswith("_mv"):
            engine.command(f"TRUNCATE TABLE `{name}`")


def panels() -> Iterator[str]:
    """The SQL of every panel of every board, as the plugin sends it for the last hours."""
    for text in build.build().values():
        board = json.loads(text)
        names = {v["name"]: [] for v in board.get("templating", {}).get("list", [])}
        for sql in re.findall(r'"rawSql": ("(?:[^"\\]|\\.)*")', json.dumps(board)):
            yield expand(json.loads(sql), at(0), at(180), 60, names)


def reads(store: Store, sql: str, parameters: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Table, parts read and parts there, for each reading of a large table."""
    plan = store.value(f"EXPLAIN json = 1, indexes = 1 {sql}", **parameters)
    for node in nodes(json.loads(plan)[0]["Plan"]):
        table = node.get("Description", "").rpartition(".")[2]
        steps = node.get("Indexes", [])
        if node["Node Type"] == "ReadFromMergeTree" and table in LARGE and steps:
            yield table, steps[-1]["Selected Parts"], steps[0]["Initial Parts"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def test_no_question_of_a_span_reads_all_of_a_table_that_grows(
    asked: tuple[Store, list[Question]],
) -> None:
    store, questions = asked
    seen, greedy = set(), {}
    for sql, parameters in questions:
        # A window that is being booked is read whole where it is staged.
        if sql.lstrip().startswith(("SELECT", "WITH", "(")) and "_staging" not in sql:
            for table, read, there in reads(store, sql, parameters):
                seen.add(table)
                if there > 4 and read > there / 2:
                    greedy[" ".join(sql.split())] = f"{read} of {there} parts of {table}"
    assert {"ledger_1m", "gpu_samples_1m"} <= seen
    assert greedy == {}
