"""What tests above the fake driver share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.machine import Bench


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fake driver is built, once."""
    return tmp_path_factory.mktemp("nvml")


@pytest.fixture
def bench(folder: Path, tmp_path: Path) -> Iterator[Bench]:
    """A place for machines that end with the test."""
    with Bench(folder, tmp_path) as bench:
        yield bench
