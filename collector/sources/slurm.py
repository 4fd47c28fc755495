"""Slurm: jobs with their exact GPUs, nodes, partitions and reservations; once per cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Annotated, Any, TypeVar

from collector import slurm_pools
from collector.episodes import Endings, Episodes, Notices, Run
from collector.missing import Missing, Reason
from collector.sacct import endings
from collector.sacct import job_row as ended_row
from collector.slurm_ask import Ask, Commands, Rest, command_runner, http_getter
from collector.slurm_ask import Run as RunCommand
from collector.slurm_devices import read_devices
from collector.slurm_pools import Site
from collector.slurm_rows import Snapshot, allocation_rows, job_row, node_row
from collector.source import Context, Role, Source, SourceKind
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.work import Pool, Reservation
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row

REFRESH_S = 600.0
SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
GRES_CONF = "gres.conf"
DEFAULT_CONF = "/etc/slurm/slurm.conf"

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
    """One snapshot per reading; of jobs and nodes it counts as a whole or not at all."""

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
        self._told_everything = -inf

    def read(self) -> Iterable[Row]:
        """What changed since the last snapshot. Unavailable without Slurm's commands.

        ReadError where Slurm does not answer, or says something that cannot be understood:
        then nothing is concluded, and no job ends.
        """
        # The clock is read before asking: what vanishes meanwhile is not yet missed.
        at = from_milliseconds(round(self._context.clock.wall() * 1000))
        now = self._context.clock.monotonic()
        everything = now - self._told_everything >= REFRESH_S
        jobs, nodes = self._ask.jobs(), self._ask.nodes()
        notices = self._notices(Snapshot(self._context.cluster, at))
        try:
            self._look_around(nodes, everything=everything)
            snapshot = Snapshot(self._context.cluster, at, self._site)
            runs = [self._understand(job, snapshot) for job in jobs]
            states = [node_row(node, snapshot) for node in nodes]
        except SHAPE_ERRORS as e:
            raise ReadError(f"Slurm says something unknown: {type(e).__name__}: {e}") from None
        ends = self._endings(runs, snapshot)
        rows = [*self._unheard(ends, runs, snapshot)]
        for known, told in notices:
            rows += known.advance(told, snapshot, everything=everything)
        rows += self._episodes.advance(runs, states, snapshot, everything=everything, endings=ends)
        self._told_everything = now if everything else self._told_everything
        return [*rows, *self._missing.rows()]

    def _understand(self, job: Any, snapshot: Snapshot) -> Run:
        row = job_row(job, snapshot)
        if row.state != "running" or not row.gpus_per_node:
            return Run(row)
        found = allocation_rows(job, row, snapshot)
        if found is None:
            self._missing.note("jobs", INDICES, Reason.UNSUPPORTED, f"{row.job_id}: {HINT}")
        else:
            self._missing.found("jobs", INDICES)
        return Run(row, tuple(found or ()), told=found is not None)

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

    def _endings(self, runs: Iterable[Run], snapshot: Snapshot) -> Endings:
        """What accounting says of jobs that are no longer listed; asked only when one is missed."""
        since = self._episodes.unheard_since(runs, snapshot)
        if since is None or not self._settings.accounting:
            return {}
        return self._optional("accounting", lambda: endings(self._ask.ended(since))) or {}

    def _unheard(self, ends: Endings, runs: Iterable[Run], snapshot: Snapshot) -> Iterator[Row]:
        """Jobs that began and ended while nobody listened."""
        listed = {run.job.job_id for run in runs}
        for end in (e for found in ends.values() for e in found[-1:]):
            row = ended_row(end, snapshot.cluster, snapshot.at, snapshot.version)
            if row.job_id not in listed and not self._episodes.knows(row.job_id):
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
