"""What the node agent costs beside a job: processor, memory and tick, with 8 fake GPUs at 1 Hz.

Runs the agent as a process of its own, with the ingest and Prometheus sinks, on the real
nvidia-ml-py above the fake driver (so driver time is not in it), and this machine's own network
and disks. `--quick` measures for 10 s instead of 60.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.components.process import free_port
from tests.fakes import nvml

CPU_PROMISE_PERCENT, PSS_PROMISE_MB, TICK_PROMISE_MS = 1.0, 60.0, 50.0
WARM_UP_S = 12.0  # imports, first window, first delivery

# A node has the extra `collector` only; this environment has more, which would be loaded too.
AGENT = """
import sys
for name in ("numpy", "pandas", "pyarrow", "polars", "chdb"):
    sys.modules[name] = None
import os, signal, threading, json
from pathlib import Path
from collector.run import build
from collector.source import Context
from collector.runner import Runner
from gpuledger.config import Config

ticks = []
read_once = Runner.read_once
def timed(self):
    rows = read_once(self)
    if self.name == "nvml":
        ticks.append(rows[-1].duration_seconds)
    return rows
Runner.read_once = timed
config = Config({"prometheus": {"port": int(sys.argv[3]), "address": "127.0.0.1"}})
agent = build(config, Context("bench", "n1"), Path(sys.argv[1]), ingest_url=sys.argv[2], token="t")
agent.start()
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
print("ready", flush=True)
stopped.wait()
agent.stop()
print(json.dumps(ticks[-int(float(sys.argv[4])):]))
"""


class Taker(BaseHTTPRequestHandler):
    """Takes every batch, as the service would."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 200 to whatever comes."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 s instead of 60 s")
    seconds = 10.0 if parser.parse_args().quick else 60.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        figures = measure(Path(directory), f"http://127.0.0.1:{server.server_port}", seconds)
    server.shutdown()
    return report(figures)


def measure(directory: Path, url: str, seconds: float) -> dict[str, float]:
    """CPU in percent of a core, PSS in MB, and ticks in ms of the agent's process."""
    scenario = directory / "scenario"
    world = nvml.healthy(8)
    for gpu in world.gpus:
        gpu.processes = [nvml.Process(os.getpid())]
    world.write(scenario)
    environment = nvml.environment(nvml.build(directory), scenario)
    command = [
        sys.executable,
        "-c",
        AGENT,
        str(directory / "spool"),
        url,
        str(free_port()),
        str(seconds),
    ]
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout
        assert agent.stdout.readline() == "ready\n"
        time.sleep(WARM_UP_S)
        began, before_s = time.monotonic(), cpu_s(agent.pid)
        time.sleep(seconds)
        spent_s = cpu_s(agent.pid) - before_s
        percent = 100 * spent_s / (time.monotonic() - began)
        memory_mb = pss_mb(agent.pid)
        agent.terminate()
        ticks = sorted(json.loads(agent.stdout.read()))
    return {
        "cpu_percent": percent,
        "pss_mb": memory_mb,
        "p50_ms": ticks[len(ticks) // 2] * 1e3,
        "p99_ms": ticks[min(len(ticks) - 1, int(len(ticks) * 0.99))] * 1e3,
    }


def cpu_s(pid: int) -> float:
    """Processor time of all threads so far, in seconds; nanosecond resolution."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e9


def pss_mb(pid: int) -> float:
    """Proportional set size in MB (10^6 bytes)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def report(figures: dict[str, float]) -> int:
    """Figures beside the promises; 1 if one is broken."""
    promises = (
        ("processor", figures["cpu_percent"], CPU_PROMISE_PERCENT, "% of a core"),
        ("memory", figures["pss_mb"], PSS_PROMISE_MB, "MB PSS"),
        ("tick p99", figures["p99_ms"], TICK_PROMISE_MS, "ms"),
    )
    print(f"8 GPUs at 1 Hz, all sources; tick p50 {figures['p50_ms']:.2f} ms")
    for name, found, promise, unit in promises:
        print(
            f"{name:10} {found:8.2f} of {promise:g} {unit}: ratio {found / promise:.2f}"
            f" {'kept' if found < promise else 'BROKEN'}"
        )
    return int(any(found >= promise for _, found, promise, _ in promises))


if __name__ == "__main__":
    sys.exit(main())
