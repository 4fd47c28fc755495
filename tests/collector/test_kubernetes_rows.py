"""Pods, nodes and quotas as rows, in the shapes that the API's reference documents."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.doubts import Doubts
from collector.kubernetes_api import ApiServer, Kind
from collector.kubernetes_listing import Listing
from collector.kubernetes_objects import Node, Pod, PriorityClass, ResourceQuota, parse
from collector.kubernetes_queues import (
    PodGroup,
    Workload,
    pod_group_row,
    workload_row,
)
from collector.kubernetes_rows import World, job_row, node_row, preemptors, quota_row
from gpuledger.batch import Batch
from gpuledger.catalogue.work import Job, NodeState
from gpuledger.kubernetes_names import Teams
from gpuledger.native import encode
from gpuledger.schema import FOREVER, Row
from tests.collector.kube import (
    GPU,
    ago,
    container,
    meta,
    node,
    owned,
    pod,
    spec,
    stamp,
    uid,
    workload,
    world,
)


def job(body: dict[str, Any], here: World | None = None) -> Job:
    row = job_row(parse(json.dumps(body).encode(), Pod), here or world())
    assert row is not None
    return row


def state(body: dict[str, Any]) -> NodeState | None:
    return node_row(parse(json.dumps(body).encode(), Node), world())


def test_a_running_pod_holds_its_gpus_from_when_it_got_its_node() -> None:
    row = job(pod("train", 4, spec={"priority": 5, "priorityClassName": "batch-high"}))
    assert (row.job_id, row.team) == (f"c/ml/train@{uid('train')[:8]}", "ml")
    assert (row.state, row.started, row.ended) == ("running", ago(50), FOREVER)
    assert (row.gpus_per_node, row.cpu_milli, row.memory_bytes) == (4, 500, 1 << 30)
    assert (row.priority, row.qos, row.kind, row.nodes) == (5, "batch-high", "batch", 1)
    assert (row.submitted, row.eligible, row.user) == (ago(60), ago(60), "")


def test_a_pod_that_pulls_its_image_holds_its_gpus_already() -> None:
    row = job(pod("train", status={"phase": "Pending"}))
    assert (row.state, row.started) == ("running", ago(50))


def test_pods_without_accelerators_are_no_jobs() -> None:
    assert job_row(parse(json.dumps(pod("web", 0)).encode(), Pod), world()) is None


@pytest.mark.parametrize(
    ("phase", "reason", "word"),
    [
        ("Succeeded", None, "completed"),
        ("Failed", None, "failed"),
        ("Failed", "Error", "failed"),
        ("Failed", "DeadlineExceeded", "timeout"),
        ("Failed", "Evicted", "cancelled"),
        ("Unknown", None, "running"),
    ],
)
def test_how_a_pod_ended(phase: str, reason: str | None, word: str) -> None:
    assert job(pod("train", status={"phase": phase, "reason": reason})).state == word


def test_a_pod_ended_with_its_last_container() -> None:
    ends = [{"state": {"terminated": {"finishedAt": stamp(ago(n))}}} for n in (9, 4)]
    row = job(pod("train", status={"phase": "Succeeded", "containerStatuses": ends}))
    assert row.ended == ago(4)
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": stamp(ago(3))}
    told = pod("train", status={"phase": "Failed", "conditions": [ready]})
    assert job(told).ended == ago(3)


def test_a_static_pod_has_the_uid_that_the_kubelet_knows() -> None:
    hashed = {"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"}
    assert job(pod("static", metadata={"annotations": hashed})).job_id == "c/ml/static@01234567"


def test_a_deadline_ends_a_pod() -> None:
    row = job(pod("train", spec={"activeDeadlineSeconds": 7200}))
    assert row.ends_by == ago(50) + timedelta(hours=2)
    assert job(pod("train", spec={"activeDeadlineSeconds": 10**9})).ends_by == FOREVER


@pytest.mark.parametrize(
    ("owner", "labels", "kind"),
    [
        ("Job", {}, "batch"),
        ("PyTorchJob", {}, "batch"),
        ("ReplicaSet", {}, "service"),
        ("StatefulSet", {}, "service"),
        ("StatefulSet", {"notebook-name": "lab"}, "interactive"),
        ("Notebook", {}, "interactive"),
        ("RayCluster", {}, "batch"),
        ("Job", {"serving.kserve.io/inferenceservice": "llm"}, "service"),
    ],
)
def test_the_kind_of_work(owner: str, labels: dict[str, str], kind: str) -> None:
    told = {"labels": labels, "ownerReferences": owned(owner, "o")}
    assert job(pod("x", metadata=told)).kind == kind


def test_a_terminal_without_an_owner_is_interactive() -> None:
    shell = {"containers": [container(1, stdin=True, tty=True)]}
    assert job(pod("shell", spec=shell)).kind == "interactive"


def test_a_replica_set_is_its_deployment() -> None:
    told = {
        "labels": {"pod-template-hash": "7d4b9c"},
        "ownerReferences": owned("ReplicaSet", "llm-7d4b9c"),
    }
    assert job(pod("llm-7d4b9c-x2x", metadata=told)).name == "llm"
    assert job(pod("alone")).name == "alone"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ({"jobset.sigs.k8s.io/jobset-name": "j"}, "c/ml/j"),
        ({"leaderworkerset.sigs.k8s.io/name": "l"}, ""),
        (
            {
                "leaderworkerset.sigs.k8s.io/name": "l",
                "leaderworkerset.sigs.k8s.io/group-index": "2",
            },
            "c/ml/l/2",
        ),
        ({"scheduling.k8s.io/group-name": "v"}, "c/ml/v"),
        ({"scheduling.x-k8s.io/pod-group": "s"}, "c/ml/s"),
        ({"training.kubeflow.org/job-name": "t"}, "c/ml/t"),
        ({}, ""),
    ],
)
def test_gangs(words: dict[str, str], name: str) -> None:
    assert job(pod("x", metadata={"labels": words})).gang == name
    assert job(pod("x", metadata={"annotations": words})).gang == name


def test_a_queue_of_the_namespace_leads_to_one_of_the_cluster() -> None:
    here = world(queues={("ml", "team"): "gpus"})
    labels = {"labels": {"kueue.x-k8s.io/queue-name": "team"}}
    assert job(pod("x", metadata=labels), here).pool == "gpus"
    assert job(pod("x", metadata=labels)).pool == "team"
    volcano = {"annotations": {"scheduling.volcano.sh/queue-name": "v"}}
    assert job(pod("x", metadata=volcano)).pool == "v"


def test_a_gated_pod_waits_for_what_its_workload_waits_for() -> None:
    gated = pod("x", node="", spec={"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]})
    here = world(waits={uid("x"): ("Quota", ago(70))})
    row = job(gated, here)
    assert (row.reason, row.eligible, row.submitted) == ("Quota", FOREVER, ago(70))


def test_constraints_are_selectors_and_required_affinities() -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
    wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    told = {
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"},
        "affinity": {"nodeAffinity": wanted},
    }
    row = job(pod("x", spec=told))
    assert row.constraints == "nvidia.com/gpu.product=NVIDIA-L4,zone In a|b"
    assert row.gpu_model == "NVIDIA-L4"


def test_the_share_asked_for_follows_the_labels_of_the_node() -> None:
    here = world(labels={"n1": {"nvidia.com/gpu.replicas": "4"}})
    assert job(pod("x"), here).share_milli == 250
    assert job(pod("x", node=""), here).share_milli == 1000
    shared = pod("x", node="", spec=spec(1, "nvidia.com/gpu.shared"))
    assert job(shared, here).share_milli == 250
    assert job(pod("x", spec=spec(1, "nvidia.com/mig-1g.10gb"))).share_milli == 143


def test_volcano_says_itself_what_may_be_preempted() -> None:
    here = world(preemptors=(100,))
    assert job(pod("x"), here).preemptible == 1
    told = {"annotations": {"volcano.sh/preemptable": "false"}}
    assert job(pod("x", metadata=told), here).preemptible == 0


def test_a_user_is_named_by_configured_words_only() -> None:
    told = {"annotations": {"hub.jupyter.org/username": "ada"}}
    here = world(user_words=("hub.jupyter.org/username",))
    assert job(pod("x", metadata=told), here).user == "ada"
    assert job(pod("x", metadata=told)).user == ""


def test_whose_a_pod_is() -> None:
    labels = {"lab": {"cost": "vision"}}
    teams = Teams({"prod-*": "platform"}, "cost", "acme.io/team", labels)
    assert teams.of("prod-1") == "platform"
    assert teams.of("lab") == "vision"
    assert teams.of("other") == "other"
    assert teams.of("prod-1", {"acme.io/team": "search", "team": "boss"}) == "search"
    assert Teams().of("lab", {"acme.io/team": "search"}) == "lab"


def test_a_node_with_its_labels_taints_and_place() -> None:
    labels = {
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "topology.kubernetes.io/zone": "z1",
        "beta.example.com/build": "17",
    }
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    row = state(node(metadata={"labels": labels}, spec={"taints": [taint]}))
    assert row is not None
    assert (row.state, row.gpus, row.gpu_model) == ("up", 8, "NVIDIA-H100-80GB-HBM3")
    assert (row.cpu_milli, row.memory_bytes, row.rack) == (64_000, 512 << 30, "z1")
    assert row.taints == "nvidia.com/gpu=present:NoSchedule"
    assert "build" not in row.labels
    assert "topology.kubernetes.io/zone=z1" in row.labels


def test_a_node_that_is_not_ready_is_down_and_one_cordoned_is_drained() -> None:
    lost = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    lost["lastTransitionTime"] = stamp(ago(5))
    row = state(node(status={"conditions": [lost]}, spec={"unschedulable": True}))
    assert row is not None
    assert (row.state, row.reason, row.valid_from) == ("down", "NodeStatusUnknown", ago(5))
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    taint["timeAdded"] = stamp(ago(7))
    row = state(node(spec={"unschedulable": True, "taints": [taint]}))
    assert row is not None
    assert (row.state, row.valid_from) == ("drained", ago(7))


def test_a_node_without_accelerators_is_not_told() -> None:
    assert state(node(gpus=0)) is None


def test_of_several_quotas_the_smallest_holds_and_slices_count_as_parts() -> None:
    def quota(**hard: Any) -> ResourceQuota:
        told = {f"requests.nvidia.com/{k.replace('__', '-')}": v for k, v in hard.items()}
        body = {"metadata": meta("q"), "spec": {"hard": {"pods": "9", **told}}}
        return parse(json.dumps(body).encode(), ResourceQuota)

    row = quota_row([quota(gpu="16"), quota(gpu="8")], world())
    assert row is not None
    assert (row.limit_milli, row.team, row.queue) == (8000, "ml", "")
    none = quota_row([quota(gpu="0")], world())
    assert none is not None
    assert none.limit_milli == 1
    assert quota_row([quota()], world()) is None
    mapped = quota_row([quota(gpu="1")], world(teams=Teams({"ml": "vision"})))
    assert mapped is not None
    assert (mapped.team, mapped.queue) == ("vision", "ml")


def test_classes_that_preempt() -> None:
    classes = [(10, None), (20, "Never"), (2_000_000_000, None), (5, "PreemptLowerPriority")]
    told = [
        PriorityClass(parse(json.dumps(pod("x")).encode(), Pod).metadata, value, policy)
        for value, policy in classes
    ]
    assert preemptors(told) == (5, 10)


T = TypeVar("T")
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
GROUP = {
    "metadata": meta("g"),
    "spec": {"minMember": 2, "minResources": {GPU: "8"}},
    "status": {"phase": "Pending"},
}
SUBJECTS: list[tuple[dict[str, Any], Any, Any]] = [
    (pod("x", 2, spec={"activeDeadlineSeconds": 60, "priority": 3}), Pod, job_row),
    (node(), Node, node_row),
    (workload("x"), Workload, workload_row),
    (GROUP, PodGroup, pod_group_row),
]


def paths(thing: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(thing, dict | list):
        for key, value in thing.items() if isinstance(thing, dict) else enumerate(thing):
            yield from paths(value, (*at, key))


class Given(ApiServer):
    """An API server that has these objects."""

    def __init__(self, *things: Any) -> None:
        self._raws = [msgspec.Raw(json.dumps(thing).encode()) for thing in things]

    def objects(self, _: Kind, each: Callable[[msgspec.Raw], T]) -> list[T]:
        return [each(raw) for raw in self._raws]


def put(thing: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    out = copy.deepcopy(thing)
    inner = out
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return out


@given(st.data(), st.sampled_from(SUBJECTS))
def test_any_object_is_a_row_that_can_be_written_or_is_counted(data: Any, subject: Any) -> None:
    body, shape, make = subject
    odd = JUNK | st.sampled_from(
        ["1E", "-1", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 1e300]
    )
    bad = put(body, data.draw(st.sampled_from(sorted(paths(body), key=str))), data.draw(odd))
    doubts = Doubts("test")
    listing = Listing(Given(bad, body), doubts, lambda: 0.0)
    here = world()
    found = listing.required(Kind("things"), shape, lambda thing: make(thing, here))
    assert 1 <= len(found.made) <= 2
    for row in found.made:
        assert isinstance(row, Row)
        assert encode(Batch.of_values(row.table, [row.values()]))
    assert len(found.made) == 2 or found.unclear or found.nameless or not list(doubts.rows())
