"""The agent: every source on its own thread, one thread that flushes, and services beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol

from collector.counters import Counters
from collector.outbox import COUNTERS, Encode, Listener, Outbox
from collector.pace import ClockWatch
from collector.runner import Runner
from collector.shipper import Shipper
from collector.source import Context, Source
from collector.stamp import Stamp
from collector.window import Profile, Windows
from gpuledger.config import Settings
from gpuledger.spool import CAPACITY_BYTES, Memory, Spool

FINISH_AFTER_S = 0.5  # readings of a window's last second may still be on their way
STOP_WITHIN_S = 5.0


class AgentSettings(Settings):
    """Section `[agent]`."""

    profile: Annotated[Profile, "standard: one row per 10 s; fine: every sample"] = Profile.STANDARD
    flush_s: Annotated[float, "seconds between hand-overs of finished rows to the spool"] = 10.0
    sources: Annotated[tuple[str, ...], "sources to read; empty = all that need no asking"] = ()
    without: Annotated[tuple[str, ...], "sources to leave out"] = ()
    spool_bytes: Annotated[int, "room for rows that wait; over it the oldest go"] = CAPACITY_BYTES


class Service(Protocol):
    """Something that runs beside the sources, e.g. the Prometheus endpoint."""

    def start(self) -> None:
        """Begin; ConfigError where it cannot, e.g. a port in use."""

    def stop(self) -> None:
        """End."""


class Agent:
    """Collects until it is stopped. Nothing runs before `start`."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        context: Context,
        spool: Spool,
        encode: Encode,
        settings: AgentSettings,
        *,
        shipper: Shipper | None = None,
        listeners: Iterable[Listener] = (),
        services: Iterable[Service] = (),
    ) -> None:
        self.context = context
        self.spool = spool
        self._sources = dict(sources)
        self._encode = encode
        self._settings = settings
        self._shipper = shipper
        self._listeners = tuple(listeners)
        self._services = tuple(services)
        self._stopped = threading.Event()
        self._shipping_stopped = threading.Event()
        self._reading: list[threading.Thread] = []
        self._shipping: threading.Thread | None = None
        self._runners: list[Runner] = []
        self._outbox: Outbox | None = None

    def start(self) -> None:
        """Open the spool and set every source going. ConfigError where a path or port is taken."""
        self.spool.open()
        for service in self._services:
            service.start()
        outbox = self._outbox = self._new_outbox()
        stamp = Stamp(self.context, self.spool.epoch)
        self._runners = [
            Runner(
                name, source, self.context, stamp, outbox.accept, memory_of(name, self.spool).take
            )
            for name, source in self._sources.items()
        ]
        self._reading = [
            _thread(f"source {r.name}", partial(r.run, self._stopped)) for r in self._runners
        ]
        self._reading.append(_thread("flush", partial(self._flush_often, outbox)))
        if self._shipper:
            self._shipping = _thread("ship", partial(self._shipper.run, self._shipping_stopped))

    def stop(self) -> None:
        """Stop reading, hand everything to the spool, send what can be sent at once."""
        self._stopped.set()
        self._shipping_stopped.set()
        _join(self._reading)
        for service in self._services:
            service.stop()
        if self._outbox:
            self._outbox.flush()
        self._ship_rest()
        self.spool.close()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `stop` was called."""
        return self._stopped.wait(timeout_s)

    def _ship_rest(self) -> None:
        if not self._shipper or not self._shipping:
            return
        _join([self._shipping])
        if not self._shipping.is_alive():  # else it still owns the sink: the spool keeps the rest
            self._shipper.finish()

    def _new_outbox(self) -> Outbox:
        counters = Counters(self.spool.recall(COUNTERS), boot_id(self.context.root))
        windows = Windows(self._settings.profile)
        return Outbox(
            self.spool,
            windows,
            counters,
            encode=self._encode,
            log=self.context.log,
            listeners=self._listeners,
        )

    def _flush_often(self, outbox: Outbox) -> None:
        """Flush after the end of each window, and keep an eye on clock and sources."""
        watch, clock, period_s = (
            ClockWatch(self.context.clock),
            self.context.clock,
            self._settings.flush_s,
        )
        watch.step_s()
        while not self._stopped.wait(period_s - (clock.wall() - FINISH_AFTER_S) % period_s):
            self._tell_step(watch.step_s())
            for runner in self._runners:
                runner.check()
            outbox.flush(round(clock.wall() * 1000))

    def _tell_step(self, step_s: float) -> None:
        if step_s:
            self.context.log.warning(
                "the wall clock was moved by %+.1f s; intervals are measured on the monotonic "
                "clock, rows go on with the new time",
                step_s,
            )


def memory_of(source: str, spool: Spool) -> Memory:
    """The part of the spool's memory that belongs to the source of that name."""
    return spool.memory(f"source/{source}/")


def boot_id(root: Path) -> str:
    """The kernel's name for this boot; empty where it gives none."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    # Daemon: a reading that hangs in a driver must not keep the process from ending.
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join(STOP_WITHIN_S)
