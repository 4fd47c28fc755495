"""Slurm's partitions, reservations and switches: from JSON of any version, or scontrol's text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collector.slurm_devices import Devices
from collector.slurm_json import instant, moment, number
from gpuledger import hostlist
from gpuledger.catalogue.work import Pool, Reservation
from gpuledger.rows import fitting
from gpuledger.schema import FOREVER
from gpuledger.slurm_words import duration_s, gpus, names, shards, text, words

MINUTE_S = 60
NO_LIMIT = 0xFFFFFFFE
# GANG alone shares time and takes nothing away.
TAKES = {"REQUEUE", "CANCEL", "SUSPEND", "CHECKPOINT"}
STATES = {"UP": "up", "DOWN": "down", "DRAIN": "drained", "INACTIVE": "inactive"}


@dataclass(frozen=True)
class Site:
    """What is known of the cluster beside a job's or node's own words.

    `shards` are those that each GPU of a node is cut into; `racks` has the switch of a node;
    `preemptible` the partitions whose jobs may lose their GPUs.
    """

    devices: Devices = field(default_factory=Devices)
    shards: Mapping[str, int] = field(default_factory=dict)
    racks: Mapping[str, str] = field(default_factory=dict)
    preemptible: frozenset[str] = frozenset()

    @property
    def most_shards(self) -> int | None:
        """Shards of a GPU, for a request that names no node yet."""
        return max(self.shards.values(), default=None)


def pool_row(told: Mapping[str, Any], cluster: str, at: datetime, version: int) -> Pool:
    """One partition. ValueError if it has no name."""
    name = text(told.get("PartitionName")) or text(told.get("name"))
    if not name:
        raise ValueError("a partition without a name")
    state = words(_first(told, "State", "state", ("partition", "state")))
    priority = _first(told, "PriorityTier", "priority_tier", ("priority", "tier"))
    row = Pool(
        cluster=cluster,
        pool=name,
        scheduler="slurm",
        state=next((STATES[w] for w in state if w in STATES), "inactive"),
        nodes=_nodes(_first(told, "Nodes", ("nodes", "configured"), "nodes")),
        priority=_whole(priority) or 0,
        longest_seconds=_longest_s(told),
        preemptible=int(_preemptible(told)),
        seen_at=at,
        version=version,
    )
    return fitting(row)


def reservation_row(
    told: Mapping[str, Any], cluster: str, at: datetime, version: int
) -> Reservation:
    """One reservation. ValueError if it has no name or no start."""
    name = text(told.get("ReservationName")) or text(told.get("name"))
    since = moment(told.get("StartTime")) or instant(told.get("start_time"))
    if not name or since is None:
        raise ValueError(f"reservation {name!r} has no start")
    until = moment(told.get("EndTime")) or instant(told.get("end_time"))
    return Reservation(
        cluster=cluster,
        reservation=name,
        scheduler="slurm",
        nodes=_nodes(_first(told, "Nodes", "node_list")),
        users=_listed(told, "Users", "users"),
        teams=_listed(told, "Accounts", "accounts"),
        pool=text(_first(told, "PartitionName", "partition")),
        flags=_listed(told, "Flags", "flags"),
        valid_from=since,
        valid_to=until or FOREVER,
        seen_at=at,
        version=version,
    )


def racks(told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The switch or block right above each node. ValueError for what is no list of nodes."""
    out: dict[str, str] = {}
    for one in told:
        name = text(one.get("BlockName")) or text(one.get("SwitchName"))
        if name and text(one.get("Level")) in {"", "0"}:
            out.update(dict.fromkeys(hostlist.expand(text(one.get("Nodes"))), name))
    return out


def shards_by_node(told: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Shards of each GPU, of the nodes that cut theirs into shards and can be understood."""
    out = {}
    for node in told:
        try:
            cut = sum(g.count for g in shards(node.get("gres")))
            cards = sum(g.count for g in gpus(node.get("gres")))
        except ValueError:
            continue
        if cut and cards:
            out[text(node.get("name"))] = max(1, cut // cards)
    return out


def _preemptible(told: Mapping[str, Any]) -> bool:
    mode = _first(told, "PreemptMode", "preemption_mode", "preempt_mode", ("preempt", "mode"))
    return bool(TAKES & set(words(mode)))


def _longest_s(told: Mapping[str, Any]) -> float | None:
    if "MaxTime" in told:
        return duration_s(told["MaxTime"])
    minutes = number(_first(told, "max_time_limit", ("maximums", "time")))
    return minutes * MINUTE_S if minutes is not None and 0 <= minutes < NO_LIMIT else None


def _first(told: Mapping[str, Any], *keys: str | tuple[str, str]) -> Any:
    """The value under the first of the keys that there is; a pair is a key below a key."""
    for key in keys:
        upper, lower = key if isinstance(key, tuple) else (key, None)
        value = told.get(upper)
        if lower is not None:
            value = value.get(lower) if isinstance(value, Mapping) else None
        elif isinstance(value, Mapping) and "number" not in value:
            continue
        if value is not None:
            return value
    return None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and value.isdigit() else number(value)


def _nodes(value: Any) -> str:
    return ",".join(hostlist.expand(text(value)))


def _listed(told: Mapping[str, Any], *keys: str) -> str:
    return ",".join(names(_first(told, *keys)))
