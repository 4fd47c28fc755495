"""The door for questions: few at once, limits that hold, and nobody's inserts in the way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from analytics.app import create_app
from analytics.door import Busy, Door
from analytics.service import Service
from gpuledger.errors import StoreError
from gpuledger.guard import AD_HOC, BOARDS, CLASSES, broken_limit
from gpuledger.store import Store
from tests.analytics.web import BEARER, TOKEN, client, is_problem, make_service
from tests.components.process import wait_until
from tests.lake.world import samples

SHORT = replace(AD_HOC, seconds=3)
RUNAWAY = (
    "SELECT count() FROM numbers(10000000) AS a CROSS JOIN numbers(10000000) AS b"
    " WHERE sipHash64(a.number, b.number) = 1"
)
# Of its pace alone; on one free core it keeps more, and a machine of tests has none.
PACE_KEPT = 0.2


def limited(store: Store, limits: Any = SHORT) -> Service:
    """A service whose ad-hoc questions end soon."""
    nobody: Any = None
    reader = store.reader(limits)
    return Service(store=store, reader=reader, runner=nobody, token=TOKEN, door=Door(limits))


def inserted(store: Store, seconds: float) -> int:
    """Batches that went in within that time."""
    batch, count, end = samples(range(24)), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        store.insert_rows(batch)
        count += 1
    return count


def test_a_runaway_question_ends_at_its_limit_and_inserts_keep_their_pace(store: Store) -> None:
    service = limited(store)
    inserted(store, 0.5)
    alone = inserted(store, 2)
    answers: list[Any] = []
    body = {"sql": RUNAWAY}

    def ask() -> None:
        answers.append(client(service, **BEARER).post("/v1/sql", json=body))

    asking = threading.Thread(target=ask)
    asking.start()
    beside = inserted(store, 2)
    asking.join()
    assert beside >= PACE_KEPT * alone
    assert is_problem(answers[0], 400)
    told = answers[0].json()["detail"]
    assert "longer than 3 s" in told
    assert "v_gpu_samples_1m" in told


def test_a_question_ends_when_its_asker_goes_away(store: Store) -> None:
    service = limited(store, replace(AD_HOC, seconds=30))
    running = "SELECT count() FROM system.processes WHERE startsWith(query, '/*')"
    body = json.dumps({"sql": RUNAWAY}).encode()
    sent: list[Any] = []

    def has_begun() -> None:
        wait_until(lambda: bool(store.value(running)), 10, "the question")

    async def asked_and_left() -> None:
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await anyio.to_thread.run_sync(has_begun)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await create_app(service)(scope(len(body)), receive, send)

    began = time.monotonic()
    anyio.run(asked_and_left)
    assert time.monotonic() - began < 15
    assert store.value(running) == 0


def scope(length: int) -> dict[str, Any]:
    headers = {
        "authorization": BEARER["Authorization"],
        "content-type": "application/json",
        "content-length": str(length),
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/sql",
        "raw_path": b"/v1/sql",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("gpuledger.test", 80),
    }


def through(door: Door, ask: Callable[[], Any], gone: Callable[[], Awaitable[Any]]) -> Any:
    return anyio.run(door.answer, ask, gone, lambda: None)


def test_what_a_question_raises_is_raised() -> None:
    def broken() -> None:
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"):
        through(Door(AD_HOC), broken, anyio.sleep_forever)


def test_more_questions_than_places_are_told_to_come_again() -> None:
    door, over = Door(replace(AD_HOC, at_once=1), wait_s=0.01), threading.Event()
    refused: list[Exception] = []

    async def second() -> None:
        try:
            await door.answer(lambda: None, anyio.sleep_forever, lambda: None)
        except Busy as e:
            refused.append(e)
        over.set()

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(door.answer, over.wait, anyio.sleep_forever, lambda: None)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(second)

    anyio.run(both)
    assert "1 ad-hoc questions already go on" in str(refused[0])


def test_a_busy_door_answers_503_with_a_time(store: Store) -> None:
    service = make_service(store)
    service.door = Door(replace(AD_HOC, at_once=1), wait_s=0.0)
    answer = client(service, **BEARER).post("/v1/sql", json={"sql": "SELECT 1"})
    assert is_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_parquet_answer_is_a_file(store: Store) -> None:
    from io import BytesIO

    import pyarrow.parquet as pq

    body = {"sql": "SELECT number AS n FROM numbers(3)", "format": "parquet"}
    answer = client(make_service(store), **BEARER).post("/v1/sql", json=body)
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert pq.read_table(BytesIO(answer.content)).to_pydict() == {"n": [0, 1, 2]}


@pytest.mark.parametrize("limits", CLASSES, ids=lambda c: c.name)
def test_every_class_is_sent_to_the_engine(store: Store, limits: Any) -> None:
    for name, value in limits.settings(embedded=True).items():
        assert int(store.within(limits).value(f"SELECT getSetting('{name}')")) == value


def test_a_stricter_setting_of_the_server_stays(store: Store) -> None:
    class Held:
        value, readonly = "10", 0

    limited = store.within(BOARDS)
    found = limited._client().server_settings
    before = found["max_execution_time"]
    found["max_execution_time"] = Held()
    try:
        assert "max_execution_time" not in limited._limited(limited._client())
    finally:
        found["max_execution_time"] = before


def test_other_errors_are_no_broken_limit() -> None:
    assert broken_limit("SYNTAX_ERROR", AD_HOC) == ""
    assert "4 GiB" in broken_limit("(MEMORY_LIMIT_EXCEEDED)", AD_HOC)
