"""Many nodes that send to a relay, by one cheap process.

`python -m tests.fakes.senders ADDRESS NODES RATE SECONDS`

Every node is distinct, has 8 GPUs and sends one envelope per round: samples of its GPUs, of the
host, its interfaces and processes, and the agent's own account. The bodies are one encoded
envelope in which names, times and sequences are replaced, so that making them costs next to
nothing. Envelopes leave at an even pace, whatever the answers take; prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import lz4.frame
import uvloop

from gpuledger import __version__, envelope
from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample, HostSample, NetworkSample, ProcessSample, SourceRun
from gpuledger.native import encode
from gpuledger.schema import Row

GPUS, LINKS, SOURCES = 8, 4, 9
CONNECTIONS = 256
TOKEN = "of-the-benchmark"
NODE, SPOOL = "node-00000", "00000000-0000-4000-8000-000000000000"
FIRST_SEQUENCE = 1_000_000
TS = datetime(2031, 3, 4, 5, 6, 7, tzinfo=UTC)


def rows() -> Iterator[list[Row]]:
    """What one node tells of ten seconds, by table."""
    told: dict[str, Any] = {
        "ts": TS,
        "interval_seconds": 10.0,
        "cluster": "bench",
        "node": NODE,
    }
    yield [
        GpuSample.known(
            **told,
            slot=slot,
            uuid=f"GPU-{NODE}-{slot}",
            power_watts=431.277 + slot,
            utilization_ratio=0.97,
            sm_active_ratio=0.8123,
            memory_used_bytes=61 << 30,
            energy_joules=1.7e9 + slot,
        )
        for slot in range(GPUS)
    ]
    yield [HostSample.known(**told, cpus=128.0, load1=17.25, memory_total_bytes=2 << 40)]
    yield [
        NetworkSample.known(
            **told, device=f"mlx5_{n}/1", kind="infiniband", receive_bytes=7e13, transmit_bytes=6e13
        )
        for n in range(LINKS)
    ]
    yield [
        ProcessSample.known(
            **told,
            slot=slot,
            pid=4000 + slot,
            user="ada",
            executable="python3",
            started=datetime(2026, 1, 1, tzinfo=UTC),
            memory_used_bytes=60 << 30,
        )
        for slot in range(GPUS)
    ]
    yield [
        SourceRun.known(
            **told, source=f"source{n}", runs=10, failures=0, rows=8, duration_seconds=0.002
        )
        for n in range(SOURCES)
    ]


def rows_of_an_envelope() -> dict[str, int]:
    """Rows by table."""
    return {batch[0].table.name: len(batch) for batch in rows()}


class Template:
    """One envelope as bytes, in which what differs is replaced."""

    def __init__(self) -> None:
        self.parts = [(b[0].table.name, encode(Batch.of_rows(b))) for b in rows()]
        self._ts = round(TS.timestamp() * 1000).to_bytes(8, "little")

    def request(self, number: int, round_: int, at_ms: int) -> bytes:
        """The request of a node in a round; `at_ms` is the time of its samples."""
        node = f"node-{number:05}"
        spool = f"{number:08}{SPOOL[8:]}"
        first = FIRST_SEQUENCE + round_ * len(self.parts)
        parts = [
            envelope.Part(table, f"{spool}/{table}/{first + n}", __version__, body)
            for n, (table, body) in enumerate(self.parts)
        ]
        plain = envelope.seal(parts).replace(NODE.encode(), node.encode())
        body = lz4.frame.compress(plain.replace(self._ts, at_ms.to_bytes(8, "little")))
        head = (
            f"POST {envelope.PATH} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Encoding: lz4\r\nContent-Type: {envelope.CONTENT_TYPE}\r\n"
            f"X-Gpuledger-Schema: {__version__}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass
class Told:
    """What came of it; `late_s` is by how much the last envelope left after its time."""

    sent: int = 0
    refused: int = 0
    again: int = 0
    late_s: float = 0.0
    bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)


class Senders:
    """Envelopes at an even pace over connections that are kept."""

    def __init__(self, host: str, port: int, nodes: int, rate: float, seconds: float) -> None:
        self._address = host, port
        self._nodes = nodes
        self._rate = rate
        self._count = int(rate * seconds)
        self._next = iter(range(self._count))
        self._template = Template()
        self._began = 0.0
        self.told = Told()

    async def run(self) -> None:
        """Send everything."""
        self._base_ms = int(time.time() * 1000) // 60_000 * 60_000 - 120_000
        self._began = time.monotonic()
        await asyncio.gather(*(self._sender() for _ in range(CONNECTIONS)))

    async def _sender(self) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        for n in self._next:
            round_, node = divmod(n, self._nodes)
            request = self._template.request(node, round_, self._base_ms + 10_000 * round_)
            due = self._began + n / self._rate
            if (wait_s := due - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            await self._exchange(reader, writer, request, due)
        writer.close()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: bytes,
        due: float,
    ) -> None:
        """Send until it is taken; the latency counts from when it should have left."""
        self.told.late_s = max(self.told.late_s, time.monotonic() - due)
        while True:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            answer = await reader.readexactly(size)
            if b" 503 " not in head.split(b"\r\n", 1)[0]:
                break
            self.told.again += 1
            await asyncio.sleep(1.0)
        self.told.latencies_s.append(time.monotonic() - due)
        self.told.sent += 1
        self.told.bytes += len(request)
        taken = answer.count(b'"status":200')
        self.told.refused += taken != len(self._template.parts)


def main() -> None:
    address, nodes, rate, seconds = sys.argv[1:]
    host, _, port = address.rpartition(":")
    senders = Senders(host, int(port), int(nodes), float(rate), float(seconds))
    began = time.monotonic()
    uvloop.run(senders.run())
    took_s = time.monotonic() - began
    ordered = sorted(senders.told.latencies_s)
    print(
        json.dumps(
            {
                "sent": senders.told.sent,
                "refused": senders.told.refused,
                "again": senders.told.again,
                "late_s": senders.told.late_s,
                "bytes": senders.told.bytes,
                "took_s": took_s,
                "cpu_s": time.process_time(),
                "p50_s": ordered[len(ordered) // 2],
                "p99_s": ordered[int(len(ordered) * 0.99)],
            }
        )
    )


if __name__ == "__main__":
    main()
