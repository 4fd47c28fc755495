"""What the node agent costs beside a job: processor, memory and tick.

Three agents run as processes of their own, on the real nvidia-ml-py above the fake driver (so
driver time is not in it) and this machine's own network and disks: one with 8 GPUs and all
sources at 1 Hz, ingest and Prometheus sinks; one with the edge profile; and one that reads at 1 Hz
what Prometheus's node_exporter reads, beside that exporter, both scraped each second. `--profile`
runs one of the first two alone. `--quick` measures three times for 10 s, each with a flush, instead
of once for 60 s, and takes the least: what neighbours cost is not the agent's.

Memory is PSS over all processes of an agent, with Python itself counted whole: a node may run no
other program that shares it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import lz4.frame

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from collector.account import Family
from gpuledger import envelope
from tests.components.process import free_port, http_ok, wait_until
from tests.fakes import nvml

CPU_PROMISE_PERCENT, PSS_PROMISE_MB, TICK_PROMISE_MS = 1.0, 60.0, 50.0
EDGE_PROMISE_MB = 30.0
WARM_UP_S = 12.0  # imports, first window, first delivery
EDGE_WARM_UP_S = 6.0
MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")
# Files that this benchmark holds too, because it is Python: an agent's share of them is all.
PYTHON = re.compile(f"{re.escape(sys.base_prefix)}/|{re.escape(sys.prefix)}/|libpython|/python3")
# What node_exporter and the agent can both tell; the agent's sources, the exporter's collectors.
SHARED_SOURCES = ("host", "network", "tcp", "storage", "nvme", "nfs")
SHARED_COLLECTORS = (
    *(
        "cpu",
        "diskstats",
        "filesystem",
        "infiniband",
        "loadavg",
        "meminfo",
        "mountstats",
        "netclass",
    ),
    *("netdev", "netstat", "nfs", "nvme", "pressure", "stat", "vmstat"),
)

# A node has the extra `collector` only; this environment has more, which would be loaded too
# (backports.zstd by urllib3).
AGENT = """
import sys
for name in ("numpy", "pandas", "pyarrow", "polars", "chdb", "typing_extensions", "backports"):
    sys.modules[name] = None
import json, os, signal, threading
import gpuledger.cli.collect
from pathlib import Path
from collector.lean import leave_out_tls
from collector.run import Wiring
from collector.runner import Runner
from collector.source import Context
from gpuledger.config import Config
from gpuledger.spool import Spool

ticks = []
read_once = Runner.read_once
def timed(self):
    rows = read_once(self)
    if self.name in ("nvml", "host"):
        ticks.append((self.name, rows[-1].duration_seconds))
    return rows
Runner.read_once = timed
spool, url, config = Path(sys.argv[1]), sys.argv[2], Config(json.loads(sys.argv[3]))
wiring = Wiring(Context("bench", "n1"), Spool(spool), ingest_url=url, token="t")
if wiring.is_plain(config):
    leave_out_tls()
agent = wiring.agent(config)
agent.start()
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
print("ready", flush=True)
stopped.wait()
agent.stop()
print(json.dumps(ticks))
"""

EVERYTHING = """
import collector.child, collector.sinks.ingest, collector.sinks.prometheus, lz4.frame, pynvml
from collector.lean import leave_out_tls
from collector.run import Wiring, discover, SOURCES, SourceKind
discover(SOURCES, SourceKind)
"""


class Taker(BaseHTTPRequestHandler):
    """Takes every batch, as the service would."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 200 to whatever comes, and to each part of an envelope."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer: dict[str, Any] = {}
        if self.path == envelope.PATH:
            parts = envelope.unseal(lz4.frame.decompress(body))
            answer = {"parts": [{"status": 200} for _ in parts]}
        told = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class Bench:
    """A folder, a service that takes rows, and what processes are started with."""

    def __init__(self, folder: Path, url: str, *, quick: bool) -> None:
        self.folder = folder
        self.url = url
        self.seconds, self.windows = (10.0, 3) if quick else (60.0, 1)
        self.compiled = {
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            "PYTHONDONTWRITEBYTECODE": "",
            # As the shipped unit starts it: without docstrings.
            "PYTHONOPTIMIZE": "2",
        }

    def compile(self) -> None:
        """Write bytecode, which an installed agent has: without, compiling would be measured."""
        environment = {**os.environ, **self.compiled}
        subprocess.run([sys.executable, "-c", EVERYTHING], env=environment, cwd=ROOT, check=True)

    @contextmanager
    def agent(self, name: str, config: dict[str, Any], gpus: int = 0) -> Iterator[Agent]:
        """An agent that is ready, with so many fake GPUs."""
        environment = {**os.environ, **self.compiled}
        if gpus:
            environment |= nvml.environment(nvml.build(self.folder), self._scenario(name, gpus))
        spool = str(self.folder / f"{name}.db")
        command = [sys.executable, "-c", AGENT, spool, self.url, json.dumps(config)]
        with subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Agent(process)
            process.terminate()
            process.stdout.read()

    def _scenario(self, name: str, gpus: int) -> Path:
        world, path = nvml.healthy(gpus), self.folder / f"{name}.scenario"
        for gpu in world.gpus:
            gpu.processes = [nvml.Process(os.getpid())]
        world.write(path)
        return path


class Agent:
    """A running agent, with its children."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        return Family(pid=self._process.pid).pids()

    def ticks_ms(self, source: str, last: int, windows: int) -> list[list[float]]:
        """End it; durations of the source's last readings in ms by window, shortest first."""
        assert self._process.stdout
        self._process.terminate()
        ticks = [s * 1e3 for name, s in json.loads(self._process.stdout.read()) if name == source]
        ends = range(len(ticks), len(ticks) - last * windows, -last)
        return [sorted(ticks[end - last : end]) for end in ends]


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time of the processes, threads that ended included, in seconds."""
    # The clock of a process by its id, see clock_getcpuclockid(3).
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def memory_mb(pids: Sequence[int]) -> float:
    """Proportional set size in MB (10^6 bytes), as if nobody else ran this Python."""
    proportional, python = 0, dict[str, int]()
    for pid in pids:
        place, resident = "", 0
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "Rss":
                resident = int(rest.split()[0])
            elif name == "Pss":
                proportional += int(rest.split()[0])
                share = int(rest.split()[0])
            elif name == "Anonymous" and PYTHON.search(place):
                own = int(rest.split()[0])
                proportional -= share - own
                python[place] = max(python.get(place, 0), resident - own)
            elif MAPPING.match(line):
                place = line.split(maxsplit=2)[2]
    return (proportional + sum(python.values())) * 1024 / 1e6


def percent(pids: Sequence[int], seconds: float) -> float:
    """Processor use over that time, in percent of a core."""
    began, before_s = time.monotonic(), cpu_s(pids)
    time.sleep(seconds)
    return 100 * (cpu_s(pids) - before_s) / (time.monotonic() - began)


def high(ordered: Sequence[float]) -> float:
    """The 99th of a hundred."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def standard(bench: Bench) -> list[tuple[str, float, float, str]]:
    """8 GPUs, all sources: found and promised."""
    config = {"prometheus": {"port": free_port(), "address": "127.0.0.1"}}
    with bench.agent("standard", config, gpus=8) as agent:
        time.sleep(WARM_UP_S)
        used = min(percent(agent.pids, bench.seconds) for _ in range(bench.windows))
        held, processes = memory_mb(agent.pids), len(agent.pids)
        main = memory_mb(agent.pids[:1])
        ticks = agent.ticks_ms("nvml", int(bench.seconds), bench.windows)
    p99, p50 = min((high(window), window[len(window) // 2]) for window in ticks)
    print(f"8 GPUs at 1 Hz, all sources; GPUs read in p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    print(f"{processes} processes, the main one alone {main:.1f} MB")
    return [
        ("processor", used, CPU_PROMISE_PERCENT, "% of a core"),
        ("memory", held, PSS_PROMISE_MB, "MB"),
        ("tick p99", p99, TICK_PROMISE_MS, "ms"),
    ]


def edge(bench: Bench) -> list[tuple[str, float, float, str]]:
    """One GPU with the edge profile, read often enough that all it loads is loaded."""
    often = {"period_s": 1.0}
    config = {"agent": {"profile": "edge", "flush_s": 2.0}, "nvml": often, "host": often}
    with bench.agent("edge", config, gpus=1) as agent:
        time.sleep(EDGE_WARM_UP_S)
        return [("edge", memory_mb(agent.pids), EDGE_PROMISE_MB, "MB")]


def beside_node_exporter(bench: Bench) -> None:
    """Cost of both for the same part of a machine, scraped at the same times."""
    program = shutil.which("prometheus-node-exporter")
    if not program:
        print("beside node_exporter: not installed here, see tests/components/install.sh")
        return
    port, other = free_port(), free_port()
    config = {
        "agent": {"profile": "fine", "sources": list(SHARED_SOURCES)},
        "prometheus": {"port": port, "address": "127.0.0.1"},
        **{name: {"period_s": 1.0} for name in SHARED_SOURCES},
    }
    urls = [f"http://127.0.0.1:{p}/metrics" for p in (port, other)]
    with ExitStack() as stack:
        agent = stack.enter_context(bench.agent("shared", config))
        exporter = stack.enter_context(_exporter(program, other))
        wait_until(lambda: all(map(http_ok, urls)), 10, "both endpoints")
        stack.enter_context(_scraping(urls))
        time.sleep(3)
        groups = {"agent": agent.pids, "node_exporter": [exporter.pid]}
        used, held = _side_by_side(groups, bench.seconds)
    print("beside node_exporter (host, network, storage at 1 Hz):")
    for what, found, unit in (("processor", used, "% of a core"), ("memory", held, "MB")):
        ours, theirs = found["agent"], found["node_exporter"]
        print(f"{what:10} {ours:8.2f} and {theirs:.2f} {unit}: ratio {ours / theirs:.2f}")


def _side_by_side(
    groups: dict[str, list[int]], seconds: float
) -> tuple[dict[str, float], dict[str, float]]:
    began, before = time.monotonic(), {n: cpu_s(pids) for n, pids in groups.items()}
    time.sleep(seconds)
    passed_s = time.monotonic() - began
    used = {n: 100 * (cpu_s(pids) - before[n]) / passed_s for n, pids in groups.items()}
    return used, {n: memory_mb(pids) for n, pids in groups.items()}


@contextmanager
def _exporter(program: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    collectors = [f"--collector.{name}" for name in SHARED_COLLECTORS]
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults"]
    with subprocess.Popen([*command, *collectors], stderr=subprocess.DEVNULL) as process:
        yield process
        process.terminate()


@contextmanager
def _scraping(urls: Sequence[str]) -> Iterator[None]:
    """Ask each address once a second."""
    ended = threading.Event()

    def scrape() -> None:
        while not ended.wait(1.0):
            for url in urls:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    answer.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    yield
    ended.set()
    thread.join()


def report(promises: Sequence[tuple[str, float, float, str]]) -> int:
    """Figures beside the promises; 1 if one is broken."""
    for name, found, promise, unit in promises:
        print(
            f"{name:10} {found:8.2f} of {promise:g} {unit}: ratio {found / promise:.2f}"
            f" {'kept' if found < promise else 'BROKEN'}"
        )
    return int(any(found >= promise for _, found, promise, _ in promises))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three times 10 s instead of 60 s")
    parser.add_argument("--profile", choices=["standard", "edge"], help="this one alone")
    given = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        url = f"http://127.0.0.1:{server.server_port}"
        bench = Bench(Path(directory), url, quick=given.quick)
        bench.compile()
        runs = {"standard": standard, "edge": edge}
        wanted = [run for name, run in runs.items() if given.profile in {None, name}]
        broken = [report(run(bench)) for run in wanted]
        if given.profile is None:
            beside_node_exporter(bench)
    server.shutdown()
    return max(broken)


if __name__ == "__main__":
    sys.exit(main())
