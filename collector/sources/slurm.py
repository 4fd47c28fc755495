"""Slurm: jobs with their exact GPUs, nodes, partitions and reservations; once per cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any, TypeVar

from collector import slurm_pools
from collector.episodes import Endings, Episodes, Notices, Run
from collector.missing import Missing, Reason
from collector.sacct import endings
from collector.sacct import job_row as ended_row
from collector.slurm_ask import Ask, Commands, Rest, Told, command_runner, http_getter
from collector.slurm_ask import Run as RunCommand
from collector.slurm_devices import read_devices
from collector.slurm_json import number
from collector.slurm_pools import Site
from collector.slurm_rows import Snapshot, allocation_rows, holds_gpus, job_row, node_row
from collector.source import Context, Role, Source, SourceKind
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.work import Job, NodeState, Pool, Reservation
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.identity import job_id
from gpuledger.rows import changed
from gpuledger.schema import Row
from gpuledger.slurm_words import text

REFRESH_S = 600.0
# Snapshots that accounting may fail to answer before what vanished is concluded without it.
PATIENCE = 10
SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
GRES_CONF = "gres.conf"
DEFAULT_CONF = "/etc/slurm/slurm.conf"

RECORD = "record"
INDICES = "GPU indices"
HINT = "Slurm does not tell which GPUs; gres.conf needs File= lines, shards one node that has them"

T = TypeVar("T")


class SlurmSettings(Settings):
    """Section `[slurm]`."""

    period_s: Annotated[float, "seconds between snapshots"] = 30.0
    commands: Annotated[str, "folder of squeue, scontrol, sinfo, sacct; empty = as PATH says"] = ""
    conf: Annotated[str, "path of slurm.conf; empty = as SLURM_CONF or Slurm itself says"] = ""
    timeout_s: Annotated[float, "longest wait for one answer"] = 20.0
    rest: Annotated[str, "slurmrestd at http(s)://host:port or unix:///path; empty = commands"] = ""
    rest_user: Annotated[str, "user that asks slurmrestd; empty = as the token or socket says"] = ""
    token_file: Annotated[str, "file with the JSON Web Token for slurmrestd"] = ""
    accounting: Annotated[bool, "ask sacct or slurmdbd how jobs ended that vanished"] = True
    gres_conf: Annotated[str, "path of gres.conf; empty = beside slurm.conf"] = ""
    ordinals: Annotated[
        tuple[str, ...], "minor numbers in Slurm's order, as 'n[1-4]=0-3,5-7'; above gres.conf"
    ] = ()


class SlurmSource(Source):
    """One snapshot per reading; a job or node that cannot be understood stays as it was known."""

    def __init__(
        self, settings: SlurmSettings, context: Context, run: RunCommand | None = None
    ) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._ask = _asker(settings, run)
        self._episodes = Episodes(context.memory)
        self._pools = Notices(Pool, "pool/", context.memory)
        self._reservations = Notices(Reservation, "reservation/", context.memory)
        self._missing = Missing("slurm")
        self._site = Site()
        self._unanswered = 0
        self._told_everything = -inf

    def read(self) -> Iterable[Row]:
        """What changed since the last snapshot. Unavailable without Slurm's commands.

        ReadError where Slurm does not answer, or tells of something that has no id: then nothing
        is concluded, and no job ends.
        """
        # The clock is read before asking: what vanishes meanwhile is not yet missed.
        at = from_milliseconds(round(self._context.clock.wall() * 1000))
        now = self._context.clock.monotonic()
        everything = now - self._told_everything >= REFRESH_S
        jobs, nodes = self._ask.jobs(), self._ask.nodes()
        notices = self._notices(Snapshot(self._context.cluster, at))
        _check_ids(jobs, nodes)
        self._look_around(nodes, everything=everything)
        snapshot = Snapshot(self._context.cluster, at, self._site)
        runs, states = self._runs(jobs, snapshot), self._states(nodes, snapshot)
        ends = self._endings(runs, snapshot)
        rows = [*self._unheard(ends or {}, runs, snapshot)]
        for known, told in notices:
            rows += known.advance(told, snapshot, everything=everything)
        rows += self._episodes.advance(
            runs, states, snapshot, everything=everything, endings=ends, patient=ends is None
        )
        self._told_everything = now if everything else self._told_everything
        return [*rows, *self._missing.rows()]

    def _runs(self, jobs: Told, snapshot: Snapshot) -> list[Run]:
        """Every job that can be understood, or was before."""
        runs: list[Run] = []
        before: list[Run] = []
        odd = ""
        for job in jobs:
            try:
                runs.append(self._understand(job, snapshot))
            except SHAPE_ERRORS as e:
                odd = odd or f"{type(e).__name__}: {e}"
                before += self._job_as_before(job, snapshot)
        self._judge("jobs", RECORD, Reason.MALFORMED, odd)
        untold = next((f"{run.job.job_id}: {HINT}" for run in runs if not run.told), "")
        if untold or any(run.allocations for run in runs):
            self._judge("jobs", INDICES, Reason.UNSUPPORTED, untold)
        return runs + before

    def _understand(self, job: Mapping[str, Any], snapshot: Snapshot) -> Run:
        row = job_row(job, snapshot)
        known = self._episodes.known(row.job_id)
        began = row.state != "pending" and not row.gpus_per_node
        if known and began and known.job.started == row.started:
            # Of GPUs that a job did not ask for Slurm tells only while it holds them.
            row.gpus_per_node = known.job.gpus_per_node
        if row.state != "running" or not (row.gpus_per_node or holds_gpus(job)):
            return Run(row)
        found = allocation_rows(job, row, snapshot)
        return Run(row, tuple(found or ()), told=found is not None)

    def _job_as_before(self, job: Mapping[str, Any], snapshot: Snapshot) -> Iterator[Run]:
        known = self._episodes.known(job_id(snapshot.cluster, number(job["job_id"]) or 0))
        if known:
            same: Job = changed(known.job, seen_at=snapshot.at, version=snapshot.version)
            yield Run(same, told=False)

    def _states(self, nodes: Told, snapshot: Snapshot) -> list[NodeState]:
        """Every node that can be understood, or was before."""
        states: list[NodeState] = []
        odd = ""
        for node in nodes:
            try:
                states.append(node_row(node, snapshot))
            except SHAPE_ERRORS as e:
                odd = odd or f"{type(e).__name__}: {e}"
                if known := self._episodes.known_node(text(node["name"])):
                    states.append(changed(known, seen_at=snapshot.at, version=snapshot.version))
        self._judge("nodes", RECORD, Reason.MALFORMED, odd)
        return states

    def _judge(self, subject: str, reading: str, reason: Reason, detail: str) -> None:
        """Note what is missing, or that nothing is where there is no detail."""
        if detail:
            self._missing.note(subject, reading, reason, detail)
        else:
            self._missing.found(subject, reading)

    def _look_around(self, nodes: Iterable[Mapping[str, Any]], *, everything: bool) -> None:
        """What changes seldom, asked anew at each refresh; and how nodes cut their GPUs."""
        self._site = replace(self._site, shards=slurm_pools.shards_by_node(nodes))
        if everything:
            settings = self._settings
            found = self._optional("topology", lambda: slurm_pools.racks(self._ask.topology()))
            self._site = replace(
                self._site,
                racks=self._site.racks if found is None else found,
                devices=read_devices(_gres_conf(settings), settings.ordinals),
            )

    def _notices(self, snapshot: Snapshot) -> list[tuple[Notices[Any], dict[str, Any]]]:
        """Partitions and reservations by name; without an answer what is known of them stands."""
        said = (snapshot.cluster, snapshot.at, snapshot.version)
        pools = self._optional(
            "partitions", lambda: [slurm_pools.pool_row(p, *said) for p in self._ask.partitions()]
        )
        kept = self._optional(
            "reservations",
            lambda: [slurm_pools.reservation_row(r, *said) for r in self._ask.reservations()],
        )
        found: list[tuple[Notices[Any], dict[str, Any]]] = []
        if pools is not None:
            preemptible = frozenset(p.pool for p in pools if p.preemptible)
            self._site = replace(self._site, preemptible=preemptible)
            found.append((self._pools, {p.pool: p for p in pools}))
        if kept is not None:
            found.append((self._reservations, {r.reservation: r for r in kept}))
        return found

    def _endings(self, runs: Iterable[Run], snapshot: Snapshot) -> Endings | None:
        """What accounting says of jobs that are no longer listed; asked only when one is missed.

        None where it does not answer, but may at the next snapshot.
        """
        since = self._episodes.unheard_since(runs, snapshot)
        if since is None or not self._settings.accounting:
            return {}
        found = self._optional("accounting", lambda: endings(self._ended(since)))
        if found is not None:
            self._unanswered = 0
            return found
        self._unanswered += 1
        return None if self._unanswered <= PATIENCE else {}

    def _ended(self, since: datetime) -> Told:
        try:
            return self._ask.ended(since)
        except Unavailable:
            self._unanswered = PATIENCE  # there is none to wait for
            raise

    def _unheard(self, ends: Endings, runs: Iterable[Run], snapshot: Snapshot) -> Iterator[Row]:
        """Jobs that began and ended while nobody listened."""
        listed = {run.job.job_id for run in runs}
        for end in (e for found in ends.values() for e in found[-1:]):
            row = ended_row(end, snapshot.cluster, snapshot.at, snapshot.version)
            if row.job_id not in listed and not self._episodes.known(row.job_id):
                yield row

    def _optional(self, reading: str, ask: Callable[[], T]) -> T | None:
        """The answer; None, with its reason noted, where this Slurm gives none."""
        try:
            found = ask()
        except (ReadError, Unavailable) as e:
            self._missing.note("cluster", reading, Reason.UNREADABLE, str(e))
            return None
        except SHAPE_ERRORS as e:
            self._missing.note("cluster", reading, Reason.MALFORMED, f"{type(e).__name__}: {e}")
            return None
        self._missing.found("cluster", reading)
        return found


def _check_ids(jobs: Told, nodes: Told) -> None:
    """ReadError where a job or node has no id: nobody knows then which one is still listed."""
    if not all(isinstance(j, Mapping) and number(j.get("job_id")) for j in jobs):
        raise ReadError("Slurm tells of a job without an id")
    if not all(isinstance(n, Mapping) and text(n.get("name")) for n in nodes):
        raise ReadError("Slurm tells of a node without a name")


def _asker(settings: SlurmSettings, run: RunCommand | None) -> Ask:
    if settings.rest:
        return Rest(
            http_getter(settings.rest, settings.rest_user, settings.token_file, settings.timeout_s)
        )
    return Commands(run or command_runner(settings.commands, settings.conf, settings.timeout_s))


def _gres_conf(settings: SlurmSettings) -> Path:
    if settings.gres_conf:
        return Path(settings.gres_conf)
    conf = settings.conf or os.environ.get("SLURM_CONF") or DEFAULT_CONF
    return Path(conf).parent / GRES_CONF


source = SourceKind(
    SlurmSettings,
    SlurmSource,
    Role.CLUSTER,
    privilege="a user who may see all jobs: with PrivateData an operator of Slurm",
)
