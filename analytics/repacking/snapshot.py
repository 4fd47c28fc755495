"""One moment of a fleet, from the store's tables: an instance, and what plans do not need of it.

Placement's facts say who holds what; here come the slots of GPUs, how they are joined, which
running tasks may move and at what cost, and the tasks that are expected next. Quotas are not
here: a task that moves within its cluster counts against the same ones as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import WHOLE
from analytics.repacking import mig, tasks, topology
from analytics.repacking.fleet import holdings
from analytics.repacking.instance import Instance
from analytics.repacking.scene import Scene, open_scene
from analytics.repacking.settings import SnapshotSettings
from gpuledger.errors import ConfigError
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings


class Card(msgspec.Struct, frozen=True, gc=False):
    """A GPU that is cut: its MIG slices and those that jobs hold, as compute slices each."""

    node: str
    gpu: int
    model: str
    slices: tuple[int, ...]
    held: tuple[int, ...]


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A fleet at a moment.

    `pools` is the book's pool of each node, `groups` the GPUs of a node that NVLink or one PCIe
    switch joins (nodes of which nobody told are left out).
    """

    at: datetime
    instance: Instance
    pools: dict[str, str]
    cards: tuple[Card, ...] = ()
    groups: dict[str, tuple[tuple[int, ...], ...]] = {}


def snapshot(
    reader: Reader,
    at: datetime,
    settings: SnapshotSettings | None = None,
    *,
    ledger: LedgerSettings | None = None,
    placing: PlacementSettings | None = None,
    cluster: str = "",
) -> Instance:
    """The instance of a moment, of one cluster or of the whole fleet."""
    return take(reader, at, settings, ledger=ledger, placing=placing, cluster=cluster).instance


def take(
    reader: Reader,
    at: datetime,
    settings: SnapshotSettings | None = None,
    *,
    ledger: LedgerSettings | None = None,
    placing: PlacementSettings | None = None,
    cluster: str = "",
) -> Snapshot:
    """The same with MIG cards, NVLink groups and pools of the book."""
    settings = settings or SnapshotSettings()
    scene = open_scene(
        reader, at, at, settings, ledger or LedgerSettings(), placing or PlacementSettings()
    )
    scene.at(at)
    where = scene.of_cluster(cluster)
    return Snapshot(
        at=at,
        instance=_instance(reader, at, scene, cluster),
        pools={place: scene.facts.nodes[place].pool for place in where.places},
        cards=cards(scene, cluster),
        groups=_groups(reader, scene, cluster),
    )


def dump(taken: Snapshot) -> bytes:
    """As JSON."""
    return msgspec.json.encode(taken)


def load(text: bytes) -> Snapshot:
    """From JSON; ConfigError says where it is wrong."""
    try:
        return msgspec.json.decode(text, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"snapshot: {e}") from None


def _instance(reader: Reader, at: datetime, scene: Scene, cluster: str) -> Instance:
    nodes = scene.nodes(cluster)
    named = {node.name: node for node in nodes}
    models = scene.accepting.all
    jobs = tasks.read(reader, at, models, scene.settings.startup_s)
    spec = {
        job.job_id: scene.accepting.spec(job.shape) or job.shape.wish.gpu_model
        for job in scene.play.waiting.values()
    }
    waiting = (p for p in tasks.waiting(scene.play, spec) if cluster in {"", p.cluster})
    return Instance(
        nodes=nodes,
        pods=tuple(tasks.running(scene.play, scene.of_cluster(cluster), named, jobs)),
        target=scene.target(cluster),
        waiting=tuple(waiting),
    )


def cards(scene: Scene, cluster: str = "") -> tuple[Card, ...]:
    """Every cut card, of one cluster or of all; slices as compute slices of the nearest profile."""
    return tuple(
        card for place in scene.of_cluster(cluster).places for card in _cards_of(scene, place)
    )


def _cards_of(scene: Scene, place: str) -> Sequence[Card]:
    node, index = scene.facts.nodes[place], scene.where.index(place)
    held: dict[int, list[str]] = {}
    for holding in holdings(scene.play.held[place]):
        for gpu, _, uuid in holding.gpus:
            held.setdefault(gpu, []).append(uuid)
    out = []
    for gpu in sorted(set(node.slices) & set(index), key=index.__getitem__):
        sizes = scene.facts.slices.get(gpu, {})
        near = {uuid: mig.nearest(min(s, WHOLE), node.kind.gpu_model) for uuid, s in sizes.items()}
        taken = (near[uuid] for uuid in held.get(gpu, ()) if uuid in near)
        told = tuple(sorted(near.values())), tuple(sorted(taken))
        out.append(Card(place, index[gpu], node.kind.gpu_model, *told))
    return out


def _groups(reader: Reader, scene: Scene, cluster: str) -> dict[str, tuple[tuple[int, ...], ...]]:
    links: dict[str, list[Mapping[str, object]]] = {}
    for row in reader.select(_LINKS_SQL):
        links.setdefault(f"{row['cluster']}/{row['node']}", []).append(row)
    found = {}
    for place in scene.of_cluster(cluster).places:
        numbers = {scene.slots.get(g, 0): i for g, i in scene.where.index(place).items()}
        joined = topology.groups(list(numbers), links.get(place, ()))
        if joined:
            found[place] = tuple(tuple(numbers[slot] for slot in group) for group in joined)
    return found


_LINKS_SQL = "SELECT cluster, node, slot, peer, path, nvlinks FROM gpu_links FINAL"
