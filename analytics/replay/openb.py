"""The openb trace: lists of nodes and tasks as CSV (alibaba/clusterdata, cluster-trace-gpu-v2023).

The same two lists serve for any cluster: only the columns NODE_COLUMNS and TASK_COLUMNS are needed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from analytics.placing.shapes import WHOLE, Shape, Wish
from analytics.repacking.instance import MOST_GPUS, Node
from analytics.replay.task import Task
from analytics.replay.text import lines
from gpuledger.errors import ConfigError

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
TASK_COLUMNS = (
    *("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"),
    *("creation_time", "deletion_time"),
)
Made = TypeVar("Made", Node, Task)
Told = Mapping[str, str]


def nodes(path: Path) -> tuple[Node, ...]:
    """The nodes of a list. ConfigError says which line is wrong."""
    return _rows(path, NODE_COLUMNS, _node)


def tasks(path: Path) -> tuple[Task, ...]:
    """The tasks of a list; times are seconds since the trace began."""
    shapes: dict[Shape, Shape] = {}
    return _rows(path, TASK_COLUMNS, lambda told: _task(told, shapes))


def last_end_s(path: Path) -> float:
    """When the last task of such a list ended."""
    return max(_count(told, "deletion_time") for told in csv.DictReader(lines(path)))


def _rows(path: Path, columns: tuple[str, ...], make: Callable[[Told], Made]) -> tuple[Made, ...]:
    rows = csv.DictReader(lines(path))
    lacking = [c for c in columns if c not in (rows.fieldnames or ())]
    if lacking:
        raise ConfigError(f"{path} lacks the columns {', '.join(lacking)}")
    out: dict[str, Made] = {}
    try:
        for told in rows:
            made = make({key: value or "" for key, value in told.items() if key})
            if made.name in out:
                raise ConfigError(f"{path} line {rows.line_num}: {made.name} is there twice")
            out[made.name] = made
    except (ValueError, csv.Error) as e:
        raise ConfigError(f"{path} line {rows.line_num}: {e}") from None
    if not out:
        raise ConfigError(f"{path} has no lines below its header")
    return tuple(out.values())


def _node(told: Told) -> Node:
    gpus = _count(told, "gpu")
    if gpus > MOST_GPUS:
        raise ValueError(f"gpu is {gpus}, more than {MOST_GPUS}")
    return Node(
        name=_name(told, "sn"),
        model=told["model"] if gpus else "",
        cpu_milli=_count(told, "cpu_milli"),
        memory_mib=_count(told, "memory_mib"),
        gpus=gpus,
    )


def _task(told: Told, shapes: dict[Shape, Shape]) -> Task:
    gpus, share = _count(told, "num_gpu"), _count(told, "gpu_milli")
    if gpus and not 0 < share <= WHOLE:
        raise ValueError(f"gpu_milli is {share}, not from 1 to {WHOLE}")
    if gpus > 1 and share != WHOLE:
        raise ValueError(f"{gpus} GPUs of {share} thousandths; only one is shared")
    shape = Shape(
        gpus=gpus,
        cpu_milli=_count(told, "cpu_milli"),
        memory_mib=_count(told, "memory_mib"),
        share_milli=share if gpus else WHOLE,
        wish=Wish(models=frozenset(filter(None, told.get("gpu_spec", "").split("|")))),
    )
    arrives, ends = _count(told, "creation_time"), _count(told, "deletion_time")
    started = _count(told, "scheduled_time") if told.get("scheduled_time") else arrives
    if ends < started:
        raise ValueError(f"deletion_time {ends} lies before {started}")
    return Task(_name(told, "name"), shapes.setdefault(shape, shape), arrives, ends - started)


def _name(told: Told, column: str) -> str:
    if not told[column]:
        raise ValueError(f"{column} is empty")
    return told[column]


def _count(told: Told, column: str) -> int:
    """A whole number of 0 or more; openb writes some with a decimal point."""
    try:
        value = float(told[column])
    except ValueError:
        raise ValueError(f"{column} is '{told[column]}', no number") from None
    if not 0 <= value < 1 << 40:
        raise ValueError(f"{column} is {told[column]}, out of range")
    return int(value)
