"""Plays a window: what begins and ends changes fleet and queue, and each free GPU gets its verdict.

The queue is served whenever anything changed. Why other GPUs stay free, and what is kept for
planned jobs, is judged once a minute: a gap shorter than that is the scheduler's own beat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analytics.placing.demand import Demand
from analytics.placing.facts import Event, Facts, Lost, Member, Outage, Reserved, Span
from analytics.placing.fleet import Fleet, Trial
from analytics.placing.judge import PLAIN, Judge, Verdict
from analytics.placing.plan import Planner
from analytics.placing.queue import CAPACITY, QUOTA, Queue, Waiting
from analytics.placing.serve import Plan, Served, serve
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import WHOLE, Node, Run

MINUTE_MS = 60_000
Stretch = tuple[int, int, int, Verdict]  # from, until, GPU, what holds of it
RESERVED = Verdict("held", "reservation")


class Timeline:
    """Fleet and queue of a window; `play` does it all and may be called once."""

    def __init__(self, facts: Facts, settings: PlacementSettings) -> None:
        self._facts = facts
        self._site = Site(facts)
        self._fleet = Fleet(facts.nodes)
        self._queues = {CAPACITY: Queue(), QUOTA: Queue()}
        self._planner = Planner(self._fleet, settings)
        self._judge = Judge(self._fleet, facts.usual, settings)
        self.demand = Demand(self._fleet)
        self._plans: list[Plan] = []
        self._served = Served()
        self._judged: dict[int, Verdict] = {}
        self._now: dict[int, tuple[int, Verdict]] = {}
        self._dirty = False

    def play(self, span: Span) -> Iterator[Stretch]:
        """Every stretch in which a verdict held of a free GPU."""
        for name in self._fleet.nodes:
            self._fleet.touch(name)
        judged = -1
        for at, events in _grouped(self._facts.events, span):
            boundary = (judged // MINUTE_MS + 1) * MINUTE_MS
            if judged >= 0 and self._dirty and boundary < at:
                yield from self._judge_all(boundary)
            touched = {place for event in events for place in self._apply(event)}
            if at == span.lo or at % MINUTE_MS == 0:
                yield from self._judge_all(at)
            else:
                if self._served.wanted or any(map(self._may_help, events)):
                    yield from self._serve(at, touched)
                else:
                    yield from self._tell(at, self._gpus(touched))
                self._dirty = True
            judged = at
        if self._dirty and (judged // MINUTE_MS + 1) * MINUTE_MS < span.hi:
            yield from self._judge_all((judged // MINUTE_MS + 1) * MINUTE_MS)
        self.demand.close(span.hi)
        yield from ((f, span.hi, gpu, verdict) for gpu, (f, verdict) in self._now.items())

    def _apply(self, event: Event) -> Iterator[str]:
        """Change what the event is about; the node that it touches."""
        what = event.what
        if isinstance(what, Waiting):
            queue = self._queues[what.wants]
            (queue.add if event.step > 0 else queue.remove)(what)
            self.demand.change(event.at, event.step, what)
        elif isinstance(what, Member):
            for queue in self._queues.values():
                queue.member(what.gang, event.step)
        elif event.place in self._fleet.nodes:
            self._site.change(self._fleet.nodes[event.place], what, event.step)
            self._fleet.touch(event.place)
            yield event.place

    def _may_help(self, event: Event) -> bool:
        """Whether something may find a place now; what begins to be held helps nobody."""
        what = event.what
        if isinstance(what, Waiting) and event.step < 0:
            # A gang of one less may fit; and nothing is kept any more for a job that went.
            return bool(what.gang or self._plans)
        return isinstance(what, Member) or isinstance(what, Waiting) == (event.step > 0)

    def _gpus(self, touched: set[str]) -> set[int]:
        return {gpu for place in touched for gpu in self._site.gpus[place]}

    def _serve(self, at: int, touched: set[str]) -> Iterator[Stretch]:
        """Between two judgements only demand changes, and what begins to be held."""
        before = self._served
        queue = self._queues[CAPACITY]
        self._plans = [plan for plan in self._plans if plan.unit in queue]
        self._served = serve(queue, self._fleet, self._plans)
        gpus = self._gpus(touched)
        for served in (before, self._served):
            gpus.update(served.wanted, served.kept)
        yield from self._tell(at, gpus)

    def _judge_all(self, at: int) -> Iterator[Stretch]:
        """Plan, serve, and judge what is left."""
        queue, refused = self._queues[CAPACITY], self._queues[QUOTA]
        trial = Trial(self._fleet)
        self._served = serve(queue, self._fleet, (), trial)
        self._plans = self._planner.plans(self._served.unplaced.values(), at)
        if self._plans:
            trial = Trial(self._fleet)
            self._served = serve(queue, self._fleet, self._plans, trial)
        self._judged = self._judge.judge(trial, queue, self._served.unplaced)
        if refused:
            for gpu in serve(refused, self._fleet, (), trial).wanted:
                found = self._judged.get(gpu, PLAIN)
                self._judged[gpu] = Verdict(found.state, found.cause, "quota_held")
        self._dirty = False
        reserved = (self._site.gpus[n] for n in self._site.reserved)
        told = {*self._now, *self._judged, *self._served.wanted, *self._served.kept}
        yield from self._tell(at, told.union(*reserved))

    def _tell(self, at: int, gpus: Iterable[int]) -> Iterator[Stretch]:
        """End the stretches of GPUs of which something else holds now, and begin new ones."""
        for gpu in gpus:
            since, before = self._now.get(gpu, (at, None))
            verdict = self._verdict(gpu)
            if verdict == before:
                continue
            if before and since < at:
                yield since, at, gpu, before
            if verdict:
                self._now[gpu] = (at, verdict)
            else:
                self._now.pop(gpu, None)

    def _verdict(self, gpu: int) -> Verdict | None:
        node = self._fleet.nodes[self._site.place[gpu]]
        if node.down or not _is_loose(node, gpu):
            return None
        if node.reserved:
            return RESERVED
        kept = self._served.kept.get(gpu)
        if kept:
            return Verdict("held", "backfill", job_id=kept)
        owner = self._served.wanted.get(gpu)
        if owner is None:
            return self._judged.get(gpu)
        if owner.half:
            return Verdict("held", "gang", job_id=owner.job_id)
        return Verdict("free_demand", job_id=owner.job_id)


def _is_loose(node: Node, gpu: int) -> bool:
    return gpu in node.free or gpu in node.shared or bool(node.slices.get(gpu))


class Site:
    """What is held and lost of each GPU, from which the nodes' free parts follow."""

    def __init__(self, facts: Facts) -> None:
        self.gpus = {name: frozenset(node.loose) for name, node in facts.nodes.items()}
        self.place = {gpu: name for name, gpus in self.gpus.items() for gpu in gpus}
        self.reserved: set[str] = set()
        self._slices = facts.slices
        self._sharing = {name for name, node in facts.nodes.items() if node.shared}
        self._lost: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._taken: dict[int, list[int]] = {}

    def change(self, node: Node, what: Run | Lost | Outage | Reserved, step: int) -> None:
        """Begin (+1) or end (-1) something at a node."""
        match what:
            case Outage():
                node.down += step
            case Reserved():
                node.reserved += step
                (self.reserved.add if node.reserved else self.reserved.discard)(node.name)
            case Lost(gpu):
                self._lost[gpu] = self._lost.get(gpu, 0) + step
                self._free(node, gpu)
            case Run():
                self._run(node, what, step)

    def _run(self, node: Node, run: Run, step: int) -> None:
        node.cpu_used += step * run.cpu_milli
        node.memory_used += step * run.memory_mib
        (node.runs.add if step > 0 else node.runs.discard)(run)
        for gpu, milli, uuid in run.gpus:
            if gpu in self._slices:
                sizes = self._taken.setdefault(gpu, [])
                size = self._slices[gpu].get(uuid, milli)
                (sizes.append if step > 0 else sizes.remove)(size)
            self._held[gpu] = self._held.get(gpu, 0) + step * milli
            self._free(node, gpu)

    def _free(self, node: Node, gpu: int) -> None:
        if self.place.get(gpu) != node.name:
            return
        lost = self._lost.get(gpu, 0)
        if gpu in self._slices:
            node.slices[gpu] = () if lost else self._left(gpu)
            return
        room = 0 if lost else WHOLE - self._held.get(gpu, 0)
        (node.free.add if room == WHOLE else node.free.discard)(gpu)
        if node.name in self._sharing:
            node.shared[gpu] = room
            if room <= 0:
                del node.shared[gpu]

    def _left(self, gpu: int) -> tuple[int, ...]:
        """Slices of a card that nobody holds; of a size that it has not, the nearest is held."""
        left = list(self._slices[gpu].values())
        for size in self._taken.get(gpu, ()):
            if left:
                left.remove(min(left, key=lambda has: (abs(has - size), has)))
        return tuple(left)


def _grouped(events: Iterable[Event], span: Span) -> Iterator[tuple[int, list[Event]]]:
    """Events by time, from the window's beginning; ends come before beginnings of one instant."""
    groups: dict[int, list[Event]] = {span.lo: []}
    for event in events:
        groups.setdefault(event.at, []).append(event)
    for at in sorted(groups):
        yield at, sorted(groups[at], key=lambda e: e.step)
