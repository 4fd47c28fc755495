"""What a report asked, written out so that it can be asked again."""

from __future__ import annotations

from analytics.report.asked import Asked, written
from gpuledger.store import Store
from tests.analytics.report.build import MONDAY


def test_parameters_are_written_out() -> None:
    sql = (
        "\n  SELECT {at:DateTime64(3, 'UTC')}, {name:String}, {n:UInt32}, {all:Array(String)}, {x}"
    )
    assert written(sql, {"at": MONDAY, "name": "o'b\\", "n": 3, "all": ["a", "b'"]}) == (
        "SELECT toDateTime64('2026-11-16 00:00:00', 3, 'UTC'), 'o\\'b\\\\', 3,"
        " CAST(['a', 'b\\''], 'Array(String)'), {x}"
    )


def test_a_question_belongs_to_its_section_once(store: Store) -> None:
    asked = Asked(store)
    with asked.section("ledger"):
        assert asked.value("SELECT {n:UInt32}", n=2) == 2
        asked.select("SELECT {n:UInt32}", n=2)
    asked.select("SELECT 3")
    assert [(q.name, q.sql) for q in asked.queries()] == [
        ("fleet", ("SELECT 3",)),
        ("ledger", ("SELECT 2",)),
    ]


def test_hostile_text_stays_text(store: Store) -> None:
    name = "'; SELECT 1 -- \\' 🚀"
    sql = written("SELECT {name:String} AS n", {"name": name})
    assert store.value(sql) == name
