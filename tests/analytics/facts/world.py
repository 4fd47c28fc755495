"""Pages of exporters as readings, and what facts made of them come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families

from analytics.facts import Facts
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.work import Allocation, Job
from gpuledger.identity import gpu_id
from gpuledger.mapping import Place, Reading
from gpuledger.mapping_load import load
from gpuledger.rows import changed
from gpuledger.schema import Row
from tests.fakes.site import Site

CLUSTER = "c"
STEP_S = 60.0
STEP = timedelta(seconds=STEP_S)

R = TypeVar("R", bound=Row)


def readings(page: str) -> list[Reading]:
    """Samples of a page in the text format."""
    families = text_string_to_metric_families(page)
    return [Reading(s.name, s.labels, s.value) for f in families for s in f.samples]


def stamped(page: str, at: datetime) -> list[Reading]:
    """The same with their time."""
    at_ms = to_milliseconds(at)
    return [Reading(r.name, r.labels, r.value, at_ms) for r in readings(page)]


@lru_cache(maxsize=500)
def scrape(site: Site, at: datetime) -> tuple[Reading, ...]:
    """Everything that the site says at that time."""
    pages = [site.kube_page(at), *(site.dcgm_page(n, at) for n in range(site.nodes))]
    return tuple(r for page in pages for r in stamped(page, at))


def times(since: datetime, until: datetime, step: timedelta = STEP) -> Iterator[datetime]:
    """Times of scrapes, both ends included."""
    while since <= until:
        yield since
        since += step


@dataclass
class Book:
    """The rows that count: by key, the one of the highest version, the last of equal ones."""

    facts: Facts = field(default_factory=lambda: Facts(CLUSTER, interval_s=STEP_S))
    rows: list[Row] = field(default_factory=list)

    def take(self, told: Iterable[Reading], at: datetime) -> list[Row]:
        """Give readings, keep the rows."""
        wanted = [r for r in told if self.facts.feeds(r.name)]
        rows = self.facts.take(wanted, to_milliseconds(at))
        self.rows += rows
        return rows

    def hear(self, site: Site, since: datetime, until: datetime, step: timedelta = STEP) -> None:
        """Scrape everything again and again."""
        for at in times(since, until, step):
            self.take(scrape(site, at), at)

    def of(self, kind: type[R]) -> list[R]:
        """Rows of a table as they stand."""
        latest: dict[tuple[object, ...], R] = {}
        for row in self.rows:
            if isinstance(row, kind):
                told = row.__dict__
                name = tuple(told[n] for n in kind.table.layout.key)
                if name not in latest or told["version"] >= latest[name].__dict__["version"]:
                    latest[name] = row
        return list(latest.values())

    def hours(self, until: datetime) -> dict[str, float]:
        """GPU-hours given to each team until then, as allocations and jobs tell."""
        teams = {j.job_id: j.team for j in self.of(Job)}
        out: dict[str, float] = {}
        for a in self.of(Allocation):
            team = teams.get(a.job_id, "")
            held = (min(a.valid_to, until) - min(a.valid_from, until)) / timedelta(hours=1)
            out[team] = out.get(team, 0.0) + held * a.share_milli / 1000
        return out


def samples(told: Iterable[Reading]) -> list[GpuSample]:
    """Samples of dcgm-exporter's readings, as its mapping makes them."""
    exporter = load("dcgm-exporter")
    place = Place(CLUSTER, node_labels=exporter.file.nodes, interval_s=STEP_S)
    found = exporter.rows((r for r in told if exporter.feeds_of(r.name)), place).rows
    return [
        changed(row, gpu_id=gpu_id(CLUSTER, row.node, row.slot))
        for row in found
        if isinstance(row, GpuSample)
    ]
