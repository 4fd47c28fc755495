"""The asset list kept from what was ever seen, where nobody keeps a better one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Asset
from gpuledger.catalogue.work import version
from gpuledger.identity import HASH64_SQL, asset_id
from gpuledger.store import Store

Row = Mapping[str, Any]

# Trust of what was seen, below any imported asset list.
DISCOVERED = 0
# How long an agent may be cut off and still deliver the beginning of its place's history.
BACKLOG = timedelta(days=14)


def discover(
    store: Store,
    now: datetime,
    history: timedelta = timedelta(days=400),
    backlog: timedelta = BACKLOG,
) -> int:
    """Own every GPU place that was ever seen and is not listed as it is known now.

    A place counts from the first whole minute in which it was seen, never from before `history`:
    one sample with a wrong clock must not make years of ownership. What a later look tells better
    (older samples of an agent that was cut off, the model by NVML's word instead of a scheduler's)
    corrects what was discovered; an imported list is never touched. Where a place is owned for
    longer than `backlog`, its beginning is settled. Returns how many were written.
    """
    known = store.select(_SEEN_SQL)
    listed = {r["gpu_id"]: r for r in store.select("SELECT * FROM v_assets")}
    first = _first_samples(store, known, listed, now - history, now, now - backlog)
    places = [_asset(r, min(first.get(r["gpu_id"], r["seen"]), r["seen"]), now) for r in known]
    changed = [a for a in places if _is_news(a, listed.get(a.gpu_id))]
    store.insert_rows(changed)
    return len(changed)


def _first_samples(
    store: Store,
    seen: Sequence[Row],
    listed: Mapping[int, Row],
    oldest: datetime,
    now: datetime,
    settled: datetime,
) -> dict[int, datetime]:
    """When each place was first heard of, where that is not settled yet.

    Only the time before a place is owned is looked at: next to nothing, tick after tick.
    """
    since = {r["gpu_id"]: listed.get(r["gpu_id"], {}).get("valid_from", now) for r in seen}
    unsettled = {gpu for gpu, at in since.items() if at > settled}
    if not unsettled:
        return {}
    rows = store.select(
        _FIRST_SAMPLE_SQL,
        ids=sorted(unsettled),
        nodes=sorted({r["node"] for r in seen if r["gpu_id"] in unsettled}),
        oldest=oldest,
        until=max(since[gpu] for gpu in unsettled),
    )
    return {r["gpu_id"]: r["first"] for r in rows}


def _asset(seen: Mapping[str, Any], first: datetime, now: datetime) -> Asset:
    cluster, node, slot, model = (seen[k] for k in ("cluster", "node", "slot", "model"))
    return Asset(
        gpu_id=seen["gpu_id"],
        asset_id=asset_id(cluster, node, slot),
        cluster=cluster,
        node=node,
        slot=slot,
        model=model,
        pool=f"{cluster}/{model}" if model else cluster,
        valid_from=first.replace(second=0, microsecond=0),
        version=version(DISCOVERED, to_milliseconds(now)),
    )


def _is_news(asset: Asset, listed: Mapping[str, Any] | None) -> bool:
    """Whether the place is new, or was discovered and is now known better."""
    if listed is None:
        return True
    discovered = listed["version"] < version(DISCOVERED + 1, 0)
    better = asset.valid_from < listed["valid_from"] or asset.model not in {"", listed["model"]}
    return discovered and better


# NVML's inventory first; a scheduler's count only for nodes from which no agent was heard.
_SEEN_SQL = f"""
SELECT gpu_id, any(cluster) AS cluster, any(node) AS node, any(slot) AS slot,
  max(model) AS model, min(seen) AS seen
FROM (
  SELECT gpu_id, cluster, node, slot, model, seen_at AS seen FROM gpus FINAL
  UNION ALL
  SELECT {HASH64_SQL.format(text="concat(cluster, '/', node, '/', toString(s))")} AS gpu_id,
    cluster, node, toUInt16(s) AS slot, gpu_model AS model, valid_from AS seen
  FROM (SELECT * FROM node_states FINAL
    WHERE (cluster, node) NOT IN (SELECT cluster, node FROM gpus)) ARRAY JOIN range(gpus) AS s)
GROUP BY gpu_id ORDER BY gpu_id
"""

_FIRST_SAMPLE_SQL = """
SELECT gpu_id, min(ts) AS first FROM gpu_samples_1m
WHERE ts >= {oldest:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND node IN {nodes:Array(String)} AND gpu_id IN {ids:Array(UInt64)}
GROUP BY gpu_id
"""
