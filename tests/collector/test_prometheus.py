"""The exposition: names and units from the catalogue, nobody's name in a label."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from collector.latest import LEFT_OUT
from collector.sinks.prometheus import Exposition, PrometheusServer
from collector.window import Folded
from gpuledger.catalogue import TABLES
from gpuledger.catalogue.work import Gpu
from gpuledger.errors import ConfigError
from gpuledger.schema import Kind, Samples, Table
from tests.collector.support import FakeClock
from tests.components.prometheus import promtool_check_metrics


def row(table: str, **values: Any) -> Folded:
    """A row of which unnamed labels are `x` and unnamed quantities missing."""
    plain = {c.name: "x" for c in TABLES[table].columns if c.kind in {Kind.LABEL, Kind.TEXT}}
    return Folded(
        TABLES[table],
        {**{f.visible: None for f in TABLES[table].fields}, **plain, "node": "n1", **values},
    )


def text(*rows: Folded) -> str:
    exposition = Exposition(FakeClock().clock.monotonic)
    exposition.update(rows)
    return expose(exposition)


def expose(exposition: Exposition) -> str:
    registry = CollectorRegistry()
    registry.register(exposition)
    return generate_latest(registry).decode()


def test_a_gauge_carries_unit_help_and_its_place() -> None:
    out = text(row("gpu_samples", cluster="c", slot=3, power_watts=287.5, power_watts_max=300.0))
    assert "# HELP gpuledger_gpu_power_watts board power draw (watts)\n" in out
    assert 'gpuledger_gpu_power_watts{cluster="c",node="n1",slot="3"} 287.5\n' in out
    assert 'gpuledger_gpu_power_watts_max{cluster="c",node="n1",slot="3"} 300.0\n' in out


def test_a_counter_ends_in_total_and_shows_its_last_value() -> None:
    first = row("gpu_samples", slot=0, energy_joules=10.0)
    out = text(first, row("gpu_samples", slot=0, energy_joules=25.5))
    assert "# TYPE gpuledger_gpu_energy_joules_total counter\n" in out
    assert out.count("gpuledger_gpu_energy_joules_total{") == 1
    assert "} 25.5\n" in out


def test_what_belongs_to_an_interval_is_added_up_to_a_counter() -> None:
    out = text(*(row("gpu_samples", slot=0, active_seconds=9.5) for _ in range(2)))
    assert 'gpuledger_gpu_active_seconds_total{cluster="x",node="n1",slot="0"} 19.0\n' in out


def test_a_missing_value_has_no_sample() -> None:
    assert text(row("gpu_samples", slot=0)) == ""


def test_a_row_that_is_not_renewed_disappears() -> None:
    clock = FakeClock()
    exposition = Exposition(clock.clock.monotonic)
    exposition.update([row("host_samples", load1=1.0)])
    clock.pass_s(100)
    assert expose(exposition) != ""
    clock.pass_s(100)
    assert expose(exposition) == ""


@pytest.mark.parametrize("table", ["process_samples", "cgroup_samples"])
def test_nobodys_name_job_or_program_is_a_label(table: str) -> None:
    measured = {f.visible: 1.0 for f in TABLES[table].fields if f.nullable}
    assert text(row(table, **measured)) == ""


def test_no_table_that_is_shown_is_told_apart_by_people_or_jobs() -> None:
    shown = [t for t in TABLES.values() if isinstance(t.layout, Samples) and t.name not in LEFT_OUT]
    labels = {name for table in shown for name in table.layout.key}
    assert not labels & {
        "user",
        "users",
        "team",
        "job_id",
        "name",
        "executable",
        "pid",
        "container",
    }


def test_what_the_agent_costs_and_loses_is_shown() -> None:
    out = text(
        row("agent_samples", cpu_seconds=3.5, waiting_entries=2),
        row("spool_losses", of="jobs", dropped_rows=7, rejected_rows=0),
    )
    assert "gpuledger_agent_cpu_seconds_total{" in out
    assert "gpuledger_agent_waiting_entries{" in out
    assert 'gpuledger_spool_loss_dropped_rows_total{cluster="x",node="n1",of="jobs"} 7.0\n' in out


def gpu_card(slot: int) -> Folded:
    fact = Gpu(slot=slot, uuid="GPU-0", memory_bytes=None, cluster="c", node="n1", model="H100")
    return Folded(Gpu.table, fact.values())


def test_a_slot_is_joined_to_its_card() -> None:
    out = text(row("gpu_samples", cluster="c", slot=3, power_watts=1.0), gpu_card(3))
    assert (
        'gpuledger_gpu_info{cluster="c",driver="",model="H100",node="n1",slot="3",uuid="GPU-0"} 1.0'
        in out
    )


def all_rows() -> list[Folded]:
    def whole(table: Table) -> Folded:
        measured = {f.visible: 1.0 for f in table.fields if f.nullable}
        return row(table.name, **measured)

    samples = [whole(t) for t in TABLES.values() if isinstance(t.layout, Samples)]
    return [*samples, row("gpu_samples", cluster="c", slot=3, power_watts=1.0), gpu_card(3)]


def test_every_sampled_table_is_exposed_and_no_name_comes_twice() -> None:
    names = [
        line.split()[2] for line in text(*all_rows()).splitlines() if line.startswith("# TYPE")
    ]
    assert len(names) == len(set(names))
    exposed = {t for t in TABLES.values() if isinstance(t.layout, Samples)}
    assert len(names) >= sum(
        f.nullable for t in exposed if t.name not in LEFT_OUT for f in t.fields
    )


def test_promtool_has_nothing_to_say(promtool: None) -> None:
    assert promtool_check_metrics(text(*all_rows())) == []


@pytest.fixture
def serve() -> Callable[[Exposition, int], PrometheusServer]:
    return lambda exposition, port: PrometheusServer(exposition, "127.0.0.1", port)


def test_it_serves_metrics_and_stops(
    serve: Callable[[Exposition, int], PrometheusServer],
) -> None:
    exposition = Exposition(FakeClock().clock.monotonic)
    exposition.update([row("host_samples", load1=1.5)])
    server = serve(exposition, 0)
    server.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        body = answer.read().decode()
    server.stop()
    assert "gpuledger_host_load1" in body


def test_a_taken_port_is_a_wrong_configuration(
    serve: Callable[[Exposition, int], PrometheusServer],
) -> None:
    first = serve(Exposition(FakeClock().clock.monotonic), 0)
    first.start()
    with pytest.raises(ConfigError, match=f"127.0.0.1:{first.port}"):
        serve(Exposition(FakeClock().clock.monotonic), first.port).start()
    first.stop()


def test_a_port_that_there_is_not_is_a_wrong_configuration(
    serve: Callable[[Exposition, int], PrometheusServer],
) -> None:
    with pytest.raises(ConfigError, match="70000"):
        serve(Exposition(FakeClock().clock.monotonic), 70000).start()
