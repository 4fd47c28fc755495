"""The asset list: what is paid for, as its owner writes it; above what was discovered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from analytics import lists
from analytics.lists import Merge, Taken
from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import Asset, AssetState
from gpuledger.catalogue.work import version
from gpuledger.identity import asset_id, gpu_id
from gpuledger.rows import changed
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

# Trust of a list that people keep; what was discovered has 0.
IMPORTED = 1
STATES = ("service", "delivered", "repair", "powered_down", "retired")


class AssetLine(msgspec.Struct, kw_only=True):
    """A line of an asset list; a place is `node` and `slot`, or the `serial` of its card."""

    cluster: str = ""
    node: str = ""
    slot: int | None = None
    serial: str = ""
    model: str = ""
    pool: str = ""
    provider: str = ""
    valid_from: str = ""
    valid_to: str = ""
    state: str = ""
    state_from: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Listed:
    """What one line comes to."""

    asset: Asset
    state: AssetState | None


def import_assets(
    store: Store, path: Path, now: datetime, *, cluster: str = "", complete: bool = False
) -> Taken:
    """Take an asset list; with `complete`, what it does not name of its clusters is owned no more.

    ConfigError; BadLines where a line cannot be used. Nothing is written unless all of it can be.
    """
    now = now.replace(second=0, microsecond=0)
    found = list_of(store, path, now, cluster)
    stored = _stored(store)
    assets = [x.asset for x in found.values()]
    rows = [a for a in assets if not _known(a, stored.get(a.gpu_id))]
    if complete:
        rows += _left_out(assets, stored, now)
    states = _states(store, [x.state for x in found.values() if x.state], now)
    at = version(IMPORTED, to_milliseconds(now))
    for batch in (lists.stamped(rows, at), lists.stamped(states, at)):
        if batch:
            store.insert_rows(batch)
    return Taken(len(assets), len(rows) + len(states))


def list_of(store: Store, path: Path, now: datetime, cluster: str = "") -> dict[int, Listed]:
    """What the lines of a list say, by GPU. ConfigError, BadLines."""
    reader = _Reader(store, now, cluster)
    return {x.asset.gpu_id: x for x in lists.read(path, AssetLine, reader.listed)}


class _Reader:
    """Makes assets of lines, with what is known of their places."""

    def __init__(self, store: Store, now: datetime, cluster: str) -> None:
        self._now = now
        self._listed: set[int] = set()
        self._stored = _stored(store)
        self._clusters = sorted({a.cluster for a in self._stored.values()})
        self._cluster = cluster or (self._clusters[0] if len(self._clusters) == 1 else "")
        rows = store.select(
            "SELECT serial, cluster, node, slot FROM v_gpus"
            " WHERE serial != '' AND parent = '' ORDER BY version"
        )
        self._by_serial: dict[str, Mapping[str, Any]] = {r["serial"]: r for r in rows}

    def listed(self, line: AssetLine) -> Iterator[Listed]:
        """The asset and its state; ValueError says what is wrong with the line."""
        cluster, node, slot = self._place(line)
        gpu = gpu_id(cluster, node, slot)
        before = self._stored.get(gpu)
        since, until = lists.spanned(line.valid_from, line.valid_to)
        model = line.model or (before.model if before else "")
        default_pool = f"{cluster}/{model}" if model else cluster
        asset = Asset(
            gpu_id=gpu,
            asset_id=asset_id(cluster, node, slot),
            cluster=cluster,
            node=node,
            slot=slot,
            model=model,
            pool=line.pool or (before.pool if before and before.pool else default_pool),
            provider=line.provider or (before.provider if before else ""),
            valid_from=since or (before.valid_from if before else self._now),
            valid_to=until,
            version=0,
        )
        if asset.valid_from >= asset.valid_to:
            raise ValueError(
                f"valid_to {line.valid_to} is before it was first seen; say valid_from"
            )
        if gpu in self._listed:
            raise ValueError(f"{asset.asset_id} is listed twice")
        self._listed.add(gpu)
        yield Listed(asset, self._state(line, gpu))

    def _place(self, line: AssetLine) -> tuple[str, str, int]:
        if line.node and line.slot is not None:
            return self._in_cluster(line), line.node, _slot(line.slot)
        if line.node or line.slot is not None:
            raise ValueError("node and slot go together")
        if not line.serial:
            raise ValueError("neither serial nor node and slot: which place is it?")
        card = self._by_serial.get(line.serial)
        if card is None:
            raise ValueError(
                f"serial {line.serial}: no agent has named this card; say node and slot"
            )
        if line.cluster and line.cluster != card["cluster"]:
            raise ValueError(f"serial {line.serial} is in cluster {card['cluster']}")
        return card["cluster"], card["node"], card["slot"]

    def _in_cluster(self, line: AssetLine) -> str:
        cluster = line.cluster or self._cluster
        if not cluster:
            raise ValueError("cluster: nothing is said; add the column or give --cluster")
        return cluster

    def _state(self, line: AssetLine, gpu: int) -> AssetState | None:
        if not line.state:
            if line.state_from or line.reason:
                raise ValueError("state_from and reason need a state")
            return None
        if line.state not in STATES:
            raise ValueError(f"state '{line.state}' is none of {', '.join(STATES)}")
        since = lists.moment(line.state_from, EPOCH)
        return AssetState(
            gpu_id=gpu, state=line.state, reason=line.reason, valid_from=since, version=0
        )


def _slot(slot: int) -> int:
    if not 0 <= slot < 1 << 16:
        raise ValueError(f"slot {slot} is no minor number of a device")
    return slot


def _stored(store: Store) -> dict[int, Asset]:
    return {r["gpu_id"]: Asset(**r) for r in store.select("SELECT * FROM v_assets")}


def _known(asset: Asset, before: Asset | None) -> bool:
    """Whether a list said all of it before."""
    return (
        before is not None and before.version >= version(IMPORTED, 0) and lists.same(asset, before)
    )


def _left_out(assets: Sequence[Asset], stored: Mapping[int, Asset], now: datetime) -> list[Asset]:
    """Places of the list's clusters that it does not name: owned until now."""
    clusters, named = {a.cluster for a in assets}, {a.gpu_id for a in assets}
    return [
        changed(a, valid_to=max(now, a.valid_from))
        for gpu, a in stored.items()
        if a.cluster in clusters and gpu not in named and a.valid_to > now
    ]


def _states(store: Store, wanted: Sequence[AssetState], now: datetime) -> list[AssetState]:
    """The states to write: `service` only where it ends another, a new one from now on."""
    stored = [AssetState(**r) for r in store.select("SELECT * FROM v_asset_states")]
    of = {s.gpu_id for s in stored if s.valid_to >= FOREVER}
    told = [
        changed(s, valid_from=now) if s.valid_from == EPOCH and s.gpu_id not in of else s
        for s in wanted
        if s.state != "service" or s.gpu_id in of
    ]
    merge: Merge[AssetState] = Merge(("gpu_id",), now)
    return merge.rows(stored, told)


def owned(reader: Reader, now: datetime) -> list[dict[str, Any]]:
    """Places owned now by cluster, pool, model, provider, state and who said so."""
    return reader.select(_OWNED_SQL, now=now, imported=version(IMPORTED, 0))


_OWNED_SQL = """
SELECT a.cluster AS cluster, a.pool AS pool, a.model AS model, a.provider AS provider,
  if(s.state = '', 'service', s.state) AS state,
  if(a.version >= {imported:UInt64}, 'list', 'seen') AS told_by, count() AS gpus,
  uniqExact(a.node) AS nodes
FROM (SELECT * FROM assets FINAL WHERE valid_from <= {now:DateTime64(3, 'UTC')}
  AND valid_to > {now:DateTime64(3, 'UTC')}) AS a
LEFT JOIN (SELECT gpu_id, argMax(state, valid_from) AS state FROM asset_states FINAL
  WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}
  GROUP BY gpu_id) AS s ON s.gpu_id = a.gpu_id
GROUP BY cluster, pool, model, provider, state, told_by
ORDER BY cluster, pool, model, provider, state, told_by
"""
