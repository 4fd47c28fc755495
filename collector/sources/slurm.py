"""Slurm: jobs with their exact GPUs, and the states of nodes; once per cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import Annotated, Any

import msgspec

from collector.episodes import Episodes, Run
from collector.slurm_rows import Snapshot, allocation_rows, job_row, node_row
from collector.source import Context, Role, Source, SourceKind
from gpuledger.batch import from_milliseconds
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row

JOBS = ("squeue", "--json", "--all", "--states=all")
NODES = ("scontrol", "show", "nodes", "--json")
NODES_2205 = ("sinfo", "--json", "--all")  # scontrol learned --json in 23.02
REFRESH_S = 600.0
SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)

Ask = Callable[[tuple[str, ...]], bytes]


class SlurmSettings(Settings):
    """Section `[slurm]`."""

    period_s: Annotated[float, "seconds between snapshots"] = 30.0
    commands: Annotated[str, "folder of squeue, scontrol and sinfo; empty = as PATH says"] = ""
    conf: Annotated[str, "path of slurm.conf; empty = as SLURM_CONF or Slurm itself says"] = ""
    timeout_s: Annotated[float, "longest wait for one command"] = 20.0


class SlurmSource(Source):
    """One snapshot per reading; a snapshot counts as a whole or not at all."""

    def __init__(self, settings: SlurmSettings, context: Context, ask: Ask | None = None) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._ask = ask or self._run
        self._episodes = Episodes(context.memory)
        self._nodes: tuple[str, ...] = NODES
        self._told_everything = -inf
        self._warned = False

    def read(self) -> Iterable[Row]:
        """What changed since the last snapshot. Unavailable without Slurm's commands.

        ReadError where Slurm does not answer, or says something that cannot be understood:
        then nothing is concluded, and no job ends.
        """
        # The clock is read before asking: what vanishes meanwhile is not yet missed.
        at = from_milliseconds(round(self._context.clock.wall() * 1000))
        snapshot = Snapshot(self._context.cluster, at)
        jobs, nodes = self._list(JOBS, "jobs"), self._list_nodes()
        try:
            runs = [self._understand(job, snapshot) for job in jobs]
            states = [node_row(node, snapshot) for node in nodes]
        except SHAPE_ERRORS as e:
            raise ReadError(f"Slurm says something unknown: {type(e).__name__}: {e}") from None
        now = self._context.clock.monotonic()
        everything = now - self._told_everything >= REFRESH_S
        rows = self._episodes.advance(runs, states, snapshot, everything=everything)
        self._told_everything = now if everything else self._told_everything
        return rows

    def _understand(self, job: Any, snapshot: Snapshot) -> Run:
        row = job_row(job, snapshot)
        if row.state != "running" or not row.gpus_per_node:
            return Run(row)
        found = allocation_rows(job, row, snapshot)
        if found is None:
            self._warn(row.job_id)
        return Run(row, tuple(found or ()))

    def _warn(self, job: str) -> None:
        if not self._warned:
            self._context.log.warning(
                "Slurm does not say which GPUs job %s has; without gres.conf's File= lines no "
                "GPU can be booked to a job",
                job,
            )
        self._warned = True

    def _list_nodes(self) -> list[Any]:
        try:
            return self._list(self._nodes, "nodes")
        except ReadError as e:
            if "--json" not in str(e) or self._nodes == NODES_2205:
                raise
        self._nodes = NODES_2205
        return self._list(self._nodes, "nodes")

    def _list(self, command: tuple[str, ...], key: str) -> list[Any]:
        """The list under `key` of what the command prints."""
        try:
            told = msgspec.json.decode(self._ask(command))
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise ReadError(f"{command[0]} prints no JSON: {e}") from None
        if not isinstance(told, dict) or not isinstance(told.get(key), list):
            raise ReadError(f"{command[0]} tells of no {key}")
        if told.get("errors"):
            raise ReadError(f"{command[0]}: {told['errors']}")
        found: list[Any] = told[key]
        return found

    def _run(self, command: tuple[str, ...]) -> bytes:
        """What the command prints on standard output."""
        program = str(Path(self._settings.commands) / command[0])
        conf = {"SLURM_CONF": self._settings.conf} if self._settings.conf else {}
        try:
            done = subprocess.run(  # noqa: S603 - fixed commands of the configured folder
                [program, *command[1:]],
                env={**os.environ, **conf, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._settings.timeout_s,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable(f"no {program} on this machine") from None
        except subprocess.TimeoutExpired:
            raise ReadError(f"{command[0]}: no answer in {self._settings.timeout_s:g} s") from None
        except OSError as e:
            raise ReadError(f"{command[0]}: {e.strerror}") from None
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise ReadError(f"{command[0]} ended with {done.returncode}: {said[:300]}")
        return done.stdout


source = SourceKind(SlurmSettings, SlurmSource, Role.CLUSTER)
