"""What happens beside jobs: strays on free GPUs, sick cards, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from gpuledger.catalogue import GpuEvent
from tests.labelled.draft import Draft, steps
from tests.labelled.facts import Facts
from tests.labelled.plan import Job
from tests.labelled.site import STEPS_PER_MINUTE, Variant
from tests.labelled.truth import Place, Truth
from tests.labelled.weave import World
from tests.labelled.working import TRAIN

ROGUES, LEAK_SHARE, SICK = 4, 0.06, 4
APPLICATION_XIDS = (13, 31, 43, 45)


@dataclass(frozen=True)
class Sick:
    """One card whose hardware reports errors from a step on."""

    row: int
    job: Job
    gpu: int
    first: int
    what: str
    code: int


def strays(
    site: Variant,
    dealt: Sequence[Job],
    length: int,
    rng: np.random.Generator,
    grades: dict[int, str],
    special: dict[str, list[int]],
) -> list[Job]:
    """Processes without a job: a few for long (rogue), some for minutes after a job (leaked)."""
    held = np.zeros((site.nodes, site.slots, length), np.bool_)
    for job in dealt:
        for node, slot in job.spots:
            held[node, slot, job.first : job.last] = True
    skip = {n for n, g in grades.items() if g == "C"} | set(special["mig"])
    out = list(_leaks(site, dealt, held, rng, skip, length))
    gaps = list(_gaps(held, skip, steps(30)))
    rng.shuffle(gaps)
    for node, slot, first, last in gaps[:ROGUES]:
        begin = first + steps(6)
        end = min(last - steps(2), begin + steps(rng.uniform(20, 90)))
        out.append(_stray(site, (node, slot), begin, end, "rogue", rng))
    return out


def _gaps(
    held: npt.NDArray[np.bool_], skip: set[int], least: int
) -> Iterator[tuple[int, int, int, int]]:
    """Node, slot, first and last step of each time that a GPU is free for long enough."""
    for node, slot in np.ndindex(*held.shape[:2]):
        if node in skip:
            continue
        padded = np.concatenate([[True], held[node, slot], [True]])
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        for first, last in edges.reshape(-1, 2):
            if last - first >= least:
                yield node, slot, int(first), int(last)


def _leaks(
    site: Variant,
    dealt: Sequence[Job],
    held: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    skip: set[int],
    length: int,
) -> Iterator[Job]:
    for job in dealt:
        node, slot = job.spots[0]
        end = job.last + steps(rng.uniform(1, 4))
        if node in skip or end >= length or rng.random() > LEAK_SHARE:
            continue
        if not held[node, slot, job.last : end + 6].any():
            yield _stray(site, (node, slot), job.last, end, "leaked", rng)


def _stray(
    site: Variant,
    spot: tuple[int, int],
    first: int,
    last: int,
    label: str,
    rng: np.random.Generator,
) -> Job:
    draft = Draft(site.card, np.random.default_rng(rng.integers(1 << 62)), 1, last - first)
    draft.hold(0, draft.steps, 0.3)
    if label == "rogue" and rng.random() < 0.7:
        draft.work(0, draft.steps, **TRAIN)
    draft.mark(label, 0, draft.steps)
    number = 90_000 + int(rng.integers(9_000))
    return Job(number, label, (spot,), first, last, "visitor", "", label, 1, draft)


def downs(dealt: Sequence[Job]) -> dict[int, int]:
    """Nodes that die with a gang's peer, and when."""
    return {
        job.spots[job.draft.facts["dead"][0]][0]: job.first + job.draft.facts["dies_at"]
        for job in dealt
        if job.kind == "peer" and job.draft.facts["node_down"]
    }


def sicken(world: World, dealt: Sequence[Job], rng: np.random.Generator) -> list[Sick]:
    """Some busy cards report errors; the work goes on."""
    shape = world.gpu["sm"].shape
    for name in (
        *("ecc_corrected_errors", "ecc_uncorrected_errors", "remap_pending"),
        *("links_down", "narrow"),
    ):
        world.gpu[name] = np.zeros(shape, np.float32)
    able = [j for j in dealt if j.kind == "train" and j.draft.steps > steps(90)]
    chosen = rng.permutation(len(able))[:SICK]
    out = []
    for i, pick in enumerate(chosen):
        job = able[pick]
        gpu = int(rng.integers(len(job.spots)))
        at = job.first + int(job.draft.steps * rng.uniform(0.2, 0.6))
        row = world.row(*job.spots[gpu])
        what, code = (("remap", 63), ("ecc", 94), ("nvlink", 74), ("pcie", 0))[i % 4]
        if what == "nvlink" and not world.variant.card.links:
            what, code = "remap", 63
        _show(world, row, at, what)
        out.append(Sick(row, job, gpu, at, what, code))
    return out


def _show(world: World, row: int, at: int, what: str) -> None:
    shown = {
        "remap": {"remap_pending": 1, "ecc_corrected_errors": 40},
        "ecc": {"ecc_uncorrected_errors": 1, "remap_pending": 1},
        "nvlink": {"links_down": 1},
        "pcie": {"narrow": 1},
    }[what]
    for name, value in shown.items():
        world.gpu[name][row, at:] = value


def events(
    facts: Facts, world: World, sick: Sequence[Sick], rng: np.random.Generator
) -> Iterator[GpuEvent]:
    """XIDs of sick cards, and those that programs cause where jobs fail."""
    for one in sick:
        if one.code:
            place, when = facts.places[one.row], facts.at(one.first)
            yield event(facts, place, when, "xid", one.code, "hardware", "kmsg")
    for job in facts.jobs:
        if job.state == "failed" and job.last < world.length and job.spots and job.team:
            code = int(rng.choice(APPLICATION_XIDS))
            when = facts.at(job.last) - timedelta(seconds=15)
            for spot in job.spots:
                place = facts.places[world.row(*spot)]
                yield event(facts, place, when, "xid", code, "application", "kmsg")


def event(
    facts: Facts, place: Place, when: datetime, kind: str, code: int, cause: str, by: str
) -> GpuEvent:
    """One event of one GPU."""
    return GpuEvent(
        ts=when,
        cluster=facts.cluster,
        node=place.node,
        slot=place.slot,
        gpu_id=place.gpu_id,
        kind=kind,
        code=code,
        cause=cause,
        told_by=by,
        detail=f"{kind} {code}",
    )


def truths(
    facts: Facts,
    world: World,
    sick: Sequence[Sick],
    slow: tuple[int, int],
    grades: dict[int, str],
) -> Iterator[Truth]:
    """Sick cards, and the time in which storage was slow."""
    for one in sick:
        end = min(world.length, one.job.last)
        node = one.row // world.variant.slots
        minutes = np.s_[one.first // STEPS_PER_MINUTE : end // STEPS_PER_MINUTE]
        yield Truth(
            "sick",
            facts.job_id(one.job),
            (facts.places[one.row],),
            facts.at(one.first),
            facts.at(end),
            also=(one.what,),
            grade=grades[node],
            seen=float(world.told[node, minutes].mean()) if end > one.first else 0,
        )
    yield Truth("storage_slow", "", (), facts.at(slow[0]), facts.at(slow[1]))
