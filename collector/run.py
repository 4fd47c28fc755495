"""Wiring of the agent: from configuration to something that can be started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.account import Account, Family
from collector.address import is_address
from collector.agent import Agent, AgentSettings, Parts, Service, memory_of
from collector.outbox import Listener
from collector.runner import Runner
from collector.shipper import Shipper
from collector.sink import Sink
from collector.source import Context, Role, Source, SourceKind
from collector.stamp import Stamp
from collector.window import Profile
from gpuledger.config import Config, Settings
from gpuledger.errors import ConfigError, nearest
from gpuledger.native import encode
from gpuledger.plugins import discover, load, names
from gpuledger.schema import Row, Samples
from gpuledger.spool import Changes, Spool

if TYPE_CHECKING:
    from collector.sinks.clickhouse import NativeStore

SOURCES = "collector.sources"
View = tuple[Listener, Service]
UNREAD = "[%s] is set but not read: add it to [agent] also"
AGENT = "agent"  # the agent as a source about itself
# One accelerator beside a camera or a till: little memory, a row a minute.
EDGE: Mapping[str, Mapping[str, Any]] = {
    "agent": {"sources": ["host", "nvml"], "isolate": False, "flush_s": 60.0},
    "host": {"period_s": 60.0},
    "nvml": {"period_s": 60.0},
}
NODE = (Role.NODE,)
# Ratios are made of two readings.
ONCE_PAUSE_S = 1.0


def sections() -> dict[str, type[Settings]]:
    """Every section of the configuration that the collector owns."""
    from collector.sinks.otlp import OtlpSettings  # noqa: PLC0415 - megabytes, for documentation
    from collector.sinks.prometheus import PrometheusSettings  # noqa: PLC0415 - likewise

    kinds = discover(SOURCES, SourceKind)
    found: dict[str, type[Settings]] = {name: kind.settings for name, kind in kinds.items()}
    return {**found, "agent": AgentSettings, "prometheus": PrometheusSettings, "otlp": OtlpSettings}


@dataclass(frozen=True)
class Wiring:
    """What stays while a configuration changes: the place, the spool, and where rows go.

    Rows go to an open `store`, a store's address, or a service's ingest endpoint; with none of
    them they wait in the spool. `fresh` gives the token as it is now.
    """

    context: Context
    spool: Spool
    store_url: str = ""
    ingest_url: str = ""
    token: str = field(default="", repr=False)
    store: NativeStore | None = None
    roles: Collection[Role] = NODE
    fresh: Callable[[], str] | None = None

    def agent(self, config: Config) -> Agent:
        """An agent; nothing is opened before its `start`. ConfigError for a wrong setting."""
        return Agent(self.parts(config), self.context, self.spool, encode)

    def parts(self, config: Config) -> Parts:
        """What the configuration makes of an agent. ConfigError for a wrong setting."""
        config = profiled(config)
        settings = config.section("agent", AgentSettings)
        kinds = chosen(config, self.roles)
        for name in unread(config, kinds, self.roles):
            self.context.log.warning(UNREAD, name)
        views = [view for make in (_prometheus, self._otlp) if (view := make(config, self.context))]
        return Parts(
            settings,
            {**self._sources(config, kinds), AGENT: self._account(settings)},
            self._shipper(config),
            tuple(listener for listener, _ in views),
            tuple(service for _, service in views),
            {**_made_of(config, kinds), **self._doors(config)},
        )

    def is_plain(self, config: Config) -> bool:
        """Whether nothing in it can speak TLS: the edge profile, sending over plain HTTP."""
        edge = config.section("agent", AgentSettings).profile is Profile.EDGE
        quiet = not any(config.sections.get(name) for name in ("prometheus", "otlp"))
        return edge and quiet and not self.store_url and self.ingest_url.startswith("http://")

    def _sources(self, config: Config, kinds: Mapping[str, SourceKind]) -> dict[str, Source]:
        """Each source with a memory of its own in the spool."""
        return {
            name: make(
                config, name, kind, replace(self.context, memory=memory_of(name, self.spool))
            )
            for name, kind in kinds.items()
        }

    def _account(self, settings: AgentSettings) -> Account:
        return Account(self.spool, settings.flush_s, self.context.clock.monotonic, Family())

    def _doors(self, config: Config) -> dict[str, object]:
        """What shipper and services are made of."""
        store, prometheus, otlp = map(config.sections.get, ("store", "prometheus", "otlp"))
        agent = config.section("agent", AgentSettings)
        files = agent.ca_file, agent.client_cert, agent.client_key
        doors = self.store_url, self.ingest_url, self.token, store, files
        return {"shipper": doors, "services": (prometheus, otlp)}

    def _shipper(self, config: Config) -> Shipper | None:
        sink = self._sink(config)
        return Shipper(self.spool, sink, self.context.log) if sink else None

    def _sink(self, config: Config) -> Sink | None:
        """The sink, of which only the one that is used is imported: each costs megabytes."""
        store = self._store(config)
        if store and self.ingest_url:
            raise ConfigError("rows go to a store or to a service, not to both: drop one address")
        if self.ingest_url:
            if not is_address(self.ingest_url):
                raise ConfigError(f"--ingest '{self.ingest_url}': write http(s)://host:port")
            from collector.sinks.ingest import IngestSink, pool  # noqa: PLC0415 - see above

            settings = config.section("agent", AgentSettings)
            return IngestSink(
                self.ingest_url,
                self.token,
                self.context.clock.wall,
                pool(settings.ca_file, settings.client_cert, settings.client_key),
                hear=self._hear,
                fresh=self.fresh,
            )
        if store:
            from collector.sinks.clickhouse import ClickHouseSink  # noqa: PLC0415 - see above

            return ClickHouseSink(store)
        return None

    def _hear(self, value: str | None, status: int) -> None:
        self.context.halt.hear(value, status, self.context.clock.monotonic())

    def _otlp(self, config: Config, context: Context) -> View | None:
        if not config.sections.get("otlp"):
            return None
        from collector.sinks.otlp import (  # noqa: PLC0415 - see `_sink`
            OtlpSettings,
            OtlpSink,
            Protocol,
        )

        settings = config.section("otlp", OtlpSettings)
        if settings.protocol is Protocol.GRPC and Role.CLUSTER not in self.roles:
            raise ConfigError("[otlp] protocol: grpc is for the cluster role; a node sends http")
        if not settings.endpoint:
            return None
        sink = OtlpSink(
            settings, context.cluster, context.node, context.clock.monotonic, context.log
        )
        return sink.update, sink

    def _store(self, config: Config) -> NativeStore | None:
        if not self.store_url:
            return self.store
        from gpuledger.store import Store, StoreSettings, parse_address  # noqa: PLC0415 - see `_sink`

        address = parse_address(self.store_url, os.environ)
        return Store(address, config.section("store", StoreSettings))


def build(config: Config, context: Context, spool_path: Path, **doors: Any) -> Agent:
    """An agent whose spool is that file; `doors` as in `Wiring`."""
    return Wiring(context, Spool(spool_path, clock=context.clock.wall), **doors).agent(config)


def profiled(config: Config) -> Config:
    """The configuration with what its profile presets where nobody set anything."""
    edge = config.section("agent", AgentSettings).profile is Profile.EDGE
    return config.with_defaults(EDGE) if edge else config


def once(
    config: Config,
    context: Context,
    *,
    roles: Collection[Role] = NODE,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Row]:
    """One reading of each source, stamped; what failed is told in its `source_runs` row.

    Node sources are read twice, since activity and processor time are differences.
    """
    stamp = Stamp(context, epoch=0)
    found = chosen(config, roles)
    for name in unread(config, found, roles):
        context.log.warning(UNREAD, name)
    runners = {
        name: Runner(name, make(config, name, kind, context), context, stamp, _drop)
        for name, kind in found.items()
    }
    first = {name: runner.read_once() for name, runner in runners.items()}
    again = {n: r for n, r in runners.items() if found[n].role is Role.NODE and r.available}
    sleep(ONCE_PAUSE_S if again else 0.0)
    second = {n: _joined(first[n], runner.read_once()) for n, runner in again.items()}
    for runner in runners.values():
        runner.close()
    return [row for rows in {**first, **second}.values() for row in rows]


def _joined(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """The second reading, and of the first its facts and what is not read each time."""
    again = {row.table.name for row in second}
    kept = [
        row
        for row in first
        if not isinstance(row.table.layout, Samples) or row.table.name not in again
    ]
    return [*kept, *second]


def chosen(config: Config, roles: Collection[Role]) -> dict[str, SourceKind]:
    """The sources to read, by name. ConfigError for a name that there is not, or not here."""
    settings, known = config.section("agent", AgentSettings), names(SOURCES)
    for name in (*settings.sources, *settings.also, *settings.without):
        if name not in known:
            told = f"[agent] unknown source '{name}'{nearest(name, known)}"
            raise ConfigError(f"{config.origin}: {told}")
    # Named ones alone are imported.
    asked = {*settings.sources, *settings.also} - {*settings.without}
    kinds = {n: load(SOURCES, n, SourceKind) for n in (asked if settings.sources else known)}
    for name in sorted(asked):
        if kinds[name].role is Role.CLUSTER and Role.CLUSTER not in roles:
            key = "sources" if name in settings.sources else "also"
            raise ConfigError(
                f"[agent] {key}: '{name}' is read once per cluster: use --role cluster"
            )
    return {
        name: kind
        for name, kind in sorted(kinds.items())
        if name not in settings.without
        and (name in asked or (kind.role in roles and not kind.optional))
    }


def unread(config: Config, read: Collection[str], roles: Collection[Role]) -> list[str]:
    """Sections of sources that somebody set up and nobody asks for. ConfigError for a wrong one."""
    without = config.section("agent", AgentSettings).without
    there = {*config.sections} & {*names(SOURCES)} - {*read, *without}
    kinds = {name: load(SOURCES, name, SourceKind) for name in sorted(there)}
    found = {n: kind for n, kind in kinds.items() if kind.optional and kind.role in roles}
    for name, kind in found.items():
        config.section(name, kind.settings)
    return list(found)


def make(config: Config, name: str, kind: SourceKind, context: Context) -> Source:
    """The source with its section of the configuration; in a child process if it is isolated."""
    settings = config.section(name, kind.settings)
    source = kind.make(settings, context)
    if kind.isolated and config.section("agent", AgentSettings).isolate:
        from collector.supervised import Supervised  # noqa: PLC0415 - see `Wiring._sink`

        return Supervised(name, kind, settings, context, period_s=source.period_s)
    return source


def _drop(_: Sequence[Row], __: Changes) -> None:
    """Deliver nowhere."""


def _made_of(config: Config, kinds: Mapping[str, SourceKind]) -> dict[str, object]:
    """What each source is made of."""
    agent = config.section("agent", AgentSettings)
    made_of: dict[str, object] = {
        name: (config.section(name, kind.settings), agent.isolate) for name, kind in kinds.items()
    }
    return {**made_of, AGENT: agent.flush_s}


def _prometheus(config: Config, context: Context) -> View | None:
    if not config.sections.get("prometheus"):
        return None
    from collector.sinks.prometheus import (  # noqa: PLC0415 - megabytes, where it is asked for
        Exposition,
        PrometheusServer,
        PrometheusSettings,
    )

    settings = config.section("prometheus", PrometheusSettings)
    if not settings.port:
        return None
    exposition = Exposition(context.clock.monotonic)
    return exposition.update, PrometheusServer(exposition, settings.address, settings.port)
