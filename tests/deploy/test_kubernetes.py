"""The manifests are valid, give away no more than they must, and fit what the program does."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from collector import kubernetes_queues as queues
from collector.agent import AgentSettings
from collector.kubernetes_api import Kind
from collector.sources import kubernetes
from gpuledger.cli import cli
from gpuledger.cli.generate import sections
from gpuledger.cli.options import load_config
from tests.deploy.files import ROOT
from tests.deploy.kubernetes import (
    KUBERNETES,
    OVERLAYS,
    WORKLOADS,
    Thing,
    containers,
    pods,
    rendered,
    thing,
    things,
)

# The oldest and the newest release that these manifests are for.
RELEASES = ("1.30", "1.37")
AGENT = "gpuledger-node-agent"
OPERATORS_OWN = {"ServiceMonitor"}  # the Prometheus operator's kind: Kubernetes has no schema of it
GROUPS = {"CoreV1Api": "", "SchedulingV1Api": "scheduling.k8s.io"}
FILES = [*KUBERNETES.rglob("*.yaml")]


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("overlay", "release"), [("small", RELEASES[1]), *(("large", r) for r in RELEASES)]
)
def test_kubernetes_own_schema_accepts_every_object(overlay: str, release: str) -> None:
    for told in rendered(overlay):
        if told["kind"] not in OPERATORS_OWN:
            kubernetes_validate.validate(told, release, strict=True)


def test_the_schema_would_have_told_of_a_mistake() -> None:
    wrong = {**thing("small", "Deployment", "gpuledger-service"), "sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, RELEASES[-1], strict=True)


def test_every_file_is_used() -> None:
    named = {
        (file.parent / entry).resolve()
        for file in KUBERNETES.rglob("kustomization.yaml")
        for told in [yaml.safe_load(file.read_text())]
        for entry in [
            *told.get("resources", []),
            *(p["path"] for p in told.get("patches", []) if "path" in p),
        ]
    }
    assert {f for f in FILES if f.name != "kustomization.yaml"} <= named


def test_the_cluster_agent_may_list_what_it_asks_for_and_nothing_else() -> None:
    kinds = [k for m in (kubernetes, queues) for k in vars(m).values() if isinstance(k, Kind)]
    asked = {(k.group or GROUPS[k.api], k.plural) for k in kinds}
    rules = thing("small", "ClusterRole", "gpuledger-cluster-agent")["rules"]
    allowed = {(g, r) for rule in rules for g in rule["apiGroups"] for r in rule["resources"]}
    # Namespaces only where their labels name teams: a component of its own.
    assert allowed == asked - {("", kubernetes.NAMESPACES.plural)}
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list"}


def test_only_the_cluster_agent_has_a_token_of_the_api_server(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        may = name == "gpuledger-cluster-agent"
        assert pod["spec"]["automountServiceAccountToken"] is may, name
    for account in things(overlay, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    bound = [s["name"] for b in things(overlay, "ClusterRoleBinding") for s in b["subjects"]]
    assert bound == ["gpuledger-cluster-agent"]


def test_every_container_is_confined(overlay: str) -> None:
    for name, container in containers(overlay).items():
        told = container["securityContext"]
        assert told["readOnlyRootFilesystem"] is True, name
        assert told["allowPrivilegeEscalation"] is False, name
        assert told["capabilities"] == {"drop": ["ALL"]}, name
        pod = pods(overlay)[name]["spec"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["securityContext"].get("runAsNonRoot", False) is (name != AGENT), name


def test_every_container_is_limited_and_probed(overlay: str) -> None:
    for name, container in containers(overlay).items():
        assert {"requests", "limits"} == set(container["resources"]), name
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), name


def test_the_node_agent_has_the_limits_of_its_unit() -> None:
    assert containers("small")[AGENT]["resources"]["limits"] == {"cpu": "100m", "memory": "128Mi"}


def test_the_host_is_seen_only_where_an_overlay_asks() -> None:
    for name, pod in pods("small").items():
        assert not {"hostPID", "hostNetwork", "hostIPC"} & set(pod["spec"]), name
    large = {name for name, pod in pods("large").items() if pod["spec"].get("hostPID")}
    assert large == {AGENT}


def test_paths_of_the_host_are_read_only_except_the_spool(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        host = {v["name"]: v["hostPath"] for v in pod["spec"]["volumes"] if "hostPath" in v}
        assert not host or name == AGENT
        mounts = pod["spec"]["containers"][0]["volumeMounts"]
        written = {m["name"] for m in mounts if m["name"] in host and not m.get("readOnly")}
        assert written <= {"spool"}


def test_every_namespace_denies_what_no_policy_names(overlay: str) -> None:
    spaces = {t["metadata"]["name"] for t in things(overlay, "Namespace")}
    denying = {
        t["metadata"]["namespace"]
        for t in things(overlay, "NetworkPolicy")
        if t["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }
    assert denying == spaces


def labels(told: Thing) -> set[tuple[str, str]]:
    return set(told["metadata"].get("labels", {}).items())


def test_selectors_meet_pods_of_their_namespace(overlay: str) -> None:
    found = things(overlay, *WORKLOADS)
    for told in things(overlay, "Service", "PodDisruptionBudget", "NetworkPolicy"):
        spec = told["spec"]
        wanted = spec.get("selector") or spec["podSelector"]
        wanted = wanted.get("matchLabels", wanted)
        space = told["metadata"]["namespace"]
        assert not wanted or any(
            set(wanted.items()) <= labels(t["spec"]["template"])
            for t in found
            if t["metadata"]["namespace"] == space
        ), told["metadata"]["name"]


# What a component says that somebody else makes: cert-manager, say.
FOREIGN = {"gpuledger-tls", "gpuledger-ca"}


def test_what_pods_name_is_declared_or_a_secret_that_the_script_makes(overlay: str) -> None:
    made = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in secrets()}
    declared = {
        (t["kind"], t["metadata"]["namespace"], t["metadata"]["name"])
        for t in things(overlay, "ConfigMap", "PersistentVolumeClaim", "ServiceAccount")
    }
    for told in things(overlay, *WORKLOADS):
        space, spec = told["metadata"]["namespace"], told["spec"]["template"]["spec"]
        assert ("ServiceAccount", space, spec["serviceAccountName"]) in declared
        for volume in spec["volumes"]:
            for kind, name, keys in named(volume):
                if name in FOREIGN:
                    assert overlay == "large"
                elif kind == "Secret":
                    assert keys <= set(made[space, name]["data"])
                else:
                    assert (kind, space, name) in declared


def named(volume: dict[str, Any]) -> list[tuple[str, str, set[str]]]:
    """Kind, name and keys of what a volume shows; without what may be absent."""
    out = []
    if claim := volume.get("persistentVolumeClaim"):
        out.append(("PersistentVolumeClaim", claim["claimName"], set[str]()))
    for part in [volume, *volume.get("projected", {}).get("sources", [])]:
        if (told := part.get("configMap")) and not told.get("optional"):
            out.append(("ConfigMap", told["name"], set()))
        if told := part.get("secret"):
            out.append(("Secret", told["secretName"], {i["key"] for i in told.get("items", [])}))
    return out


def secrets(**environment: str) -> list[Thing]:
    done = subprocess.run(
        ["sh", str(KUBERNETES / "init-secrets.sh"), "https://gpuledger@store:8443/gpuledger"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return list(yaml.safe_load_all(done.stdout))


def test_secrets_are_random_and_accepted_by_the_schema() -> None:
    first, second = secrets(), secrets()
    for told in first:
        kubernetes_validate.validate(told, RELEASES[-1], strict=True)
    values = [v for s in (*first, *second) for k, v in s["data"].items() if k != "url"]
    # Agents know the ingest token in their namespace as well.
    assert len(set(values)) == len(values) - 2


def test_a_password_that_is_there_is_taken() -> None:
    (store, *_) = secrets(STORE_PASSWORD="of the store")
    assert base64.b64decode(store["data"]["password"]) == b"of the store"


def test_a_wrong_address_is_refused_in_one_line() -> None:
    done = subprocess.run(
        ["sh", str(KUBERNETES / "init-secrets.sh"), "clickhouse:8123"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_the_program_understands_each_command_line(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPULEDGER_STORE", "http://u@h:1/d")
    for name, container in containers(overlay).items():
        line = [word.replace("$(NODE_NAME)", "n1") for word in container["args"]]
        command = cli.get_command(click.Context(cli), line[0])
        assert command is not None, name
        command.make_context(line[0], line[1:])


def test_the_settings_are_ones_that_the_program_has(overlay: str, tmp_path: Path) -> None:
    for told in things(overlay, "ConfigMap"):
        file = tmp_path / "gpuledger.toml"
        file.write_text(told["data"]["gpuledger.toml"])
        loaded, known = load_config(file), sections()
        for name in tomllib.loads(file.read_text()):
            loaded.section(name, known[name])


def test_images_have_the_version_of_the_package(overlay: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {c["image"].rpartition(":")[2] for c in containers(overlay).values()} == {version}


def test_a_spool_that_is_not_written_any_more_fails_the_probe(tmp_path: Path) -> None:
    probe = containers("small")[AGENT]["livenessProbe"]["exec"]["command"]
    line = [probe[0], probe[1], probe[2].replace("/var/lib/gpuledger", str(tmp_path))]
    assert subprocess.run(line, check=False, timeout=10).returncode == 1
    spool = tmp_path / "spool.db-wal"
    spool.touch()
    assert subprocess.run(line, check=False, timeout=10).returncode == 0
    os.utime(spool, (0, 0))
    assert subprocess.run(line, check=False, timeout=10).returncode == 1


def test_the_monitor_meets_the_service_and_brings_a_token() -> None:
    told = thing("large", "ServiceMonitor", "gpuledger")["spec"]
    service = thing("large", "Service", "gpuledger")
    (wanted,) = told["selector"]["matchExpressions"]
    assert service["metadata"]["labels"][wanted["key"]] in wanted["values"]
    (endpoint,) = told["endpoints"]
    assert endpoint["port"] in {p["name"] for p in service["spec"]["ports"]}
    assert endpoint["authorization"]["credentials"]["key"] == "token"


def test_a_roll_out_takes_one_node_and_waits() -> None:
    told = thing("small", "DaemonSet", AGENT)["spec"]
    assert told["updateStrategy"]["rollingUpdate"]["maxUnavailable"] == 1
    assert told["minReadySeconds"] >= 60


def test_the_program_understands_each_environment(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for container in containers(overlay).values():
        with monkeypatch.context() as patch:
            told = {e["name"]: e["value"] for e in container["env"] if "value" in e}
            for name, value in told.items():
                if name.startswith("GPULEDGER_") and name != "GPULEDGER_CONFIG":
                    patch.setenv(name, value)
            agent = load_config(None).section("agent", AgentSettings)
            assert agent.ca_file == told.get("GPULEDGER_AGENT_CA_FILE", "")


def test_a_variable_is_declared_before_it_is_used(overlay: str) -> None:
    for container in containers(overlay).values():
        names = [e["name"] for e in container["env"]]
        for place, entry in enumerate(container["env"]):
            used = re.findall(r"\$\((\w+)\)", entry.get("value", ""))
            assert set(used) <= set(names[:place])
