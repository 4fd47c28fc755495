"""Session-wide real components as pytest fixtures; register this module in `pytest_plugins`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import pytest

from tests.components.alertmanager import Alertmanager
from tests.components.clickhouse import ClickHouse
from tests.components.process import ComponentMissingError, program
from tests.components.slurm import Slurm

REQUIRE_VARIABLE = "GPULEDGER_REQUIRE_COMPONENTS"
T = TypeVar("T")


@contextmanager
def skipping() -> Iterator[None]:
    """What is not installed skips the test, unless components are required."""
    try:
        yield
    except ComponentMissingError as missing:
        if os.environ.get(REQUIRE_VARIABLE):
            raise
        pytest.skip(str(missing))


@contextmanager
def or_skip(component: AbstractContextManager[T]) -> Iterator[T]:
    """The started component; the test is skipped when it is not installed, unless required."""
    with skipping():
        started = component.__enter__()
    try:
        yield started
    finally:
        component.__exit__(None, None, None)


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with or_skip(ClickHouse(tmp_path_factory.mktemp("clickhouse"))) as server:
        yield server


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with or_skip(Slurm(tmp_path_factory.mktemp("slurm"))) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with or_skip(Alertmanager(tmp_path_factory.mktemp("alertmanager"))) as server:
        yield server


@pytest.fixture(scope="session")
def promtool() -> None:
    """Prometheus' own checker is here."""
    with skipping():
        program("promtool")
