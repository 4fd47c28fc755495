"""One filled store for all tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gpuledger.store import Store
from tests.analytics.routes.filled import filled
from tests.analytics.web import TOKEN, client
from tests.conftest import empty


@pytest.fixture(scope="module")
def service(engine: Store) -> Iterator[Any]:
    """A service over a filled store, for tests that only read."""
    empty(engine)
    yield filled(engine)
    empty(engine)


@pytest.fixture(scope="module")
def api(service: Any) -> Any:
    """A client that may do everything."""
    return client(service, Authorization=f"Bearer {TOKEN}")
