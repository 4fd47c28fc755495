"""Why GPUs stay free that no waiting job would fill: stranded, with a cause, or surplus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analytics.placing.fleet import Fleet, Trial
from analytics.placing.queue import Key, Queue, Unit
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import (
    Kind,
    Node,
    Shape,
    fits,
    obstacle,
    refused,
    too_small,
)

STRANDED, SURPLUS, TOO_FEW = "stranded", "free_surplus", "too_few"


@dataclass(frozen=True)
class Usual:
    """A shape of the last days, how many jobs had it, and on how many nodes in all."""

    shape: Shape
    jobs: int
    tasks: int = 0


@dataclass(frozen=True)
class Verdict:
    """State, cause and flags of a free GPU, and the waiting job it is about."""

    state: str
    cause: str = ""
    flags: str = ""
    job_id: str = ""


PLAIN = Verdict(SURPLUS)


class Judge:
    """Judges what a trial left free."""

    def __init__(self, fleet: Fleet, usual: Sequence[Usual], settings: PlacementSettings) -> None:
        self._fleet = fleet
        self._usual = usual
        self._settings = settings
        self._here: dict[Kind, tuple[list[Usual], str]] = {}
        self._known: dict[str, tuple[int, Verdict]] = {}

    def judge(self, trial: Trial, queue: Queue, unplaced: Mapping[Key, Unit]) -> dict[int, Verdict]:
        """GPU to verdict; what is surplus without more to say is left out."""
        rest = _Rest(self._fleet, trial)
        out: dict[int, Verdict] = {}
        few: set[Kind] = set()
        for key, first in sorted(unplaced.items(), key=lambda item: item[1]):
            waiting = len(queue.units(key))
            for shape in key:
                kinds = rest.of(self._fleet.accepting(shape))
                if sum(rest.left[k] for k in kinds) < first.gpus:
                    few.update(kinds)
                    continue
                for name in rest.take(kinds, waiting * shape.total, first.gpus):
                    verdict = Verdict(STRANDED, _after_repack(trial.node(name), shape))
                    out.update(dict.fromkeys(trial.node(name).loose, verdict))
        for kind, name in rest.names():
            verdict = self._left(trial, name, few=kind in few)
            if verdict != PLAIN:
                out.update(dict.fromkeys(trial.node(name).loose, verdict))
        return out

    def _left(self, trial: Trial, name: str, *, few: bool) -> Verdict:
        """Of a node that no waiting job could use."""
        if few:
            gone = self._starved(trial.node(name))
            return Verdict(STRANDED, "cpu_ram") if gone else Verdict(SURPLUS, TOO_FEW)
        node = trial.node(name)
        if name in trial.touched():
            return self._usually(node)
        version, verdict = self._known.get(name, (-1, PLAIN))
        if version != node.version:
            verdict = self._usually(node)
            self._known[name] = (node.version, verdict)
        return verdict

    def _usually(self, node: Node) -> Verdict:
        """By the shapes of the last days that could run here at all."""
        if self._starved(node):
            return Verdict(STRANDED, "cpu_ram")
        here, never = self._shapes_here(node.kind)
        if never:
            return Verdict(STRANDED, never)
        jobs = sum(usual.jobs for usual in here)
        if jobs < self._settings.history_jobs:
            return PLAIN
        fitting = sum(usual.jobs for usual in here if fits(node, usual.shape))
        if fitting >= self._settings.fit_ratio * jobs:
            return PLAIN
        return Verdict(STRANDED, _main(here, lambda shape: obstacle(node, shape)))

    def _starved(self, node: Node) -> bool:
        """Whether processors or memory are so far gone that no job at all fits."""
        kind, settings = node.kind, self._settings
        cpu = kind.cpu_milli and kind.cpu_milli - node.cpu_used < settings.least_cpu_milli
        memory = kind.memory_mib and kind.memory_mib - node.memory_used < settings.least_memory_mib
        return bool(cpu or memory)

    def _shapes_here(self, kind: Kind) -> tuple[list[Usual], str]:
        """What usually runs on such nodes; where nothing ever does, why not."""
        found = self._here.get(kind)
        if found is None:
            same = [u for u in self._usual if u.shape.wish.cluster in {"", kind.cluster}]
            here = [u for u in same if not _never(kind, u.shape)]
            enough = sum(u.jobs for u in same) >= self._settings.history_jobs
            cause = _main(same, lambda shape: _never(kind, shape)) if enough and not here else ""
            found = self._here[kind] = (here, cause)
        return found


def _never(kind: Kind, shape: Shape) -> str:
    return refused(kind, shape.wish) or too_small(kind, shape)


def _main(usual: Iterable[Usual], cause: Callable[[Shape], str]) -> str:
    """The cause that keeps most jobs out."""
    counts: Counter[str] = Counter()
    for one in usual:
        counts[cause(one.shape)] += one.jobs
    del counts[""]
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""


def _after_repack(node: Node, shape: Shape) -> str:
    """Why a job that found no place cannot use this node as it is."""
    told = obstacle(node, shape)
    if told:
        return told
    # The node would do; there are not enough like it, or not enough of them in one island.
    return "topology_island" if shape.together else "gpu_count_on_node"


class _Rest:
    """What is left free, by kind of node; the emptiest nodes first, which take fewest moves."""

    def __init__(self, fleet: Fleet, trial: Trial) -> None:
        self.left: dict[Kind, int] = {}
        self._names: dict[Kind, list[tuple[int, str]]] = {}
        for _, name in fleet.order:
            node = trial.node(name)
            gpus = len(node.free) if not node.kind.parts else len(node.loose)
            if gpus:
                self.left[node.kind] = self.left.get(node.kind, 0) + gpus
                self._names.setdefault(node.kind, []).append((gpus, name))
        for names in self._names.values():
            names.sort()

    def of(self, accepting: frozenset[Kind]) -> list[Kind]:
        """Those of which something is left."""
        return [kind for kind, gpus in self.left.items() if gpus and kind in accepting]

    def take(self, kinds: Sequence[Kind], wanted: int, each: int) -> Iterator[str]:
        """Nodes for as many whole jobs of `each` GPUs as there are GPUs for."""
        available = sum(self.left[kind] for kind in kinds)
        need = min(wanted, available // each * each)
        for kind in kinds:
            while need > 0 and self._names[kind]:
                gpus, name = self._names[kind].pop()
                need -= gpus
                self.left[kind] -= gpus
                yield name

    def names(self) -> Iterator[tuple[Kind, str]]:
        """What nobody took."""
        return ((kind, name) for kind, names in self._names.items() for _, name in names)
