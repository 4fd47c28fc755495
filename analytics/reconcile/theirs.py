"""Their side of a comparison: Slurm's accounting, sreport, kube-state-metrics, the asset list."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import msgspec

from analytics import lists
from analytics.backfill import sacct
from analytics.reconcile.explain import Theirs
from analytics.reconcile.ours import Window
from gpuledger.errors import ConfigError
from gpuledger.identity import job_id

# The title: `Cluster/Account/User Utilization 2026-11-01T00:00:00 - 2026-11-07T23:59:59 (…)`.
_TITLE = re.compile(r"Utilization (\S+) - (\S+)")
_UNIT = re.compile(r"Usage reported in (?:TRES )?(\w+)", re.IGNORECASE)
_UNITS_S = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0}
SREPORT = (
    "sreport cluster AccountUtilizationByUser -t seconds -P --tres=gres/gpu"
    " start=2026-11-16T00:00:00 end=2026-11-23T00:00:00"
)


@dataclass(frozen=True)
class Report:
    """What sreport says: its span and GPU-seconds by `account/user`."""

    since: datetime
    until: datetime
    groups: Mapping[str, Theirs]


def of_sacct(paths: list[Path], window: Window, zone: tzinfo) -> dict[str, Theirs]:
    """What accounting says of each job within the window. ConfigError."""
    found: dict[str, Theirs] = {}
    for run in sacct.read(paths, zone).runs:
        seconds = window.clipped(run.started, run.ended)
        if not seconds or not run.hosts:
            continue
        key = job_id(window.cluster, run.native)
        one = Theirs(run.gpus * seconds, gpus=run.gpus, seconds=seconds)
        before = found.get(key)
        found[key] = one if before is None else _again(before, one)
    return found


def _again(before: Theirs, one: Theirs) -> Theirs:
    """Two runs of one job; a number of GPUs that changed is none."""
    return Theirs(
        before.gpu_seconds + one.gpu_seconds,
        gpus=one.gpus if before.gpus == one.gpus else 0,
        seconds=before.seconds + one.seconds,
        runs=before.runs + 1,
    )


def of_sreport(path: Path, zone: tzinfo) -> Report:
    """What a report by account and user says. ConfigError where it is none."""
    lines = _lines(path)
    title = next((m for line in lines if (m := _TITLE.search(line))), None)
    unit = next((m[1].lower() for line in lines if (m := _UNIT.search(line))), "minutes")
    head = next((i for i, line in enumerate(lines) if line.startswith("Cluster|Account")), None)
    if title is None or head is None or unit not in _UNITS_S:
        raise ConfigError(f"{path} is no report of sreport; run: {SREPORT}")
    since, until = _moment(path, title[1], zone), _moment(path, title[2], zone)
    # The last second that a report names still belongs to it.
    until += timedelta(seconds=until.second == 59)
    groups: dict[str, Theirs] = {}
    for row in csv.DictReader(lines[head:], delimiter="|", quoting=csv.QUOTE_NONE):
        if row.get("Login") and row.get("TRES Name", "gres/gpu") == "gres/gpu":
            key = f"{row['Account']}/{row['Login']}"
            groups[key] = _of_row(path, row, _UNITS_S[unit])
    return Report(since, until, groups)


def _of_row(path: Path, row: Mapping[str, str], unit_s: float) -> Theirs:
    try:
        used = float(row["Used"])
    except (KeyError, ValueError):
        raise ConfigError(f"{path}: 'Used' of {row.get('Login')} is no number") from None
    return Theirs(used * unit_s, rounding_s=unit_s / 2 if unit_s > 1 else 0.0)


def to_the_second(groups: Mapping[str, Theirs], jobs: Mapping[str, int]) -> dict[str, Theirs]:
    """The groups, each of whose jobs Slurm knows to the second at both of its ends."""
    return {
        key: replace(one, rounding_s=one.rounding_s + 2.0 * jobs.get(key, 0))
        for key, one in groups.items()
    }


class PodLine(msgspec.Struct, kw_only=True):
    """A line of allocation hours by pod."""

    namespace: str
    pod: str
    gpu_hours: float


def of_kube(path: Path) -> dict[str, Theirs]:
    """GPU-hours by `namespace/pod`: a CSV, or what Prometheus answers to a question (JSON)."""
    found: dict[str, float] = {}
    told = _vector(path) if path.suffix.lower() == ".json" else _pods(path)
    for key, hours in told:
        found[key] = found.get(key, 0.0) + hours
    return {key: Theirs(hours * 3600) for key, hours in found.items()}


def _pods(path: Path) -> list[tuple[str, float]]:
    return lists.read(path, PodLine, _pod)


def _pod(line: PodLine) -> Iterator[tuple[str, float]]:
    if not math.isfinite(line.gpu_hours) or line.gpu_hours < 0:
        raise ValueError(f"gpu_hours {line.gpu_hours} cannot be")
    yield f"{line.namespace}/{line.pod}", line.gpu_hours


def _vector(path: Path) -> Iterator[tuple[str, float]]:
    """The samples of an instant query: labels namespace and pod, value in GPU-hours."""
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        for sample in told["data"]["result"]:
            labels = sample["metric"]
            yield f"{labels['namespace']}/{labels['pod']}", float(sample["value"][1])
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from None
    except json.JSONDecodeError as e:
        raise ConfigError(f"{path} is no JSON: {e}") from None
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise ConfigError(
            f"{path} is no answer of Prometheus with namespace, pod and GPU-hours"
        ) from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from None


def _moment(path: Path, text: str, zone: tzinfo) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise ConfigError(f"{path}: '{text}' is no time") from None
