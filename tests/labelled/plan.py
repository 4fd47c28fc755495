"""Which jobs run where and when: a deck of kinds dealt onto blocks of GPUs, gangs first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tests.labelled import causes, waste, working
from tests.labelled.draft import Draft, steps
from tests.labelled.site import STEP_S, Variant
from tests.labelled.working import Behaviour

# A card of a node, and the thousandths of it that a job holds.
Spot = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """One kind of job: what it does, how often it is met, on how many GPUs."""

    behave: Behaviour
    weight: float
    sizes: tuple[int, ...] = (1, 2, 4, 8)
    job: str = "batch"
    hours: tuple[float, float] = (1.2, 5.0)
    cores: tuple[float, float] = (0.6, 1.0)
    """Processors asked for, as a share of what its part of the node has."""
    names: tuple[str, ...] = ("train", "run", "exp")


KINDS: dict[str, Kind] = {
    "train": Kind(working.train, 34),
    "bursts": Kind(working.bursts, 10),
    "science": Kind(working.science, 8, names=("lattice", "md", "cfd")),
    "graph": Kind(working.graph, 4, (1, 2), names=("sssp", "cc")),
    "decode": Kind(working.decode, 8, (1, 2, 4), names=("generate", "eval")),
    "simulate": Kind(working.simulate, 4, (1, 2), names=("ppo",)),
    "video": Kind(working.video, 3, (1,), names=("transcode",)),
    "phases": Kind(working.phases, 6, hours=(2.2, 5)),
    "serving": Kind(working.serve, 8, (1, 2), "service", (4, 9), names=("llm-",)),
    "low_traffic": Kind(working.low_traffic, 4, (1,), "service", (4, 9), names=("llm-", "emb-")),
    "warm": Kind(working.warm, 7, (1, 2), "service", (4, 9), names=("llm-", "rank-")),
    "never": Kind(waste.never, 8, names=("sleep", "hold", "sh")),
    "done": Kind(waste.done, 14, hours=(2.0, 5)),
    "blips": Kind(waste.blips, 6, (1, 2)),
    "notebook": Kind(waste.notebook, 10, (1, 2), "interactive", (3, 8), names=("jupyter",)),
    "partial": Kind(waste.partial, 6, (2, 4, 8)),
    "hang": Kind(waste.hang, 9, (2, 4, 8), hours=(2.0, 5)),
    "straggler": Kind(waste.straggler, 5, (4, 8)),
    "imbalance": Kind(waste.imbalance, 2, (4, 8)),
    "throttled": Kind(waste.throttled, 4, (2, 4, 8)),
    "input_bound": Kind(causes.input_bound, 8),
    "cpu_bound": Kind(causes.cpu_bound, 7, (1, 2, 4), cores=(0.15, 0.5)),
    "comm_bound": Kind(causes.comm_bound, 6, (4, 8)),
    "small_batch": Kind(causes.small_batch, 7, (1, 2)),
    "hoarding": Kind(causes.hoarding, 4, (1, 2)),
    "no_tensor": Kind(causes.no_tensor, 6, (1, 2, 4)),
    "checkpoints": Kind(causes.checkpoints, 4, (1, 2, 4)),
    "copies": Kind(causes.copies, 5, (1, 2)),
    "over_provisioned": Kind(causes.over_provisioned, 6, (2, 4)),
}
# Jobs of several nodes: kind and nodes. The first is the gang of 64 GPUs that loses a peer.
GANGS = (("train", 4), ("hang", 2), ("comm_bound", 2), ("input_bound", 2), ("done", 2))
TEAMS = ("vision", "speech", "nlp", "physics", "robotics", "platform", "biology", "search")
SHARES = 4


@dataclass
class Job:
    """One job with its places; steps count from the start of the scenario, `last` may lie after."""

    number: int
    kind: str
    spots: tuple[Spot, ...]
    first: int
    last: int
    user: str
    team: str
    name: str
    cores: float
    """Processors of all its nodes together."""
    draft: Draft
    share_milli: int = 1000
    startup: int = 0
    state: str = "completed"

    @property
    def sort(self) -> str:
        """batch, interactive or service."""
        return KINDS[self.kind].job if self.kind in KINDS else "batch"


class Dealer:
    """Deals kinds of jobs onto the blocks of a site, and has each job drawn."""

    def __init__(
        self, variant: Variant, rng: np.random.Generator, length: int, turns: tuple[int, int] | None
    ) -> None:
        self._variant = variant
        self._rng = rng
        self._length = length
        self._turns = turns
        self._deck: list[str] = []
        self._number = 1000
        self.jobs: list[Job] = []

    def deal(self, grades: dict[int, str], special: dict[str, list[int]]) -> list[Job]:
        """All jobs: the gang that loses a peer first, other gangs, then node after node."""
        v = self._variant
        taken = v.gang // v.slots
        self._gang("peer", range(taken))
        room = v.nodes - taken - sum(len(s) for s in special.values()) - v.scraped
        for kind, nodes in GANGS:
            if nodes <= room // 3:
                self._gang(kind, range(taken, taken + nodes))
                taken, room = taken + nodes, room - nodes
        for node in range(taken, v.nodes):
            if node in special["mig"]:
                continue
            shared = node in special["shared"]
            for block in self._blocks():
                self._lane(node, block, grades[node], shared)
        return self.jobs

    def _blocks(self) -> Iterator[tuple[int, ...]]:
        """The slots of a node in blocks of one, two, four or eight."""
        at = 0
        while at < self._variant.slots:
            fits = [n for n in (1, 2, 4, 8) if at % n == 0 and at + n <= self._variant.slots]
            often = (
                {1: 3, 2: 3, 4: 3, 8: 4} if self._variant.deck >= 1 else {1: 8, 2: 5, 4: 2, 8: 0}
            )
            weights = np.array([often[n] for n in fits], float)
            size = int(self._rng.choice(fits, p=weights / weights.sum()))
            yield tuple(range(at, at + size))
            at += size

    def _gang(self, kind: str, nodes: range) -> None:
        spots = tuple((n, s) for n in nodes for s in range(self._variant.slots))
        first = steps(self._rng.uniform(2, 20))
        last = self._length + steps(60) if kind == "peer" else self._until(first, 4, 7)
        self._job(kind, spots, first, last, grade="A")

    def _lane(self, node: int, slots: tuple[int, ...], grade: str, shared: bool) -> None:
        """Jobs one after another on the same GPUs; on shared ones, several at a time."""
        if shared:
            for slot in slots:
                for _ in range(int(self._rng.integers(2, SHARES + 1))):
                    first = steps(self._rng.uniform(0, 60))
                    kind = str(self._rng.choice(["small_batch", "notebook", "never", "serving"]))
                    last = self._until(first, 3, 8)
                    self._job(kind, ((node, slot),), first, last, grade, 1000 // SHARES)
            return
        spots = tuple((node, slot) for slot in slots)
        at = steps(self._rng.exponential(12))
        while at < self._length - steps(25):
            kind = self._draw(len(slots))
            last = self._until(at, *KINDS[kind].hours)
            self._job(kind, spots, at, last, grade)
            pause = self._rng.exponential(self._variant.free * 200) + 1
            at = last + steps(pause)

    def _until(self, first: int, least_h: float, most_h: float) -> int:
        return first + steps(60 * self._rng.uniform(least_h, most_h))

    def _draw(self, size: int) -> str:
        """The next card of the deck that fits; a new deck is shuffled in when none does."""
        for _ in range(2):
            for i, kind in enumerate(self._deck):
                if size in KINDS[kind].sizes:
                    return self._deck.pop(i)
            self._deck += self._fresh_deck()
        return "train"

    def _fresh_deck(self) -> list[str]:
        v = self._variant
        deck = [
            name
            for name, kind in KINDS.items()
            for _ in range(max(1, round(kind.weight * v.weights.get(name, 1) * v.deck)))
        ]
        self._rng.shuffle(deck)
        return deck

    def _job(
        self,
        kind: str,
        spots: tuple[Spot, ...],
        first: int,
        last: int,
        grade: str,
        share_milli: int = 1000,
    ) -> None:
        size = min(last, self._length) - first
        if size < steps(20):
            return
        about = KINDS.get(kind, KINDS["train"])
        rng = np.random.default_rng(self._rng.integers(1 << 62))
        cores = len(spots) * self._variant.cores / self._variant.slots * share_milli / 1000
        draft = Draft(self._variant.card, rng, len(spots), size)
        user = int(self._rng.integers(40))
        self._number += int(self._rng.integers(1, 9))
        job = Job(
            *(self._number, kind, spots, first, last),
            user=f"u{user:02d}",
            team=TEAMS[user % len(TEAMS)],
            name=f"{rng.choice(about.names)}{self._number % 97}",
            cores=max(1, round(cores * rng.uniform(*about.cores))),
            draft=draft,
            share_milli=share_milli,
            state=str(rng.choice(["completed", "failed", "cancelled"], p=[0.6, 0.2, 0.2])),
        )
        self._fill(job, grade)
        self.jobs.append(job)

    def _fill(self, job: Job, grade: str) -> None:
        """Draw the job's signals; what it may depend on is in its draft's facts."""
        draft = job.draft
        nodes = sorted({n for n, _ in job.spots})
        draft.facts |= {"cores": job.cores, "grade": grade}
        if self._turns and draft.rng.random() < 0.85:
            low, high = (t - job.first for t in self._turns)
            if steps(45) < low and high < draft.steps - steps(25):
                draft.facts["turn"] = int(draft.rng.integers(low, high))
        if job.kind == "peer":
            whole = draft.rng.random() < 0.5
            dying = nodes[int(draft.rng.integers(len(nodes)))]
            gone = [i for i, (n, _) in enumerate(job.spots) if n == dying]
            draft.facts |= {"dead": gone if whole else gone[:1], "node_down": whole}
        job.startup = self._startup(job, len(nodes))
        behave = waste.peer if job.kind == "peer" else KINDS[job.kind].behave
        behave(draft, self._variant, job.startup)
        if job.share_milli < 1000:
            _share(draft)

    def _startup(self, job: Job, nodes: int) -> int:
        """Images and imports take minutes, gangs wait for their slowest rank."""
        draft = job.draft
        if job.kind == "never":
            return 0
        median_s = self._variant.startup_s * (1 + 0.35 * np.log2(nodes))
        seconds = min(840, median_s * float(np.exp(draft.rng.normal(0, 0.45))))
        size = int(max(1, min(round(seconds / STEP_S), draft.steps // 4)))
        began = draft.rng.integers(size // 2, size, draft.gpus)
        for gpu, at in enumerate(began):
            draft.gpu["processes"][gpu, at:size] = 1
            draft.gpu["memory"][gpu, at:size] = 0.01
        draft.load(0, size, cores=1.5, ether_in=8e7, ram=6e9)
        draft.mark("startup", 0, size)
        return size


def _share(draft: Draft) -> None:
    """Shares split the card's memory and time; idle ones cannot be told by the card alone."""
    for name in ("sm", "tensor", "dram", "hmma", "util", "fp32", "memory"):
        draft.gpu[name] *= 1 / SHARES if name == "memory" else 0.4
    idle = {"idle", "idle_notebook_mem", "idle_blips"}
    draft.marks = [
        m if m.label not in idle else type(m)("shared_idle", m.first, m.last, m.gpus)
        for m in draft.marks
    ]
