"""Bodies that are too large for questions and decisions are refused, told or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request

from analytics.bounded import MOST_BYTES, Bounded
from tests.analytics.web import TestClient


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()

    @app.post("/v1/sql")
    @app.post("/v1/plans")
    @app.post("/v1/ingest/x")
    async def length(request: Request) -> int:
        return len(await request.body())

    app.add_middleware(Bounded, free=("/v1/ingest",))
    with TestClient(app) as made:
        yield made


def pieces(count: int) -> Iterator[bytes]:
    yield from (bytes(1 << 20) for _ in range(count))


def test_what_fits_comes_whole(client: TestClient) -> None:
    assert client.post("/v1/sql", content=bytes(MOST_BYTES)).json() == MOST_BYTES


def test_a_length_that_is_told_is_refused_at_once(client: TestClient) -> None:
    answer = client.post("/v1/sql", content=bytes(MOST_BYTES + 1))
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        f"a request here has at most {MOST_BYTES} bytes",
    )


def test_a_length_that_is_not_told_is_counted(client: TestClient) -> None:
    assert client.post("/v1/sql", content=pieces(3)).status_code == 413


@pytest.mark.parametrize("path", ["/v1/plans", "/v1/ingest/x"])
def test_doors_for_much_take_more(client: TestClient, path: str) -> None:
    assert client.post(path, content=pieces(3)).json() == 3 << 20
