"""Fixtures that every part's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuledger.store import Address, Store

pytest_plugins = ["tests.components.fixtures"]


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
