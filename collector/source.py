"""What a source is: something that reads rows from one kind of device, on its own period."""

from __future__ import annotations

import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar

from collector.halt import Halt
from gpuledger.config import Settings
from gpuledger.schema import Row


class Role(StrEnum):
    """Where a source belongs: on every node, or once per cluster."""

    NODE = "node"
    CLUSTER = "cluster"


class Trust(IntEnum):
    """Whose word wins where two sources tell of the same fact; see `catalogue.work.version`."""

    PROCESS = 1
    NVML = 4
    SCHEDULER = 8


@dataclass(frozen=True)
class Clock:
    """Wall time stamps rows; monotonic time measures intervals and keeps deadlines. Seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Context:
    """What a source may know of the place it runs in.

    `root` is where /proc and /sys are looked up; `memory` outlives the process, for what a source
    must still know after a restart. What a reading changes in it is written together with the
    reading's rows (the agent keeps both in its spool), or not at all. `halt` is the service's word
    that nothing is read for now.
    """

    cluster: str
    node: str
    root: Path = Path("/")
    clock: Clock = field(default_factory=Clock)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("gpuledger.collector"))
    memory: MutableMapping[str, str] = field(default_factory=dict)
    halt: Halt = field(default_factory=Halt)


class Source(ABC):
    """One kind of device. Called by one thread only, so it may keep state between readings."""

    period_s: float
    # A source that asks no device goes on while the service has the others pause.
    pauses: ClassVar[bool] = True

    @abstractmethod
    def read(self) -> Iterable[Row]:
        """Rows of this moment in base units; what they leave unset, the agent stamps.

        Unavailable where this machine lacks the device: the agent asks no more. ReadError where
        the whole reading failed: the agent counts it and asks again next period.
        """

    def close(self) -> None:
        """Let go of what `read` opened; called once, after the last reading."""
        return


@dataclass(frozen=True)
class SourceKind:
    """The public value `source` of a module in `collector/sources/`.

    `settings` validates the section of the module's name; `make(settings, context)` only
    stores. With `optional` the source runs only where the configuration names it. `privilege`
    says what it needs beyond an ordinary user's rights on the host; without that it is off, and
    says so once. One that is `isolated` asks a driver that may hang or crash: it reads in a child
    process.
    """

    settings: type[Settings]
    make: Callable[[Any, Context], Source]
    role: Role = Role.NODE
    optional: bool = False
    privilege: str = "none"
    isolated: bool = False

    @property
    def help(self) -> str:
        """What it reads: the first line of its module's docstring."""
        module = sys.modules[self.settings.__module__]
        return (module.__doc__ or "").strip().partition("\n")[0]
