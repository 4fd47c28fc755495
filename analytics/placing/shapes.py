"""What a request asks for, what a node has left, and the only `fits()`.

Milli-CPUs, MiB, thousandths of a GPU. An empty text or set and 0 ask for nothing; a capacity of 0
is unknown and binds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

WHOLE = 1000
# Profiles are told in sevenths or eighths of a card, rounded by whoever told them.
SLICE_TOLERANCE = 5


@dataclass(frozen=True)
class Wish:
    """Which nodes a request accepts at all, however full they are.

    Any one of its pools will do, and of its `models`, told in full. `words` are features or labels
    (all of them), `on` the only nodes that it accepts and `off` those that it does not.
    """

    cluster: str = ""
    gpu_model: str = ""
    models: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Shape:
    """What a request asks of each of its nodes.

    `share_milli` below 1000 asks for slices or shares. `exclusive` shares its node with nobody;
    `together` must stay in one island.
    """

    gpus: int
    nodes: int = 1
    cpu_milli: int = 0
    memory_mib: int = 0
    share_milli: int = WHOLE
    exclusive: bool = False
    together: bool = False
    wish: Wish = Wish()

    @property
    def total(self) -> int:
        """GPUs, slices or shares of all its nodes."""
        return self.gpus * self.nodes

    def __hash__(self) -> int:
        return hash((self.gpus, self.nodes, self.cpu_milli, self.memory_mib, self.share_milli))


@dataclass(frozen=True)
class Kind:
    """What does not change about a node: who may use it, and what it has when it is empty."""

    cluster: str = ""
    name: str = ""  # empty unless some request names nodes
    gpu_model: str = ""
    pools: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    known_words: frozenset[str] = frozenset()  # words that some node of the cluster has
    tainted: bool = False
    gpus: int = 0  # whole ones: those that are not cut into slices
    cut: int = 0
    parts: bool = False  # whether slices or shares can be had
    cpu_milli: int = 0
    memory_mib: int = 0

    def __hash__(self) -> int:
        return hash((self.cluster, self.name, self.gpu_model, self.gpus, self.cpu_milli))


@dataclass(frozen=True)
class Run:
    """What a job holds of one node, and until when at most (milliseconds since 1970)."""

    job_id: str
    gpus: tuple[tuple[int, int, str], ...] = ()  # GPU, thousandths, UUID of the slice
    cpu_milli: int = 0
    memory_mib: int = 0
    ends_by_ms: int = 0


@dataclass
class Node:
    """What a node has left.

    `free` are its whole free GPUs. `slices` has the free MIG slices of each card that is cut, and
    `shared` the free thousandths of each GPU that may be shared; a GPU that is both free and shared
    can be had either way.
    """

    name: str
    kind: Kind = Kind()
    pool: str = ""
    island: str = ""
    plans: bool = False  # whether its scheduler keeps GPUs for jobs that it plans
    down: int = 0
    reserved: int = 0
    free: set[int] = field(default_factory=set)
    slices: dict[int, tuple[int, ...]] = field(default_factory=dict)
    shared: dict[int, int] = field(default_factory=dict)
    cpu_used: int = 0
    memory_used: int = 0
    runs: set[Run] = field(default_factory=set)
    version: int = 0

    @property
    def open(self) -> bool:
        """Whether anything may start here."""
        return not self.down and not self.reserved

    @property
    def loose(self) -> set[int]:
        """GPUs of which something is free."""
        return {*self.free, *(g for g, s in self.slices.items() if s), *self.shared}

    def copy(self) -> Node:
        """One to try things on."""
        return Node(
            **{
                **self.__dict__,
                "free": set(self.free),
                "slices": dict(self.slices),
                "shared": dict(self.shared),
            }
        )


@lru_cache(maxsize=1 << 16)
def refused(kind: Kind, wish: Wish) -> str:
    """Why such a node never takes such a request: a cause of `stranded`, or empty."""
    if wish.cluster and kind.cluster and wish.cluster != kind.cluster:
        return "taint_partition"
    if (wish.on and kind.name not in wish.on) or kind.name in wish.off:
        return "data_locality"
    if not _is_model(kind, wish):
        return "gpu_type"
    if wish.pools and kind.pools and wish.pools.isdisjoint(kind.pools):
        return "taint_partition"
    # A word that no node of the cluster has is one that nobody told us of: it binds nothing.
    if kind.tainted or (wish.words & kind.known_words) - kind.labels:
        return "taint_partition"
    return ""


def _is_model(kind: Kind, wish: Wish) -> bool:
    named = wish.gpu_model.lower() in kind.gpu_model.lower()
    return named and (not wish.models or kind.gpu_model in wish.models)


def too_small(kind: Kind, shape: Shape) -> str:
    """Why such a node could not take one node's share of a request even if it were empty."""
    if shape.share_milli != WHOLE:
        if not kind.parts:
            return "mig_shape"
    elif kind.gpus + kind.cut and kind.gpus < shape.gpus:
        return "mig_shape" if kind.gpus + kind.cut >= shape.gpus else "gpu_count_on_node"
    short = kind.cpu_milli and kind.cpu_milli < shape.cpu_milli
    if short or (kind.memory_mib and kind.memory_mib < shape.memory_mib):
        return "cpu_ram"
    return ""


def obstacle(node: Node, shape: Shape) -> str:
    """Why one node's share of a request could not start there now; empty where it could."""
    never = refused(node.kind, shape.wish) or too_small(node.kind, shape)
    if never or not node.open:
        return never or "taint_partition"
    if shape.share_milli != WHOLE:
        if pieces(node, shape.share_milli) < shape.gpus:
            return "mig_shape" if node.kind.cut else "gpu_count_on_node"
    elif len(node.free) < shape.gpus or (shape.exclusive and len(node.free) < node.kind.gpus):
        return "gpu_count_on_node"
    return "" if _has_room(node, shape) else "cpu_ram"


def fits(node: Node, shape: Shape) -> bool:
    """Whether one node's share of a request could start there now."""
    # What changes often, and is quick to see, comes first: this is asked millions of times.
    few = shape.share_milli == WHOLE and len(node.free) < shape.gpus
    if few or not node.open or not _has_room(node, shape):
        return False
    return not obstacle(node, shape)


def _has_room(node: Node, shape: Shape) -> bool:
    kind = node.kind
    return (not kind.cpu_milli or kind.cpu_milli - node.cpu_used >= shape.cpu_milli) and (
        not kind.memory_mib or kind.memory_mib - node.memory_used >= shape.memory_mib
    )


def pieces(node: Node, share_milli: int) -> int:
    """Free slices or shares of that size."""
    return sum(1 for _ in _matching(node, share_milli)) + sum(
        room // share_milli for room in node.shared.values()
    )


def take(node: Node, shape: Shape) -> list[int]:
    """Give a node's lowest free GPUs to a request that fits: which GPUs they are."""
    node.cpu_used += shape.cpu_milli
    node.memory_used += shape.memory_mib
    if shape.share_milli != WHOLE:
        return _take_pieces(node, shape)
    taken = sorted(node.free)[: node.kind.gpus if shape.exclusive else shape.gpus]
    for gpu in taken:
        node.free.discard(gpu)
        node.shared.pop(gpu, None)
    return taken


def _take_pieces(node: Node, shape: Shape) -> list[int]:
    """Slices of that size, else shares of the fullest GPU that has room."""
    taken = []
    for gpu, size in list(_matching(node, shape.share_milli))[: shape.gpus]:
        left = list(node.slices[gpu])
        left.remove(size)
        node.slices[gpu] = tuple(left)
        taken.append(gpu)
    while len(taken) < shape.gpus:
        room = [(free, gpu) for gpu, free in node.shared.items() if free >= shape.share_milli]
        free, gpu = min(room)
        share(node, gpu, free - shape.share_milli)
        taken.append(gpu)
    return taken


def share(node: Node, gpu: int, free_milli: int) -> None:
    """Set what is free of a shared GPU."""
    node.shared[gpu] = free_milli
    if free_milli <= 0:
        del node.shared[gpu]
    (node.free.add if free_milli >= WHOLE else node.free.discard)(gpu)


def _matching(node: Node, share_milli: int) -> Iterator[tuple[int, int]]:
    """(GPU, size) of each free slice of about that size."""
    for gpu in sorted(node.slices):
        for size in node.slices[gpu]:
            if abs(size - share_milli) <= SLICE_TOLERANCE:
                yield gpu, size
