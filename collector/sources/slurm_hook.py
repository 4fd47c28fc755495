"""Slurm's prolog and epilog on this node: the exact GPUs and times of each job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from typing import Annotated

from collector.hook import Folder, Word, local_devices
from collector.missing import Missing, Reason
from collector.slurm_devices import Devices
from collector.slurm_rows import TRUST_HOOK_ENDED, TRUST_HOOK_HOLDS
from collector.source import Context, Role, Source, SourceKind
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.work import Allocation, version
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.schema import FOREVER, Row

REFRESH_S = 600.0
SEEN_EVERY_S = 60.0
HELD = "held/"
SEEN = "seen"


class SlurmHookSettings(Settings):
    """Section `[slurm_hook]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    folder: Annotated[str, "where the prolog and epilog write"] = "/run/gpuledger/slurm"
    owner_uid: Annotated[int, "user id that runs the prolog (SlurmdUser)"] = 0
    gres_conf: Annotated[str, "path of gres.conf; empty = where slurmd has it"] = ""


class SlurmHookSource(Source):
    """Allocations as they begin and end; what is held is remembered across restarts."""

    def __init__(self, settings: SlurmHookSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._folder = Folder(context.root / settings.folder.lstrip("/"), settings.owner_uid)
        self._devices: Devices | None = None
        self._told: dict[str, Word] = {}
        self._told_everything = -inf
        self._missing = Missing("slurm_hook")

    def read(self) -> Iterable[Row]:
        """What began and ended since the last reading, and all that is held every ten minutes.

        Unavailable without the hook's folder, or where GPUs are shared; ReadError where others
        could have written the folder.
        """
        context = self._context
        now, passed = datetime.fromtimestamp(context.clock.wall(), UTC), context.clock.monotonic()
        everything = passed - self._told_everything >= REFRESH_S
        if self._devices is None or everything:
            self._devices = local_devices(context.root, self._settings.gres_conf)
        words = {f"{w.job}-{w.restart}": w for w in self._words()}
        rows = [*self._lost(words, now)]
        for key, word in words.items():
            if self._told.get(key) != word or (everything and word.stop_s is None):
                rows += self._rows(word, self._devices, now)
        self._keep(words, now)
        if everything:
            self._told_everything = passed
        return [*rows, *self._missing.rows()]

    def _words(self) -> list[Word]:
        try:
            return self._folder.words()
        except Unavailable:
            if not self._held():
                raise
            return []  # a reboot emptied it, and no job has begun since

    def _held(self) -> dict[str, Word]:
        """What was held when it was last written down."""
        kept = {k.removeprefix(HELD): v for k, v in self._context.memory.items() if HELD in k}
        told = {key: json.loads(value) for key, value in kept.items()}
        return {k: Word(**{**v, "ordinals": tuple(v["ordinals"])}) for k, v in told.items()}

    def _lost(self, words: dict[str, Word], now: datetime) -> Iterator[Row]:
        """What was held and is not written any more: the node began anew; held until last seen."""
        seen = float(self._context.memory.get(SEEN, "0")) or now.timestamp()
        for key, word in self._held().items():
            if key not in words and self._devices:
                until = datetime.fromtimestamp(max(word.start_s, seen), UTC)
                yield from self._rows(word, self._devices, now, lost=until)

    def _rows(
        self, word: Word, devices: Devices, now: datetime, lost: datetime | None = None
    ) -> Iterator[Allocation]:
        """One row for each GPU of the run."""
        until = lost or FOREVER
        trust = TRUST_HOOK_HOLDS
        if word.stop_s is not None:
            until = datetime.fromtimestamp(word.stop_s, UTC)
            # An end without an epilog yields to the scheduler's, which may be earlier.
            trust = TRUST_HOOK_ENDED if word.exact else TRUST_HOOK_HOLDS
        job = job_id(self._context.cluster, word.job)
        for ordinal in word.ordinals:
            minor = devices.minor(word.node, ordinal)
            if minor is None:
                self._missing.note("gres", "minor number", Reason.MALFORMED, f"of GPU {ordinal}")
                continue
            gpu = gpu_id(self._context.cluster, self._context.node, minor)
            yield Allocation(
                gpu_id=gpu,
                alloc_id=alloc_id(job, word.restart, gpu),
                job_id=job,
                cluster=self._context.cluster,
                node=self._context.node,
                valid_from=datetime.fromtimestamp(word.start_s, UTC),
                valid_to=until,
                source="hook",
                seen_at=now,
                version=version(trust, to_milliseconds(now)),
            )

    def _keep(self, words: dict[str, Word], now: datetime) -> None:
        """Remember what is held; when it was seen is written with news, else once a minute."""
        memory = self._context.memory
        held = {HELD + k: json.dumps(asdict(w)) for k, w in words.items() if w.stop_s is None}
        before = {k for k in memory if k.startswith(HELD)}
        for key in before - held.keys():
            del memory[key]
        for key in held.keys() - before:
            memory[key] = held[key]
        since_s = now.timestamp() - float(memory.get(SEEN, "0"))
        if held and (since_s >= SEEN_EVERY_S or before != held.keys()):
            memory[SEEN] = str(round(now.timestamp()))
        self._told = words


source = SourceKind(
    SlurmHookSettings,
    SlurmHookSource,
    Role.NODE,
    optional=True,
    privilege="prolog and epilog of deploy/slurm in slurm.conf; reads a folder of root",
)
