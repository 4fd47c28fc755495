"""The world of machines, filled once for all tests that only read it."""

from __future__ import annotations

import pytest

from gpuledger.store import Store
from tests.conftest import empty
from tests.dashboards.machines import fill_machines, is_filled


@pytest.fixture
def machines(engine: Store) -> Store:
    """The small world with its machines; only for reading."""
    if not is_filled(engine):
        empty(engine)
        fill_machines(engine)
    return engine


@pytest.fixture
def own_machines(store: Store) -> Store:
    """The same for a test that changes it."""
    fill_machines(store)
    return store
