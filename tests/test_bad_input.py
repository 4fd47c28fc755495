"""What people and networks get wrong: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gpuledger.store import OLDEST_SERVER
from tests.analytics.command import (
    HOLD,
    REPOSITORY,
    Running,
    complaint,
    filled,
    output,
    refusal,
    run,
)
from tests.components.clickhouse import ClickHouse
from tests.components.process import free_port

NO_STORE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a booked world, which nobody opens: it is there to be copied."""
    directory = tmp_path_factory.mktemp("booked") / "store"
    filled(directory)
    return directory


@pytest.fixture
def booked(template: Path, tmp_path: Path) -> str:
    """The address of a store with a booked world in it, at `store` of the test's directory."""
    return f"chdb://{shutil.copytree(template, tmp_path / 'store', symlinks=True)}"


def configured(directory: Path, text: str) -> Path:
    path = directory / "gpuledger.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[runner]\nperiod = 5", "unknown key 'period' in [runner]; did you mean 'period_s'?"),
        ("[idle]\nafter_mins = 5", "unknown key 'after_mins' in [idle]; did you mean 'after_min'?"),
        ("[store]\nquery_timeout = 5", "unknown key 'query_timeout' in [store]; did you mean"),
        ("[runer]\nperiod_s = 5", "unknown section [runer]; did you mean 'runner'?"),
        ("[runner]\nperiod_s = 'often'", "[runner] period_s: Expected `float`"),
        ("runner = 5", "[runner] must be a section, not a value"),
        ("[runner", "is not TOML"),
    ],
)
def test_a_wrong_configuration_stops_the_service_before_it_starts(
    booked: str, tmp_path: Path, text: str, told: str
) -> None:
    path = configured(tmp_path, text)
    listen = f"127.0.0.1:{free_port()}"
    said = complaint(2, "serve", "--store", booked, "--listen", listen, "--config", path)
    assert told in said
    assert str(path) in said


def test_a_wrong_setting_in_the_environment_is_refused_like_one_in_the_file() -> None:
    said = refusal(2, "ledger", "--store", NO_STORE, GPULEDGER_RUNER_PERIOD_S="5")
    assert "unknown section [runer]; did you mean 'runner'?" in said


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    said = refusal(2, "ledger", "--store", NO_STORE, "--config", path)
    assert said == f"cannot read configuration {path}: No such file or directory"


def test_a_database_that_cannot_be_reached_is_named() -> None:
    said = complaint(3, "ledger", "--store", NO_STORE)
    assert said.startswith("http://default@127.0.0.1:1/gpuledger cannot be reached")


def test_a_wrong_password_says_where_it_is_looked_for(clickhouse: ClickHouse) -> None:
    store = f"http://{clickhouse.user}@127.0.0.1:{clickhouse.http_port}"
    said = complaint(3, "ledger", "--store", store, GPULEDGER_STORE_PASSWORD="wrong")
    assert "wrong user or password (see GPULEDGER_STORE_PASSWORD_FILE)" in said
    assert clickhouse.password not in said


def test_a_database_without_our_tables_says_how_to_make_them(clickhouse: ClickHouse) -> None:
    store = f"http://{clickhouse.user}@127.0.0.1:{clickhouse.http_port}/nothing_here"
    said = complaint(3, "ledger", "--store", store, GPULEDGER_STORE_PASSWORD=clickhouse.password)
    assert "run 'gpuledger schema apply' first" in said


def test_a_database_that_lags_is_a_finding(clickhouse: ClickHouse) -> None:
    store = f"http://{clickhouse.user}@127.0.0.1:{clickhouse.http_port}/default"
    said = complaint(
        1, "schema", "check", "--store", store, GPULEDGER_STORE_PASSWORD=clickhouse.password
    )
    assert "run 'gpuledger schema apply'" in said


def test_the_first_apply_makes_the_database(clickhouse: ClickHouse) -> None:
    store = f"http://{clickhouse.user}@127.0.0.1:{clickhouse.http_port}/made_by_apply"
    arguments = ("--store", store)
    secret = {"GPULEDGER_STORE_PASSWORD": clickhouse.password}
    plan = run("schema", "plan", *arguments, **secret).stdout
    assert plan.startswith("CREATE DATABASE IF NOT EXISTS `made_by_apply`;\n")
    applied = run("schema", "apply", *arguments, **secret)
    assert applied.stdout.startswith(plan)
    assert applied.stdout.endswith("schema is up to date\n")


class _Older(BaseHTTPRequestHandler):
    """Passes everything on to a real server, and says that it is an old one."""

    behind: ClickHouse

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(self.behind.host, self.behind.http_port)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if b"version()" in body:
            text = b"24.3.1.2672\t" + text.partition(b"\t")[2]
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815 - the server's name for it

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def older_server(clickhouse: ClickHouse) -> Iterator[str]:
    """The address of a server whose version is one that we never ran on."""
    _Older.behind = clickhouse
    with ThreadingHTTPServer(("127.0.0.1", 0), _Older) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{clickhouse.user}@127.0.0.1:{server.server_address[1]}/default"
        server.shutdown()
        thread.join()


def test_a_database_too_old_is_named_with_the_version_that_is_needed(
    older_server: str, clickhouse: ClickHouse
) -> None:
    password = clickhouse.password
    said = complaint(
        3, "schema", "check", "--store", older_server, GPULEDGER_STORE_PASSWORD=password
    )
    assert "ClickHouse 24.3.1.2672 is too old" in said
    assert ".".join(map(str, OLDEST_SERVER)) in said


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--store", "chdb:///proc/gpuledger", "--listen", "127.0.0.1:0"),
        ("up", "--dir", "/proc/gpuledger", "--listen", "127.0.0.1:0"),
        ("demo", "--exit", "--dir", "/proc/gpuledger"),
        ("dashboards", "build", "--out", "/proc/gpuledger"),
        ("alerts", "build", "--out", "/dev/null/gpuledger"),
        ("collect", "--ingest", "http://127.0.0.1:1", "--spool", "/proc/gpuledger/spool.db"),
    ],
    ids=" ".join,
)
def test_a_directory_that_cannot_be_written_is_named(words: tuple[str, ...]) -> None:
    # What listens first would leave its socket open here.
    said = (complaint if "--listen" in words else refusal)(2, *words)
    assert "cannot write" in said
    assert "/gpuledger" in said


def test_a_store_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    store = tmp_path / "none"
    said = refusal(2, "ledger", "--store", f"chdb://{store}")
    assert said == f"there is no gpuledger store in {store}"
    assert not store.exists()


@pytest.mark.parametrize("url", ["here", "chdb://relative", "ftp://a:1", "http://u:secret@a:1"])
def test_an_address_that_is_none_says_how_to_write_one(url: str) -> None:
    said = refusal(2, "ledger", f"--store={url}")
    assert said.startswith("store")
    assert "secret" not in said


def test_a_directory_that_another_process_holds_is_left_to_it(booked: str, tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "store"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        for words in (
            ("ledger", "--store", booked),
            ("schema", "apply", "--store", booked),
            ("serve", "--listen", "127.0.0.1:0", "--store", booked),
            ("up", "--listen", "127.0.0.1:0", "--dir", tmp_path),
        ):
            said = complaint(2, *words)
            assert said.startswith(f"{booked} is in use by process {holder.pid}: stop it")
        holder.stdin.close()
    assert holder.returncode == 0
    assert "6.0" in output("ledger", "--store", booked)


def test_an_announcement_of_a_service_that_died_is_not_believed(
    booked: str, tmp_path: Path
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    told = {"url": "http://127.0.0.1:1", "token": "x", "pid": dead.pid}
    (tmp_path / "store" / "service.json").write_text(json.dumps(told))
    assert "6.0" in output("ledger", "--store", booked)


@pytest.mark.parametrize("command", ["serve", "up", "demo"])
def test_a_port_in_use_is_named_before_anything_is_written(tmp_path: Path, command: str) -> None:
    where = {
        "serve": ("--store", f"chdb://{tmp_path / 'new'}"),
        "up": ("--dir", tmp_path / "new"),
        "demo": ("--dir", tmp_path / "new"),
    }[command]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refusal(2, command, *where, "--listen", listen)
    assert said == f"cannot listen on {listen}: Address already in use; choose another"
    assert not (tmp_path / "new").exists()


def test_a_malformed_batch_is_refused_and_nothing_of_it_stored(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    with Running(tmp_path, "serve", "--store", store, GPULEDGER_TOKEN="known") as service:
        for body in (b"", b"no block at all", b"\x03\x02\x01\x00" * 50, bytes(1000)):
            link = http.client.HTTPConnection(service.address)
            headers = {"Authorization": "Bearer known", "Idempotency-Key": "a/gpu_samples/1"}
            link.request("POST", "/v1/ingest/gpu_samples", body, headers)
            answer = link.getresponse()
            assert answer.status == 400
            assert json.load(answer)["detail"]
            link.close()
        link = http.client.HTTPConnection(service.address)
        question = json.dumps({"sql": "SELECT count() FROM gpu_samples"})
        headers = {"Authorization": "Bearer known", "Content-Type": "application/json"}
        link.request("POST", "/v1/sql", question, headers)
        assert json.load(link.getresponse())["rows"] == [[0]]
        link.close()
        assert service.end(signal.SIGTERM) == 0


@pytest.mark.skipif(
    Path("/proc/driver/nvidia/version").exists(), reason="this machine has an NVIDIA driver"
)
def test_a_machine_without_a_gpu_is_recorded_and_says_so_everywhere(tmp_path: Path) -> None:
    with Running(tmp_path, "up", "--dir", tmp_path / "data") as service:
        assert "no GPU owned: this machine has no NVIDIA driver" in service.log
        assert "no GPU is owned" in service.page()
        store = f"chdb://{tmp_path / 'data' / 'store'}"
        assert output("ledger", "--store", store).startswith("No GPU owned")
        report = output("report", "weekly", "--store", store, "--format", "md")
        assert "no gpu" in report.lower()
        assert service.end(signal.SIGTERM) == 0
        assert "Traceback" not in service.log


def test_a_directory_with_something_else_in_it_is_no_place_for_a_demo(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.tex"
    precious.write_text("the only copy")
    said = refusal(2, "demo", "--exit", "--dir", tmp_path)
    assert said == f"{tmp_path} is not empty and no earlier demo: choose another --dir"
    assert precious.read_text() == "the only copy"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_demo_that_ends_at_no_time_is_refused(tmp_path: Path) -> None:
    said = refusal(2, "demo", "--exit", "--end", "noon", "--dir", tmp_path / "new")
    assert said == "--end noon: write 2026-11-22T04:00Z"
    assert not (tmp_path / "new").exists()


def test_a_token_file_that_is_empty_opens_no_door(booked: str, tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    words = ("serve", "--store", booked, "--listen", "127.0.0.1:0")
    said = complaint(2, *words, GPULEDGER_TOKEN_FILE=str(tmp_path / "token"))
    assert "is empty" in said


def test_a_token_file_that_is_no_text_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    words = ("collect", "--ingest", "http://127.0.0.1:9", "--spool", tmp_path / "spool")
    said = refusal(2, *words, GPULEDGER_TOKEN_FILE=str(tmp_path / "token"))
    assert said == f"GPULEDGER_TOKEN_FILE {tmp_path / 'token'}: it is not UTF-8 text"


def test_no_bad_input_prints_a_traceback_on_standard_output() -> None:
    assert run("ledger", "--store", NO_STORE).stdout == ""
