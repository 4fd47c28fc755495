"""Control groups of jobs, pods and containers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cgroups import Member, member, member_of
from collector.sources.cgroups import Cgroups, CgroupsSettings, pairs, served_bytes, transferred
from gpuledger.catalogue.host import CgroupSample, MissingValue
from gpuledger.errors import Unavailable
from gpuledger.schema import Kind
from tests.collector.support import context, tree

POD = "0f3b2a1c-1111-2222-3333-444455556666"
POD_ = POD.replace("-", "_")
ID = "0123456789ab" + "c" * 52
SLURM = "system.slice/slurmstepd.scope"
FILES = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\nnr_throttled 3\nthrottled_usec 1000\n",
    "memory.current": "1048576\n",
    "memory.max": "2097152\n",
    "memory.events": "low 0\nhigh 0\nmax 1\noom 1\noom_kill 2\n",
    "io.stat": "259:0 rbytes=100 wbytes=200 rios=1 wios=2\n8:0 rbytes=10 wbytes=20 rios=1 wios=1\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull total=9\n",
    "io.pressure": "some avg10=0.00 total=2000000\nfull total=9\n",
    "memory.pressure": "some avg10=0.00 total=3000000\nfull total=9\n",
}


def group(path: str, files: Mapping[str, str] = FILES) -> dict[str, str]:
    return {f"sys/fs/cgroup/{path}/{name}": text for name, text in files.items()}


def machine(root: Path, *paths: str) -> Path:
    tree(root, {"sys/fs/cgroup/cgroup.controllers": "cpu io memory\n"})
    for path in paths:
        tree(root, group(path))
    return root


def read(source: Cgroups) -> tuple[dict[str, CgroupSample], list[MissingValue]]:
    rows = list(source.read())
    groups = {f"{r.runtime}/{r.name}": r for r in rows if isinstance(r, CgroupSample)}
    return groups, [r for r in rows if isinstance(r, MissingValue)]


def once(root: Path) -> dict[str, CgroupSample]:
    return read(Cgroups(CgroupsSettings(), context(root)))[0]


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        (f"/{SLURM}/job_123/step_0/user/task_0", Member("slurm", "123")),
        ("/system.slice/n1_slurmstepd.scope/job_5", Member("slurm", "5")),
        (f"/{SLURM}/s8FXKTA79XAR00/step_batch", Member("slurm", "s8FXKTA79XAR00")),
        ("/slurm/uid_1000/job_42/step_0", Member("slurm", "42")),
        ("/slurm_n1/uid_1000/job_42", Member("slurm", "42")),
        (
            f"/kubepods.slice/kubepods-x.slice/kubepods-x-pod{POD_}.slice/cri-containerd-{ID}.scope",
            Member("kubernetes", POD),
        ),
        (f"/kubepods/besteffort/pod{POD}/{ID}", Member("kubernetes", POD)),
        (
            f"/docker/{ID}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_}.slice",
            Member("kubernetes", POD),
        ),
        (f"/kubepods/burstable/pod{'ab' * 16}/{ID}", Member("kubernetes", "ab" * 16)),
        (f"/../../kubepods/pod{POD}", Member("kubernetes", POD)),
        (f"/kubepods/pod{POD}/{SLURM}/job_9", Member("slurm", "9")),
        (f"/system.slice/docker-{ID}.scope", Member("docker", ID)),
        (f"/docker/{ID}", Member("docker", ID)),
        (
            f"/user.slice/user-1.slice/user@1.service/app.slice/docker-{ID}.scope",
            Member("docker", ID),
        ),
        (f"/machine.slice/libpod-{ID}.scope/container", Member("podman", ID)),
        (f"/libpod_parent/libpod-{ID}", Member("podman", ID)),
        (f"/machine.slice/libpod-conmon-{ID}.scope", None),
        (f"/{SLURM}/system", None),
        ("/user.slice/user-1000.slice/session-3.scope", None),
        ("/system.slice/docker.service", None),
        (f"/home/pod{POD}", None),
        ("/", None),
    ],
)
def test_a_path_tells_its_owner(path: str, owner: Member | None) -> None:
    assert member(path) == owner


def test_a_process_belongs_to_the_first_of_its_groups_that_names_somebody() -> None:
    v1 = f"12:cpuset:/\n4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n"
    assert member_of(v1) == Member("docker", ID)
    assert member_of("0::/init.scope\n") is None


@given(st.text())
def test_no_text_upsets_the_parsers(text: str) -> None:
    member(text)
    member_of(text)
    assert all(number >= 0 for number in pairs(text).values())
    assert all(v >= 0 for v in (transferred(text, "rbytes=") or {}).values())
    assert all(v >= 0 for v in (served_bytes(text, "Read") or {}).values())


def test_a_job_is_read_in_base_units(tmp_path: Path) -> None:
    row = once(machine(tmp_path, f"{SLURM}/job_7"))["slurm/7"]
    assert (row.cpu_seconds, row.cpu_throttled_seconds) == (2.5, 0.001)
    assert (row.memory_bytes, row.memory_limit_bytes) == (1 << 20, 1 << 21)
    assert row.out_of_memory_kills == 2
    assert (row.read_bytes, row.write_bytes) == (110, 220)
    assert row.cpu_pressure_seconds == 1.0
    assert row.io_pressure_seconds == 2.0
    assert row.memory_pressure_seconds == 3.0


@pytest.mark.parametrize("restarts", [False, True])
def test_a_disk_that_leaves_and_comes_back_is_counted_once(
    tmp_path: Path, *, restarts: bool
) -> None:
    both = "259:0 rbytes=101 wbytes=1\n8:0 rbytes=900 wbytes=1\n"
    place = context(machine(tmp_path, f"{SLURM}/job_7"))
    source, told = Cgroups(CgroupsSettings(), place), []
    for text in (both, "259:0 rbytes=102 wbytes=1\n", both.replace("101", "103")):
        tree(tmp_path, group(f"{SLURM}/job_7", {"io.stat": text}))
        source = Cgroups(CgroupsSettings(), place) if restarts else source
        told.append(read(source)[0]["slurm/7"].read_bytes)
    assert told == [1001, 1002, 1003]


def test_a_group_that_ended_leaves_no_memory(tmp_path: Path) -> None:
    place = context(machine(tmp_path, f"{SLURM}/job_7", f"{SLURM}/job_8"))
    source = Cgroups(CgroupsSettings(), place)
    read(source)
    shutil.rmtree(tmp_path / f"sys/fs/cgroup/{SLURM}/job_7")
    read(source)
    assert len(place.memory) == 2
    assert all("job_8" in key for key in place.memory)


def test_jobs_pods_and_containers_are_found_and_services_are_not(tmp_path: Path) -> None:
    burstable = "kubepods.slice/kubepods-burstable.slice"
    machine(
        tmp_path,
        f"{SLURM}/s8FXKTA79XAR00",
        f"{burstable}/kubepods-burstable-pod{POD_}.slice",
        f"system.slice/docker-{ID}.scope",
        f"machine.slice/libpod-{ID}.scope",
        "system.slice/sshd.service",
        f"user.slice/user-1.slice/user@1.service/user.slice/libpod-{'d' * 64}.scope",
    )
    assert sorted(once(tmp_path)) == [
        f"docker/{ID}",
        f"kubernetes/{POD}",
        f"podman/{ID}",
        f"podman/{'d' * 64}",
        "slurm/s8FXKTA79XAR00",
    ]


def test_the_steps_of_a_job_and_the_containers_of_a_pod_are_no_groups_of_their_own(
    tmp_path: Path,
) -> None:
    machine(tmp_path, f"{SLURM}/job_7/step_0", f"kubepods/pod{POD}/{ID}", f"{SLURM}/job_7")
    assert sorted(once(tmp_path)) == [f"kubernetes/{POD}", "slurm/7"]


def test_no_limit_is_no_value_and_no_missing_one(tmp_path: Path) -> None:
    machine(tmp_path, f"{SLURM}/job_7")
    tree(tmp_path, group(f"{SLURM}/job_7", {"memory.max": "max\n"}))
    groups, missing = read(Cgroups(CgroupsSettings(), context(tmp_path)))
    assert groups["slurm/7"].memory_limit_bytes is None
    assert missing == []


def test_a_controller_that_is_off_is_missing_once_for_all_jobs(tmp_path: Path) -> None:
    machine(tmp_path, f"{SLURM}/job_7", f"{SLURM}/job_8")
    for job in (7, 8):
        (tmp_path / f"sys/fs/cgroup/{SLURM}/job_{job}/io.stat").unlink()
    source = Cgroups(CgroupsSettings(), context(tmp_path))
    groups, missing = read(source)
    assert groups["slurm/7"].read_bytes is None
    assert sorted((m.subject, m.reading, m.reason) for m in missing) == [
        ("slurm", "read_bytes", "unsupported"),
        ("slurm", "write_bytes", "unsupported"),
    ]
    assert read(source)[1] == []


def test_a_job_that_ended_has_no_row_and_harms_no_other(tmp_path: Path) -> None:
    machine(tmp_path, f"{SLURM}/job_7", f"{SLURM}/job_8")
    source = Cgroups(CgroupsSettings(), context(tmp_path))
    assert len(read(source)[0]) == 2
    folder = tmp_path / f"sys/fs/cgroup/{SLURM}/job_7"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert list(read(source)[0]) == ["slurm/8"]


def test_version_1_is_read_from_a_folder_per_controller(tmp_path: Path) -> None:
    job = "slurm/uid_1000/job_42"
    files = {
        f"memory/{job}/memory.usage_in_bytes": "4096\n",
        f"memory/{job}/memory.limit_in_bytes": "9223372036854771712\n",
        f"memory/{job}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        f"cpuacct/{job}/cpuacct.usage": "1500000000\n",
        f"cpu/{job}/cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_time 500000000\n",
        f"blkio/{job}/blkio.throttle.io_service_bytes_recursive": (
            "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n9:0 Read 1\nTotal 31\n"
        ),
    }
    row = once(tree(tmp_path / "m", {f"sys/fs/cgroup/{n}": t for n, t in files.items()}))[
        "slurm/42"
    ]
    assert (row.memory_bytes, row.memory_limit_bytes, row.out_of_memory_kills) == (4096, None, 3)
    assert (row.cpu_seconds, row.cpu_throttled_seconds) == (1.5, 0.5)
    assert (row.read_bytes, row.write_bytes) == (11, 20)


def test_a_machine_without_control_groups_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        list(Cgroups(CgroupsSettings(), context(tmp_path)).read())


@given(st.dictionaries(st.sampled_from(sorted(FILES)), st.binary(max_size=60)))
def test_garbage_is_missing_and_no_counter_is_negative(
    tmp_path_factory: pytest.TempPathFactory, garbage: dict[str, bytes]
) -> None:
    root = machine(tmp_path_factory.mktemp("m"), f"{SLURM}/job_7")
    for name, data in garbage.items():
        (root / f"sys/fs/cgroup/{SLURM}/job_7/{name}").write_bytes(data)
    row = once(root)["slurm/7"]
    counters = [c.name for c in CgroupSample.table.columns if c.kind is Kind.COUNTER]
    assert all((getattr(row, name) or 0) >= 0 for name in counters)
