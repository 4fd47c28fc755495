"""What one relay carries: 10,000 nodes of 8 GPUs that send every 10 s, and a real ClickHouse.

The nodes are one process (`tests/fakes/senders.py`) that sends 1,000 envelopes a second for 30 s,
each with the rows of five tables; the relay is the command people run, on this machine's disk; the
database is the listener of the tests. At the end every accepted row is looked for there.

`--quick` sends 250 a second for 8 s, which any machine should do, and judges all but the relay's
processor time; `--rate` and `--seconds` say otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.collector import cpu_s, memory_mb, report
from gpuledger.store import Address, Store
from tests.components.clickhouse import ClickHouse
from tests.components.process import Child, free_port, http_ok, wait_until
from tests.fakes.senders import TOKEN, rows_of_an_envelope

NODES, PERIOD_S = 10_000, 10.0
NEED = NODES / PERIOD_S  # envelopes a second
# A sender's answer comes before its next envelope, with room for many.
ACK_PROMISE_S = 1.0
CORE_PROMISE = 1.0
PACE_PROMISE = 1.1  # the last answers come after the last envelope
DATABASE = "bench"


class Relay:
    """A relay process before that server."""

    def __init__(self, directory: Path, server: ClickHouse) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        store = f"http://{server.user}@{server.host}:{server.http_port}/{DATABASE}"
        command = [str(Path(sys.executable).with_name("gpuledger")), "relay", "--store", store]
        command += ["--listen", self.address, "--spool", str(directory / "relay.db")]
        secrets = {"GPULEDGER_TOKEN": TOKEN, "GPULEDGER_STORE_PASSWORD": server.password}
        environment = {**os.environ, **secrets, "PYTHONPATH": str(ROOT)}
        self.child = Child(command, directory / "relay.log", env=environment)

    def start(self) -> None:
        """Return when it answers."""
        self.child.start()
        self.child.wait_ready(lambda: http_ok(f"http://{self.address}/readyz"), 30)

    def metrics(self) -> dict[str, float]:
        """Its own figures; those by table summed up."""
        request = urllib.request.Request(
            f"http://{self.address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        out: dict[str, float] = {}
        with urllib.request.urlopen(request, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if not line.startswith("#"):
                    name, value = line.rsplit(" ", 1)
                    name = name.partition("{")[0].removeprefix("gpuledger_relay_")
                    out[name] = out.get(name, 0.0) + float(value)
        return out


def measure(directory: Path, rate: float, seconds: float) -> int:
    """Run it all; 1 where a promise is broken."""
    server = ClickHouse(directory / "clickhouse", memory_limit_bytes=8 << 30)
    with server:
        address = Address(
            host=server.host,
            port=server.http_port,
            user=server.user,
            password=server.password,
            database=DATABASE,
        )
        store = Store(address)
        store.apply()
        relay = Relay(directory, server)
        relay.start()
        assert server.child
        pids = relay.child.pid, server.child.pid
        before = [cpu_s([pid]) for pid in pids]
        told, took_s = _send(relay.address, rate, seconds)
        used = [(cpu_s([pid]) - b) / took_s for pid, b in zip(pids, before, strict=True)]
        wait_until(lambda: not relay.metrics().get("waiting_rows"), 60, "what waits")
        figures, held = relay.metrics(), memory_mb([relay.child.pid])
        relay.child.stop()
        exact = _stored(store, told["sent"])
        store.close()
    _tell(told, took_s, used, figures, held)
    cores = used[0] * took_s / told["sent"] * NEED
    promises = [
        ("pace", rate * took_s / told["sent"], PACE_PROMISE, "times the time"),
        ("ack p99", told["p99_s"], ACK_PROMISE_S, "s"),
    ]
    if rate < NEED:
        # Fewer envelopes share a commit and a block: what each costs at the need is not seen here.
        print(f"{cores:.2f} cores at the need, if each envelope cost there what it costs here")
    else:
        promises.append(("relay", cores, CORE_PROMISE, "cores at the need"))
    return max(report(promises), int(not exact or bool(told["refused"])))


def _send(address: str, rate: float, seconds: float) -> tuple[dict[str, Any], float]:
    command = [sys.executable, "-m", "tests.fakes.senders", address]
    command += [str(NODES), str(rate), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    told: dict[str, Any] = json.loads(done.stdout)
    return told, told["took_s"]


def _stored(store: Store, envelopes: int) -> bool:
    """Whether the database has every row once."""
    exact = True
    for table, rows in rows_of_an_envelope().items():
        found = store.value(f"SELECT count() FROM {table}")
        nodes = store.value(f"SELECT uniqExact(node, ts) FROM {table}")
        good = (found, nodes) == (rows * envelopes, envelopes)
        exact = exact and good
        print(f"{table:20} {found:9} rows of {rows * envelopes:9}: {'once' if good else 'WRONG'}")
    return exact


def _tell(
    told: dict[str, Any],
    took_s: float,
    used: list[float],
    figures: dict[str, float],
    held_mb: float,
) -> None:
    rows = sum(rows_of_an_envelope().values())
    rate = told["sent"] / took_s
    print(f"{rate:,.0f} envelopes/s of {told['bytes'] / told['sent']:,.0f} bytes, need {NEED:,.0f}")
    print(f"{rate * rows:,.0f} rows/s in {len(rows_of_an_envelope())} tables")
    print(f"acknowledged in p50 {1e3 * told['p50_s']:.0f} ms, p99 {1e3 * told['p99_s']:.0f} ms")
    print(f"relay {used[0]:.2f} cores, {held_mb:.0f} MB; {rate / used[0]:,.0f} envelopes/s a core")
    print(f"database {used[1]:.2f} cores; senders {told['cpu_s'] / took_s:.2f} cores")
    print(
        f"{figures['commits_total'] / took_s:.0f} commits/s,"
        f" {figures['inserted_blocks_total'] / took_s:.1f} blocks/s of"
        f" {figures['inserted_rows_total'] / figures['inserted_blocks_total']:,.0f} rows,"
        f" {told['again']} told to come again"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="250 a second for 8 s")
    parser.add_argument("--rate", type=float, help="envelopes a second")
    parser.add_argument("--seconds", type=float, help="how long to send")
    given = parser.parse_args()
    rate = given.rate or (250.0 if given.quick else NEED)
    seconds = given.seconds or (8.0 if given.quick else 30.0)
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        code = measure(Path(directory), rate, seconds)
    print(f"took {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
