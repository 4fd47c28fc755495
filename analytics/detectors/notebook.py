"""Sessions of people (notebooks, shells, remote desktops) that hold GPU memory and compute nothing.

It is idleness of a kind of its own: it comes back every evening, its owner has left, and what is
on the GPU can be saved. Short use does not end an episode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from analytics import circumstances, evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.detectors import idle
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store

# Executables and job names as JupyterHub, Open OnDemand, RStudio and VS Code start them.
SESSIONS = ("jupyter", "ipykernel", "ipython", "notebook", "code-server", "rstudio", "rsession")
SESSION_JOBS = (*SESSIONS, "spawner", "sys/dashboard", "vscode", "interactive")


class NotebookSettings(Settings):
    """Section `[notebook]`."""

    # VESSL shows an idle badge after 3 hours at 0 %.
    after_min: Annotated[int, "minutes without use that make an episode"] = 180
    gap_min: Annotated[int, "minutes of use that do not end an episode"] = 15
    held_ratio: Annotated[float, "share of device memory from which it counts as held"] = 0.10
    use_ratio: Annotated[float, "mean SM activity (else utilization) that counts as use"] = 0.01


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per session and stretch in which it held memory without use."""
    assert isinstance(settings, NotebookSettings)
    rows = [
        row
        for row in evidence.episodes(
            store, span, idle.LOSS, gap_min=settings.gap_min, after_min=settings.after_min
        )
        if idle.SERVING not in row["flags"] and not circumstances.is_peer_fault(row)
    ]
    sessions = _sessions(store, rows)
    rows = [r for r in rows if r["job"] in sessions]
    if not rows:
        return
    known = circumstances.known(store)
    memory = _memory(store, rows)
    for row in rows:
        held = _mean(memory, row, "held")
        if held is None or held <= settings.held_ratio:
            continue
        if (_mean(memory, row, "used") or 0.0) >= settings.use_ratio:
            continue
        told = {
            "owner": evidence.OWNER,
            "cause": sessions[row["job"]],
            "action": _ACTION if row["open"] else _OVER_ACTION,
        }
        yield _finding(row, held, span, {"confidence_ratio": known.confidence(row), **told})


def _sessions(store: Store, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of these jobs those that are somebody's session, and what shows it."""
    found: dict[str, str] = {}
    for row in rows:
        name = row["job_name"].lower()
        if row["kind"] == "interactive" or any(word in name for word in SESSION_JOBS):
            found[row["job"]] = "interactive"
    rest = [r for r in rows if r["job"] not in found]
    classed = store.select(
        "SELECT job_id FROM v_job_classes WHERE job_id IN {jobs:Array(String)}"
        " AND work = 'notebook' AND confidence_ratio >= 0.7",
        jobs=[r["job"] for r in rest],
    )
    found |= {r["job_id"]: "notebook" for r in classed}
    running = _executables(store, [r for r in rest if r["job"] not in found])
    found |= {job: "notebook" for job, names in running.items() if _is_session(names)}
    return found


def _is_session(executables: Sequence[str]) -> bool:
    return any(word in name.lower() for name in executables for word in SESSIONS)


def _executables(store: Store, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What ran on the GPUs of these episodes when they began."""
    last = {row["job"]: row for row in rows}
    if not last:
        return {}
    asked = [(job, gpu, row["since"]) for job, row in last.items() for gpu in row["gpu_ids"]]
    places = [
        (row["since"] + n * HOUR, node)
        for row in last.values()
        for n in (0, 1)
        for node in row["nodes"]
    ]
    found = store.select(
        _EXECUTABLES_SQL,
        jobs=[job for job, _, _ in asked],
        gpus=[gpu for _, gpu, _ in asked],
        sinces=[to_milliseconds(since) for _, _, since in asked],
        hours=[hour for hour, _ in places],
        nodes=[node for _, node in places],
        since=min(row["since"] for row in last.values()),
        until=max(row["since"] for row in last.values()),
    )
    return {r["job"]: r["names"] for r in found}


def _memory(
    store: Store, rows: Sequence[Mapping[str, Any]]
) -> dict[int, list[tuple[datetime, float | None, float | None]]]:
    """Hour by hour, what share of its memory each GPU held and what it used."""
    found = store.select(
        "SELECT gpu_id, ts, memory_used_bytes / memory_total_bytes AS held,"
        " ifNull(sm_active_ratio, utilization_ratio) AS used FROM v_gpu_samples_1h"
        " WHERE node IN {nodes:Array(String)} AND gpu_id IN {gpus:Array(UInt64)}"
        " AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}"
        " ORDER BY gpu_id, ts",
        nodes=sorted({n for r in rows for n in r["nodes"]}),
        gpus=circumstances.gpus_of(rows),
        since=min(r["since"] for r in rows),
        until=max(r["until"] for r in rows),
    )
    out: dict[int, list[tuple[datetime, float | None, float | None]]] = {}
    for r in found:
        out.setdefault(r["gpu_id"], []).append((r["ts"], r["held"], r["used"]))
    return out


def _mean(
    memory: Mapping[int, Sequence[tuple[datetime, float | None, float | None]]],
    row: Mapping[str, Any],
    what: str,
) -> float | None:
    """Mean over the GPUs and whole hours of an episode; None where nobody told."""
    values = [
        value
        for gpu in row["gpu_ids"]
        for at, held, used in memory.get(gpu, ())
        if row["since"] <= at
        and at + HOUR <= row["until"]
        and (value := held if what == "held" else used) is not None
    ]
    return sum(values) / len(values) if values else None


def _finding(row: Mapping[str, Any], held: float, span: Span, told: Mapping[str, Any]) -> Finding:
    holds = "holds" if row["open"] else "held"
    return evidence.finding(
        "notebook",
        row,
        span,
        summary=(
            f"{row['job_name'] or row['job']}, a session of {row['user']}, {holds} {held:.0%} of"
            f" the memory of {evidence.counted(row['gpus'], 'GPU')} on"
            f" {evidence.places(row['nodes'])} without use for"
            f" {evidence.duration(row['until'] - row['since'])}:"
            f" {row['gpu_seconds'] / 3600:,.1f} GPU-hours"
        ),
        evidence=evidence.sample_rows(
            "memory_used_bytes, memory_total_bytes, sm_active_ratio, utilization_ratio", row
        ),
        **told,
    )


HOUR = 60 * evidence.MINUTE
_EXECUTABLES_SQL = """
SELECT e.told.1 AS job, groupUniqArray(p.executable) AS names
FROM (SELECT gpu_id, ts, executable FROM process_samples
  WHERE (toStartOfHour(ts), node) IN (SELECT arrayJoin(arrayZip(
      arrayMap(h -> toStartOfHour(h), {hours:Array(DateTime('UTC'))}), {nodes:Array(String)})))
    AND ts > {since:DateTime64(3, 'UTC')}
    AND ts <= {until:DateTime64(3, 'UTC')} + INTERVAL 10 MINUTE) AS p
INNER JOIN (SELECT arrayJoin(arrayZip({jobs:Array(String)}, {gpus:Array(UInt64)},
  {sinces:Array(Int64)})) AS told, told.2 AS gpu_id) AS e ON e.gpu_id = p.gpu_id
WHERE toUnixTimestamp64Milli(p.ts) > e.told.3
  AND toUnixTimestamp64Milli(p.ts) <= e.told.3 + 600000 GROUP BY job"""

_ACTION = (
    "Save what is on the GPU and end the session; one on a MIG slice or without a GPU costs less"
    " while nobody sits at it."
)
_OVER_ACTION = (
    "It is over: end the next session when you leave, or take one on a MIG slice or without a GPU."
)

detector = Detector("Sessions that hold GPU memory without use", NotebookSettings, find)
