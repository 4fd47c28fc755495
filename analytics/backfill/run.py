"""The whole backfill: what there is, telemetry, facts, accounting, and the book of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from analytics.backfill import sacct
from analytics.backfill.amount import Amount, amount
from analytics.backfill.kube import Kube, Told
from analytics.backfill.places import UNAME, Nodes, kernel_names
from analytics.backfill.progress import Progress, Stretch
from analytics.backfill.prometheus import Prometheus
from analytics.backfill.settings import BackfillSettings
from analytics.backfill.slurm import HPC_JOB, Booked, Slurm, named_jobs
from analytics.backfill.telemetry import Read, Telemetry
from analytics.book import last_booked
from analytics.runner import Runner, RunnerSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuSample
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.mapping_load import load
from gpuledger.store import Store

USUAL = ("dcgm-exporter", "node-exporter")
KUBE_STATE = "kube-state-metrics"
# Samples per second that two cores read, put together and store (benchmarks/backfill.py).
USUAL_RATE = 500_000

# Phase, share of it that is done, and what to say beside it.
Show = Callable[[str, float, str], None]


@dataclass(frozen=True)
class Wanted:
    """What to read: (since, until], rows of `step_ms` (0 = every scrape), of which exporters.

    `source` is whose record of progress it is; `zone` that of times in sacct's files.
    """

    since: datetime
    until: datetime
    cluster: str
    source: str
    url: str
    sacct: tuple[Path, ...] = ()
    kube: bool = True
    step_ms: int = 60_000
    mappings: tuple[str, ...] = USUAL
    zone: tzinfo = UTC

    @property
    def whole(self) -> Stretch:
        """The time to read."""
        return Stretch(to_milliseconds(self.since), to_milliseconds(self.until))


@dataclass(frozen=True)
class Estimate:
    """What is there to read."""

    amounts: Mapping[str, Amount]
    kube: Amount
    jobs: int

    @property
    def samples(self) -> float:
        """Samples of everything."""
        return self.kube.samples + sum(a.samples for a in self.amounts.values())

    @property
    def seconds(self) -> float:
        """How long that takes, as a rule of thumb."""
        return self.samples / USUAL_RATE

    @property
    def nothing(self) -> bool:
        """Whether there is neither telemetry nor accounting."""
        return not (self.jobs or self.kube.names or any(a.names for a in self.amounts.values()))


@dataclass
class Done:
    """What a run did."""

    reads: dict[str, Read] = field(default_factory=dict)
    kube: Told | None = None
    listing: sacct.Listing | None = None
    booked: Booked | None = None
    hints: list[str] = field(default_factory=list)


class Backfill:
    """Reads a site's history into a store and books it; what is there already stays as it is."""

    def __init__(self, store: Store, config: Config, wanted: Wanted) -> None:
        self._store = store
        self._config = config
        self._wanted = wanted
        self._settings = config.section("backfill", BackfillSettings)
        self._prometheus = Prometheus(wanted.url, self._settings)
        self._kube = Kube(store, self._prometheus, wanted.cluster, self._settings)
        self._exporters = {name: load(name) for name in wanted.mappings}
        self._known: list[str] = []
        self._nodes: dict[str, Nodes] = {}
        self._listing: sacct.Listing | None = None

    def estimate(self) -> Estimate:
        """What there is to read. ConfigError or ReadError says in one line what is wrong."""
        wanted = self._wanted
        if wanted.sacct:
            self._listing = sacct.read(wanted.sacct, wanted.zone)
        self._prometheus.check()
        span = (wanted.whole.since_ms, wanted.whole.until_ms)
        self._known = self._prometheus.names(*span)
        kernels = kernel_names(self._prometheus, *span) if UNAME in self._known else {}
        self._nodes = {n: Nodes(e.file.nodes, kernels) for n, e in self._exporters.items()}
        amounts = {n: self._telemetry(n).amount(self._known, wanted.whole) for n in self._exporters}
        pods = self._kube.names(self._known) if wanted.kube else []
        kube = amount(self._prometheus, pods, wanted.whole)
        found = Estimate(amounts, kube, len(self._listing.runs) if self._listing else 0)
        if found.nothing:
            raise ConfigError(
                f"{self._prometheus.name} has no metric that {', '.join(wanted.mappings)} or"
                f" {KUBE_STATE} told between {wanted.since:%Y-%m-%d %H:%M} and"
                f" {wanted.until:%Y-%m-%d %H:%M} UTC: check --since and [backfill] matchers"
            )
        return found

    def run(self, estimate: Estimate, show: Show) -> Done:
        """Read what is missing, write down what is known, and book it."""
        done = Done()
        for name, there in estimate.amounts.items():
            if there.names:
                done.reads[name] = self._read(name, there, show)
        if estimate.kube.names:
            done.kube = self._facts(estimate.kube, show)
        self._account(estimate, done, show)
        self._book(show)
        return done

    def _telemetry(self, name: str) -> Telemetry:
        wanted = self._wanted
        return Telemetry(
            self._store,
            self._prometheus,
            self._exporters[name],
            self._nodes[name],
            wanted.cluster,
            self._settings,
            wanted.step_ms,
        )

    def _read(self, name: str, there: Amount, show: Show) -> Read:
        progress = Progress(self._store, f"{self._wanted.source}/{name}")
        meter = Meter(f"reading {name}", self._wanted.whole, show)
        return self._telemetry(name).read(there, progress, self._wanted.whole, meter)

    def _facts(self, there: Amount, show: Show) -> Told:
        progress = Progress(self._store, f"{self._wanted.source}/{KUBE_STATE}/facts")
        meter = Meter(f"reading {KUBE_STATE}", self._wanted.whole, show)
        whole = self._wanted.whole
        return self._kube.read(there.names, there.per_hour, progress, whole, meter)

    def _account(self, estimate: Estimate, done: Done, show: Show) -> None:
        """Jobs and allocations of accounting, with the GPUs that exporters named."""
        wanted, named = self._wanted, self._named(estimate)
        if self._listing is None:
            if named:
                done.hints.append(f"labels {HPC_JOB} name jobs of Slurm: give --sacct too")
            return
        show("jobs of sacct", 0.0, "")
        slurm = Slurm(self._store, wanted.cluster, wanted.since, wanted.until)
        done.listing, done.booked = self._listing, slurm.write(self._listing, named)
        show("jobs of sacct", 1.0, "")

    def _named(self, estimate: Estimate) -> dict[tuple[str, str], frozenset[int]]:
        for name, there in estimate.amounts.items():
            metric = next((n for n in there.names if self._names_cards(name, n)), "")
            if metric:
                nodes, whole = self._nodes[name], self._wanted.whole
                return named_jobs(self._prometheus, self._exporters[name], metric, nodes, whole)
        return {}

    def _names_cards(self, exporter: str, metric: str) -> bool:
        feeds = self._exporters[exporter].feeds_of(metric) or ()
        return any(f.plan.row.table is GpuSample.table for f in feeds)

    def _book(self, show: Show) -> None:
        wanted = self._wanted
        settle = timedelta(seconds=self._config.section("runner", RunnerSettings).settle_s)
        last = max(wanted.until, last_booked(self._store) or wanted.until)

        def told(phase: str, share: float) -> None:
            show("booking every GPU-second" if phase == "book" else phase, share, "")

        Runner(self._store, self._config).tick(last + settle, told, reopened=wanted.since)


class Meter:
    """Milliseconds and samples done, as a share and a speed."""

    def __init__(self, phase: str, whole: Stretch, show: Show) -> None:
        self._phase = phase
        self._length = max(1, whole.until_ms - whole.since_ms)
        self._show = show
        self._ms = 0
        self._samples = 0

    def __call__(self, ms: int, samples: int) -> None:
        """So much more of history is done, and so many samples of it were read now."""
        self._ms += ms
        self._samples += samples
        said = f"{self._samples / 1e6:.1f} M samples" if self._samples else ""
        self._show(self._phase, min(1.0, self._ms / self._length), said)
