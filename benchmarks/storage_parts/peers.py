"""The same samples in Prometheus and VictoriaMetrics: one series for each field of each GPU."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.storage_parts.fleet import GPUS, Node, Shape, measured
from benchmarks.storage_parts.ours import step_s
from gpuledger.schema import Field
from tests.components.process import program
from tests.components.prometheus import Prometheus
from tests.components.victoriametrics import VictoriaMetrics

# promtool needs some gigabytes for every ten million samples: one block for so many nodes.
NODES_AT_ONCE = 2
PLACE = "node, slot"
Series = tuple[str, dict[str, str], Any, Any]


def series_of(node: Node, fields: list[Field]) -> Iterator[Series]:
    """Name, labels, times (ms) and values in base units of every series of a node."""
    times = node.columns["ts"].reshape(GPUS, -1)
    for field in fields:
        values = node.columns[field.stored].reshape(GPUS, -1)
        scaled = values * field.factor.numerator / field.factor.denominator
        for slot in range(GPUS):
            labels = {"node": node.name, "slot": str(slot)}
            yield field.visible, labels, times[slot], np.round(scaled[slot], 4)


def holders_of(node: Node) -> Iterator[Series]:
    """What a peer needs for a question about users: 1 while one holds a GPU, then a 0."""
    times = node.columns["ts"].reshape(GPUS, -1)
    for user in sorted({h.user for h in node.held}):
        seconds = -(-times // 1000)
        own = [(h.since_s < seconds) & (seconds <= h.until_s) for h in node.held if h.user == user]
        held = np.any(own, axis=0)
        after = np.zeros_like(held)
        after[:, 1:] = held[:, :-1] & ~held[:, 1:]
        for slot in range(GPUS):
            told = held[slot] | after[slot]
            labels = {"node": node.name, "slot": str(slot), "user": user}
            yield "held", labels, times[slot][told], held[slot][told].astype("int64")


def questions(shape: Shape) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Each question as queries of Prometheus' API; an empty list: it cannot be asked."""
    span, every = f"{shape.seconds}s", f"{shape.every_s}s"
    now = {"time": shape.until_s + 1}
    busy = "(sm_active_ratio >= bool 0.01)"
    used = f"(held == 1) * on ({PLACE}) group_left () {busy}"
    step = step_s(shape)
    panel = {"start": shape.since_s + step, "end": shape.until_s, "step": step}
    hours = {"start": shape.since_s + 3600, "end": shape.until_s, "step": 3600}
    one = '{node="node-000", slot="3"}'
    energy = f"energy_joules[{span}]"
    report = (
        f"avg by (node) (avg_over_time(utilization_ratio[{span}]))",
        f"avg by (node) (avg_over_time(sm_active_ratio[{span}]))",
        f"max by (node) (max_over_time(memory_used_bytes[{span}]))",
        f"avg by (node) (avg_over_time((sm_active_ratio < bool 0.01)[{span}:{every}]))",
        f"sum by (node) (max_over_time({energy}) - min_over_time({energy}))",
    )
    hour = f"{min(shape.seconds, 3600)}s"
    if shape.seconds < 3600:
        hours = {"start": shape.until_s, "end": shape.until_s, "step": 3600}
    return {
        "fleet mean by hour": [
            ("query_range", {"query": f"avg(avg_over_time(utilization_ratio[{hour}]))", **hours})
        ],
        "top 20 idle GPUs": [
            ("query", {"query": f"bottomk(20, avg_over_time(sm_active_ratio[{span}]))", **now})
        ],
        "GPU-hours by user, joined": [
            (
                "query",
                {"query": f"sum by (user) (sum_over_time(({used})[{span}:{every}]))", **now},
            )
        ],
        "p95 power by node": [
            (
                "query",
                {"query": f"avg by (node) (quantile_over_time(0.95, power_watts[{span}]))", **now},
            )
        ],
        "weekly report's aggregate": [("query", {"query": q, **now}) for q in report],
        "panel: one GPU, two series": [
            ("query_range", {"query": f"avg_over_time({name}{one}[{step}s])", **panel})
            for name in ("power_watts", "utilization_ratio")
        ],
        "panel: the fleet's utilization": [
            ("query_range", {"query": "avg(utilization_ratio)", **panel})
        ],
    }


class InVictoriaMetrics:
    """Series as JSON lines, then one merge of everything."""

    name = "VictoriaMetrics"

    def __init__(self, server: VictoriaMetrics, shape: Shape) -> None:
        self._server = server
        self._fields = measured(shape)
        self._questions = questions(shape)
        self._bytes = 0

    def load(self, nodes: Iterable[Node]) -> None:
        """Samples, measured; then who held what."""
        for node in nodes:
            self._server.load(_lines(series_of(node, self._fields)))
        self._server.settle()
        self._bytes = self._server.stored_bytes()

    def load_holders(self, nodes: Iterable[Node]) -> None:
        """Who held which GPU, so that it can be asked."""
        for node in nodes:
            self._server.load(_lines(holders_of(node)))
        self._server.settle()

    def bytes(self) -> int:
        """As they were before the holders came."""
        return self._bytes

    def ask(self, question: str) -> list[Any]:
        """The series of all its queries."""
        return [r for path, q in self._questions[question] for r in self._server.ask(path, **q)]


def _lines(series: Iterable[Series]) -> bytes:
    out = []
    for name, labels, times, values in series:
        metric = {"__name__": name, **labels}
        line = {"metric": metric, "values": values.tolist(), "timestamps": times.tolist()}
        out.append(json.dumps(line, separators=(",", ":")))
    return "\n".join(out).encode()


class OverBlocks(Prometheus):
    """A Prometheus that scrapes nothing and answers what is old and large."""

    def ask(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The result of a query or query_range."""
        body = urllib.parse.urlencode(parameters).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", data=body, timeout=600) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def _command(self) -> list[str]:
        return [
            *super()._command(),
            "--storage.tsdb.retention.time=100y",
            "--query.max-samples=1000000000",
            "--query.timeout=10m",
        ]


class InPrometheus:
    """Blocks by promtool, and a Prometheus over them."""

    name = "Prometheus"

    def __init__(self, home: Path, shape: Shape) -> None:
        self._data = home / "data"
        self._home = home
        self._fields = measured(shape)
        self._questions = questions(shape)
        self._bytes = 0
        self._server = OverBlocks(home, [])

    def load(self, nodes: Iterable[Node]) -> None:
        """Samples, measured."""
        left = iter(nodes)
        while some := list(islice(left, NODES_AT_ONCE)):
            self._blocks(some, lambda n: series_of(n, self._fields))
        self._bytes = sum(p.stat().st_size for p in self._data.rglob("*") if p.is_file())

    def load_holders(self, nodes: Iterable[Node]) -> None:
        """Who held which GPU, so that it can be asked."""
        self._blocks(nodes, holders_of)
        self._server.start()

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    def bytes(self) -> int:
        """As they were before the holders came."""
        return self._bytes

    def ask(self, question: str) -> list[Any]:
        """The series of all its queries."""
        return [r for path, q in self._questions[question] for r in self._server.ask(path, **q)]

    def _blocks(self, nodes: Iterable[Node], series: Callable[[Node], Iterator[Series]]) -> None:
        text = self._home / "openmetrics.txt"
        found: dict[str, list[Series]] = {}
        for node in nodes:
            for one in series(node):
                found.setdefault(one[0], []).append(one)
        with text.open("w") as f:
            for name, family in found.items():
                f.write(f"# TYPE {name} gauge\n")
                for _, labels, times, values in family:
                    told = ",".join(f'{k}="{v}"' for k, v in labels.items())
                    pairs = zip(values.tolist(), (times / 1000).tolist(), strict=True)
                    f.writelines(f"{name}{{{told}}} {v!r} {t:.3f}\n" for v, t in pairs)
            f.write("# EOF\n")
        if found:
            command = (program("promtool"), "tsdb", "create-blocks-from", "openmetrics")
            subprocess.run([*command, text, self._data], check=True, capture_output=True)
        text.unlink()


@contextmanager
def victoriametrics(home: Path, shape: Shape) -> Iterator[InVictoriaMetrics]:
    """A server of its own."""
    with VictoriaMetrics(home) as server:
        yield InVictoriaMetrics(server, shape)


@contextmanager
def prometheus(home: Path, shape: Shape) -> Iterator[InPrometheus]:
    """Blocks in a directory, and in the end a server over them."""
    home.mkdir(parents=True, exist_ok=True)
    peer = InPrometheus(home, shape)
    try:
        yield peer
    finally:
        peer.stop()
