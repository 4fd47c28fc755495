"""Slow, endless and too many connections against a real server."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from analytics.server import bind
from analytics.slow import LONGEST_HEAD, Patience, most_connections
from tests.components.process import wait_until

HEAD_S = 0.3


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, but for /early, and answers with its length."""
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Short(Patience):
    """Little patience, few places."""

    most = 4
    head_s = HEAD_S


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    bound = bind("127.0.0.1:0")
    config = uvicorn.Config(
        application, http=Short, lifespan="off", log_config=None, log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    wait_until(lambda: server.started, 10, "a server")
    yield bound.getsockname()[:2]
    server.should_exit = True
    thread.join()


@pytest.fixture
def call(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=10) as opened:
        yield opened


def heard(call: socket.socket) -> bytes:
    """All that is said until the other side hangs up."""
    out = b""
    with contextlib.suppress(ConnectionResetError):
        while told := call.recv(65536):
            out += told
    return out


def test_a_request_that_comes_at_once_is_answered(call: socket.socket) -> None:
    call.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc")
    assert heard(call).endswith(b"\r\n\r\n3")


def test_who_says_nothing_is_hung_up_on(call: socket.socket) -> None:
    began = time.monotonic()
    assert b"408" in heard(call)
    assert time.monotonic() - began < 10 * HEAD_S


def test_a_head_that_comes_drop_by_drop_is_given_up(call: socket.socket) -> None:
    call.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: ")
    drip(call, b"y", 3 * HEAD_S)
    assert b"408" in heard(call)


def test_a_body_that_stalls_is_given_up(call: socket.socket) -> None:
    call.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\nabc")
    drip(call, b"y", 3 * HEAD_S)
    assert b"408" in heard(call)


def test_a_body_that_comes_at_a_pace_may_take_long(call: socket.socket) -> None:
    size = 40 * 100
    call.sendall(f"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n".encode())
    call.sendall(b"connection: close\r\n\r\n")
    for _ in range(40):
        call.sendall(b"y" * 100)
        threading.Event().wait(HEAD_S / 12)
    assert heard(call).endswith(str(size).encode())


def test_a_body_without_end_is_not_read_for_ever_once_it_is_answered(call: socket.socket) -> None:
    call.sendall(b"POST /early HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    assert b"200 OK" in call.recv(1000)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 - until it breaks
        for _ in range(1_000):
            call.sendall(b"400\r\n" + b"z" * 1024 + b"\r\n")
            threading.Event().wait(HEAD_S / 50)


def test_a_head_without_end_is_refused(call: socket.socket) -> None:
    call.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for i in range(2 * LONGEST_HEAD // 1000):
            call.sendall(f"x-{i}: ".encode() + b"y" * 1000 + b"\r\n")
    assert b"200" not in heard(call)


def test_the_next_request_of_a_connection_has_its_own_time(call: socket.socket) -> None:
    whole = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
    call.sendall(whole)
    assert call.recv(1000).endswith(b"0")
    threading.Event().wait(2 * HEAD_S)
    call.sendall(whole)
    assert call.recv(1000).endswith(b"0")
    call.sendall(whole[:9])
    assert b"408" in heard(call)


def test_whoever_comes_when_all_places_are_taken_is_told_to_come_again(
    address: tuple[str, int],
) -> None:
    with contextlib.ExitStack() as opened:
        calls = [
            opened.enter_context(socket.create_connection(address, timeout=10)) for _ in range(5)
        ]
        said = heard(calls[-1])
        assert b"503" in said
        assert b"retry-after: 10" in said
    # Places are free again once the others have gone.
    with socket.create_connection(address, timeout=10) as again:
        again.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert b"200 OK" in heard(again)


def test_there_are_never_more_connections_than_files() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        found = most_connections(1_000_000_000)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert before[0] <= soft <= before[1]
        assert found < soft
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def drip(call: socket.socket, drop: bytes, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while time.monotonic() < ends_at:
            call.sendall(drop)
            threading.Event().wait(HEAD_S / 10)
