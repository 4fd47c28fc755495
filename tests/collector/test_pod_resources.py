"""The PodResources source against a real gRPC server, from list to list."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collector.missing import Reason
from collector.source import Context, Role
from collector.sources.pod_resources import (
    PodResources,
    PodResourcesSettings,
    source,
)
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Allocation
from gpuledger.errors import ReadError, Unavailable
from gpuledger.identity import alloc_id, gpu_id
from gpuledger.schema import FOREVER
from tests.collector.kubelet import (
    GPU,
    UIDS,
    Server,
    allocatable,
    begin,
    claim,
    listing,
    node,
    plugin,
    pod,
    populate,
    refuse,
    uuid,
)
from tests.collector.support import MIDNIGHT, FakeClock, context

NOBODY = 65534  # the user of no rights, on every Debian
SOCKET = "var/lib/kubelet/pod-resources/kubelet.sock"


class Node:
    """A machine with a kubelet, and one source that listens to it."""

    def __init__(self, root: Path) -> None:
        self.root = node(root)
        self.clock = FakeClock()
        self.memory: dict[str, str] = {}
        self.server = Server(root / SOCKET, {"List": listing(), "GetAllocatableResources": b""})
        self.devices(*(uuid(n) for n in range(2)))
        self.restart()

    def restart(self, slice_of: Any = lambda _: None, **settings: Any) -> None:
        here = context(self.root, self.clock)
        here = Context(here.cluster, here.node, here.root, here.clock, here.log, self.memory)
        self.source = PodResources(PodResourcesSettings(**settings), here, slice_of)

    def devices(self, *ids: str, resource: str = GPU) -> None:
        self.server.answers["GetAllocatableResources"] = allocatable(plugin(resource, *ids))

    def list(self, *pods: bytes) -> None:
        self.server.answers["List"] = listing(*pods)

    def rows(self, after_s: float = 10.0) -> list[Any]:
        self.clock.pass_s(after_s)
        return list(self.source.read())

    def read(self, after_s: float = 10.0) -> list[Allocation]:
        return [r for r in self.rows(after_s) if isinstance(r, Allocation)]


@pytest.fixture
def here() -> Iterator[Node]:
    # The path of a unix socket has at most 107 bytes.
    folder = tempfile.mkdtemp(prefix="k")
    machine = Node(Path(folder))
    yield machine
    machine.source.close()
    machine.server.stop()
    shutil.rmtree(folder)


def missing(rows: list[Any]) -> dict[tuple[str, str], str]:
    return {(r.subject, r.reading): r.reason for r in rows if isinstance(r, MissingValue)}


def test_a_pod_holds_its_gpus_by_minor_number_from_the_time_it_began(here: Node) -> None:
    begin(here.root, "train", UIDS[1], at=MIDNIGHT - 60)
    here.list(pod("train", plugin(GPU, uuid(1))))
    (row,) = here.read()
    assert (row.job_id, row.gpu_id) == ("c/ml/train@00000001", gpu_id("c", "n1", 1))
    assert row.alloc_id == alloc_id(row.job_id, 0, row.gpu_id)
    assert (row.share_milli, row.slice, row.source) == (1000, "", "kubernetes")
    assert row.valid_from == datetime.fromtimestamp(MIDNIGHT - 60, UTC)
    assert row.valid_to == FOREVER


def test_devices_of_several_containers_and_parts_are_one_allocation_each(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    devices = plugin(GPU, uuid(0)), plugin(GPU, uuid(1))
    here.list(pod("train", *devices, init=plugin(GPU, uuid(0))))
    assert {r.gpu_id for r in here.read()} == {gpu_id("c", "n1", slot) for slot in (0, 1)}


def test_other_resources_are_nobodys_gpu(here: Node) -> None:
    begin(here.root, "net", UIDS[1])
    here.list(pod("net", plugin("rdma/hca", "mlx5_0")), pod("plain"))
    assert here.rows() == []


def test_a_pod_that_vanishes_held_its_gpu_until_it_was_last_seen(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    here.list(pod("train", plugin(GPU, uuid(0))))
    here.read()
    last = here.clock.wall_s
    here.list()
    (row,) = here.read()
    assert row.valid_to == datetime.fromtimestamp(last, UTC)
    assert here.read() == []


def test_a_finished_pod_that_is_still_listed_holds_nothing(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    here.list(pod("train", plugin(GPU, uuid(0))))
    here.read()
    populate(here.root, UIDS[1], 0)
    (row,) = here.read()
    assert row.valid_to < FOREVER


def test_a_pod_without_a_log_folder_has_not_begun(here: Node) -> None:
    begin(here.root, "other", UIDS[2])
    here.list(pod("train", plugin(GPU, uuid(0))))
    assert here.rows() == []
    begin(here.root, "train", UIDS[1])
    (row,) = here.read()
    assert row.job_id == "c/ml/train@00000001"


def test_where_logs_are_hidden_a_pod_has_its_name_and_the_reason_is_told(here: Node) -> None:
    here.list(pod("train", plugin(GPU, uuid(0))))
    rows = here.rows()
    assert [r.job_id for r in rows if isinstance(r, Allocation)] == ["c/ml/train"]
    assert missing(rows) == {
        ("pods", "uid"): Reason.UNREADABLE,
        ("pods", "cgroup"): Reason.UNSUPPORTED,
    }


def test_a_stateful_pod_that_came_back_is_another_job(here: Node) -> None:
    begin(here.root, "web-0", UIDS[1], at=MIDNIGHT - 900)
    here.list(pod("web-0", plugin(GPU, uuid(0))))
    here.read()
    populate(here.root, UIDS[1], 0)
    begin(here.root, "web-0", UIDS[2], at=MIDNIGHT - 5)
    rows = {r.job_id: r.valid_to == FOREVER for r in here.read()}
    assert rows == {"c/ml/web-0@00000001": False, "c/ml/web-0@00000002": True}


def test_time_slices_share_a_gpu_by_the_number_of_its_replicas(here: Node) -> None:
    here.devices(*(f"{uuid(0)}::{n}" for n in range(4)), uuid(1))
    begin(here.root, "one", UIDS[1])
    begin(here.root, "two", UIDS[2])
    here.list(
        pod("one", plugin(GPU, f"{uuid(0)}::3")),
        pod("two", plugin(GPU, f"{uuid(0)}::0", f"{uuid(0)}::1")),
    )
    assert {r.job_id: r.share_milli for r in here.read()} == {
        "c/ml/one@00000001": 250,
        "c/ml/two@00000002": 500,
    }


def test_an_old_kubelet_tells_no_replicas_and_the_reason_is_told(here: Node) -> None:
    here.server.answers["GetAllocatableResources"] = refuse
    begin(here.root, "one", UIDS[1])
    here.list(pod("one", plugin(GPU, f"{uuid(0)}::3")))
    rows = here.rows()
    assert [r.share_milli for r in rows if isinstance(r, Allocation)] == [1000]
    assert set(missing(rows)) == {("kubelet", "advertised"), (f"{uuid(0)}::3", "share")}


def test_two_slices_of_one_card_are_two_allocations(here: Node) -> None:
    slices = {"MIG-a": (1, 143), "MIG-b": (1, None)}
    here.restart(slices.get)
    begin(here.root, "mig", UIDS[1])
    here.list(pod("mig", plugin("nvidia.com/mig-1g.10gb", "MIG-a", "MIG-b")))
    rows = here.read()
    assert {r.gpu_id for r in rows} == {gpu_id("c", "n1", 1)}
    assert {(r.slice, r.share_milli) for r in rows} == {("MIG-a", 143), ("MIG-b", 143)}
    assert len({r.alloc_id for r in rows}) == 2


def test_devices_of_dynamic_resource_allocation(here: Node) -> None:
    begin(here.root, "dra", UIDS[1])
    claims = [claim("gpu.nvidia.com", "gpu-1"), claim("net.example.com", "gpu-0")]
    here.list(pod("dra", claims=claims))
    assert [r.gpu_id for r in here.read()] == [gpu_id("c", "n1", 1)]


def test_a_device_of_no_known_gpu_is_missing_until_the_machine_is_seen_anew(here: Node) -> None:
    begin(here.root, "new", UIDS[1])
    here.list(pod("new", plugin(GPU, uuid(2))))
    rows = here.rows()
    assert missing(rows) == {(uuid(2), "slot"): Reason.UNSUPPORTED}
    shutil.rmtree(here.root / "proc")
    node(here.root, cards=3)
    rows = here.rows()
    assert [r.gpu_id for r in rows if isinstance(r, Allocation)] == [gpu_id("c", "n1", 2)]
    assert missing(rows) == {(uuid(2), "slot"): ""}


def test_what_holds_is_told_again_every_ten_minutes(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    here.list(pod("train", plugin(GPU, uuid(0))))
    assert [len(here.read(200)) for _ in range(5)] == [1, 0, 0, 1, 0]


def test_a_restarted_agent_ends_what_went_while_it_was_away(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    here.list(pod("train", plugin(GPU, uuid(0))))
    here.read()
    last = here.clock.wall_s
    here.source.close()
    here.list()
    here.restart()
    (row,) = here.read(7200)
    assert row.valid_to == datetime.fromtimestamp(last, UTC)
    assert [key for key in here.memory if key.startswith("held/")] == []


def test_a_machine_without_a_kubelet_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no kubelet here"):
        PodResources(PodResourcesSettings(), context(tmp_path)).read()


@contextmanager
def without_rights() -> Iterator[None]:
    """Nobody's rights for a while: root may ask everything."""
    us = os.geteuid()
    if us == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(us)


def test_a_socket_that_may_not_be_used_is_unavailable(here: Node) -> None:
    (here.root / SOCKET).chmod(0)
    with without_rights(), pytest.raises(Unavailable, match="no right"):
        here.read()


def test_a_socket_that_vanishes_ends_nothing_and_is_read_when_it_is_back(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    here.list(pod("train", plugin(GPU, uuid(0))))
    here.read()
    here.server.stop()
    with pytest.raises(ReadError, match="is gone"):
        here.read()
    here.server.start()
    assert here.read() == []
    here.list()
    assert len(here.read()) == 1


def test_a_kubelet_that_died_and_left_its_socket_is_a_failed_reading(here: Node) -> None:
    here.read()
    kept = here.root / "kept"
    os.link(here.root / SOCKET, kept)
    here.server.stop()
    kept.rename(here.root / SOCKET)
    with pytest.raises(ReadError, match="UNAVAILABLE"):
        here.read()
    here.server.start()
    assert here.read() == []


def test_an_answer_that_is_nonsense_ends_nothing(here: Node) -> None:
    begin(here.root, "train", UIDS[1])
    here.list(pod("train", plugin(GPU, uuid(0))))
    here.read()
    here.server.answers["List"] = b"<html>not found</html>"
    with pytest.raises(ReadError, match="unknown"):
        here.read()
    here.list(pod("train", plugin(GPU, uuid(0))))
    assert here.read() == []


def test_a_kubelet_that_hangs_is_given_up_in_time(here: Node) -> None:
    here.restart(timeout_s=0.2)
    here.server.answers["List"] = here.server.hang
    with pytest.raises(ReadError, match="DEADLINE_EXCEEDED"):
        here.read()


def test_an_answer_that_is_too_long_is_not_taken(here: Node) -> None:
    here.restart(longest_bytes=10_000)
    here.list(*(pod(f"p{n}", plugin(GPU, uuid(0))) for n in range(1000)))
    with pytest.raises(ReadError, match="RESOURCE_EXHAUSTED"):
        here.read()


def test_a_kubelet_without_the_call_is_a_failed_reading(here: Node) -> None:
    here.server.answers["List"] = refuse
    with pytest.raises(ReadError, match="UNIMPLEMENTED"):
        here.read()


def test_it_belongs_to_the_node_and_says_what_it_needs() -> None:
    assert source.role is Role.NODE
    assert "kubelet" in source.privilege
