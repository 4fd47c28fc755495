"""A trace from files, whatever they are: openb's lists, or what Slurm's commands print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path

from analytics.repacking.instance import Node
from analytics.replay import openb, slurm
from analytics.replay.task import Trace, trace_of
from analytics.replay.text import lines
from gpuledger.errors import ConfigError


def load(path: Path, nodes: Sequence[Node], zone: tzinfo = UTC) -> Trace:
    """The tasks of a file on those nodes. ConfigError says what is wrong, and in which line."""
    if slurm.SEPARATOR not in _first(path):
        return trace_of(nodes, openb.tasks(path), until_s=openb.last_end_s(path))
    return trace_of(nodes, *slurm.tasks(path, nodes, zone))


def load_nodes(path: Path) -> tuple[Node, ...]:
    """The nodes of a file."""
    if slurm.NODE in _first(path):
        return slurm.nodes(path)
    return openb.nodes(path)


def _first(path: Path) -> str:
    first = next((line for line in lines(path) if line.strip()), "")
    if not first:
        raise ConfigError(f"{path} is empty")
    return first.lstrip()
