"""The asset list of a file against the GPUs that the book owns, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from analytics import asset_list
from analytics.reconcile.explain import Explained, Part
from analytics.reconcile.ours import Window
from gpuledger.catalogue import Asset
from gpuledger.store import Store


def compare(store: Store, path: Path, window: Window) -> Explained:
    """Owned GPU-seconds by the list, and as booked. ConfigError, BadLines."""
    listed = {
        gpu: x.asset
        for gpu, x in asset_list.list_of(store, path, window.since, window.cluster).items()
        if x.asset.cluster == window.cluster
    }
    owned = {
        r["gpu_id"]: Asset(**r)
        for r in store.select(
            "SELECT * FROM v_assets WHERE cluster = {cluster:String}", cluster=window.cluster
        )
    }
    booked = {r["gpu_id"]: r["seconds"] for r in window.select(_BOOKED_SQL)}
    found = Explained(
        "asset list", sum(_held(a, window) for a in listed.values()), sum(booked.values())
    )
    for gpu in sorted({*listed, *owned, *booked}):
        parts = _parts(listed.get(gpu), owned.get(gpu), booked.get(gpu, 0.0), window)
        found.parts += [p for p in parts if p.gpu_seconds]
    return found


def _parts(
    listed: Asset | None, owned: Asset | None, booked: float, window: Window
) -> Iterator[Part]:
    if listed is None:
        yield Part("not_listed", -booked, owned.asset_id if owned else "")
    elif owned is None:
        yield Part("not_owned", _held(listed, window) - booked, listed.asset_id)
    else:
        yield Part("dates", _held(listed, window) - _held(owned, window), listed.asset_id)


def _held(asset: Asset, window: Window) -> float:
    return window.clipped(asset.valid_from, asset.valid_to)


_BOOKED_SQL = """
SELECT gpu_id, sum(gpu_ms) / 1000 AS seconds FROM ledger_1h
WHERE hour >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
  AND hour < fromUnixTimestamp64Milli({until:Int64}, 'UTC') AND cluster = {cluster:String}
GROUP BY gpu_id
"""
