"""Fixtures that every part's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuledger.store import Address, Store

pytest_plugins = ["tests.components.fixtures"]

# Begun last, these would keep one worker busy while the others have nothing left to do.
LONGEST = (
    *("test_end_to_end", "test_prometheus_real", "test_truth", "test_cli_backfill"),
    *("test_cluster_book", "test_chaos", "test_ledger", "test_out_and_back", "test_bad_input"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, in that order; within a file, and among the others, it stays."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One embedded engine for the whole session: a process can open only one directory."""
    store = Store(Address(directory=tmp_path_factory.mktemp("engine") / "store"))
    store.apply()
    yield store
    store.close()


@pytest.fixture
def store(engine: Store) -> Iterator[Store]:
    """The embedded engine with every table empty, whoever used it before."""
    empty(engine)
    yield engine
    empty(engine)


def empty(engine: Store) -> None:
    """Truncate what has rows."""
    filled = (
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
        " AND engine LIKE '%MergeTree'"
    )
    for row in engine.select(filled):
        engine.command(f"TRUNCATE TABLE `{row['name']}`")


def data_file(name: str) -> Path:
    """A fixture file of the tests."""
    return Path(__file__).parent / "fixtures" / name
