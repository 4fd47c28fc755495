"""A Slurm cluster's past: jobs as `sacct` told them, nodes as `scontrol show node` does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from analytics.backfill import sacct
from analytics.placing.shapes import Shape, Wish
from analytics.repacking.instance import MOST_GPUS, Node
from analytics.replay.task import Task
from analytics.replay.text import lines
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER
from gpuledger.slurm_words import MEBIBYTE, gpus, names, words

NODE, SEPARATOR = "NodeName", "|"
WORD = re.compile(r"(?:^|\s)([A-Za-z]+)=(\S*)")
# States in which Slurm starts nothing on a node.
CLOSED = {"DOWN", "DRAIN", "DRAINED", "DRAINING", "FAIL", "FAILING", "NOT_RESPONDING", "FUTURE"}


def tasks(
    path: Path, nodes: Sequence[Node], zone: tzinfo = UTC
) -> tuple[tuple[Task, ...], tuple[str, ...], float]:
    """Runs of GPU jobs, what was left out, in words, and the last second that the file tells of.

    ConfigError for what is no such file.
    """
    listing = sacct.Listing()
    sacct.take(lines(path), path.name, listing, zone)
    sacct.number_restarts(listing.runs)
    last = max(_moments(listing.runs), default=FOREVER)
    models = {node.model for node in nodes if node.gpus}
    known = Shapes(models)
    out: dict[str, Task] = {}
    unknown = 0
    for run in listing.runs:
        length_s = _length_s(run, last)
        if length_s is None:
            unknown += 1
            continue
        for task in _tasks(run, length_s, known):
            name = f"{task.name}/{run.restart}" if task.name in out else task.name
            out[name] = replace(task, name=name)
    if not out:
        raise ConfigError(f"{path}: no job in it had GPUs and has started")
    return tuple(out.values()), tuple(_notes(listing, unknown)), last.timestamp()


def _notes(listing: sacct.Listing, unknown: int) -> Iterator[str]:
    if listing.odd:
        yield f"{listing.odd} lines cannot be read ({listing.first_odd})"
    if unknown:
        yield f"{unknown} jobs never started: how long they would run is not known"
    if listing.without_gpus:
        yield f"{listing.without_gpus} jobs without GPUs are left out"


def _moments(runs: Iterable[sacct.Run]) -> Iterator[datetime]:
    for run in runs:
        yield from (at for at in (run.submitted, run.started, run.ended) if at != FOREVER)


def _length_s(run: sacct.Run, last: datetime) -> float | None:
    """How long it ran; one that still runs, at least until the last moment that the file tells."""
    if run.started == FOREVER:
        return None
    ended = last if run.ended == FOREVER else run.ended
    return max((ended - run.started).total_seconds(), 0.0)


class Shapes:
    """Requests as shapes, each once, for nodes of these models."""

    def __init__(self, models: Iterable[str]) -> None:
        self._models = frozenset(models)
        self._known: dict[Shape, Shape] = {}

    def of(self, run: sacct.Run, gpus: int, nodes: int) -> Shape:
        """One with so many GPUs on each of so many nodes.

        A model that no node has is another spelling of one that they have: it binds nothing.
        """
        asked = run.model.lower()
        models = frozenset(m for m in self._models if asked in m.lower())
        shape = Shape(
            gpus=gpus,
            nodes=nodes,
            cpu_milli=run.cpu_milli,
            memory_mib=(run.memory_bytes or 0) // MEBIBYTE,
            wish=Wish(
                models=frozenset() if models == self._models else models,
                pools=frozenset(names(run.pool)),
            ),
        )
        return self._known.setdefault(shape, shape)


def _tasks(run: sacct.Run, length_s: float, shapes: Shapes) -> Iterator[Task]:
    """One, or a gang of two where the GPUs are not the same number on each node."""
    each, more = divmod(run.gpus, run.nodes)
    parts = [(n, g) for n, g in ((more, each + 1), (run.nodes - more, each)) if n]
    for number, (hosts, each_gpus) in enumerate(parts):
        yield Task(
            name=f"{run.native}+" if number else run.native,
            shape=shapes.of(run, each_gpus, hosts),
            arrives_s=min(run.eligible, run.started).timestamp(),
            runs_s=length_s,
            priority=run.priority,
            team=run.team,
            gang=run.gang or (run.native if len(parts) > 1 else ""),
        )


def nodes(path: Path) -> tuple[Node, ...]:
    """The nodes of `scontrol show node`. ConfigError says which line is wrong."""
    out: dict[str, Node] = {}
    for number, told in _blocks(path):
        try:
            node = _node(told)
        except ValueError as e:
            raise ConfigError(f"{path} line {number}: {e}") from None
        if node.name in out:
            raise ConfigError(f"{path} line {number}: {node.name} is there twice")
        out[node.name] = node
    if not out:
        raise ConfigError(f"{path} names no node; run: scontrol show node > nodes.txt")
    return tuple(out.values())


def _blocks(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and words of each node; the first word of a name counts."""
    first, told = 0, dict[str, str]()
    for number, line in enumerate(lines(path), 1):
        found = WORD.findall(line)
        if found and found[0][0] == NODE:
            if told:
                yield first, told
            first, told = number, {}
        if first:
            for name, value in found:
                told.setdefault(name, value)
    if told:
        yield first, told


def _node(told: dict[str, str]) -> Node:
    found = gpus(told.get("Gres", ""))
    count = sum(g.count for g in found)
    if count > MOST_GPUS:
        raise ValueError(f"{count} GPUs, more than {MOST_GPUS}")
    return Node(
        name=told[NODE],
        model=found[0].model if found else "",
        cpu_milli=1000 * _count(told, "CPUTot"),
        memory_mib=_count(told, "RealMemory"),
        gpus=count,
        pools=tuple(names(told.get("Partitions", ""))),
        labels=tuple(names(told.get("ActiveFeatures", ""))),
        closed=not CLOSED.isdisjoint(words(told.get("State", ""))),
    )


def _count(told: dict[str, str], name: str) -> int:
    value = told.get(name, "0")
    if not value.isdigit():
        raise ValueError(f"{name} is '{value}', no number")
    return int(value)
