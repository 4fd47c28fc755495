"""What placement's facts say of a moment: who holds what, what is lost, who waits."""

from __future__ import annotations

from collections import Counter

from analytics.placing.facts import Event, Facts, Lost, Outage, Reserved
from analytics.placing.queue import CAPACITY, Waiting
from analytics.placing.shapes import Node, Run
from analytics.placing.timeline import Site


class Playback:
    """A fleet as it stands at the moment that `upto` was called for last; time only goes forward.

    `nodes` are as placement sees them (`shapes.fits`), `held` has for each place and job what it
    holds there, `lost` the GPUs that nobody can have, `closed` the places that take no work now,
    `waiting` what waits for capacity by job id.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.nodes: dict[str, Node] = {name: node.copy() for name, node in facts.nodes.items()}
        self._site = Site(facts)
        self.held: dict[str, dict[str, list[Run]]] = {place: {} for place in facts.nodes}
        self.waiting: dict[str, Waiting] = {}
        self._lost: Counter[int] = Counter()
        self._closed: Counter[str] = Counter()
        # What ends at an instant ends before anything begins there.
        self._events = sorted(facts.events, key=lambda e: (_when(e), e.step), reverse=True)

    def upto(self, at_ms: int) -> None:
        """Let everything happen that happens until then, that instant included."""
        while self._events and _when(self._events[-1]) <= at_ms:
            self._apply(self._events.pop())

    @property
    def lost(self) -> set[int]:
        """GPUs that nobody can have."""
        return {gpu for gpu, times in self._lost.items() if times > 0}

    @property
    def closed(self) -> set[str]:
        """Places that are down, drained or reserved."""
        return {place for place, times in self._closed.items() if times > 0}

    def _apply(self, event: Event) -> None:
        what, node = event.what, self.nodes.get(event.place)
        if node and isinstance(what, Run | Lost | Outage | Reserved):
            self._site.change(node, what, event.step)
        if isinstance(what, Waiting):
            self._wait(what, event.step)
        elif isinstance(what, Lost):
            self._lost[what.gpu] += event.step
        elif isinstance(what, Outage | Reserved):
            self._closed[event.place] += event.step
        elif isinstance(what, Run) and event.place in self.held:
            self._hold(self.held[event.place], what, event.step)

    def _wait(self, job: Waiting, step: int) -> None:
        if step < 0:
            self.waiting.pop(job.job_id, None)
        elif job.wants == CAPACITY:
            self.waiting[job.job_id] = job

    @staticmethod
    def _hold(jobs: dict[str, list[Run]], run: Run, step: int) -> None:
        if step > 0:
            jobs.setdefault(run.job_id, []).append(run)
            return
        jobs[run.job_id].remove(run)
        if not jobs[run.job_id]:
            del jobs[run.job_id]


def _when(event: Event) -> int:
    """Minutes of loss end with the minute: at the end of what is booked they still hold."""
    ends_loss = isinstance(event.what, Lost) and event.step < 0
    return event.at + ends_loss
