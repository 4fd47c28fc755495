"""What there is: nodes, GPUs, assets and pools; and one node closely."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from analytics import closer
from analytics.routes.answers import TheAsk, TheOne
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    Cluster,
    Node,
    Pool,
    State,
    filters,
    listing,
    route_id,
    shown,
    single,
)
from analytics.routes.jobs import ShortFinding, StateHours
from analytics.routes.paging import WHOLE, Key

router = APIRouter(
    prefix="/v1", tags=["inventory"], responses=COMMON, generate_unique_id_function=route_id
)
NODE_KEYS = (Key("cluster"), Key("node"))
GPU_KEYS = (*NODE_KEYS, Key("slot", WHOLE), Key("uuid"))
ASSET_KEYS = (*NODE_KEYS, Key("slot", WHOLE), Key("asset_id"))
POOL_KEYS = (Key("cluster"), Key("pool"))


class Place(Answer):
    """A node of the asset list."""

    cluster: str = shown("c1")
    node: str = shown("n17")
    gpus: int = shown(8)
    models: list[str] = shown(["NVIDIA H100 80GB HBM3"])
    pools: list[str] = shown(["h100"])
    state: str | None = shown("up", "as its scheduler says; null where none speaks for it")
    reason: str | None = shown(None)


class NodeGpu(Answer):
    """A GPU of a node in the last booked minute, and how it was for five minutes."""

    gpu_id: str = shown("5f2b8c1d9e3a7046", "16 hex digits")
    slot: int = shown(0)
    model: str | None = shown("NVIDIA H100 80GB HBM3")
    state: str | None = shown("productive")
    flags: str | None = shown(None)
    job: str | None = shown("c1/1042")
    user: str | None = shown("ada")
    grade: str | None = shown("A")
    utilization_ratio: float | None = shown(0.98)
    sm_active_ratio: float | None = shown(0.62)
    power_watts: float | None = shown(512.0)
    temperature_celsius: float | None = shown(61.0)


class Sign(Answer):
    """A sign of sickness."""

    slot: int = shown(3)
    sign: str = shown("xid")
    what: str = shown("the driver reported an error")
    detail: str | None = shown("79")
    first: datetime | None = shown(AT)
    last: datetime | None = shown(AT)


class Change(Answer):
    """Something that was changed."""

    ts: datetime = shown(AT)
    cluster: str | None = shown("c1")
    node: str | None = shown("n17")
    slot: int | None = shown(None)
    kind: str = shown("driver")
    subject: str | None = shown(None)
    before: str | None = shown("550.54.15")
    after: str | None = shown("560.35.03")


class WholeNode(Answer):
    """A node now and over the last booked day."""

    cluster: str = shown("c1")
    node: str = shown("n17")
    scheduler: str | None = shown("slurm")
    state: str | None = shown("up")
    reason: str | None = shown(None)
    pools: str | None = shown("h100")
    gpus: list[NodeGpu]
    states: list[StateHours]
    signs: list[Sign]
    findings: list[ShortFinding]
    changes: list[Change]


class Gpu(Answer):
    """A card or a slice of one, as an agent read it last."""

    gpu_id: str = shown("5f2b8c1d9e3a7046", "16 hex digits")
    cluster: str = shown("c1")
    node: str = shown("n17")
    slot: int = shown(0)
    uuid: str = shown("GPU-6a0e…")
    serial: str | None = shown("1650923004417")
    model: str | None = shown("NVIDIA H100 80GB HBM3")
    memory_bytes: float | None = shown(85520809984.0)
    driver: str | None = shown("560.35.03")
    vendor: str | None = shown("nvidia")
    parent: str | None = shown(None, "of a slice: its card's UUID")
    profile: str | None = shown(None)
    mig: str | None = shown(None)
    pci: str | None = shown("0000:18:00.0")
    nvlink_domain: str | None = shown(None)
    rack: str | None = shown("r4")
    vbios: str | None = shown("96.00.74.00.01")
    seen_at: datetime | None = shown(AT)


class Asset(Answer):
    """A place of the asset list: what is owned, and from when to when."""

    gpu_id: str = shown("5f2b8c1d9e3a7046", "16 hex digits")
    asset_id: str = shown("c1/n17/0")
    cluster: str = shown("c1")
    node: str = shown("n17")
    slot: int = shown(0)
    model: str | None = shown("NVIDIA H100 80GB HBM3")
    pool: str | None = shown("h100")
    provider: str | None = shown(None)
    valid_from: datetime | None = shown(AT)
    valid_to: datetime | None = shown(None, "null while it is owned")


class PoolAnswer(Answer):
    """A pool as its scheduler tells it."""

    cluster: str = shown("c1")
    pool: str = shown("h100")
    scheduler: str | None = shown("slurm")
    state: str | None = shown("up")
    nodes: str | None = shown("n[01-32]")
    priority: int = shown(1)
    longest_seconds: int | None = shown(604800)
    preemptible: bool = shown(example=False)
    seen_at: datetime | None = shown(AT)


_HEX = "leftPad(lower(hex(gpu_id)), 16, '0') AS gpu_id"
_ASSETS = f"SELECT * REPLACE ({_HEX}) FROM v_assets"
_GPUS = f"SELECT * REPLACE ({_HEX}) FROM (SELECT * FROM v_gpus WHERE gpu_id != 0)"
_POOLS = "SELECT * REPLACE (CAST(preemptible, 'Bool') AS preemptible) FROM v_pools"
_NODES = """
SELECT a.cluster AS cluster, a.node AS node, a.gpus AS gpus, a.models AS models, a.pools AS pools,
  s.state AS state, s.reason AS reason
FROM (SELECT toString(cluster) AS cluster, toString(node) AS node, uniqExact(gpu_id) AS gpus,
    arraySort(groupUniqArray(toString(model))) AS models,
    arraySort(groupUniqArray(toString(pool))) AS pools
  FROM v_assets WHERE valid_from <= now64(3) AND valid_to > now64(3) GROUP BY cluster, node) AS a
LEFT JOIN (SELECT toString(cluster) AS cluster, toString(node) AS node,
    argMax(toString(state), valid_from) AS state, argMax(reason, valid_from) AS reason
  FROM v_node_states GROUP BY cluster, node) AS s
  ON s.cluster = a.cluster AND s.node = a.node
"""


@router.get("/nodes", **listing(Place, one=("get_node", "node")))
def get_nodes(ask: TheAsk, cluster: Cluster = "", pool: Pool = "", state: State = "") -> Response:
    """Nodes that are owned now."""
    given = filters(cluster=cluster, state=state)
    if not pool:
        return ask.table(Place, _NODES, NODE_KEYS, given)
    return ask.table(Place, _NODES, NODE_KEYS, given, "has(pools, {pool:String})", pool=pool)


@router.get("/nodes/{node:path}", **single(WholeNode, 404))
def get_node(ask: TheOne, node: str) -> Response:
    """One node now, its last day, signs of sickness, and what was changed this week.

    Its name, or `cluster/name` where clusters share names.
    """
    found = closer.node(ask.store, node)
    gpus = [{**g, "gpu_id": f"{g['gpu_id']:016x}"} for g in found["gpus"]]
    return ask.one(lambda: {**{name: found[name] for name in WholeNode.model_fields}, "gpus": gpus})


@router.get("/gpus", **listing(Gpu))
def get_gpus(ask: TheAsk, cluster: Cluster = "", node: Node = "") -> Response:
    """Cards and slices as agents read them last."""
    given = filters(cluster=cluster, node=node)
    return ask.table(Gpu, _GPUS, GPU_KEYS, given)


@router.get("/assets", **listing(Asset))
def get_assets(ask: TheAsk, cluster: Cluster = "", node: Node = "", pool: Pool = "") -> Response:
    """The asset list: every GPU that is or was owned."""
    given = filters(cluster=cluster, node=node, pool=pool)
    return ask.table(Asset, _ASSETS, ASSET_KEYS, given)


@router.get("/pools", **listing(PoolAnswer))
def get_pools(ask: TheAsk, cluster: Cluster = "", pool: Pool = "") -> Response:
    """Partitions and queues as their schedulers tell them."""
    given = filters(cluster=cluster, pool=pool)
    return ask.table(PoolAnswer, _POOLS, POOL_KEYS, given)
