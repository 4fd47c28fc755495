"""A book that the tests of a file only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analytics.service import Service
from gpuledger.store import Store
from tests.analytics.console.world import seed
from tests.analytics.web import make_service
from tests.conftest import empty


@pytest.fixture(scope="module")
def service(engine: Store) -> Iterator[Service]:
    """A service over the book of two teams."""
    empty(engine)
    seed(engine)
    yield make_service(engine)
    empty(engine)
