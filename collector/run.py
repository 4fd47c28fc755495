"""Wiring of the agent: from configuration to something that can be started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from collector.agent import Agent, AgentSettings, Service, memory_of
from collector.outbox import Listener
from collector.runner import Runner
from collector.shipper import Shipper
from collector.sink import Sink
from collector.sinks.clickhouse import ClickHouseSink, NativeStore
from collector.sinks.ingest import IngestSink
from collector.sinks.prometheus import Exposition, PrometheusServer, PrometheusSettings
from collector.source import Context, Role, Source, SourceKind
from collector.stamp import Stamp
from gpuledger.config import Config, Settings
from gpuledger.errors import ConfigError, nearest
from gpuledger.plugins import discover
from gpuledger.schema import Row, Samples
from gpuledger.spool import Changes, Spool
from gpuledger.store import Store, StoreSettings, encode, parse_address

SOURCES = "collector.sources"
NODE = (Role.NODE,)
# Ratios are made of two readings.
ONCE_PAUSE_S = 1.0


def sections() -> dict[str, type[Settings]]:
    """Every section of the configuration that the collector owns."""
    kinds = discover(SOURCES, SourceKind)
    found: dict[str, type[Settings]] = {name: kind.settings for name, kind in kinds.items()}
    return {**found, "agent": AgentSettings, "prometheus": PrometheusSettings}


def build(
    config: Config,
    context: Context,
    spool_path: Path,
    *,
    store_url: str = "",
    ingest_url: str = "",
    token: str = "",
    store: NativeStore | None = None,
    roles: Collection[Role] = NODE,
) -> Agent:
    """An agent that ships to an open store, a store's address, or a service's ingest endpoint.

    With none of them its rows wait in the spool. ConfigError for a wrong setting; nothing is
    opened before `Agent.start`.
    """
    settings = config.section("agent", AgentSettings)
    spool = Spool(spool_path, capacity_bytes=settings.spool_bytes, clock=context.clock.wall)
    if store_url:
        store = Store(parse_address(store_url, os.environ), config.section("store", StoreSettings))
    sink = _sink(context, store, ingest_url, token)
    listeners, services = _prometheus(config, context)
    return Agent(
        _sources(config, context, roles, spool),
        context,
        spool,
        encode,
        settings,
        shipper=Shipper(spool, sink, context.log) if sink else None,
        listeners=listeners,
        services=services,
    )


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
    runners = {
        name: Runner(name, make(config, name, kind, context), context, stamp, _drop)
        for name, kind in found.items()
    }
    first = {name: runner.read_once() for name, runner in runners.items()}
    again = {n: r for n, r in runners.items() if found[n].role is Role.NODE and r.available}
    sleep(ONCE_PAUSE_S if again else 0.0)
    facts = {n: [r for r in first[n] if not isinstance(r.table.layout, Samples)] for n in again}
    second = {name: facts[name] + runner.read_once() for name, runner in again.items()}
    for runner in runners.values():
        runner.close()
    return [row for rows in {**first, **second}.values() for row in rows]


def chosen(config: Config, roles: Collection[Role]) -> dict[str, SourceKind]:
    """The sources to read, by name. ConfigError for a name that there is not."""
    settings, kinds = config.section("agent", AgentSettings), discover(SOURCES, SourceKind)
    for name in (*settings.sources, *settings.without):
        if name not in kinds:
            raise ConfigError(f"[agent]: unknown source '{name}'{nearest(name, kinds)}")
    wanted = settings.sources or [
        name for name, kind in kinds.items() if kind.role in roles and not kind.optional
    ]
    return {name: kinds[name] for name in wanted if name not in settings.without}


def make(config: Config, name: str, kind: SourceKind, context: Context) -> Source:
    """The source with its section of the configuration."""
    return kind.make(config.section(name, kind.settings), context)


def _drop(_: Sequence[Row], __: Changes) -> None:
    """Deliver nowhere."""


def _sources(
    config: Config, context: Context, roles: Collection[Role], spool: Spool
) -> dict[str, Source]:
    """Each source with a memory of its own in the spool."""
    return {
        name: make(config, name, kind, replace(context, memory=memory_of(name, spool)))
        for name, kind in chosen(config, roles).items()
    }


def _sink(context: Context, store: NativeStore | None, ingest_url: str, token: str) -> Sink | None:
    if store and ingest_url:
        raise ConfigError("rows go to a store or to a service, not to both: drop one address")
    if ingest_url:
        return IngestSink(ingest_url, token, context.clock.wall)
    return ClickHouseSink(store) if store else None


def _prometheus(config: Config, context: Context) -> tuple[list[Listener], list[Service]]:
    settings = config.section("prometheus", PrometheusSettings)
    if not settings.port:
        return [], []
    exposition = Exposition(context.clock.monotonic)
    return [exposition.update], [PrometheusServer(exposition, settings.address, settings.port)]
