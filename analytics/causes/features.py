"""Features of an episode: one mapping of numbers per episode, gathered inside ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.causes.pauses import COARSE, FINE, Grain, dips_sql, writes_sql
from analytics.causes.questions import PARTS, QUESTIONS, QUESTIONS_OF_PARTS
from gpuledger.store import Store

Features = Mapping[str, float | None]

# More episodes at once would make the list of jobs longer than a server takes in one address.
MOST_AT_ONCE = 1000
# Where no card tells how fast its links are: one NVLink (3 and 4), and PCIe 4.0 x16, one way.
NVLINK_BYTES_PER_S, NVLINKS, PCIE_BYTES_PER_S = 25e9, 12, 31.5e9
# What a machine tells speaks for one job where that job has most of the GPUs in use on it.
OWN_SHARE = 0.75
WAITS = 0.3
PIPES = ("dram", "tensor", "fp16", "fp32", "fp64")
OF_NODES = (
    *("cpu_busy", "iowait", "cpu_pressure", "io_pressure", "disk_busy", "storage_link_ratio"),
    *("netfs_latency", "netfs_metadata", "gang_ratio", "read_share"),
)


@dataclass(frozen=True)
class Episode:
    """A stretch of a job, milliseconds since 1970."""

    job: str
    since_ms: int
    until_ms: int


def gather(store: Store, episodes: Sequence[Episode], fine_ms: int) -> list[Features]:
    """The features of each episode, in their order; what nobody told is None.

    Dips and pauses are looked for in the last `fine_ms` of an episode.
    """
    found: list[Features] = []
    for first in range(0, len(episodes), MOST_AT_ONCE):
        found += _some(store, episodes[first : first + MOST_AT_ONCE], fine_ms)
    return found


def _some(store: Store, episodes: Sequence[Episode], fine_ms: int) -> list[Features]:
    told: list[dict[str, Any]] = [{} for _ in episodes]
    whole = _parameters(episodes)
    (parts,) = store.select(PARTS, **whole)
    of_parts = [sql for kind, sql in QUESTIONS_OF_PARTS.items() if parts[kind]]
    for sql in (*QUESTIONS, *of_parts):
        for row in store.select(sql, **whole):
            told[row.pop("n") - 1].update(row)
    ends = [Episode(e.job, max(e.since_ms, e.until_ms - fine_ms), e.until_ms) for e in episodes]
    _fine(store, dips_sql, ends, told, range(len(told)))
    disks = [i for i, row in enumerate(told) if "netfs_write" in row or "disk_write" in row]
    _fine(store, writes_sql, ends, told, disks)
    return [derived(row) for row in told]


def _fine(
    store: Store,
    question: Callable[[Grain], str],
    episodes: Sequence[Episode],
    told: list[dict[str, Any]],
    places: Sequence[int],
) -> None:
    """Ask of raw rows, and of the minutes for those of which too few raw rows are left."""
    for grain in (FINE, COARSE):
        if not places:
            return
        rows = store.select(question(grain), **_parameters([episodes[i] for i in places]))
        found = {places[row.pop("n") - 1]: row for row in rows}
        for i, row in found.items():
            told[i].update(row)
        places = [i for i in places if i not in found]


def _parameters(episodes: Sequence[Episode]) -> dict[str, Any]:
    return {
        "jobs": [e.job for e in episodes],
        "froms": [e.since_ms for e in episodes],
        "tills": [e.until_ms for e in episodes],
        "lo": min(e.since_ms for e in episodes),
        "hi": max(e.until_ms for e in episodes),
    }


def derived(row: Mapping[str, Any]) -> Features:
    """What was asked, and what follows from several answers; ratios 0-1, bytes per second."""
    out: dict[str, Any] = dict(row)

    def told(name: str) -> float | None:
        value = out.get(name)
        return None if value is None else float(value)

    out["use"] = told("utilization") if told("sm") is None else told("sm")
    out["memory_ratio"] = _ratio(told("memory_bytes"), told("memory_total"))
    out["power_ratio"] = _ratio(told("power"), told("power_limit"))
    active = told("active")
    out["waiting"] = None if active is None else max(0.0, 1 - active)
    utilization = told("utilization")
    out["gaps"] = None if utilization is None else 1 - utilization
    out["nvlink_ratio"] = _ratio(told("nvlink"), _nvlink_speed(told))
    pcie = _most(told("pcie_receive"), told("pcie_transmit"))
    out["pcie_ratio"] = _ratio(pcie, told("pcie_speed") or PCIE_BYTES_PER_S)
    out["read"] = _sum(told("netfs_read"), told("disk_read"))
    out["written"] = _sum(told("netfs_write"), told("disk_write"))
    out["read_share"] = _ratio(out["read"], _sum(out["read"], out["written"]))
    # Storage that comes over the fabric is no traffic between GPUs.
    moved = _sum(told("netfs_read"), told("netfs_write"))
    of_storage = min(1.0, _ratio(moved, told("fabric")) or 0.0)
    fabric = told("fabric_ratio")
    out["gang_ratio"] = None if fabric is None else fabric * (1 - of_storage)
    out["storage_link_ratio"] = _most(
        told("ethernet_ratio"), None if fabric is None else fabric * of_storage
    )
    out["intermittent"] = _most(out["waiting"], told("dip_ratio"))
    out["fp32_share"] = _ratio(told("fp32"), told("sm"))
    out["computing"] = _most(*(told(name) for name in PIPES))
    # A link that is full is full for everybody on the machine; who waits for it waits seconds.
    waits = (told("intermittent") or 0) >= WAITS
    out["node_link_ratio"] = told("storage_link_ratio") if waits else None
    if (told("own_share") or 1) < OWN_SHARE:
        out |= dict.fromkeys(OF_NODES)
    return out


def _nvlink_speed(told: Callable[[str], float | None]) -> float:
    return told("nvlink_speed") or (told("nvlinks") or NVLINKS) * NVLINK_BYTES_PER_S


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _sum(*values: float | None) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _most(*values: float | None) -> float | None:
    return max((v for v in values if v is not None), default=None)
