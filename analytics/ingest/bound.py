"""What a sender's identity allows: rows of its own cluster, node and tables, and of no other.

A batch with one row of somebody else is refused whole, with 403: its rows stay in the sender's own
spool, where its operator sees them wait, and become right when the token does. Keeping them aside
here would take them from that spool for good, and let one node fill the quarantine in the name of
others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from analytics.access.caller import Caller
from analytics.ingest.structure import Array, Block, Column, labels, texts
from analytics.ingest.walk import FLAGS, HEAD, SMALL, length, numbers
from gpuledger.identity import gpu_id
from gpuledger.native import INDEX_VERSION
from gpuledger.schema import Samples, Table

# What is told once for a whole cluster: pools, quotas and states of nodes decide on others too.
OF_CLUSTERS = frozenset({"node_states", "pools", "quotas", "reservations"})
# A node's agent makes jobs of processes where there is no scheduler; whose they are it cannot know.
NO_TEAM = frozenset({"", "unmapped"})
MOST_SLOTS = 4_096
# A node sends rows of the same cards again and again: their keys are compared as bytes then.
MOST_GOOD = 64


class Foreign(Exception):
    """Rows that are not the sender's to tell; in words for its operator."""


def key_prefix(caller: Caller) -> str:
    """What the keys of a sender begin with: the same for every token that it ever has."""
    return f"@{caller.cluster}/{caller.node}" if caller.node else caller.name


class Bound:
    """What one caller may tell of; found out once, then asked for every batch."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._places = {"cluster": caller.cluster, "node": caller.node}
        self._told = {name: _only(value) for name, value in self._places.items() if value}
        self._ids = np.zeros(0, "<u8")
        self._good: set[tuple[bytes, bytes]] = set()

    def check_table(self, name: str) -> None:
        """Foreign where the sender may not tell of that table."""
        caller = self._caller
        if caller.tables and name not in caller.tables:
            raise Foreign(f"the token of {caller.name} may not send rows of {name}")
        if caller.node and name in OF_CLUSTERS:
            raise Foreign(f"{name} is told by a cluster's agent, and this is the token of one node")

    def check(self, table: Table, blocks: Iterable[Block]) -> None:
        """Foreign where a row is of another cluster, node or card, or tells whose a job is."""
        if not self._told:
            return
        where = _columns(table)
        for block in blocks:
            self._check_places(where, block)
            if self._caller.node:
                self._check_cards(table, where, block)
            if "job_id" in where and not isinstance(table.layout, Samples):
                self._check_jobs(table, where, block)

    def _check_places(self, where: dict[str, int], block: Block) -> None:
        for name, expected in self._told.items():
            if name not in where:
                continue
            column = block.columns.get(where[name])
            if column is None:
                raise Foreign(f"the batch does not tell its rows' {name}")
            # One text, and all rows have it: what nearly every batch looks like.
            if not block.body.startswith(expected, column[1]):
                self._check_texts(name, block, column, {self._places[name]})

    def _check_texts(self, name: str, block: Block, column: Column, good: Iterable[str]) -> None:
        """The slow way: which texts rows really have."""
        known, places = labels(block, column)
        strangers = {known[i] for i in np.unique(places).tolist()} - set(good)
        if strangers:
            first = min(strangers)[:100]
            raise Foreign(f"the token of {self._caller.name} may not send rows of {name} '{first}'")

    def _check_cards(self, table: Table, where: dict[str, int], block: Block) -> None:
        """The key of a card follows from its place, so nobody need believe it."""
        if "gpu_id" not in where:
            return
        raw = _raw(block, where["gpu_id"]), _raw(block, where.get("slot", -1))
        if raw in self._good:
            return
        ids = _numbers(block, where["gpu_id"], 8)
        if "slot" in where:
            slots = _numbers(block, where["slot"], 2)
            good = ids == self._own_ids(int(slots.max()) + 1)[slots]
        else:
            good = np.isin(ids, self._own_ids(256))
        if not (good | (ids == 0)).all():
            raise Foreign(f"a row of {table.name} has the key of a card of another place")
        if block.rows <= SMALL and len(self._good) < MOST_GOOD:
            self._good.add(raw)

    def _own_ids(self, count: int) -> Array:
        """Keys of the node's cards by slot."""
        if count > MOST_SLOTS:
            raise Foreign(f"no node has a slot {count - 1}")
        if count > len(self._ids):
            cluster, node = self._caller.cluster, self._caller.node
            self._ids = np.array([gpu_id(cluster, node, s) for s in range(max(count, 16))], "<u8")
        return self._ids

    def _check_jobs(self, table: Table, where: dict[str, int], block: Block) -> None:
        """Jobs are named after their cluster, and those that a node makes itself after the node."""
        caller, column = self._caller, block.columns.get(where["job_id"])
        tells_jobs = table.name == "jobs"
        own = f"{caller.cluster}/"
        if caller.node and tells_jobs:
            own += f"{caller.node}."
        found: Sequence[bytes] = texts(block, column) if column else [b""]
        if not all(job.startswith(own.encode()) for job in found):
            raise Foreign(f"a row of {table.name} is of a job that is not of {own}")
        team = block.columns.get(where["team"]) if tells_jobs else None
        if caller.node and team:
            self._check_texts("team", block, team, NO_TEAM)


def _only(value: str) -> bytes:
    """How a column of labels begins whose rows all have this one text."""
    encoded = value.encode()
    head = HEAD.pack(INDEX_VERSION, FLAGS, 1)
    return b"".join((head, length(len(encoded)), encoded))


@lru_cache
def _columns(table: Table) -> dict[str, int]:
    """Places of the columns that tell of somebody."""
    named = {"cluster", "node", "slot", "gpu_id", "job_id", "team"}
    return {f.stored: place for place, f in enumerate(table.fields) if f.stored in named}


def _raw(block: Block, place: int) -> bytes:
    """A column as it came."""
    column = block.columns.get(place)
    return block.body[column[1] : column[2]] if column else b""


def _numbers(block: Block, place: int, width: int) -> Array:
    """A column of numbers; zeros where it did not come."""
    column = block.columns.get(place)
    if column is None:
        return np.zeros(block.rows, f"<u{width}")
    return numbers(block.body, column[1], block.rows, width)
