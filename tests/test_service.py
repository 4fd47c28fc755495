"""How commands find the running service of an embedded store, and what they do without one."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gpuledger.errors import ConfigError, StoreError
from gpuledger.service import RemoteStore, ServiceFile, open_reader
from gpuledger.store import Store, StoreSettings
from tests.components.process import free_port

TOKEN = "token-of-the-tests"
NOBODY = 2**22 + 1  # above the largest process id that Linux gives


@pytest.fixture
def announced(tmp_path: Path) -> ServiceFile:
    file = ServiceFile(tmp_path)
    file.write("http://127.0.0.1:1", TOKEN)
    return file


def test_the_file_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ServiceFile(tmp_path).write("http://127.0.0.1:1", TOKEN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "service.json").stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_replaced_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "service.json"
    path.write_text("{}")
    path.chmod(0o666)
    ServiceFile(tmp_path).write("http://127.0.0.1:1", TOKEN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_living_service_is_found(announced: ServiceFile) -> None:
    found = announced.read()
    assert found == {"url": "http://127.0.0.1:1", "token": TOKEN, "pid": os.getpid()}


def test_a_dead_service_is_not(announced: ServiceFile) -> None:
    said = json.loads(announced.path.read_text())
    announced.path.write_text(json.dumps({**said, "pid": NOBODY}))
    assert announced.read() is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", "{}", '{"pid": "x"}', '{"pid": null}', "\xff"]
)
def test_a_damaged_file_is_no_service(announced: ServiceFile, text: str) -> None:
    announced.path.write_text(text, encoding="latin-1")
    assert announced.read() is None


def test_a_service_that_ended_is_withdrawn(announced: ServiceFile) -> None:
    announced.remove()
    announced.remove()
    assert announced.read() is None


# --- asking -----------------------------------------------------------------------------------

Asked = list[dict[str, Any]]


@contextmanager
def service(answer: object, status: int = 200) -> Iterator[tuple[str, Asked]]:
    """A service that says the same to every question, and what it was asked."""
    asked: Asked = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append({"path": self.path, "auth": self.headers["Authorization"], "body": body})
            said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


ANSWER = {
    "columns": [
        {"name": "ts", "type": "DateTime64(3, 'UTC')"},
        {"name": "seen", "type": "Nullable(DateTime64(3, 'UTC'))"},
        {"name": "n", "type": "UInt8"},
    ],
    "rows": [["2026-03-04T12:00:00.500Z", None, 1], ["2026-03-04T12:00:01Z", None, 2]],
}


def test_times_come_back_as_instants_in_utc() -> None:
    with service(ANSWER) as (url, _):
        first, second = RemoteStore(url, TOKEN).select("SELECT …")
    assert first == {
        "ts": datetime(2026, 3, 4, 12, 0, 0, 500_000, tzinfo=UTC),
        "seen": None,
        "n": 1,
    }
    assert second["ts"].utcoffset() == timedelta(0)


def test_tuples_come_back_as_such_though_json_has_none() -> None:
    columns = [{"name": "gpus", "type": "Array(Tuple(UInt64, Int64, String))"}]
    with service({"columns": columns, "rows": [[[[7, 1000, ""]]], [[]]]}) as (url, _):
        asked = RemoteStore(url, TOKEN).select("SELECT …")
    assert asked == [{"gpus": [(7, 1000, "")]}, {"gpus": []}]


def test_a_value_is_the_first_of_the_first_row() -> None:
    with service({**ANSWER, "rows": []}) as (url, _):
        assert RemoteStore(url, TOKEN).value("SELECT …") is None
    with service(ANSWER) as (url, _):
        assert RemoteStore(url, TOKEN).value("SELECT …").microsecond == 500_000


def test_a_question_carries_token_and_parameters() -> None:
    noon = datetime(2026, 3, 4, 14, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    with service(ANSWER) as (url, asked):
        RemoteStore(url, TOKEN).select("SELECT {a:UInt8}", a=1, b=noon, c="it's")
    [question] = asked
    assert question["path"] == "/v1/sql"
    assert question["auth"] == f"Bearer {TOKEN}"
    assert json.loads(question["body"]) == {
        "sql": "SELECT {a:UInt8}",
        "parameters": {"a": 1, "b": "2026-03-04 12:00:00.123", "c": "it's"},
    }


def test_a_refused_token_is_told_in_one_line_without_it() -> None:
    refusal = {"error": "unauthorized", "message": "wrong\ntoken"}
    with service(refusal, 401) as (url, _), pytest.raises(StoreError) as caught:
        RemoteStore(url, TOKEN).select("SELECT 1")
    text = str(caught.value)
    assert text.startswith(f"the service at {url} refused: ")
    assert TOKEN not in text
    assert "\n" not in text


@pytest.mark.parametrize("answer", [b"<html>hello</html>", b"\xff", b"[]", b'{"rows": []}'])
def test_something_else_on_the_port_is_told(answer: bytes) -> None:
    with service(answer) as (url, _), pytest.raises(StoreError, match="no gpuledger service"):
        RemoteStore(url, TOKEN).select("SELECT 1")
    with service(answer, 500) as (url, _), pytest.raises(StoreError, match="refused"):
        RemoteStore(url, TOKEN).select("SELECT 1")


def test_nobody_there_is_told() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StoreError, match=f"the service at {url} does not answer"):
        RemoteStore(url, TOKEN).select("SELECT 1")


# --- opening ----------------------------------------------------------------------------------


def opened(url: str) -> object:
    return open_reader(url, {}, StoreSettings())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where an embedded engine has lived."""
    (tmp_path / "metadata").mkdir()
    return tmp_path


def test_a_running_service_is_asked_instead_of_opening_its_directory(
    announced: ServiceFile, directory: Path
) -> None:
    assert isinstance(opened(f"chdb://{directory}"), RemoteStore)


def test_without_a_service_the_directory_is_opened(directory: Path) -> None:
    assert isinstance(opened(f"chdb://{directory}"), Store)


def test_a_directory_that_is_not_there_is_refused_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no gpuledger store in"):
        opened(f"chdb://{tmp_path}/absent")
    assert not (tmp_path / "absent").exists()


def test_a_server_is_opened_without_connecting() -> None:
    assert isinstance(opened(f"http://127.0.0.1:{free_port()}"), Store)
