"""The agent: every source on its own thread, one thread that flushes, and services beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Protocol

from collector.counters import Counters
from collector.files import boot_id
from collector.lean import give_memory_back, share_one_heap
from collector.outbox import COUNTERS, Encode, Listener, Outbox
from collector.pace import ClockWatch
from collector.runner import Runner
from collector.shipper import Shipper
from collector.source import Context, Source
from collector.stamp import Stamp
from collector.window import Profile, Windows
from collector.worker import Worker, end, together
from gpuledger.config import Settings
from gpuledger.errors import ConfigError, StoreError
from gpuledger.memory import Memory
from gpuledger.spool import AGE_S, CAPACITY_BYTES, Spool

FLUSHES_UNTIL_SETTLED = 2  # by then everything that an agent loads is loaded
FINISH_AFTER_S = 0.5  # readings of a window's last second may still be on their way
# A stop takes 5 s at most, whatever hangs; what is left is for the interpreter's own end.
STOP_WITHIN_S = 4.5
READINGS_END_WITHIN_S = 2.0
CLOSED_WITHIN_S = 0.25


class AgentSettings(Settings):
    """Section `[agent]`."""

    profile: Annotated[
        Profile, "standard: one row per 10 s; fine: every sample; edge: host and nvml at 60 s"
    ] = Profile.STANDARD
    flush_s: Annotated[float, "seconds between hand-overs of finished rows to the spool"] = 10.0
    sources: Annotated[tuple[str, ...], "sources to read; empty = all that need no asking"] = ()
    also: Annotated[tuple[str, ...], "sources to read besides, e.g. scrape or slurm_hook"] = ()
    without: Annotated[tuple[str, ...], "sources to leave out"] = ()
    spool_bytes: Annotated[int, "room for rows that wait; over it the oldest go"] = CAPACITY_BYTES
    spool_age_s: Annotated[float, "seconds after which a row that waits is dropped"] = AGE_S
    isolate: Annotated[bool, "read drivers that may hang in a child process of their own"] = True
    ca_file: Annotated[str, "certificates to trust of the service; empty = the system's"] = ""
    client_cert: Annotated[str, "this node's certificate, where the service asks for one"] = ""
    client_key: Annotated[str, "its private key; empty = it is in the same file"] = ""


class Service(Protocol):
    """Something that runs beside the sources, e.g. the Prometheus endpoint."""

    def start(self) -> None:
        """Begin, also again after `stop`; ConfigError where it cannot, e.g. a port in use."""

    def stop(self) -> None:
        """End."""


@dataclass(frozen=True)
class Parts:
    """What a configuration makes of an agent.

    `made_of` says for a source's name, `shipper` and `services` what settings they were made of:
    parts made of the same go on when the agent changes over to other parts.
    """

    settings: AgentSettings
    sources: Mapping[str, Source]
    shipper: Shipper | None = None
    listeners: tuple[Listener, ...] = ()
    services: tuple[Service, ...] = ()
    made_of: Mapping[str, object] = field(default_factory=dict)

    def share(self, name: str, others: Parts) -> bool:
        """Whether both have that part, made of the same."""
        return name in self.made_of and self.made_of[name] == others.made_of.get(name)


class Agent:
    """Collects until it is stopped. Nothing runs before `start`."""

    def __init__(self, parts: Parts, context: Context, spool: Spool, encode: Encode) -> None:
        self.context = context
        self.spool = spool
        self._parts = parts
        self._encode = encode
        self._stopped = threading.Event()
        self._readings: dict[str, tuple[Runner, Worker]] = {}
        self._flushing: Worker | None = None
        self._shipping: Worker | None = None
        self._outbox: Outbox | None = None

    def start(self) -> None:
        """Open the spool and set every source going. ConfigError where a path or port is taken."""
        share_one_heap()
        self._bound_spool()
        self.spool.open()
        if damaged := self.spool.damaged:
            self.context.log.error(
                "the spool was damaged: kept as %s, a new one is begun; what waited is not sent",
                damaged,
            )
        for service in self._parts.services:
            service.start()
        outbox = self._outbox = self._new_outbox()
        for name, source in self._parts.sources.items():
            self._read(name, source, outbox)
        self._flushing = Worker("flush", partial(self._flush_often, outbox)).start()
        self._ship()

    def change(self, parts: Parts) -> None:
        """Go on with other parts, with the same windows, spool and memory.

        ConfigError where a service cannot start: then everything goes on as it was.
        """
        before = self._parts
        if parts.share("services", before):
            parts = replace(parts, services=before.services, listeners=before.listeners)
        else:
            _exchange(before.services, parts.services)
        same_way = parts.share("shipper", before)
        self._parts = replace(parts, shipper=before.shipper) if same_way else parts
        self._bound_spool()
        if outbox := self._outbox:
            self._change_sources(before, outbox)
            outbox.change(parts.settings.profile, parts.listeners)
        if not same_way:
            self._change_shipper(before.shipper)

    def stop(self) -> None:
        """Stop reading, hand everything to the spool, send what can be sent at once."""
        self._stopped.set()
        until = time.monotonic() + STOP_WITHIN_S - CLOSED_WITHIN_S
        running = [worker for _, worker in self._readings.values()]
        running += [w for w in (self._flushing, self._shipping) if w]
        late = end(running, READINGS_END_WITHIN_S)
        if self._outbox:
            together(until, save=self._outbox.flush)
        # A shipper that still waits for an answer owns the sink: the spool keeps the rest.
        idle = self._shipping is not None and self._shipping not in late
        send = self._parts.shipper.finish if self._parts.shipper and idle else _nothing
        together(until, send=_quietly(send), services=self._stop_services)
        together(until + CLOSED_WITHIN_S, close=self.spool.close)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `stop` was called."""
        return self._stopped.wait(timeout_s)

    def _read(
        self, name: str, source: Source, outbox: Outbox, before: Runner | None = None
    ) -> None:
        """Set a source going; `before` read the same until now."""
        stamp, memory = Stamp(self.context, self.spool.epoch), memory_of(name, self.spool)
        runner = Runner(name, source, self.context, stamp, outbox.accept, memory.take)
        if before:
            runner.follow(before)
        self._readings[name] = runner, Worker(f"source {name}", runner.run).start()

    def _change_sources(self, before: Parts, outbox: Outbox) -> None:
        parts = self._parts
        gone = {n: r for n, r in self._readings.items() if not parts.share(n, before)}
        self._readings = {n: r for n, r in self._readings.items() if n not in gone}
        end([worker for _, worker in gone.values()], READINGS_END_WITHIN_S)
        for runner, _ in gone.values():
            runner.abandon()
        for name, source in parts.sources.items():
            if name not in self._readings:
                self._read(name, source, outbox, gone[name][0] if name in gone else None)

    def _change_shipper(self, before: Shipper | None) -> None:
        late = end([self._shipping], READINGS_END_WITHIN_S) if self._shipping else []
        # One that waits for an answer ends after it. What both send counts once by its token.
        if before and not late:
            before.close()
        self._ship()

    def _ship(self) -> None:
        shipper = self._parts.shipper
        self._shipping = Worker("ship", shipper.run).start() if shipper else None

    def _stop_services(self) -> None:
        for service in self._parts.services:
            service.stop()

    def _bound_spool(self) -> None:
        settings = self._parts.settings
        self.spool.capacity_bytes, self.spool.age_s = settings.spool_bytes, settings.spool_age_s

    def _new_outbox(self) -> Outbox:
        boot, clock = boot_id(self.context.root), self.context.clock
        counters = Counters(self.spool.recall(COUNTERS), boot, clock, self.context.node)
        return Outbox(
            self.spool,
            Windows(self._parts.settings.profile),
            counters,
            encode=self._encode,
            log=self.context.log,
            listeners=self._parts.listeners,
        )

    def _flush_often(self, outbox: Outbox, stopped: threading.Event) -> None:
        """Flush after the end of each window, and keep an eye on clock and sources."""
        watch = ClockWatch(self.context.clock)
        watch.step_s()
        left = FLUSHES_UNTIL_SETTLED
        while not stopped.wait(self._until_flush_s()):
            self._do("the clock could not be watched", partial(self._follow_clock, watch))
            self._do("the sources could not be watched", self._check_sources)
            now_ms = round(self.context.clock.wall() * 1000)
            self._do("rows could not be put into the spool", partial(outbox.flush, now_ms))
            left -= 1
            if left == 0:
                self._do("memory could not be given back", give_memory_back)

    def _do(self, failure: str, task: Callable[[], object]) -> None:
        """Nothing that goes wrong here may keep the next rows from the spool."""
        try:
            task()
        except Exception:
            self.context.log.exception(failure)

    def _check_sources(self) -> None:
        for runner, _ in tuple(self._readings.values()):
            runner.check()

    def _until_flush_s(self) -> float:
        period_s = self._parts.settings.flush_s
        return period_s - (self.context.clock.wall() - FINISH_AFTER_S) % period_s

    def _follow_clock(self, watch: ClockWatch) -> None:
        """Say that the wall clock was moved; what waits in the spool is no older for that."""
        if step_s := watch.step_s():
            self.context.log.warning(
                "the wall clock was moved by %+.1f s; intervals are measured on the monotonic "
                "clock, rows go on with the new time",
                step_s,
            )
            self.spool.move_clock(step_s)


def memory_of(source: str, spool: Spool) -> Memory:
    """The part of the spool's memory that belongs to the source of that name."""
    return spool.memory(f"source/{source}/")


def _exchange(before: Iterable[Service], after: Iterable[Service]) -> None:
    """Stop the services of before, since they may hold the same port, and start those of after."""
    old, started = tuple(before), []
    for service in old:
        service.stop()
    try:
        for service in after:
            service.start()
            started.append(service)
    except ConfigError:
        for service in started:
            service.stop()
        for service in old:
            service.start()
        raise


def _quietly(send: Callable[[], None]) -> Callable[[], None]:
    """Sending that may outlive the spool: then the spool has what was not acknowledged."""

    def run() -> None:
        with suppress(StoreError):
            send()

    return run


def _nothing() -> None:
    """Send nothing."""
