"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
import shutil
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

# Where files are kept in memory. A store is thousands of small files, made and deleted by every
# test: on a disk they cost up to half of a test's time.
MEMORY = Path("/dev/shm")
# What a whole run leaves is 2 GB at most; the rest is for processes.
ROOM_BYTES = 8 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Temporary directories lie in memory where there is room for them and programs may run."""
    if config.option.basetemp is None and _has_room(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room(directory: Path) -> bool:
    if not (directory.is_dir() and os.access(directory, os.W_OK)):
        return False
    # Tests also build programs and libraries, and start them.
    runs = not os.statvfs(directory).f_flag & os.ST_NOEXEC
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    told = limit.read_text().strip() if limit.is_file() else ""
    most = [free, shutil.disk_usage(directory).free, *([int(told)] if told.isdecimal() else [])]
    return runs and min(most) >= ROOM_BYTES


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
