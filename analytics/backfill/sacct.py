"""Runs of jobs from `sacct --parsable2`: header names decide the columns, odd lines are counted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from analytics.backfill.settings import brief
from gpuledger import hostlist
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER
from gpuledger.slurm_words import Gres, gpus, job_state, text, tres, words

# The name comes last: it may have the `|` in it that parts the columns.
FIELDS = (
    *("JobIDRaw", "JobID", "User", "Account", "Partition", "QOS", "State", "Submit", "Eligible"),
    *("Start", "End", "TimelimitRaw", "Priority", "NNodes", "NodeList", "ReqTRES", "AllocTRES"),
    *("Reason", "JobName"),
)
COMMAND = (
    "TZ=UTC SLURM_TIME_FORMAT=standard sacct --allusers --allocations --duplicates --parsable2"
    " --starttime=now-90days --endtime=now --format={fields} > sacct.txt"
).format(fields=",".join(FIELDS))
NEEDED = ("User", "Account", "State", "Submit", "Start", "End", "NodeList", "AllocTRES")
FREE_TEXT = "JobName"
NOWHERE = {"", "None assigned", "(null)", "None", "Unknown"}
LONGEST_MINUTES = 365 * 24 * 60
HINT = f"run: {COMMAND}"
# Where a job that was put back into the queue stands in accounting, run by run.
AGAIN = {"REQUEUED", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REQUEUE_HOLD", "SPECIAL_EXIT"}


@dataclass(slots=True)
class Run:
    """One run of a job, as accounting has it; `native` is what the scheduler calls the job."""

    native: str
    name: str
    user: str
    team: str
    pool: str
    qos: str
    state: str
    reason: str
    submitted: datetime
    eligible: datetime
    started: datetime
    ended: datetime
    ends_by: datetime
    nodes: int
    hosts: tuple[str, ...]
    gpus: int
    model: str
    cpu_milli: int
    memory_bytes: int | None
    priority: int
    gang: str
    again: bool
    restart: int = 0
    restarts: int | None = None


@dataclass
class Listing:
    """What a file says: runs in the order of their lines, and what was left out."""

    runs: list[Run] = field(default_factory=list)
    lines: int = 0
    without_gpus: int = 0
    odd: int = 0
    first_odd: str = ""


def read(paths: Iterable[Path], zone: tzinfo = UTC) -> Listing:
    """Runs of GPU jobs in these files. ConfigError where one is no output of sacct."""
    listing = Listing()
    for path in paths:
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                take(lines, path.name, listing, zone)
        except OSError as e:
            raise ConfigError(f"--sacct {path}: {e.strerror}") from None
    number_restarts(listing.runs)
    return listing


def take(lines: Iterable[str], name: str, listing: Listing, zone: tzinfo = UTC) -> None:
    """Add what the lines of one file say."""
    rest = iter(lines)
    header = next(rest, "").strip("\ufeff\r\n").split("|")
    _check(header, name)
    told = len(listing.runs) + listing.without_gpus
    for line in rest:
        if line.strip():
            listing.lines += 1
            _take_line(header, line.rstrip("\r\n"), listing, zone)
    if listing.odd and told == len(listing.runs) + listing.without_gpus:
        raise ConfigError(f"--sacct {name}: no line can be read ({listing.first_odd}); {HINT}")


def number_restarts(runs: list[Run]) -> None:
    """Count the runs of each job; a number that Slurm gave to another job later is another job.

    The last one keeps the plain id, by which the scheduler knows it today.
    """
    by_id: dict[str, list[Run]] = {}
    for run in runs:
        by_id.setdefault(run.native, []).append(run)
    for found in by_id.values():
        found.sort(key=lambda r: (r.submitted, r.started))
        if len(found) > 1:
            _number(found)
        elif found[0].restarts:
            found[0].restart = found[0].restarts


def _number(found: list[Run]) -> None:
    jobs: list[list[Run]] = []
    for run in found:
        last = jobs[-1][-1] if jobs else None
        same = last and (last.again or (last.user, last.name) == (run.user, run.name))
        if same:
            jobs[-1].append(run)
        else:
            jobs.append([run])
    for job in jobs[:-1]:
        for run in job:
            run.native = f"{run.native}@{job[0].submitted:%Y-%m-%dT%H:%M:%SZ}"
    for job in jobs:
        for restart, run in enumerate(job):
            run.restart = restart if run.restarts is None else run.restarts


def wrapped(command: str) -> str:
    """A command over several lines, as a shell takes it."""
    return command.replace(" --", " \\\n    --").replace(" > ", " \\\n    > ")


def _check(header: list[str], name: str) -> None:
    lacking = [n for n in NEEDED if n not in header]
    if not {"JobIDRaw", "JobID"} & set(header):
        lacking.insert(0, "JobIDRaw")
    if len(lacking) == len(NEEDED) + 1:
        raise ConfigError(f"--sacct {name} is no output of sacct --parsable2; {HINT}")
    if lacking:
        raise ConfigError(f"--sacct {name} lacks the columns {', '.join(lacking)}; {HINT}")


def _take_line(header: list[str], line: str, listing: Listing, zone: tzinfo) -> None:
    try:
        told = _columns(header, line)
        if "." in told.get("JobIDRaw", told.get("JobID", "")):
            return  # a step of a job
        run = _run(told, zone)
    except (ValueError, KeyError, OverflowError) as e:
        listing.odd += 1
        listing.first_odd = listing.first_odd or brief(f"line {listing.lines + 1}: {e}")
        return
    if run.gpus:
        listing.runs.append(run)
    else:
        listing.without_gpus += 1


def _columns(header: list[str], line: str) -> dict[str, str]:
    """Column to text; what is too much belongs to the job's name."""
    parts = line.split("|")
    surplus = len(parts) - len(header)
    if surplus and FREE_TEXT in header and surplus > 0:
        at = header.index(FREE_TEXT)
        parts[at : at + surplus + 1] = ["|".join(parts[at : at + surplus + 1])]
    if len(parts) != len(header):
        raise ValueError(f"{len(parts)} columns, not {len(header)}")
    return dict(zip(header, parts, strict=True))


def _run(told: Mapping[str, str], zone: tzinfo) -> Run:
    state, submitted = job_state(told["State"]), moment(told["Submit"], zone)
    native = told.get("JobIDRaw") or told["JobID"]
    if not native or state is None or submitted is None:
        raise ValueError(f"job {native!r}: state {told['State']!r}, submitted {told['Submit']!r}")
    hosts = _hosts(told["NodeList"])
    started = moment(told["Start"], zone) if hosts else None
    ended = moment(told["End"], zone)
    if started and ended and ended < started:
        raise ValueError(f"job {native}: ends before it starts")
    nodes = len(hosts) or max(1, int(told.get("NNodes") or 1))
    given = told["AllocTRES"] or told.get("ReqTRES", "")
    amounts, found = tres(given), _whole(gpus(given))
    return Run(
        native=native,
        name=text(told.get(FREE_TEXT)) + _task(told.get("JobID", "")),
        user=sys.intern(told["User"]),
        team=sys.intern(told["Account"] or "unmapped"),
        pool=sys.intern(told.get("Partition", "")),
        qos=sys.intern(told.get("QOS", "")),
        state=state if ended is None or state not in {"pending", "running"} else "cancelled",
        reason=_reason(told.get("Reason", "")) if state == "pending" else "",
        submitted=submitted,
        eligible=moment(told.get("Eligible", ""), zone) or started or FOREVER,
        started=started or FOREVER,
        ended=ended or FOREVER,
        ends_by=_ends_by(started, told.get("TimelimitRaw", "")),
        nodes=nodes,
        hosts=hosts,
        gpus=sum(g.count for g in found),
        model=sys.intern(next((g.model for g in found if g.model), "")),
        cpu_milli=amounts.get("cpu", 0) * 1000 // nodes,
        memory_bytes=amounts["mem"] // nodes if "mem" in amounts else None,
        priority=_number_of(told.get("Priority", "")) or 0,
        gang=_leader(told.get("JobID", "")),
        again=bool(AGAIN & set(words(told["State"]))),
        restarts=_number_of(told.get("Restarts", "")),
    )


def moment(said: str, zone: tzinfo) -> datetime | None:
    """A time as sacct tells it, seconds since 1970 or a date in `zone`; None where it is unknown.

    ValueError for what is no time.
    """
    if said in NOWHERE or said == "N/A":
        return None
    if said.isdigit():
        return datetime.fromtimestamp(int(said), UTC) if int(said) else None
    at = datetime.fromisoformat(said)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _hosts(told: str) -> tuple[str, ...]:
    if told in NOWHERE:
        return ()
    names = hostlist.expand(told)
    if any("[" in name for name in names):
        raise ValueError(f"no list of nodes: {told}")
    return tuple(sys.intern(name) for name in names)


def _whole(found: list[Gres]) -> list[Gres]:
    """With a model named, the sum is told as well."""
    return [g for g in found if g.model] or found


def _task(shown: str) -> str:
    """`[7]` of the array's task `123_7`; `[1-4%2]` of tasks that still wait."""
    task = shown.partition("_")[2]
    return f"[{task.strip('[]')}]" if task else ""


def _leader(shown: str) -> str:
    """The first component of a heterogeneous job, `100` of `100+1`: they start as a whole."""
    leader, plus, _ = shown.partition("+")
    return leader if plus else ""


def _ends_by(started: datetime | None, minutes: str) -> datetime:
    limit = _number_of(minutes)
    if started is None or not limit or limit >= LONGEST_MINUTES:
        return FOREVER
    return started + timedelta(minutes=limit)


def _reason(told: str) -> str:
    return "" if told in NOWHERE else told


def _number_of(told: str) -> int | None:
    return int(told) if told.isdigit() else None
