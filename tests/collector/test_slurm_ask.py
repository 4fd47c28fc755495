"""Asking Slurm by command and over HTTP, and what it says when it is out of its mind."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.slurm_ask import Commands, Rest, fields, http_getter
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.errors import ConfigError, ReadError, Unavailable
from tests.collector.slurm import Cluster
from tests.collector.slurm_versions import REST, VERSIONS, Told
from tests.collector.support import context

SINCE = datetime(2026, 11, 22, 4, tzinfo=UTC)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_newest_version_that_slurmrestd_offers_is_asked(version: str) -> None:
    asked: list[str] = []

    def get(path: str) -> tuple[int, bytes]:
        asked.append(path)
        return Told(version).rest(path)

    rest = Rest(get)
    assert [j["job_id"] for j in rest.jobs()] == [7, 8]
    assert len(rest.nodes()) == len(rest.partitions()) == len(rest.reservations()) == 1
    assert rest.ended(SINCE)[0]["job_id"] == 7
    assert asked.count("/openapi/v3") == 1
    assert asked[1] == f"/slurm/v{REST[version]}/jobs"
    assert asked[-1] == f"/slurmdb/v{REST[version]}/jobs?start_time=uts{int(SINCE.timestamp())}"


def test_after_an_upgrade_of_slurmrestd_its_version_is_found_anew() -> None:
    now = {"version": "23.02"}
    rest = Rest(lambda path: Told(now["version"]).rest(path))
    rest.jobs()
    now["version"] = "25.05"
    with pytest.raises(ReadError, match="404"):
        rest.jobs()
    assert len(rest.jobs()) == 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"", "answers 500"),
        (200, b"<html>Bad gateway</html>", "describes no"),
        (200, b"\xff\xfe", "describes no"),
    ],
)
def test_a_slurmrestd_that_answers_nonsense(status: int, body: bytes, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        Rest(lambda _: (status, body)).jobs()


class Handler(BaseHTTPRequestHandler):
    """A slurmrestd of 24.05 that wants a token."""

    def do_GET(self) -> None:
        allowed = self.headers["X-SLURM-USER-TOKEN"] == "secret"
        status, body = Told("24.05").rest(self.path) if allowed else (401, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def test_the_token_is_read_anew_for_each_question(server: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("expired\n")
    rest = Rest(http_getter(server, "ledger", str(token), 5.0))
    with pytest.raises(ReadError, match="401"):
        rest.jobs()
    token.write_text("secret\n")
    assert len(rest.jobs()) == 2


def test_a_token_that_cannot_be_read_is_a_failed_reading(server: str, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="token"):
        Rest(http_getter(server, "", str(tmp_path / "none"), 5.0)).jobs()


def test_nobody_listens(tmp_path: Path) -> None:
    for address in (f"unix://{tmp_path}/none", "http://127.0.0.1:1"):
        with pytest.raises(ReadError, match="slurmrestd at"):
            Rest(http_getter(address, "", "", 1.0)).jobs()


def test_a_slurmrestd_that_hangs_is_a_failed_reading(tmp_path: Path) -> None:
    path = f"{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        with pytest.raises(ReadError, match="timed out"):
            Rest(http_getter(f"unix://{path}", "", "", 0.1)).jobs()


@pytest.mark.parametrize("address", ["slurm.example:6820", "ftp://x", "unix://", "http://"])
def test_an_address_of_another_kind_is_a_wrong_setting(address: str) -> None:
    with pytest.raises(ConfigError, match="is no http"):
        SlurmSource(SlurmSettings(rest=address), context())


def test_accounting_is_asked_in_utc() -> None:
    cluster = Cluster()
    assert Commands(cluster.ask).ended(SINCE) == []
    assert cluster.calls[-1][-1] == "--starttime=2026-11-22T04:00:00"


@pytest.mark.parametrize("name", [b"tr\xffin", b"\xed\xa0\x80"])
def test_a_name_that_is_no_utf_8_spoils_itself_only(name: bytes) -> None:
    said = b'{"jobs": [{"job_id": 1, "name": "%s"}, {"job_id": 2, "name": "b"}]}' % name
    told = Commands(lambda _: said)
    for found in (told.jobs(), told.ended(SINCE)):
        assert [j["job_id"] for j in found] == [1, 2]
        assert "\ufffd" in found[0]["name"]


def test_a_slurm_without_accounting_is_told_apart_from_one_that_does_not_answer() -> None:
    cluster = Cluster()
    cluster.ended = None
    with pytest.raises(Unavailable, match="disabled"):
        Commands(cluster.ask).ended(SINCE)
    cluster.sacct_fails = True
    with pytest.raises(ReadError, match="Unable to connect"):
        Commands(cluster.ask).ended(SINCE)


def test_fields_of_a_line() -> None:
    line = "SwitchName=s1 Level=0 Nodes=n[1-2,4] Reason=fan is broken [root@now] X/Y=1"
    assert fields(line) == {
        "SwitchName": "s1",
        "Level": "0",
        "Nodes": "n[1-2,4]",
        "Reason": "fan is broken [root@now]",
        "X/Y": "1",
    }


SANE = """echo '{"jobs": []}'"""
SCRIPTS = [
    "exit 1",
    "echo '<html><body>502</body></html>'",
    'printf \'{"jobs": [{"job_id": 1, "job_st\'',
    "printf '\\377\\376\\000'",
    "printf '[[[[[[[[[[['",
    "echo null",
    "echo '{\"jobs\": 7}'",
    "kill -9 $$",
    "sleep 30",
    "yes | head -c 3000000",
]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", ["squeue", "scontrol"])
def test_a_command_out_of_its_mind_is_a_failed_reading(
    tmp_path: Path, name: str, script: str
) -> None:
    for one in ("squeue", "scontrol"):
        program = tmp_path / one
        program.write_text(f"#!/bin/sh\n{script if one == name else SANE}\n")
        program.chmod(0o755)
    settings = SlurmSettings(commands=str(tmp_path), timeout_s=0.3 if "sleep" in script else 20)
    with pytest.raises(ReadError):
        SlurmSource(settings, context()).read()


@given(st.binary(max_size=60), st.sampled_from(["squeue", "scontrol"]))
def test_no_bytes_make_it_fail_otherwise_than_as_a_reading(said: bytes, name: str) -> None:
    sane = Cluster()
    source = SlurmSource(
        SlurmSettings(), context(), lambda c: said if c[0] == name else sane.ask(c)
    )
    with contextlib.suppress(ReadError):
        list(source.read())
