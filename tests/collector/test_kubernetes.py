"""The Kubernetes source through the official client, against a real HTTP server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collector.missing import Reason
from collector.source import Context, Role
from collector.sources.kubernetes import KubernetesSettings, KubernetesSource, source
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Job, NodeState, Pool, Quota
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import FOREVER
from tests.collector.kube import (
    CLASSES,
    CORE,
    KUEUE,
    NODES,
    NOW,
    PODS,
    VOLCANO,
    Api,
    ago,
    meta,
    node,
    owned,
    pod,
    stamp,
    uid,
    unschedulable,
    workload,
)
from tests.collector.support import FakeClock, context


class Cluster:
    """An API server, and one source that asks it."""

    def __init__(self, folder: Path) -> None:
        self.api = Api()
        self.kubeconfig = self.api.kubeconfig(folder)
        self.clock = FakeClock(wall=NOW.timestamp())
        self.memory: dict[str, str] = {}
        self.api.kinds[NODES] = [node("n1")]
        self.restart()

    def restart(self, **settings: Any) -> None:
        here = context(clock=self.clock)
        here = Context(here.cluster, here.node, here.root, here.clock, here.log, self.memory)
        told = KubernetesSettings(kubeconfig=str(self.kubeconfig), timeout_s=5.0, **settings)
        self.source = KubernetesSource(told, here)

    def read(self, after_s: float = 30.0) -> list[Any]:
        self.clock.pass_s(after_s)
        return list(self.source.read())

    def jobs(self, after_s: float = 30.0) -> dict[str, Job]:
        return {r.job_id: r for r in self.read(after_s) if isinstance(r, Job)}

    def close(self) -> None:
        self.source.close()
        self.api.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def of(rows: list[Any], kind: type) -> list[Any]:
    return [r for r in rows if isinstance(r, kind)]


def name(pod_name: str) -> str:
    return f"c/ml/{pod_name}@{uid(pod_name)[:8]}"


def test_pods_nodes_and_the_token_of_the_kubeconfig(here: Cluster) -> None:
    here.api.kinds[PODS] = [pod("train", 8), pod("web", 0), pod("wait", node="")]
    rows = here.read()
    found = {r.job_id: r for r in of(rows, Job)}
    assert {k: v.state for k, v in found.items()} == {
        name("train"): "running",
        name("wait"): "pending",
    }
    train = found[name("train")]
    assert (train.gpus_per_node, train.started, train.submitted) == (8, ago(50), ago(60))
    (state,) = of(rows, NodeState)
    assert (state.node, state.gpus, state.scheduler) == ("n1", 8, "kubernetes")
    assert set(here.api.tokens) == {"Bearer s3cret"}


def test_lists_are_paged_and_spare_the_server_and_nothing_is_watched(here: Cluster) -> None:
    here.api.page = 2
    here.api.kinds[PODS] = [pod(f"p{n}") for n in range(5)]
    assert len(here.jobs()) == 5
    asked = [query for path, query in here.api.asked if path == PODS]
    assert asked[0] == {"limit": "500", "resourceVersion": "0"}
    assert [query.get("continue") for query in asked] == [None, "2", "4"]
    assert all("resourceVersion" not in query for query in asked[1:])
    assert not any("watch" in query for _, query in here.api.asked)


def test_a_list_that_expires_is_begun_anew(here: Cluster) -> None:
    here.api.page, here.api.expire = 2, 1
    here.api.kinds[PODS] = [pod(f"p{n}") for n in range(3)]
    assert len(here.jobs()) == 3
    here.api.expire = 9
    with pytest.raises(ReadError, match="410"):
        here.read()


def test_only_what_changed_is_told_and_everything_every_ten_minutes(here: Cluster) -> None:
    here.api.kinds[PODS] = [pod("train")]
    here.read()
    assert here.read() == []
    assert len(of(here.read(600), Job)) == 1


def test_a_pod_that_is_deleted_ended_when_it_was_last_seen(here: Cluster) -> None:
    here.api.kinds[PODS] = [pod("train")]
    here.read()
    last = datetime.fromtimestamp(here.clock.wall_s, UTC)
    here.api.kinds[PODS] = []
    (row,) = here.jobs().values()
    assert (row.state, row.ended) == ("completed", last)


def test_a_restarted_agent_ends_what_went_while_it_was_away(here: Cluster) -> None:
    here.api.kinds[PODS] = [pod("train")]
    here.read()
    here.source.close()
    here.restart()
    here.api.kinds[PODS] = []
    assert [r.state for r in here.jobs().values()] == ["completed"]


@pytest.mark.parametrize("status", [401, 403, 500, 503])
@pytest.mark.parametrize("path", [PODS, NODES])
def test_a_refusal_ends_no_job(here: Cluster, path: str, status: int) -> None:
    here.api.kinds[PODS] = [pod("train")]
    here.read()
    kept, here.api.kinds[path] = here.api.kinds[path], status
    with pytest.raises(ReadError, match=str(status)):
        here.read()
    here.api.kinds[path] = kept
    assert here.jobs() == {}


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"items": 3, "metadata": {}}', b'{"metadata": {}}', b"\xff"]
)
def test_an_answer_that_is_no_list_ends_no_job(here: Cluster, body: bytes) -> None:
    here.api.kinds[PODS] = [pod("train")]
    here.read()
    here.api.kinds[PODS] = body
    with pytest.raises(ReadError, match="pods"):
        here.read()
    here.api.kinds[PODS] = [pod("train")]
    assert here.jobs() == {}


def test_a_list_that_is_too_long_is_not_taken(here: Cluster) -> None:
    here.restart(longest_bytes=20_000)
    here.api.kinds[PODS] = [pod(f"p{n}") for n in range(100)]
    with pytest.raises(ReadError, match="longest_bytes"):
        here.read()


def test_a_server_that_is_gone_is_a_failed_reading(here: Cluster) -> None:
    here.read()
    here.api.close()
    with pytest.raises(ReadError, match="API server"):
        here.read()
    here.api = Api()


def test_a_pod_that_is_not_understood_stays_as_it_was_known(here: Cluster) -> None:
    here.api.kinds[PODS] = [pod("train"), pod("other")]
    here.read()
    bad = pod("train")
    bad["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] = "many"
    here.api.kinds[PODS] = [bad, pod("new")]
    rows = here.read()
    assert {r.job_id: r.state for r in of(rows, Job)} == {
        name("new"): "running",
        name("other"): "completed",
    }
    (lack,) = of(rows, MissingValue)
    assert (lack.subject, lack.reading, lack.reason) == ("ml/train", "pods", Reason.MALFORMED)
    here.api.kinds[PODS] = [pod("train"), pod("new")]
    (lack,) = of(here.read(), MissingValue)
    assert lack.reason == ""


def test_where_an_object_has_no_name_nothing_is_taken_for_gone(here: Cluster) -> None:
    here.api.kinds[PODS] = [pod("train")]
    here.api.kinds[NODES] = [node("n1"), node("n2")]
    here.read()
    here.api.kinds[PODS] = [7]
    here.api.kinds[NODES] = [node("n1"), {"metadata": None}]
    rows = here.read()
    assert of(rows, Job) == of(rows, NodeState) == []


def test_a_cluster_without_queues_is_asked_for_them_rarely(here: Cluster) -> None:
    for _ in range(4):
        here.read()
    asked = [path for path, _ in here.api.asked if path.endswith("/workloads")]
    assert asked == [f"{KUEUE}/{v}/workloads" for v in ("v1beta2", "v1beta1")]
    here.read(300)
    assert len([p for p, _ in here.api.asked if p.endswith("/workloads")]) == 4


def test_kinds_that_may_not_be_listed_are_told_as_denied(here: Cluster) -> None:
    here.api.kinds[CLASSES] = 403
    here.api.kinds[PODS] = [pod("train")]
    rows = here.read()
    lacks = {(r.subject, r.reason) for r in of(rows, MissingValue)}
    assert lacks == {("priorityclasses", Reason.DENIED)}
    assert len(of(rows, Job)) == 1


def test_a_right_that_was_taken_away_ends_nothing(here: Cluster) -> None:
    path = f"{KUEUE}/v1beta1/workloads"
    here.api.kinds[path] = [workload("big")]
    assert len(here.jobs()) == 1
    here.api.kinds[path] = 403
    with pytest.raises(ReadError, match="403"):
        here.read()
    here.api.kinds[path] = [workload("big")]
    assert here.jobs() == {}


def test_a_workload_waits_for_quota_and_its_pods_keep_its_beginning(here: Cluster) -> None:
    path = f"{KUEUE}/v1beta1/workloads"
    here.api.kinds[f"{KUEUE}/v1beta1/localqueues"] = [
        {"metadata": meta("team"), "spec": {"clusterQueue": "gpus"}}
    ]
    here.api.kinds[path] = [workload("big")]
    (row,) = here.jobs().values()
    assert (row.state, row.reason, row.pool) == ("pending", "Quota", "gpus")
    assert (row.nodes, row.gpus_per_node, row.eligible, row.priority) == (2, 8, FOREVER, 7)
    admitted = {"type": "Admitted", "status": "True", "lastTransitionTime": stamp(NOW)}
    here.api.kinds[path] = [workload("big", status={"conditions": [admitted]})]
    late = meta("big-0", ownerReferences=owned("Job", "big-job"), creationTimestamp=stamp(NOW))
    here.api.kinds[PODS] = [pod("big-0", 8, metadata=late)]
    found = here.jobs()
    assert (found[name("big")].state, found[name("big")].ended) == ("completed", NOW)
    assert found[name("big")].started == FOREVER
    assert found[name("big-0")].submitted == ago(60)
    assert here.jobs() == {}


def test_a_gang_that_volcano_lets_in_waits_no_more(here: Cluster) -> None:
    path = f"{VOLCANO}/podgroups"
    group = {
        "metadata": meta("gang"),
        "spec": {"minMember": 4, "minResources": {"nvidia.com/gpu": "32"}, "queue": "gpus"},
        "status": {"phase": "Pending"},
    }
    here.api.kinds[path] = [group]
    (row,) = here.jobs().values()
    assert (row.state, row.nodes, row.gpus_per_node, row.pool) == ("pending", 4, 8, "gpus")
    here.api.kinds[path] = [{**group, "status": {"phase": "Inqueue"}}]
    (row,) = here.jobs().values()
    assert (row.state, row.ended) == ("completed", datetime.fromtimestamp(here.clock.wall_s, UTC))
    assert here.jobs() == {}


def test_quotas_and_pools_are_told_and_their_end_too(here: Cluster) -> None:
    quotas, queue = f"{CORE}/resourcequotas", f"{VOLCANO}/queues"
    here.api.kinds[quotas] = [
        {"metadata": meta("q"), "spec": {"hard": {"requests.nvidia.com/gpu": "16", "pods": "9"}}}
    ]
    here.api.kinds[queue] = [
        {"metadata": meta("gpus", ""), "spec": {}, "status": {"state": "Open"}}
    ]
    rows = here.read()
    (quota,), (pool,) = of(rows, Quota), of(rows, Pool)
    assert (quota.scheduler, quota.team, quota.limit_milli) == ("kubernetes", "ml", 16_000)
    assert (pool.scheduler, pool.pool, pool.state) == ("volcano", "gpus", "up")
    here.api.kinds[quotas], here.api.kinds[queue] = [], []
    rows = here.read(300)
    (quota,), (pool,) = of(rows, Quota), of(rows, Pool)
    assert (quota.limit_milli, pool.state) == (0, "inactive")


def test_teams_by_namespace_then_by_its_label_and_never_by_what_users_set(here: Cluster) -> None:
    here.restart(teams={"prod-*": "platform"}, team_namespace_label="cost")
    here.api.kinds[f"{CORE}/namespaces"] = [{"metadata": meta("ml", "", labels={"cost": "vision"})}]
    spoofed = {"team": "boss", "cost": "boss"}
    here.api.kinds[PODS] = [
        pod("a", metadata=meta("a", labels=spoofed)),
        pod("b", metadata=meta("b", "prod-1", labels=spoofed)),
        pod("c", metadata=meta("c", "lab", labels=spoofed)),
    ]
    teams = {job.rpartition("/")[2][0]: row.team for job, row in here.jobs().items()}
    assert teams == {"a": "vision", "b": "platform", "c": "lab"}


def test_pods_that_wait_for_capacity_are_told_from_others(here: Cluster) -> None:
    gated = {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}
    here.api.kinds[PODS] = [
        pod("full", node="", status=unschedulable("0/4 nodes: 4 Insufficient nvidia.com/gpu.")),
        pod("odd", node="", status=unschedulable("0/4 nodes: 4 didn't match node selector")),
        pod("gate", node="", spec=gated),
        pod("new", node=""),
    ]
    found = here.jobs()
    assert {k: (v.reason, v.eligible == FOREVER) for k, v in found.items()} == {
        name("full"): ("Resources", False),
        name("odd"): ("Unschedulable", True),
        name("gate"): ("SchedulingGated", True),
        name("new"): ("", False),
    }


def test_preemption_by_classes_of_users_only(here: Cluster) -> None:
    system = {"metadata": meta("system-node-critical", ""), "value": 2_000_001_000}
    polite = {"metadata": meta("polite", ""), "value": 900, "preemptionPolicy": "Never"}
    rude = {"metadata": meta("rude", ""), "value": 500}
    here.api.kinds[CLASSES] = [system, polite]
    here.api.kinds[PODS] = [pod("low", spec={"priority": 0}), pod("high", spec={"priority": 500})]
    assert {r.preemptible for r in here.jobs().values()} == {0}
    here.api.kinds[CLASSES] = [system, polite, rude]
    assert {k: r.preemptible for k, r in here.jobs(300).items()} == {name("low"): 1}


def test_without_a_kubeconfig_it_is_unavailable(tmp_path: Path) -> None:
    settings = KubernetesSettings(kubeconfig=str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="no access"):
        KubernetesSource(settings, context()).read()


def test_a_broken_kubeconfig_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    for text in ("{", "[]", "a: b", '{"current-context": "x", "contexts": [{"name": "y"}]}'):
        path.write_text(text)
        with pytest.raises(Unavailable), contextlib.ExitStack():
            KubernetesSource(KubernetesSettings(kubeconfig=str(path)), context()).read()


def test_it_belongs_to_the_cluster_and_says_what_it_needs() -> None:
    assert source.role is Role.CLUSTER
    assert "list" in source.privilege
