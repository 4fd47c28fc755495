"""A service over a store, and a client that has its token."""

from __future__ import annotations

import warnings
from typing import Any

from analytics.app import create_app
from analytics.ingest.intake import Intake
from analytics.runner import Runner
from analytics.service import Service
from gpuledger.config import Config
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import (
    HOSTILE,
    asset,
    at,
    booked,
    card,
    cells,
    given,
    job,
    price,
    samples,
    write,
)

with warnings.catch_warnings():
    # Starlette's client asks for httpx2 in place of httpx; it works with both.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

TOKEN = "token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def make_service(store: Store, *, report_html: str = "", intake: Intake | None = None) -> Service:
    """A service whose runner ticks only when told; without an intake it takes no rows."""
    runner = Runner(store, Config({"runner": {"settle_s": 0}}))
    return Service(
        store=store,
        reader=store.reader(),
        runner=runner,
        token=TOKEN,
        report_html=report_html,
        intake=intake,
    )


def client(service: Service, **headers: str) -> TestClient:
    """A client; without headers one that nobody knows."""
    return TestClient(
        create_app(service),
        base_url="https://gpuledger.test",
        headers=headers,
        follow_redirects=False,
    )


def idle_cluster(store: Store) -> None:
    """Three hours of two GPUs of which one idles in a hostile job, booked, found and advised on."""
    write(store, _priced())
    Runner(store, Config({"runner": {"settle_s": 0}})).tick(at(180))


def _priced() -> list[Row]:
    return [
        card(0),
        card(1),
        price(),
        *samples(0, 0, 180),
        *samples(1, 0, 180, active=0.0),
        job("1", started=at(0)),
        job("2", name=HOSTILE, user=HOSTILE, team=HOSTILE, started=at(0)),
        given("1", 0),
        given("2", 1),
    ]


def booked_hour(store: Store) -> None:
    """One hour of one GPU at work, put into the book by hand."""
    rows = booked(cells("productive", range(60), native="1"), at(60))
    write(store, [asset(0), job("1", started=at(0)), given("1", 0), *rows])


def is_problem(answer: Any, status: int) -> bool:
    """Whether an answer is a problem of this status as RFC 9457 has it."""
    body = answer.json()
    return bool(
        answer.status_code == status
        and answer.headers["content-type"] == "application/problem+json"
        and body.keys() == {"type", "title", "status", "detail", "request_id"}
        and body["status"] == status
        and body["detail"]
    )
