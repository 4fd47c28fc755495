"""The asset list kept from what was ever seen, and the price book kept from configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import Asset, Price
from gpuledger.config import Settings
from gpuledger.identity import HASH64_SQL, asset_id
from gpuledger.store import Store


class ModelPrice(Settings):
    """What one GPU model is worth; a section of its own below `[prices.models]`."""

    capacity_value: Annotated[float | None, "worth of one GPU-hour"] = None


class PriceSettings(Settings):
    """Section `[prices]`; without it every money figure is absent."""

    currency: Annotated[str, "ISO 4217 code"] = ""
    capacity_value: Annotated[float | None, "worth of one GPU-hour of any model"] = None
    energy_price: Annotated[float | None, "price of one kilowatt-hour"] = None
    models: Annotated[dict[str, ModelPrice], "worth by GPU model"] = msgspec.field(
        default_factory=dict
    )


def discover(store: Store, now: datetime) -> int:
    """Own every GPU place that was ever seen and is not listed yet; returns how many were added.

    A place counts from the first whole minute in which it was seen.
    """
    found = store.select(_UNLISTED_SQL)
    if not found:
        return 0
    ids = [r["gpu_id"] for r in found]
    first = {r["gpu_id"]: r["first"] for r in store.select(_FIRST_SAMPLE_SQL, ids=ids)}
    store.insert_rows(
        [
            Asset(
                gpu_id=r["gpu_id"],
                asset_id=asset_id(r["cluster"], r["node"], r["slot"]),
                cluster=r["cluster"],
                node=r["node"],
                slot=r["slot"],
                model=r["model"],
                pool=f"{r['cluster']}/{r['model']}" if r["model"] else r["cluster"],
                valid_from=min(first.get(r["gpu_id"], r["seen"]), r["seen"]).replace(
                    second=0, microsecond=0
                ),
                version=to_milliseconds(now),
            )
            for r in found
        ]
    )
    return len(found)


def write_prices(store: Store, prices: PriceSettings, now: datetime) -> None:
    """One price per GPU model that is owned; nothing when no price is configured."""
    if prices.capacity_value is None and prices.energy_price is None and not prices.models:
        return
    models = [r["model"] for r in store.select("SELECT DISTINCT model FROM assets FINAL")]
    store.insert_rows(
        [
            Price(
                model=model,
                capacity_value=_value(prices, model),
                energy_price=prices.energy_price,
                currency=prices.currency,
                valid_from=EPOCH,
                version=to_milliseconds(now),
            )
            for model in models
        ]
    )


def _value(prices: PriceSettings, model: str) -> float | None:
    own = prices.models.get(model)
    return own.capacity_value if own else prices.capacity_value


# NVML's inventory first; a scheduler's count only for nodes from which no agent was heard.
_UNLISTED_SQL = f"""
SELECT gpu_id, any(cluster) AS cluster, any(node) AS node, any(slot) AS slot,
  max(model) AS model, min(seen) AS seen
FROM (
  SELECT gpu_id, cluster, node, slot, model, seen_at AS seen FROM gpus FINAL
  UNION ALL
  SELECT {HASH64_SQL.format(text="concat(cluster, '/', node, '/', toString(s))")} AS gpu_id,
    cluster, node, toUInt16(s) AS slot, gpu_model AS model, valid_from AS seen
  FROM (SELECT * FROM node_states FINAL
    WHERE (cluster, node) NOT IN (SELECT cluster, node FROM gpus)) ARRAY JOIN range(gpus) AS s)
WHERE gpu_id NOT IN (SELECT gpu_id FROM assets)
GROUP BY gpu_id
"""

_FIRST_SAMPLE_SQL = """
SELECT gpu_id, min(ts) AS first FROM gpu_samples_1m
WHERE gpu_id IN {ids:Array(UInt64)} GROUP BY gpu_id
"""
