"""`gpuledger fragmentation`: what people read of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from gpuledger.cli import options
from gpuledger.cli.fragmentation import command
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.repacking.test_figures import crumbs, crumbs_of, signed
from tests.analytics.world import write


@pytest.fixture
def asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command over the store of the test: a process opens one directory only."""
    monkeypatch.setattr(options, "open_for_questions", lambda *_: store)
    runner = CliRunner()
    return lambda *flags: (
        runner.invoke(command, ["--store", "chdb:///none", *flags], catch_exceptions=False).output
    )


def test_the_table_ends_with_the_line_that_people_feel(store: Store, asked: Any) -> None:
    write(store, [*crumbs(), *signed(1)])
    told = asked()
    assert told.startswith("Fragmentation at 2026-03-02 11:00 UTC, in GPUs")
    assert told.splitlines()[-1] == (
        "largest job that could start now on big: 4 GPUs; with all crumbs together: 8"
    )
    assert "3 (3)" in told


def test_json_has_a_row_per_pool(store: Store, asked: Any) -> None:
    write(store, [*crumbs(), *signed(1)])
    (row,) = json.loads(asked("--format", "json"))
    assert (row["pool"], row["slots"]["4"], row["repacked"]["8"]) == ("big", 3, 1)


def test_a_moment_is_one_of_the_book(store: Store, asked: Any) -> None:
    write(store, [*crumbs(), *signed(1)])
    assert asked("--at", "now") == asked()
    with pytest.raises(ConfigError, match="at 2030-01-01: the book is from 2026-03-02T"):
        asked("--at", "2030-01-01")
    with pytest.raises(ConfigError, match=r"at soon: write now, 2h \(ago\), or"):
        asked("--at", "soon")


def test_an_empty_book_is_said(asked: Any) -> None:
    assert asked() == "No GPU owned: nothing was booked yet.\n"
    assert json.loads(asked("--format", "json")) == []


def test_a_row_can_be_a_node(store: Store, asked: Any) -> None:
    write(store, [*crumbs(), *signed(1)])
    told = asked("--by", "node", "--limit", "2")
    assert "c: n0" in told
    assert "c: n2" not in told
    assert told.splitlines()[-1] == "2 of 3 nodes; --limit shows more."
    rows = json.loads(asked("--by", "node", "--format", "json"))
    assert [(r["node"], r["fragmented"], r["slots"]["4"]) for r in rows] == [
        ("n0", 1.6, 1),
        ("n1", 1.6, 1),
        ("n2", 1.6, 1),
    ]


def test_a_row_can_be_a_cluster(store: Store, asked: Any) -> None:
    write(store, [*crumbs(), *signed(1)])
    told = asked("--by", "cluster")
    assert "c: big" not in told
    assert told.splitlines()[-1] == (
        "largest job that could start now on c: 4 GPUs; with all crumbs together: 8"
    )
    (row,) = json.loads(asked("--by", "cluster", "--format", "json"))
    assert (row["cluster"], row["fragmented"], row["slots"]["4"]) == ("c", 4.8, 3)


def test_nodes_of_several_sizes_share_a_table(store: Store, asked: Any) -> None:
    write(store, [*crumbs(), *crumbs_of("s0", "small", 1, gpus=2), *signed(1)])
    told = asked("--by", "node")
    assert "× 8" in told
    assert "c: s0" in told
