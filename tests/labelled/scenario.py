"""A labelled site: built from a variant and a seed, written into a store at once or by and by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from gpuledger.batch import by_table
from gpuledger.catalogue import Gpu, GpuEvent
from gpuledger.store import Store
from tests.labelled import extras, jobs, mig, telemetry
from tests.labelled.draft import steps
from tests.labelled.facts import Facts, Held
from tests.labelled.plan import Dealer, Job
from tests.labelled.rows import Told
from tests.labelled.site import STEP_S, STEPS_PER_MINUTE, VARIANTS, Variant
from tests.labelled.truth import Truth
from tests.labelled.weave import World, hide, sense, slow_storage, weave

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SLOW_STORAGE_MIN = 35


@dataclass
class Scenario:
    """A site and the truth about it.

    Columns of samples are kept, so that `feed` may hand them over window by window.
    """

    variant: Variant
    seed: int
    cluster: str
    start: datetime
    until: datetime
    truth: list[Truth]
    facts: Facts
    told: Sequence[Told]

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of the whole site."""
        hours = (self.until - self.start) / timedelta(hours=1)
        return self.variant.nodes * self.variant.slots * hours

    def write(self, store: Store) -> None:
        """Everything, as known at the end."""
        self.feed(store, self.start, self.until)

    def feed(self, store: Store, since: datetime, until: datetime) -> None:
        """What was told in (since, until], as it was known then; the inventory with the first."""
        rows = list(self.facts.between(since, until))
        if since <= self.start:
            rows = [*self.facts.inventory(), *rows]
        for batch in by_table(rows):
            store.insert(batch)
        for told in self.told:
            for batch in told.batches(self.start, since, until):
                store.insert(batch)


def build(
    variant: str | Variant,
    seed: int,
    *,
    hours: float = 6.0,
    start: datetime = START,
    turns: tuple[float, float] | None = None,
    interval_s: int = 60,
) -> Scenario:
    """The scenario of that site and seed.

    `turns` (minutes from the start): most jobs that turn idle or hang do so inside it, where they
    run then. `interval_s` is what one row of an agent covers: 60, or down to 10.
    """
    site = VARIANTS[variant] if isinstance(variant, str) else variant
    rng = np.random.default_rng([seed, *site.name.encode()])
    length = steps(60 * hours)
    grades, special = _places(site)
    window = (steps(turns[0]), steps(turns[1])) if turns else None
    dealt = Dealer(site, rng, length, window).deal(grades, special)
    slow = _slow(length, rng)
    world = World(site, length)
    world.host["latency"] = np.zeros((site.nodes, length), np.float32)
    slow_storage(world, dealt, *slow)
    latency = world.host["latency"]
    dealt += extras.strays(site, dealt, length, rng, grades, special)
    world = weave(site, dealt, length, rng)
    world.host["latency"] += latency
    slices = mig.cut(site, special["mig"], length, rng)
    mig.lay(world, slices)
    sick = extras.sicken(world, dealt, rng)
    sense(world, rng)
    hide(world, rng)
    return _told(site, seed, start, world, dealt, grades, slices, slow, sick, interval_s, rng)


def _places(site: Variant) -> tuple[dict[int, str], dict[str, list[int]]]:
    """Grade of each node's evidence, and nodes whose cards are cut or shared: the last ones."""
    best = "A" if site.card.profiles else "B"
    last = site.nodes
    special: dict[str, list[int]] = {}
    for name, count in (("mig", site.mig), ("shared", site.shared)):
        special[name] = list(range(last - count, last))
        last -= count
    grades = dict.fromkeys(range(site.nodes), best)
    grades |= dict.fromkeys(range(last - site.scraped, last), "C")
    return grades, special


def _slow(length: int, rng: np.random.Generator) -> tuple[int, int]:
    first = int(rng.integers(steps(40), max(steps(41), length - steps(SLOW_STORAGE_MIN + 10))))
    return first, min(length, first + steps(SLOW_STORAGE_MIN))


def _told(
    site: Variant,
    seed: int,
    start: datetime,
    world: World,
    dealt: list[Job],
    grades: dict[int, str],
    sliced: list[mig.Slice],
    slow: tuple[int, int],
    sick: list[extras.Sick],
    interval_s: int,
    rng: np.random.Generator,
) -> Scenario:
    cluster = f"{site.name}{seed}"
    listed = telemetry.places(cluster, site)
    facts = Facts(cluster, site, start, world.length, listed, dealt, ())
    slices = mig.tell(facts, world, sliced)
    facts.jobs = [*dealt, *slices.jobs]
    facts.held = [*_held(facts, world, dealt), *slices.held]
    facts.slices = slices.cards
    facts.down = extras.downs(dealt)
    facts.outage = _outage(world, rng)
    facts.events = [*_events(facts, world, dealt), *extras.events(facts, world, sick, rng)]
    up = np.ones((site.nodes, world.length), np.bool_)
    for node, at in facts.down.items():
        up[node, at:] = False
    told = _tables(world, cluster, grades, up, interval_s, dealt, start, slices)
    truth = [*_truth(facts, world, dealt, grades), *slices.truth]
    truth += extras.truths(facts, world, sick, slow, grades)
    until = facts.at(world.length)
    return Scenario(site, seed, cluster, start, until, truth, facts, told)


def _tables(
    world: World,
    cluster: str,
    grades: dict[int, str],
    up: npt.NDArray[np.bool_],
    interval_s: int,
    dealt: list[Job],
    start: datetime,
    slices: mig.Slices,
) -> list[Told]:
    hidden = {n for n, grade in grades.items() if grade == "C"}
    begun = round(start.timestamp() * 1000)
    return [
        *telemetry.gpu_tables(world, cluster, grades, up, interval_s // STEP_S),
        *telemetry.host_tables(world, cluster, up),
        *jobs.groups(world, cluster, [j for j in dealt if j.team]),
        *jobs.processes(world, cluster, dealt, begun, hidden),
        *jobs.services(world, cluster, dealt),
        *slices.told,
    ]


def _outage(world: World, rng: np.random.Generator) -> tuple[int, int]:
    minutes = world.length // STEPS_PER_MINUTE
    first = int(rng.integers(20, minutes - 12))
    return first, first + 8


def _held(facts: Facts, world: World, dealt: list[Job]) -> Iterator[Held]:
    for job in dealt:
        if not job.team:
            continue
        for spot in job.spots:
            place = facts.places[world.row(*spot)]
            yield Held(facts.job_id(job), place, job.first, job.last, job.share_milli)


def _events(facts: Facts, world: World, dealt: list[Job]) -> Iterator[GpuEvent]:
    """A lost GPU in the kernel's log and by NVML, where its node still lives."""
    for job in dealt:
        if job.kind != "peer" or job.draft.facts["node_down"]:
            continue
        for i in job.draft.facts["dead"]:
            place = facts.places[world.row(*job.spots[i])]
            when = facts.at(job.first + job.draft.facts["dies_at"])
            yield extras.event(facts, place, when, "xid", 79, "hardware", "kmsg")
            later = when + timedelta(seconds=2)
            yield extras.event(facts, place, later, "lost", 15, "hardware", "nvml")


def _truth(facts: Facts, world: World, dealt: list[Job], grades: dict[int, str]) -> Iterator[Truth]:
    for job in dealt:
        nodes = [n for n, _ in job.spots]
        for mark in job.draft.marks:
            here = np.s_[list(mark.gpus), mark.first : mark.last]
            first, last = job.first + mark.first, job.first + mark.last
            minutes = np.s_[first // STEPS_PER_MINUTE : -(-last // STEPS_PER_MINUTE)]
            yield Truth(
                label=mark.label,
                job=facts.job_id(job) if job.team else "",
                places=tuple(facts.places[world.row(*job.spots[g])] for g in mark.gpus),
                since=facts.at(first),
                until=facts.at(last),
                mean_sm=float(job.draft.gpu["sm"][here].mean()),
                also=mark.also,
                grade=max(grades[nodes[g]] for g in mark.gpus),
                seen=float(world.told[nodes][:, minutes].mean()),
            )


__all__ = ["START", "Gpu", "Scenario", "build"]
