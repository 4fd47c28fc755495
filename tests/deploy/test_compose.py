"""The compose file is valid, complete in itself, and gives away no more than it must."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import yaml

from tests.deploy.files import COMPOSE, DEPLOY, ROOT, compose, services

NAMES = [
    *("alertmanager", "clickhouse", "collector", "grafana", "relay", "service", "service-b"),
]
PINNED = re.compile(r"[a-z0-9./_-]+:v?\d+\.\d+[\w.-]*")
INTERPOLATED = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)")


@pytest.fixture(params=NAMES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return services()[request.param]


def sources(entry: dict[str, Any], key: str) -> list[str]:
    """Names on the left of a service's short or long entries."""
    found = [e["source"] if isinstance(e, dict) else e for e in entry.get(key, [])]
    return [f.partition(":")[0] for f in found]


def test_it_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, str(COMPOSE)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_parts_that_are_promised() -> None:
    assert sorted(services()) == NAMES


def test_what_it_names_is_declared_and_what_it_declares_is_used() -> None:
    whole = compose()
    for kind in ("networks", "secrets"):
        used = {n for s in services().values() for n in sources(s, kind)}
        assert used == set(whole[kind])
    volumes = {n for s in services().values() for n in sources(s, "volumes") if n[0] != "."}
    assert volumes == set(whole["volumes"])
    depended = {n for s in services().values() for n in s.get("depends_on", {})}
    assert depended <= set(services())


def test_every_mounted_file_exists_and_cannot_be_written(service: dict[str, Any]) -> None:
    for volume in service.get("volumes", []):
        source, _, rest = volume.partition(":")
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert rest.endswith(":ro"), volume


def test_images_are_pinned(service: dict[str, Any]) -> None:
    assert PINNED.fullmatch(service["image"]), service["image"]


def test_our_image_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name in ("service", "service-b", "relay", "collector"):
        assert services()[name]["image"].rpartition(":")[2] == version


def test_ports_are_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_every_container_is_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith(("0", "root"))
    assert not {"privileged", "network_mode", "pid", "ipc", "cap_add"} & set(service)


def test_every_container_is_limited_and_watched(service: dict[str, Any]) -> None:
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["healthcheck"]["test"][0] == "CMD"


def test_the_collector_has_no_way_to_the_database() -> None:
    assert not set(services()["collector"]["networks"]) & set(services()["clickhouse"]["networks"])


def test_health_probes_that_are_programs_compile(service: dict[str, Any]) -> None:
    probe = service["healthcheck"]["test"]
    if "python" in probe:
        compile(probe[-1], "healthcheck", "exec")


def test_provisioning_parses_and_its_variables_are_set() -> None:
    grafana = services()["grafana"]
    known = set(grafana["environment"]) | set(
        re.findall(r"([A-Z_]+)=\"\$\$\(cat", grafana["entrypoint"][-1])
    )
    files = sorted((DEPLOY / "grafana" / "provisioning").rglob("*.y*ml"))
    assert {f.parent.name for f in files} >= {"datasources", "dashboards"}
    for file in files:
        told = yaml.safe_load(file.read_text())
        assert told["apiVersion"] == 1
        assert set(INTERPOLATED.findall(yaml.safe_dump(told))) <= known, file


def test_grafana_finds_boards_and_database_where_provisioning_says() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    mounted = [v.split(":")[1] for v in services()["grafana"]["volumes"]]
    boards = [yaml.safe_load(f.read_text()) for f in provisioning.glob("dashboards/*.y*ml")]
    paths = [p["options"]["path"] for b in boards for p in b["providers"]]
    assert paths
    assert set(paths) <= set(mounted)
    for file in provisioning.glob("datasources/*.y*ml"):
        for source in yaml.safe_load(file.read_text())["datasources"]:
            plugin, _, version = services()["grafana"]["environment"][
                "GF_PLUGINS_PREINSTALL_SYNC"
            ].partition("@")
            assert source["type"] == plugin
            assert version
            assert source["jsonData"]["username"] == "grafana"


def test_only_what_is_always_there_starts_without_asking() -> None:
    asked = {name: s["profiles"] for name, s in services().items() if "profiles" in s}
    assert asked == {"service-b": ["two"], "relay": ["relay"]}


def test_two_services_have_state_and_ports_of_their_own() -> None:
    ours = [services()[name] for name in ("service", "service-b", "relay")]
    for key in ("ports", "volumes"):
        told = [entry for s in ours for entry in s[key]]
        assert len(set(told)) == len(told)
