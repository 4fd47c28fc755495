"""Cards cut into slices: each slice works, idles or is free, whatever its neighbours do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Gpu
from gpuledger.catalogue.work import version
from tests.labelled import waste, working
from tests.labelled.draft import RATIOS, Draft, steps
from tests.labelled.facts import Facts, Held
from tests.labelled.plan import TEAMS, Job
from tests.labelled.rows import Told
from tests.labelled.site import STEP_S, STEPS_PER_MINUTE, Variant
from tests.labelled.truth import Place, Truth
from tests.labelled.weave import World, means

# Shape, thousandths of the card's multiprocessors and of its memory (NVIDIA's MIG guide: an H100
# has 132 of them, a 1g slice 16; what 7 x 1g cannot reach is lost).
SHAPES = {"1g.10gb": (121, 125), "2g.20gb": (242, 250), "3g.40gb": (454, 500)}
LAYOUTS = (
    ("1g.10gb",) * 7,
    ("3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"),
    ("2g.20gb", "2g.20gb", "2g.20gb", "1g.10gb"),
    ("3g.40gb", "3g.40gb"),
)
KINDS = {
    "train": (working.train, 4),
    "decode": (working.decode, 2),
    "never": (waste.never, 2),
    "done": (waste.done, 2),
    "blips": (waste.blips, 1),
    "notebook": (waste.notebook, 2),
}


@dataclass(frozen=True)
class Slice:
    """One slice and the jobs that hold it one after another."""

    node: int
    slot: int
    number: int
    shape: str
    jobs: tuple[Job, ...]

    @property
    def share(self) -> float:
        """Its part of the card's multiprocessors."""
        return SHAPES[self.shape][0] / 1000


@dataclass
class Slices:
    """What the cut cards add to a scenario."""

    jobs: list[Job] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    cards: list[Gpu] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    truth: list[Truth] = field(default_factory=list)


def cut(site: Variant, nodes: Sequence[int], length: int, rng: np.random.Generator) -> list[Slice]:
    """The slices of those nodes' cards, with their jobs drawn."""
    return list(_cut(site, nodes, length, rng))


def _cut(
    site: Variant, nodes: Sequence[int], length: int, rng: np.random.Generator
) -> Iterator[Slice]:
    number = 50_000
    for node in nodes:
        for slot in range(site.slots):
            layout = LAYOUTS[int(rng.integers(len(LAYOUTS)))]
            for i, shape in enumerate(layout):
                jobs = tuple(_lane(site, (node, slot), shape, length, number, rng))
                number += 10
                yield Slice(node, slot, i, shape, jobs)


def _lane(
    site: Variant,
    spot: tuple[int, int],
    shape: str,
    length: int,
    number: int,
    rng: np.random.Generator,
) -> Iterator[Job]:
    weights = np.array([w for _, w in KINDS.values()], float)
    at = steps(rng.exponential(20))
    while at < length - steps(40):
        last = at + steps(60 * rng.uniform(2, 5))
        kind = str(rng.choice(list(KINDS), p=weights / weights.sum()))
        draft = Draft(
            site.card, np.random.default_rng(rng.integers(1 << 62)), 1, min(last, length) - at
        )
        startup = 0 if kind == "never" else max(1, min(steps(2), draft.steps // 4))
        draft.facts |= {"cores": 4.0, "grade": "A"}
        draft.mark("startup", 0, startup)
        KINDS[kind][0](draft, site, startup)
        user = int(rng.integers(40))
        number += 1
        yield Job(
            *(number, kind, (spot,), at, last, f"u{user:02d}", TEAMS[user % len(TEAMS)]),
            name=f"slice{number % 97}",
            cores=4,
            draft=draft,
            share_milli=SHAPES[shape][0],
            startup=startup,
        )
        at = last + steps(rng.exponential(25) + 2)


def lay(world: World, slices: Sequence[Slice]) -> None:
    """Add what slices do to their cards, by their shares; the cards cannot tell it apart."""
    world.gpu["cut"] = np.zeros_like(world.gpu["sm"])
    for one in slices:
        row = world.row(one.node, one.slot)
        world.gpu["cut"][row] = 1
        for job in one.jobs:
            span = np.s_[job.first : job.first + job.draft.steps]
            for name, signal in job.draft.gpu.items():
                part = signal[0] if name == "processes" else signal[0] * one.share
                world.gpu[name][row, span] += part
            for name, told in job.draft.host.items():
                world.host[name][one.node, span] += told * one.share


def tell(facts: Facts, world: World, slices: Sequence[Slice]) -> Slices:
    """Jobs, inventory, samples and truth of the slices."""
    out = Slices()
    if not slices:
        return out
    named = [
        (one, facts.places[world.row(one.node, one.slot)], _uuid(facts, one)) for one in slices
    ]
    for one, place, uuid in named:
        out.cards.append(_card(facts, one, place, uuid))
        for job in one.jobs:
            out.jobs.append(job)
            share = SHAPES[one.shape][0]
            out.held.append(Held(facts.job_id(job), place, job.first, job.last, share, slice=uuid))
            out.truth += _truth(facts, world, one, place, job)
    out.told.append(_samples(facts, world, named))
    return out


def _uuid(facts: Facts, one: Slice) -> str:
    return f"MIG-{facts.cluster}-{one.node}-{one.slot}-{one.number}"


def _card(facts: Facts, one: Slice, place: Place, uuid: str) -> Gpu:
    return Gpu(
        gpu_id=place.gpu_id,
        cluster=facts.cluster,
        node=place.node,
        slot=place.slot,
        uuid=uuid,
        model=facts.variant.card.model,
        memory_bytes=facts.variant.card.memory * SHAPES[one.shape][1] / 1000,
        parent=place.uuid,
        profile=one.shape,
        entitlement_milli=SHAPES[one.shape][0],
        seen_at=facts.start,
        version=version(4, to_milliseconds(facts.start)),
    )


def _truth(facts: Facts, world: World, one: Slice, place: Place, job: Job) -> Iterator[Truth]:
    for mark in job.draft.marks:
        first, last = job.first + mark.first, job.first + mark.last
        minutes = np.s_[first // STEPS_PER_MINUTE : -(-last // STEPS_PER_MINUTE)]
        yield Truth(
            label=mark.label,
            job=facts.job_id(job),
            places=(place,),
            since=facts.at(first),
            until=facts.at(last),
            mean_sm=float(job.draft.gpu["sm"][0, mark.first : mark.last].mean()),
            also=mark.also,
            grade="A" if facts.variant.card.profiles else "D",
            seen=float(world.told[one.node, minutes].mean()),
            slice=one.shape,
        )


Named = tuple[Slice, Place, str]


def _samples(facts: Facts, world: World, named: Sequence[Named]) -> Told:
    """`slice_samples`; a card without profiling counters tells of its slices' memory alone."""
    windows = world.length // STEPS_PER_MINUTE
    grids = {
        name: np.zeros((len(named), world.length), np.float32)
        for name in (*RATIOS, "memory", "processes")
    }
    for i, (one, _, _) in enumerate(named):
        for job in one.jobs:
            span = np.s_[job.first : job.first + job.draft.steps]
            for name, grid in grids.items():
                grid[i, span] = job.draft.gpu[name][0]
    mean = {name: means(grid, STEPS_PER_MINUTE) for name, grid in grids.items()}
    total = np.array([[SHAPES[one.shape][1] / 1000] for one, _, _ in named])
    memory = total * facts.variant.card.memory
    told: dict[str, Any] = {
        "memory_used_bytes": mean["memory"] * memory,
        "memory_total_bytes": memory * np.ones(windows),
        "processes": mean["processes"],
    }
    if facts.variant.card.profiles:
        told |= {
            "sm_active_ratio": mean["sm"],
            "sm_occupancy_ratio": mean["occupancy"],
            "tensor_active_ratio": mean["tensor"],
            "dram_active_ratio": mean["dram"],
            "active_seconds": np.minimum(1, mean["active"]) * 60,
        }
    kept = world.told[[one.node for one, _, _ in named]]
    return Told(
        "slice_samples", STEP_S * STEPS_PER_MINUTE, windows, _keys(facts, named), told, kept
    )


def _keys(facts: Facts, named: Sequence[Named]) -> dict[str, Any]:
    return {
        "cluster": np.full(len(named), facts.cluster, object),
        "node": np.array([place.node for _, place, _ in named], object),
        "slot": np.array([place.slot for _, place, _ in named], np.int64),
        "uuid": np.array([uuid for _, _, uuid in named], object),
        "gpu_id": np.array([place.gpu_id for _, place, _ in named], np.uint64),
        "profile": np.array([one.shape for one, _, _ in named], object),
        "gpu_instance": np.array([one.number for one, _, _ in named], np.int64),
        "compute_instance": np.zeros(len(named), np.int64),
        "source": np.full(len(named), "nvml", object),
    }
