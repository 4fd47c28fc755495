"""The wiring, and what every source must keep to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collector.agent import Parts
from collector.run import SOURCES, Wiring, _joined, build, chosen, make, once, sections
from collector.source import Context, Role, SourceKind
from gpuledger.catalogue.host import HostSample, SourceRun
from gpuledger.catalogue.network import TcpSample
from gpuledger.config import Config
from gpuledger.errors import ConfigError, Unavailable
from gpuledger.plugins import discover
from gpuledger.spool import Spool
from tests.collector.support import Lines, context

KINDS = discover(SOURCES, SourceKind)


def test_the_sources_of_a_node_and_of_a_cluster() -> None:
    node, cluster = (chosen(Config(), [role]) for role in (Role.NODE, Role.CLUSTER))
    assert set(node) >= {"host", "network", "nvml", "storage"}
    assert set(cluster) >= {"slurm"}
    assert not set(node) & set(cluster)
    assert not any(kind.optional for kind in {**node, **cluster}.values())


def test_sources_are_named_or_left_out_by_configuration() -> None:
    named = Config({"agent": {"sources": ["host", "slurm"], "without": ["host"]}})
    assert set(chosen(named, [Role.NODE, Role.CLUSTER])) == {"slurm"}


@pytest.mark.parametrize("key", ["sources", "also"])
def test_what_is_read_once_per_cluster_is_not_read_by_every_node(key: str) -> None:
    config = Config({"agent": {key: ["slurm"]}})
    with pytest.raises(ConfigError, match=rf"\[agent\] {key}: 'slurm' .* use --role cluster"):
        chosen(config, [Role.NODE])
    assert "slurm" in chosen(config, [Role.CLUSTER])
    assert "slurm" not in chosen(Config({"agent": {"without": ["slurm"]}}), [Role.NODE])


def test_a_section_that_nobody_reads_is_said_once() -> None:
    lines = Lines()
    config = Config({"scrape": {"period_s": 5.0}, "simulated": {"seed": 2}, "host": {}})
    Wiring(context(lines=lines), Spool(Path("nowhere"))).parts(config)
    assert lines.lines == ["[scrape] is set but not read: add it to [agent] also"]


@pytest.mark.parametrize("key", ["also", "without"])
def test_a_section_that_is_read_or_left_out_on_purpose_is_not_said(key: str) -> None:
    lines = Lines()
    config = Config({"agent": {key: ["scrape"]}, "scrape": {"period_s": 5.0}})
    Wiring(context(lines=lines), Spool(Path("nowhere"))).parts(config)
    assert lines.lines == []


def test_a_section_that_nobody_reads_is_checked_all_the_same() -> None:
    with pytest.raises(ConfigError, match="unknown key 'target'"):
        parts(Config({"scrape": {"target": []}}))


def test_an_ingest_address_without_a_scheme_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"--ingest 'n:8080': write http\(s\)://host:port"):
        parts(Config(), ingest_url="n:8080")


def test_a_source_that_must_be_asked_for_comes_beside_the_others() -> None:
    asked = chosen(Config({"agent": {"also": ["scrape"]}}), [Role.NODE])
    assert set(asked) == {*chosen(Config(), [Role.NODE]), "scrape"}


def test_an_unknown_source_offers_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'storage'"):
        chosen(Config({"agent": {"sources": ["storrage"]}}), [Role.NODE])


def test_every_section_says_what_each_setting_is() -> None:
    for name, settings in sections().items():
        for field in settings.__struct_fields__:
            note = settings.__annotations__[field]
            assert "Annotated" in str(note), f"[{name}] {field} has no help"


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"simulated", "slurm"}))
def test_every_source_survives_an_absent_device(name: str, tmp_path: Path) -> None:
    source = make(Config(), name, KINDS[name], context(tmp_path))
    with pytest.raises(Unavailable):
        list(source.read())
    source.close()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_making_a_source_reads_and_starts_nothing(name: str) -> None:
    source = make(Config(), name, KINDS[name], context(Path("/nowhere")))
    assert source.period_s > 0


def test_once_reads_each_source_and_tells_what_failed() -> None:
    config = Config({"agent": {"sources": ["host", "nvml"]}})
    rows = once(config, Context("c", "n1"), sleep=lambda _: None)
    (host,) = [r for r in rows if isinstance(r, HostSample)]
    assert (host.cluster, host.node) == ("c", "n1")
    runs = {r.source: r for r in rows if isinstance(r, SourceRun)}
    assert set(runs) == {"host", "nvml"}
    assert runs["host"].failures == 0


def test_an_agent_ships_to_one_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not to both"):
        build(
            Config(),
            Context("c", "n1"),
            tmp_path / "spool",
            store_url="http://localhost:8123",
            ingest_url="http://localhost:8080",
        )


def test_building_an_agent_opens_nothing(tmp_path: Path) -> None:
    build(Config(), Context("c", "n1"), tmp_path / "spool", ingest_url="http://localhost:1")
    assert list(tmp_path.iterdir()) == []


# What a node must not need; each would cost it tens of megabytes.
HEAVY = ["numpy", "pandas", "pyarrow", "rich", "pydantic", "fastapi", "chdb", "jinja2"]
HEAVY += ["clickhouse_connect", "prometheus_client", "asyncio", "grpc", "kubernetes", "yaml"]


def test_a_node_agent_loads_nothing_heavy(tmp_path: Path) -> None:
    """Everything that is in an agent runs once, with the heavy modules made impossible."""
    program = f"""
import sys, json
heavy = {HEAVY!r}
for name in heavy:
    sys.modules[name] = None
from pathlib import Path
from collector.run import build
from collector.source import Context
from gpuledger.config import Config
config = Config({{"agent": {{"profile": "fine"}}}})
agent = build(config, Context("c", "n1"), Path(sys.argv[1]), ingest_url="http://127.0.0.1:9")
agent.start()
agent.wait(1.6)
agent.stop()
agent.spool.open()
print(json.dumps(agent.spool.waiting()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    entries, size = json.loads(done.stdout)
    assert entries > 0
    assert size > 0


def edge(**more: Any) -> Config:
    return Config({"agent": {"profile": "edge", **more.pop("agent", {})}, **more})


def parts(config: Config, **doors: Any) -> Parts:
    return Wiring(context(), Spool(Path("nowhere")), **doors).parts(config)


def test_the_edge_profile_reads_a_machine_and_its_accelerator_once_a_minute() -> None:
    made = parts(edge())
    assert set(made.sources) == {"host", "nvml", "agent"}
    assert {s.period_s for s in made.sources.values()} == {60.0}
    assert not any("Supervised" in type(s).__name__ for s in made.sources.values())
    assert made.listeners == ()


def test_what_is_set_outranks_the_profile() -> None:
    made = parts(edge(agent={"sources": ["host", "tcp"]}, host={"period_s": 5.0}))
    assert {n: s.period_s for n, s in made.sources.items()} == {
        "host": 5.0,
        "tcp": 1.0,
        "agent": 60.0,
    }


@pytest.mark.parametrize(
    ("config", "doors", "plain"),
    [
        (edge(), {"ingest_url": "http://n:1"}, True),
        (edge(), {"ingest_url": "https://n:1"}, False),
        (edge(), {"store_url": "http://n:1"}, False),
        (edge(prometheus={"port": 1}), {"ingest_url": "http://n:1"}, False),
        (Config(), {"ingest_url": "http://n:1"}, False),
    ],
)
def test_only_an_edge_agent_over_plain_http_does_without_tls(
    config: Config, doors: dict[str, Any], plain: bool
) -> None:
    assert Wiring(context(), Spool(Path("nowhere")), **doors).is_plain(config) is plain


def test_parts_of_the_same_settings_are_shared_and_others_are_not() -> None:
    one = parts(Config({"prometheus": {"port": 9100}}))
    other = parts(Config({"prometheus": {"port": 9101}, "host": {"period_s": 2.0}}), token="new")
    assert one.share("network", other)
    assert one.share("agent", other)
    assert not one.share("host", other)
    assert not one.share("services", other)
    assert not one.share("shipper", other)
    assert not one.share("never heard of", other)


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_that_there_is_not_is_a_wrong_configuration(port: int) -> None:
    with pytest.raises(ConfigError, match=r"\[prometheus\] port"):
        parts(Config({"prometheus": {"port": port}}))


def test_an_endpoint_without_a_scheme_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"\[otlp\] endpoint 'n:4318': write http\(s\)://"):
        parts(Config({"otlp": {"endpoint": "n:4318"}}))


def test_rows_are_pushed_where_an_endpoint_is_named() -> None:
    assert len(parts(Config({"otlp": {"endpoint": "http://n:4318"}})).services) == 1
    assert parts(Config({"otlp": {"period_s": 5.0}})).services == ()


def test_grpc_is_not_for_nodes() -> None:
    with pytest.raises(ConfigError, match="cluster role"):
        parts(Config({"otlp": {"endpoint": "n:4317", "protocol": "grpc"}}))


def test_once_keeps_what_is_not_read_each_time() -> None:
    seldom, often = TcpSample.known(node="n1"), HostSample.known(node="n1", cpus=1)
    later = HostSample.known(node="n1", cpus=2)
    assert _joined([seldom, often], [later]) == [seldom, later]
