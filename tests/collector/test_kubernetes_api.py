"""Access to the API server: whose word counts, inside a cluster and outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.config import incluster_config

from collector.kubernetes_api import ApiServer, Kind, Refused
from gpuledger.errors import Unavailable
from tests.collector.kube import CORE, KUEUE, NODES, Api, node

HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
NODE_LIST = Kind("nodes", "CoreV1Api", "list_node")
WORKLOADS = Kind("workloads", group="kueue.x-k8s.io", versions=("v1beta2", "v1beta1"))


def server(kubeconfig: Path | str = "", **environ: str) -> ApiServer:
    return ApiServer(str(kubeconfig), "", 5.0, 1 << 20, environ)


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The inside of a pod: its service account, and where the API server is."""
    monkeypatch.setenv(HOST, "10.0.0.1")
    monkeypatch.setenv(PORT, "443")
    (tmp_path / "token").write_text("of-the-account")
    (tmp_path / "ca.crt").write_text("certificate")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    return tmp_path


def test_inside_a_cluster_the_service_account_gives_access(pod: Path) -> None:
    asked = server(**{HOST: "10.0.0.1"})._open()
    configuration = asked.api.configuration
    assert configuration.host == "https://10.0.0.1:443"
    tokens = [told["value"] for told in configuration.auth_settings().values()]
    assert [str(token).lower() for token in tokens] == ["bearer of-the-account"]
    assert configuration.retries is False
    asked.close()


def test_a_pod_without_a_service_account_has_no_access(pod: Path) -> None:
    (pod / "token").unlink()
    with pytest.raises(Unavailable, match="no access"):
        server(**{HOST: "10.0.0.1"}).objects(NODE_LIST, bytes)


def test_a_kubeconfig_that_is_named_counts_also_inside_a_cluster(pod: Path) -> None:
    api = Api()
    api.kinds[NODES] = [node()]
    for asked in (
        server(api.kubeconfig(pod), **{HOST: "10.0.0.1"}),
        server(KUBECONFIG=str(api.kubeconfig(pod))),
    ):
        assert len(asked.objects(NODE_LIST, bytes)) == 1
        asked.close()
    api.close()


def test_access_is_read_anew_after_it_was_refused(tmp_path: Path) -> None:
    api = Api()
    api.kinds[NODES] = 401
    path = api.kubeconfig(tmp_path)
    asked = server(path)
    with pytest.raises(Refused, match="401"):
        asked.objects(NODE_LIST, bytes)
    path.write_text(path.read_text().replace("s3cret", "n3w"))
    api.kinds[NODES] = []
    assert asked.objects(NODE_LIST, bytes) == []
    assert api.tokens == ["Bearer s3cret", "Bearer n3w"]
    asked.close()
    api.close()


def test_a_custom_kind_is_asked_for_in_the_version_that_there_is(tmp_path: Path) -> None:
    api = Api()
    api.kinds[f"{KUEUE}/v1beta1/workloads"] = [node()]
    asked = server(api.kubeconfig(tmp_path))
    for _ in range(2):
        assert len(asked.objects(WORKLOADS, bytes)) == 1
    versions = [path.split("/")[3] for path, _ in api.asked]
    assert versions == ["v1beta2", "v1beta1", "v1beta1"]
    asked.close()
    api.close()


def test_what_the_server_says_of_a_refusal_is_told(tmp_path: Path) -> None:
    api = Api()
    api.kinds[NODES] = 403
    asked = server(api.kubeconfig(tmp_path))
    with pytest.raises(Refused, match=f"403 no {CORE}/nodes"):
        asked.objects(NODE_LIST, bytes)
    asked.close()
    api.close()
