"""One small world for all tests: four nodes and a week."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.simulation.world import World, simulate

END = datetime(2026, 11, 22, 5, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(7, 4, END - WEEK, END)
