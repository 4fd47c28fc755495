"""Relays, TLS and identities of nodes: what the overlays change, they change everywhere."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.deploy.kubernetes import OVERLAYS, containers, pods, thing

AGENT = "gpuledger-node-agent"


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_node_belongs_to_one_relay_for_good(tmp_path: Path) -> None:
    program = tmp_path / "gpuledger"
    program.write_text('#!/bin/sh\nprintf "%s %s\\n" "$GPULEDGER_INGEST" "$*"\n')
    program.chmod(0o755)
    command = containers("large")[AGENT]["command"]

    def relay(node: str) -> str:
        environment = {
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "NODE_NAME": node,
            "RELAYS": "2",
            "SCHEME": "https",
        }
        done = subprocess.run(
            [*command, "collect", "--node", node],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        )
        address, *line = done.stdout.split()
        assert line == ["collect", "--node", node]
        return address

    replicas = thing("large", "StatefulSet", "gpuledger-relay")["spec"]["replicas"]
    known = {
        f"https://gpuledger-relay-{i}.gpuledger-relay.gpuledger.svc:8080" for i in range(replicas)
    }
    assert {relay(f"gpu{i:03}") for i in range(12)} == known
    assert relay("gpu001") == relay("gpu001")


def test_as_many_relays_as_the_agents_know() -> None:
    told = {e["name"]: e.get("value") for e in containers("large")[AGENT]["env"]}
    relay = thing("large", "StatefulSet", "gpuledger-relay")
    assert told["RELAYS"] == str(relay["spec"]["replicas"])


def test_plain_http_is_only_where_it_is_said_and_never_in_the_large_overlay() -> None:
    for overlay, plain in (("small", True), ("large", False)):
        for name, container in containers(overlay).items():
            told = {e["name"]: e.get("value", "") for e in container["env"]}
            if container["args"][0] in {"serve", "relay"}:
                assert ("GPULEDGER_INSECURE" in told) is plain, name
                assert ("--tls-cert" in container["args"]) is not plain
                assert (container["livenessProbe"]["httpGet"].get("scheme") == "HTTPS") is not plain
            else:
                assert told["SCHEME"] == ("http" if plain else "https")
                assert told["GPULEDGER_INGEST"].startswith("$(SCHEME)://")
                assert ("GPULEDGER_AGENT_CA_FILE" in told) is not plain


def test_tls_changes_nothing_else_of_a_command_line() -> None:
    name = "gpuledger-service"
    plain, safe = containers("small")[name]["args"], containers("large")[name]["args"]
    assert safe[: len(plain)] == plain


def test_a_node_shows_a_token_of_its_own_in_the_large_overlay() -> None:
    volumes = {v["name"]: v for v in pods("large")[AGENT]["spec"]["volumes"]}
    (source,) = volumes["token"]["projected"]["sources"]
    told = thing("large", "ConfigMap", "gpuledger-service")["data"]["gpuledger.toml"]
    trusted = tomllib.loads(told)["serviceaccounts"]
    space = thing("large", "DaemonSet", AGENT)["metadata"]["namespace"]
    account = pods("large")[AGENT]["spec"]["serviceAccountName"]
    assert trusted["subjects"] == [f"system:serviceaccount:{space}:{account}"]
    assert source["serviceAccountToken"]["audience"] == trusted.get("audience", "gpuledger")
    environment = {e["name"]: e.get("value") for e in containers("large")[AGENT]["env"]}
    assert environment["GPULEDGER_CLUSTER"] == trusted["cluster"]


def test_whoever_takes_rows_has_a_volume_that_outlives_the_pod(overlay: str) -> None:
    """What was acknowledged may be nowhere else yet."""
    addresses = [
        e["value"]
        for c in containers(overlay).values()
        for e in c["env"]
        if e["name"] == "GPULEDGER_INGEST"
    ]
    relayed = overlay == "large"
    assert any("gpuledger-relay-0.gpuledger-relay." in a for a in addresses) is relayed
    taker = thing("large", "StatefulSet", "gpuledger-relay") if relayed else None
    if taker:
        assert [c["metadata"]["name"] for c in taker["spec"]["volumeClaimTemplates"]] == ["journal"]
    else:
        volumes = {v["name"]: v for v in pods(overlay)["gpuledger-service"]["spec"]["volumes"]}
        assert "persistentVolumeClaim" in volumes["state"]


def test_agents_may_reach_whom_they_send_to(overlay: str) -> None:
    taker = "gpuledger-relay" if overlay == "large" else "gpuledger-service"
    label = {"app.kubernetes.io/name": taker}
    for name in ("cluster-agent", "node-agent"):
        egress = thing(overlay, "NetworkPolicy", name)["spec"]["egress"]
        reached = [
            to["podSelector"]["matchLabels"]
            for e in egress
            for to in e.get("to", ())
            if "podSelector" in to
        ]
        assert reached == [label]
    policy = thing(overlay, "NetworkPolicy", taker.removeprefix("gpuledger-"))
    callers = str(policy["spec"]["ingress"])
    assert "gpuledger-agents" in callers
    assert "gpuledger-cluster-agent" in callers
