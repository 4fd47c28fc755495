"""Facts of one cluster, from readings of kube-state-metrics and dcgm-exporter as they come.

It knows no transport: remote-write and backfill give it readings and take rows. All that it
concludes rests on the times of the readings, never on the clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from analytics.facts import cards as dcgm
from analytics.facts.adopt import adopt
from analytics.facts.cards import Cards
from analytics.facts.hearing import Hearing, patience_ms
from analytics.facts.holdings import KUBE, Holdings
from analytics.facts.nodes import Nodes, Quotas
from analytics.facts.pods import Life, Pods
from analytics.facts.rows import end_row, job_row
from analytics.facts.says import Says, said
from analytics.facts.words import Words
from gpuledger.accelerators import whole
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.host import SourceRun
from gpuledger.catalogue.work import Job
from gpuledger.kubernetes_names import USER_WORDS, Teams
from gpuledger.mapping import Reading
from gpuledger.rows import says_the_same
from gpuledger.schema import Row

# What came in pieces is looked at once more of its time has passed.
SETTLED_MS = 5_000
RUN_MS = 60_000
# Readings from further ahead have a wrong clock, and would end all that is not named there.
AHEAD_MS = 600_000
MOST = 200_000  # pods, cards and holders each: label explosions end here


class Facts:
    """What exporters of one cluster say, as rows of jobs, allocations, nodes, quotas and cards.

    `interval_s` is how far apart readings of one series are; `slots` says which UUID or PCI address
    is in which slot where that is known better than by the exporter's index; `teams` whose a
    namespace is; `user_words` which labels of a pod name its user.
    """

    def __init__(
        self,
        cluster: str,
        *,
        interval_s: float = 60.0,
        teams: Teams | None = None,
        slots: Mapping[str, int] | None = None,
        user_words: Sequence[str] = USER_WORDS,
        node_labels: Sequence[str] = dcgm.NODE_LABELS,
        most: int = MOST,
    ) -> None:
        patience = patience_ms(interval_s)
        self._teams = teams or Teams()
        self._user_words = tuple(user_words)
        words = Words((*user_words, self._teams.protected_label))
        self._cluster = cluster
        self._kube = Hearing(patience)
        self._pods = Pods(words, self._kube, most)
        self._nodes = Nodes(words, self._kube, most)
        self._quotas = Quotas(self._kube, most)
        self._cards = Cards(patience, slots or {}, node_labels, most)
        self._holdings = Holdings(cluster, self._kube, self._pods, self._nodes, self._cards)
        self._settled_ms = 0
        self._rank_ms = 0
        self.ignored = 0

    @property
    def refused(self) -> int:
        """Readings of things beyond the most that are remembered."""
        return self._pods.refused + self._cards.refused

    def feeds(self, name: str) -> bool:
        """Whether it wants the metric of that name."""
        return (
            self._cards.feeds(name)
            or self._pods.feeds(name)
            or self._nodes.feeds(name)
            or name == Quotas.METRIC
        )

    def take(self, readings: Iterable[Reading], at_ms: int) -> list[Row]:
        """Rows that the readings add; `at_ms` is now, and the time of those that tell none.

        What came in pieces is told once readings of a later time have come, so a moment may be
        given in parts, but parts of one moment should not be mixed with much later ones.
        """
        last_ms = self._settled_ms
        for reading in readings:
            when = at_ms if reading.at_ms is None else reading.at_ms
            if when > at_ms + AHEAD_MS or not math.isfinite(reading.value):
                self.ignored += 1
                continue
            if self._absorb(reading, when):
                last_ms = max(last_ms, when)
        if last_ms - self._settled_ms < SETTLED_MS:
            return []
        self._settled_ms = last_ms
        return list(self._rows(last_ms))

    def recall(self, rows: Iterable[Row]) -> None:
        """Know what an earlier process told and did not end; before the first readings."""
        adopt(rows, self._holdings, self._quotas)

    def learn(self, jobs: Iterable[Job]) -> None:
        """Jobs as accounting tells of them: their times outweigh those of labels (`hpc_job`)."""
        self._holdings.jobs.update({job.job_id: job for job in jobs})

    def _absorb(self, reading: Reading, when: int) -> bool:
        """Whether the reading is one that we want."""
        name, labels, value = reading.name, reading.labels, reading.value
        if self._cards.feeds(name):
            self._cards.take(name, labels, value, when)
            return True
        if self._pods.feeds(name):
            self._pods.take(name, labels, value, when)
        elif self._nodes.feeds(name):
            self._nodes.take(name, labels, value, when)
        elif name == Quotas.METRIC:
            self._quotas.take(labels, value, when)
        else:
            return False
        return True

    def _rows(self, at_ms: int) -> Iterator[Row]:
        """Everything that is new."""
        self._rank_ms = max(at_ms, self._rank_ms + 1)
        says = said(
            self._cluster,
            at_ms,
            self._rank_ms,
            teams=self._teams,
            user_words=self._user_words,
            nodes=self._nodes.labels,
        )
        self._pods.sweep()
        touched = set(self._pods.changed)
        yield from self._nodes.rows(says)
        yield from self._quotas.rows(says)
        yield from self._jobs(says)
        yield from self._cards.rows(says, at_ms)
        yield from self._holdings.rows(says, touched)
        if self._pods.changed:  # what has got its devices now
            touched = set(self._pods.changed)
            yield from self._jobs(says)
            yield from self._holdings.rows(says, touched)
        yield from self._runs(says)

    def _jobs(self, says: Says) -> Iterator[Job]:
        """Pods of which something new was heard."""
        known = [self._pods.get(native) for native in self._pods.changed]
        lives = [life for life in known if life]
        if any(life.waits for life in lives):
            says = replace(says, free=self._free(says))
        self._pods.changed.clear()
        for life in lives:
            if not life.known:
                self._pods.changed.add(life.native)
            elif row := self._job(life, says):
                life.row = row
                yield row

    def _job(self, life: Life, says: Says) -> Job | None:
        """The job's row where it says something new."""
        asked, before = life.asked(says.resources), life.row
        if not asked.gpus and not life.held:
            return None
        if before and not life.requests:
            # Recalled, and not heard in full yet.
            row = end_row(before, life, says) if life.over else before
        else:
            row = job_row(life, asked, says)
        return row if before is None or not says_the_same(before, row) else None

    def _free(self, says: Says) -> dict[str, int]:
        """Of each resource that is waited for, the most devices that one node has free."""
        used: dict[tuple[str, str], int] = {}
        waiting = set()
        for life in self._pods.all():
            asked = life.asked(says.resources)
            if life.over or not asked.gpus:
                continue
            if life.node:
                key = life.node, asked.resource
                used[key] = used.get(key, 0) + asked.gpus
            else:
                waiting.add(asked.resource)
        return {r: self._most_free(r, used) for r in waiting}

    def _most_free(self, resource: str, used: Mapping[tuple[str, str], int]) -> int:
        free = 0
        for node in self._nodes.all():
            if node.state[0] == "up":
                has = whole(node.allocatable.get(resource) or node.capacity.get(resource))
                free = max(free, has - used.get((node.name, resource), 0))
        return free

    def _runs(self, says: Says) -> Iterator[SourceRun]:
        """That exporters were heard: the ledger ends what they no longer name."""
        if self._kube.due(RUN_MS):
            yield self._run(says, KUBE, KUBE, self._kube)
        for node, heard in self._cards.nodes.items():
            if heard.due(RUN_MS):
                yield self._run(says, dcgm.SOURCE, node, heard)

    def _run(self, says: Says, source: str, node: str, heard: Hearing) -> SourceRun:
        at = from_milliseconds(heard.last_ms)
        return SourceRun(
            ts=at,
            interval_seconds=RUN_MS / 1000,
            cluster=says.cluster,
            node=node,
            source=source,
            runs=1,
            failures=0,
            rows=1,
            duration_seconds=None,
        )
