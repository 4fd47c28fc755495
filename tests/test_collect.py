"""`gpuledger collect` as a process: signals, configurations that change, and an end in time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import lz4.frame
import pytest

from gpuledger import envelope
from gpuledger.catalogue import TABLES
from gpuledger.spool import Spool
from gpuledger.store import decode
from tests.components.process import free_port, http_ok, wait_until

PROMISE_S = 5.0
LATE_S = 20.0
FAST = '[agent]\nprofile = "fine"\nflush_s = 0.2\nsources = ["host"]\n[host]\nperiod_s = {period}\n'
# The second reading of the host hangs as one in a driver would.
HANGING = """
import sys, threading
from collector.sources import host
read, told = host.Host.read, []
def hang(self):
    if told:
        threading.Event().wait()
    told.append(1)
    return read(self)
host.Host.read = hang
"""


class Service:
    """Takes every batch as the real one would, and remembers rows by table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.keys: set[str] = set()
        self._lock = threading.Lock()

    def take(self, table: str, key: str, body: bytes) -> None:
        batch, _ = decode(TABLES[table], body)
        with self._lock:
            if key not in self.keys:
                self.keys.add(key)
                columns = batch.columns
                self.rows.setdefault(table, []).extend(
                    {n: v[i] for n, v in columns.items()} for i in range(len(batch))
                )

    def has(self, table: str, count: int = 1) -> Callable[[], bool]:
        return lambda: len(self.rows.get(table, ())) >= count


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    taken = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = envelope.unseal(
                lz4.frame.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            )
            for part in parts:
                taken.take(part.table, part.key, part.body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"parts": [{"status": 200}] * len(parts)}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield taken, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Collecting:
    """A running agent; `said` is what it logged so far."""

    def __init__(self, home: Path, url: str, config: str, before: str = "") -> None:
        self.home = home
        self.spool = home / "spool.db"
        self.configure(config)
        program = f"{before}\nfrom gpuledger.cli import main\nmain()"
        options = ["collect", "--ingest", url, "--node", "n1"]
        files = ["--spool", str(self.spool), "--config", str(home / "config.toml")]
        with (home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, *options, *files],
                stdout=log,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("GPULEDGER_")},
            )

    def __enter__(self) -> Self:
        self.wait_said("ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return (self.home / "log").read_text()

    def wait_said(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.said.count(words) >= times, LATE_S, f"{words!r} in {self.said!r}")

    def configure(self, config: str) -> None:
        (self.home / "config.toml").write_text(config)

    def reload(self, config: str) -> None:
        self.configure(config)
        self.process.send_signal(signal.SIGHUP)

    def end(self) -> float:
        """Seconds that it took to end; it must end well."""
        began = time.monotonic()
        self.process.terminate()
        assert self.process.wait(LATE_S) == 0, self.said
        return time.monotonic() - began


def uncovered_ms(rows: list[dict[str, Any]]) -> int:
    """Time between the first and the last row that no row covers, or two do."""
    ordered = sorted(rows, key=lambda r: r["ts"])
    passed = int(ordered[-1]["ts"]) - int(ordered[0]["ts"])
    return abs(passed - sum(int(r["interval_ms"]) for r in ordered[1:]))


def test_a_reload_takes_new_sources_and_loses_no_moment_of_the_others(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    taken, url = service
    with Collecting(tmp_path, url, FAST.format(period=0.2)) as agent:
        wait_until(taken.has("host_samples", 3), LATE_S, "rows")
        more = FAST.format(period=0.2).replace('["host"]', '["host", "tcp"]')
        agent.reload(more)
        agent.wait_said("the configuration was read again")
        wait_until(taken.has("tcp_samples", 2), LATE_S, "rows of the new source")
        agent.reload(FAST.format(period=0.1))
        agent.wait_said("the configuration was read again", 2)
        known = len(taken.rows["host_samples"])
        wait_until(taken.has("host_samples", known + 5), LATE_S, "rows")
        assert agent.end() < PROMISE_S
    assert uncovered_ms(taken.rows["host_samples"]) <= 5
    stamps = [r["ts"] for r in taken.rows["host_samples"]]
    assert len(set(stamps)) == len(stamps)


def test_open_windows_outlive_a_reload(tmp_path: Path, service: tuple[Service, str]) -> None:
    taken, url = service
    standard = FAST.replace("fine", "standard").format(period=0.1)
    with Collecting(tmp_path, url, standard) as agent:
        time.sleep(0.5)
        agent.reload(standard.replace('["host"]', '["host", "tcp"]'))
        agent.wait_said("the configuration was read again")
        time.sleep(0.5)
        agent.end()
    covered_ms = sum(r["interval_ms"] for r in taken.rows["host_samples"])
    assert covered_ms >= 700
    assert len(taken.rows["host_samples"]) <= 2


def test_a_wrong_configuration_is_one_line_and_the_old_one_goes_on(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    taken, url = service
    with Collecting(tmp_path, url, FAST.format(period=0.1)) as agent:
        wait_until(taken.has("host_samples"), LATE_S, "rows")
        agent.reload("[host]\nperiod = 5\n")
        agent.wait_said("unknown key 'period'")
        known = len(taken.rows["host_samples"])
        wait_until(taken.has("host_samples", known + 5), LATE_S, "more rows")
        agent.end()
    (line,) = [text for text in agent.said.splitlines() if "stays as it was" in text]
    assert "did you mean 'period_s'" in line
    assert uncovered_ms(taken.rows["host_samples"]) <= 5


ODD = """
import collector.run
change = collector.run.Wiring.parts
def parts(self, configuration):
    if configuration.sections.get("host", {}).get("period_s") == 7:
        raise ImportError("No module named 'opentelemetry'")
    return change(self, configuration)
collector.run.Wiring.parts = parts
"""


def test_whatever_keeps_a_configuration_from_being_made_is_one_line(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    taken, url = service
    with Collecting(tmp_path, url, FAST.format(period=0.1), ODD) as agent:
        wait_until(taken.has("host_samples"), LATE_S, "rows")
        agent.reload(FAST.format(period=7))
        agent.wait_said("stays as it was: ImportError: No module named 'opentelemetry'")
        agent.reload(FAST.format(period=0))
        agent.wait_said("[host] period_s: 0.0 is not within")
        known = len(taken.rows["host_samples"])
        wait_until(taken.has("host_samples", known + 5), LATE_S, "more rows")
        agent.end()
    assert "Traceback" not in agent.said


def test_a_port_in_use_leaves_the_old_endpoint_where_it_was(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    _, url = service
    port = free_port()
    base = FAST.format(period=0.1)
    endpoint = '[prometheus]\naddress = "127.0.0.1"\nport = {port}\n'
    with (
        socket.socket() as other,
        Collecting(tmp_path, url, base + endpoint.format(port=port)) as agent,
    ):
        other.bind(("127.0.0.1", 0))
        other.listen()
        agent.reload(base + endpoint.format(port=other.getsockname()[1]))
        agent.wait_said("cannot listen on")
        assert http_ok(f"http://127.0.0.1:{port}/metrics")
        moved = free_port()
        agent.reload(base + endpoint.format(port=moved))
        agent.wait_said("the configuration was read again")
        assert http_ok(f"http://127.0.0.1:{moved}/metrics")
        assert not http_ok(f"http://127.0.0.1:{port}/metrics")
        agent.end()


def test_it_ends_in_time_though_a_source_hangs_and_the_service_swallows_everything(
    tmp_path: Path,
) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        slow = FAST.replace("fine", "standard").format(period=0.1)
        with Collecting(tmp_path, url, slow, HANGING) as agent:
            wait_until(lambda: _sends(hole), LATE_S, "a delivery")
            assert agent.end() < PROMISE_S
    spool = Spool(agent.spool).open()
    kept = {e.table: e.rows for s in spool.heads() if (e := spool.entry(s))}
    spool.close()
    assert kept["host_samples"] == 1
    assert "Traceback" not in agent.said


def _sends(hole: socket.socket) -> bool:
    hole.settimeout(0.1)
    try:
        hole.accept()[0].detach()
    except TimeoutError:
        return False
    return True


def test_an_edge_agent_does_without_tls_and_still_delivers(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    taken, url = service
    tell = "import atexit, sys\natexit.register(lambda: print('ssl', sys.modules.get('ssl')))\n"
    edge = '[agent]\nprofile = "edge"\nflush_s = 0.2\n[host]\nperiod_s = 0.2\n'
    with Collecting(tmp_path, url, edge, tell) as agent:
        wait_until(taken.has("host_samples", 3), LATE_S, "rows")
        agent.reload(edge + "[prometheus]\nport = 1\n")
        agent.wait_said("start it anew")
        agent.end()
    assert "ssl None" in agent.said
    assert {r["interval_ms"] for r in taken.rows["host_samples"]} <= {0, *range(150, 600)}
