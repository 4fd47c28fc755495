"""The comparisons that files ask for, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from analytics.reconcile import inventory, ours, theirs
from analytics.reconcile.explain import Explained, Ours, Part, by_reason, explain
from analytics.reconcile.ours import Window
from gpuledger.errors import ConfigError
from gpuledger.store import Store


@dataclass(frozen=True)
class Files:
    """What to compare with."""

    sacct: tuple[Path, ...] = ()
    sreport: Path | None = None
    kube: Path | None = None
    assets: Path | None = None


@dataclass(frozen=True)
class Asked:
    """Of which cluster and span; times without a zone are of `zone`."""

    cluster: str = ""
    since: datetime | None = None
    until: datetime | None = None
    zone: tzinfo = UTC


def compare(store: Store, files: Files, asked: Asked) -> list[Explained]:
    """One comparison per file (all files of sacct together). ConfigError."""
    if not (files.sacct or files.sreport or files.kube or files.assets):
        raise ConfigError("nothing to compare with: give --sacct, --sreport, --kube or --assets")
    report = theirs.of_sreport(files.sreport, asked.zone) if files.sreport else None
    if report:
        asked = _within(asked, report)
    window = ours.window(store, asked.cluster, asked.since, asked.until)
    found: list[Explained] = []
    if files.sacct or report or files.kube:
        jobs = ours.by_job(window)
        by_sacct: Explained | None = None
        if files.sacct:
            by_sacct = _with_sacct(window, list(files.sacct), asked.zone, jobs)
            found.append(by_sacct)
        if report:
            _check_span(window, report)
            of_groups = _with_sreport(window, report, jobs)
            found.append(_refined(of_groups, report, by_sacct) if by_sacct else of_groups)
        if files.kube:
            found.append(_with_kube(window, files.kube, jobs))
    if files.assets:
        found.append(inventory.compare(store, files.assets, window))
    return found


def _within(asked: Asked, report: theirs.Report) -> Asked:
    """A report cannot be cut: its span is the window."""
    if asked.since or asked.until:
        raise ConfigError("--sreport has a span of its own: leave out --since and --until")
    if report.since.minute or report.since.second or report.until.minute or report.until.second:
        raise ConfigError(
            f"the report covers {report.since} to {report.until}: ask sreport for whole hours"
        )
    return replace(asked, since=report.since, until=report.until)


def _with_sacct(
    window: Window, paths: list[Path], zone: tzinfo, jobs: Mapping[str, Ours]
) -> Explained:
    told = theirs.of_sacct(paths, window, zone)
    unheld = sorted(set(told) - set(jobs))
    known = {job: Ours(known=True, jobs=1) for job in ours.known_jobs(window, unheld)}
    return explain("sacct", told, {**known, **jobs}, ours.occupied(window))


def _with_sreport(window: Window, report: theirs.Report, jobs: Mapping[str, Ours]) -> Explained:
    mine = ours.grouped(window, jobs, lambda job: f"{job['team']}/{job['user']}")
    counts = {key: one.jobs for key, one in mine.items()}
    # Of a group, no number of GPUs is known: only its times and shares can differ.
    mine = {key: replace(one, gpus=0) for key, one in mine.items()}
    told = theirs.to_the_second(report.groups, counts)
    return explain("sreport", told, mine, ours.occupied(window))


def _check_span(window: Window, report: theirs.Report) -> None:
    if window.since != report.since or window.until != report.until:
        raise ConfigError(
            f"the report covers {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC,"
            f" the book only {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M}"
        )


def _refined(of_groups: Explained, report: theirs.Report, by_sacct: Explained) -> Explained:
    """The jobs of sacct name what a report by user cannot; between the two, only rounding is."""
    most = sum(group.rounding_s for group in report.groups.values())
    apart = of_groups.theirs - by_sacct.theirs
    rounded = Part("rounding", max(-most, min(most, apart)), "")
    parts = [*by_sacct.parts, *([rounded] if rounded.gpu_seconds else [])]
    return Explained(of_groups.against, of_groups.theirs, of_groups.ours, parts)


def _with_kube(window: Window, path: Path, jobs: Mapping[str, Ours]) -> Explained:
    told = theirs.of_kube(path)
    mine: dict[str, Ours] = {}
    for job, one in jobs.items():
        # `<cluster>/<namespace>/<pod>@<uid>`: their series know a pod by name alone.
        key = job.partition("/")[2].partition("@")[0]
        mine[key] = ours.added(mine.get(key, Ours()), one)
    return explain("kube-state-metrics", told, mine, ours.occupied(window))


def as_dict(one: Explained) -> dict[str, Any]:
    """A comparison for programs, in GPU-hours."""
    ratio = one.unexplained_ratio
    return {
        "against": one.against,
        "theirs_gpu_hours": round(one.theirs / 3600, 6),
        "ours_gpu_hours": round(one.ours / 3600, 6),
        "difference_gpu_hours": round((one.theirs - one.ours) / 3600, 6),
        "reasons": [
            {**r, "gpu_hours": round(float(str(r["gpu_hours"])), 6)} for r in by_reason(one.parts)
        ],
        "unexplained_gpu_hours": round(one.unexplained / 3600, 6),
        "unexplained_ratio": None if ratio is None else round(ratio, 9),
    }
