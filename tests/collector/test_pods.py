"""Pods by the files of a node: names, UIDs and whether they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.pods import Pod, Pods, running_uids
from gpuledger.kubernetes_names import native_id
from tests.collector.kubelet import UIDS, begin, populate
from tests.collector.support import tree

UID = "0f4a3c52-9c1b-4d60-8a3e-2f6f0f6f1a2b"
SYSTEMD = UID.replace("-", "_")


def test_a_native_id_has_the_first_part_of_the_uid() -> None:
    assert native_id("ml", "train-0", UID) == "ml/train-0@0f4a3c52"
    assert native_id("ml", "train-0", "") == "ml/train-0"


@pytest.mark.parametrize(
    "folder",
    [
        f"kubepods.slice/kubepods-pod{SYSTEMD}.slice",
        f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SYSTEMD}.slice",
        f"kubepods/burstable/pod{UID}",
        f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{SYSTEMD}.slice",
        f"memory/kubepods/pod{UID}",
    ],
)
def test_every_layout_of_cgroups_tells_who_runs(tmp_path: Path, folder: str) -> None:
    tree(tmp_path, {f"sys/fs/cgroup/{folder}/cgroup.procs": ""})
    assert running_uids(tmp_path) == {UID}


def test_a_static_pods_uid_is_a_hash(tmp_path: Path) -> None:
    hashed = "0123456789abcdef0123456789abcdef"
    tree(tmp_path, {f"sys/fs/cgroup/kubepods/pod{hashed}/cgroup.procs": ""})
    assert running_uids(tmp_path) == {hashed}


def test_a_cgroup_without_a_process_is_a_pod_that_finished(tmp_path: Path) -> None:
    populate(tmp_path, UIDS[1], 1)
    populate(tmp_path, UIDS[2], 0)
    assert running_uids(tmp_path) == {UIDS[1]}


def test_a_machine_that_hides_cgroups_says_nothing_of_who_runs(tmp_path: Path) -> None:
    assert running_uids(tmp_path) is None


def test_of_two_lives_the_one_that_runs_is_found_else_the_latest(tmp_path: Path) -> None:
    begin(tmp_path, "web-0", UIDS[1], at=200.0)
    begin(tmp_path, "web-0", UIDS[2], at=100.0)
    pods = Pods(tmp_path)
    pods.look()
    assert pods.find("ml", "web-0").uid == UIDS[1]
    populate(tmp_path, UIDS[1], 0)
    pods.look()
    assert pods.find("ml", "web-0").uid == UIDS[2]
    assert pods.find("ml", "web-1") == Pod()


def test_odd_folders_are_no_pods(tmp_path: Path) -> None:
    tree(tmp_path, {"var/log/pods/readme": "", "var/log/pods/a_b": "", "var/log/pods/__": ""})
    pods = Pods(tmp_path)
    pods.look()
    assert pods.shows_logs
    assert pods.find("a", "b") == Pod()


def test_hidden_logs_are_told_from_none(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    pods.look()
    assert not pods.shows_logs
