"""Which mapping knows a metric: one index over many mapping files, by every spelling of a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpuledger.mapping import Exporter

# Names come from outside: more different ones than this are looked up each time.
MOST_NAMES = 50_000


class Index:
    """Metric names to mappings. A name that several know is the one's that its job names.

    `jobs` maps the label `job` to the name of a mapping, or to "" for what nobody wants.
    """

    def __init__(self, exporters: Iterable[Exporter], jobs: Mapping[str, str]) -> None:
        self._exporters = list(exporters)
        self._jobs = dict(jobs)
        self._known: dict[str, tuple[Exporter, ...]] = {}
        self._why: dict[str, str] = {}

    def knowing(self, name: str) -> tuple[Exporter, ...]:
        """Every mapping that makes something of the metric."""
        found = self._known.get(name)
        if found is None:
            found = tuple(e for e in self._exporters if e.feeds_of(name) is not None)
            if len(self._known) < MOST_NAMES:
                self._known[name] = found
        return found

    def why_ignored(self, name: str) -> str:
        """Why some mapping makes nothing of the metric; empty: nobody thought of it."""
        found = self._why.get(name)
        if found is None:
            found = next((why for e in self._exporters if (why := e.why_ignored(name))), "")
            if len(self._why) < MOST_NAMES:
                self._why[name] = found
        return found

    def choose(self, name: str, job: str) -> Exporter | None:
        """The mapping for the metric of a job; None where none knows it, or its job is unwanted.

        First what `jobs` says, then the mapping that the job is named after, then the one that
        the metric is named after, then the first by name.
        """
        found = self.knowing(name)
        if job in self._jobs:
            return next((e for e in found if e.name == self._jobs[job]), None)
        if len(found) < 2:
            return found[0] if found else None
        for text in (job.lower(), name.lower()):
            named = [e for e in found if e.name.split("-")[0] in text]
            if len(named) == 1:
                return named[0]
        return min(found, key=lambda e: e.name)

    def is_unwanted(self, job: str) -> bool:
        """Whether nobody wants the job's metrics."""
        return self._jobs.get(job) == ""
