"""Training code that reports its steps, waits for data and checkpoints; see the training hook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from collector.missing import Missing, Reason
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.progress import ProgressSample
from gpuledger.config import Settings
from gpuledger.schema import UNSET_TIME, Row

if TYPE_CHECKING:
    from collector.progress_door import Door, Sender, Senders

WHY = {
    "malformed": Reason.MALFORMED,
    "unseen": Reason.DENIED,
    "rate": Reason.SATURATED,
    "full": Reason.SATURATED,
    "busy": Reason.SATURATED,
}
DETAILS = {
    "malformed": "reports that could not be used",
    "unseen": "reports of processes that the agent cannot see: it needs the host's process ids",
    "rate": "reports of one user that came too often",
    "full": "reports of more processes than [training] senders",
    "busy": "reports while too many others were read",
}


class TrainingSettings(Settings):
    """Section `[training]`."""

    period_s: Annotated[float, "seconds between rows of each process"] = 10.0
    socket: Annotated[str, "path of the socket that training code writes to"] = (
        "/run/gpuledger-training/agent.sock"
    )
    senders: Annotated[
        int, msgspec.Meta(ge=2, le=4096), "processes of a node that may report at a time"
    ] = 256


class Training(Source):
    """One row for each process that reported in the last half minute.

    HTTP is loaded with the first reading, so that a node that is not asked pays nothing.
    """

    def __init__(self, settings: TrainingSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._missing = Missing("training")
        self._senders: Senders | None = None
        self._door: Door | None = None

    def read(self) -> Iterable[Row]:
        """Who reported. Unavailable without a place for the socket; ReadError where it is taken."""
        if self._senders is None:
            self._open()
            return
        senders, refused = self._senders.told()
        for pid, sender in senders.items():
            yield self._row(pid, sender)
        self._tell(refused)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the socket."""
        if self._door:
            self._door.close()
        self._door = self._senders = None

    def _open(self) -> None:
        from collector.progress_door import Door, Senders  # noqa: PLC0415 - only where asked

        senders = Senders(self._context, self._settings.senders)
        path = self._context.root / self._settings.socket.lstrip("/")
        door = Door(path, senders, self._context.log)
        door.open()
        self._door, self._senders = door, senders

    def _row(self, pid: int, sender: Sender) -> ProgressSample:
        """The process by the kernel's word, and what it said last."""
        owner, told = sender.owner, sender.report
        who = {
            "pid": pid,
            "session": owner.session,
            "user": sender.user,
            "runtime": owner.runtime,
            "container": owner.container,
            "refused": float(sender.refused),
        }
        if told is None:
            return ProgressSample.known(**who)
        return ProgressSample.known(
            **who,
            rank=told.rank,
            steps=told.steps,
            step_seconds=told.step_s,
            data_wait_seconds=told.data_wait_s,
            checkpoint_seconds=told.checkpoint_s,
            checkpoints=told.checkpoints,
            last_step=told.last_step,
            last_checkpoint=told.last_checkpoint(self._context.clock.wall(), UNSET_TIME),
        )

    def _tell(self, refused: Counter[str]) -> None:
        for why, reason in WHY.items():
            if refused[why]:
                self._missing.note(why, "report", reason, f"{refused[why]} {DETAILS[why]}")
            else:
                self._missing.found(why, "report")


source = SourceKind(
    TrainingSettings,
    Training,
    optional=True,
    privilege="a folder of root for its socket; in a container, the host's process ids",
)
