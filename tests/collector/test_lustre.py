"""Lustre clients: of old and new versions, closed to this agent, unwell, with servers that go."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.lustre_stats import Parameters, Read, in_flight, instance, mounts, operations, parse
from collector.sources.lustre import Lustre, LustreSettings
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import FilesystemSample, NetfsSample
from gpuledger.errors import Unavailable
from tests.collector.support import context, tree

AT = "ffff9a3c40cf5800"
OLD = """snapshot_time             1441417734.605685 secs.usecs
read_bytes                632846 samples [bytes] 0 4194304 2446905945284
write_bytes               575477 samples [bytes] 4 4194304 1804015
open                      8275 samples [regs]
getattr                   45 samples [regs]
"""
NEW = """snapshot_time             1688128253.497763049 secs.nsecs
start_time                1688128000.000000000 secs.nsecs
elapsed_time              253.497763049 secs.nsecs
read_bytes                100 samples [bytes] 1 4096 409600 1677721600
write_bytes               10 samples [bytes] 1 4096 40960 167772160
read                      101 samples [usecs] 1 900 5000000 99999999
write                     11 samples [usecs] 1 900 7000 99999
open                      3 samples [usecs] 5 50 90 3000
"""
WAITS = "req_waittime {} samples [usec] 58 62261685 {} 26831627156812909\n"
ACTIVE = "req_active 436580 samples [reqs] 1 15 439448 449516\n"
FLYING = """snapshot_time:         1638393148.677361 (secs.usecs)
read RPCs in flight:  {}
write RPCs in flight: {}
pending write pages:  7

			read			write
pages per rpc         rpcs   % cum % |       rpcs   % cum %
1:		       850 100 100   |          0   0   0
"""
MODIFY = "snapshot_time: 1.0 (secs.nsecs)\nmodify_RPCs_in_flight:  4\n\n\t\t\tmodify\n"
ROOM = {"kbytestotal": "1000", "kbytesavail": "400", "filestotal": "90", "filesfree": "80"}


def old(**changes: str) -> dict[str, str]:
    """A client of 2.7: everything below /proc."""
    base = "proc/fs/lustre"
    files = {
        "proc/self/mounts": "10.0.0.1@tcp:10.0.0.2@tcp:/scratch /lus lustre rw,flock 0 0\n",
        f"{base}/health_check": "healthy\n",
        f"{base}/llite/scratch-{AT}/stats": OLD,
        **{f"{base}/llite/scratch-{AT}/{name}": f"{n}\n" for name, n in ROOM.items()},
        **server(base, "OST0000", samples=100, us=5_000_000),
        **server(base, "OST0001", samples=10, us=1_000_000),
        f"{base}/mdc/scratch-MDT0000-mdc-{AT}/stats": WAITS.format(7, 9_000),
        f"{base}/mdc/scratch-MDT0000-mdc-{AT}/rpc_stats": MODIFY,
    }
    return {**files, **changes}


def server(base: str, name: str, samples: int, us: int) -> dict[str, str]:
    folder = f"{base}/osc/scratch-{name}-osc-{AT}"
    return {
        f"{folder}/stats": WAITS.format(samples, us) + ACTIVE,
        f"{folder}/rpc_stats": FLYING.format(2, 1),
    }


def new() -> dict[str, str]:
    """A client of 2.15: single values below /sys, statistics in debugfs."""
    values, statistics = "sys/fs/lustre", "sys/kernel/debug/lustre"
    files = {
        "proc/self/mounts": "10.0.0.1@o2ib:/scratch /lus lustre rw 0 0\n",
        f"{values}/health_check": "healthy\n",
        **{f"{values}/llite/scratch-{AT}/{name}": f"{n}\n" for name, n in ROOM.items()},
        f"{statistics}/llite/scratch-{AT}/stats": NEW,
        f"{values}/osc/scratch-OST0000-osc-{AT}/active": "1\n",
    }
    return {**files, **server(statistics, "OST0000", samples=5, us=50)}


class Told:
    """One reading, by what the rows are."""

    def __init__(self, source: Lustre) -> None:
        rows = list(source.read())
        self.operations = {(r.mount, r.operation): r for r in rows if isinstance(r, NetfsSample)}
        self.rooms = [r for r in rows if isinstance(r, FilesystemSample)]
        self.lacks = [(r.subject, r.reading, r.reason) for r in rows if isinstance(r, MissingValue)]


def lustre(root: Path, files: Mapping[str, str], read: Read = Path.read_bytes) -> Lustre:
    return Lustre(LustreSettings(timeout_s=0.5), context(tree(root, files)), read)


def test_an_old_client_tells_operations_and_bytes(tmp_path: Path) -> None:
    told = Told(lustre(tmp_path, old()))
    row = told.operations["/lus", "read"]
    assert (row.kind, row.device) == ("lustre", "10.0.0.1@tcp:10.0.0.2@tcp:/scratch")
    assert (row.operations, row.read_bytes, row.write_bytes) == (632_846, 2_446_905_945_284, None)
    assert told.operations["/lus", "write"].write_bytes == 1_804_015
    assert told.operations["/lus", "open"].operations == 8275
    assert told.lacks == []


def test_a_new_client_tells_times_too_and_one_row_per_operation(tmp_path: Path) -> None:
    told = Told(lustre(tmp_path, new()))
    row = told.operations["/lus", "read"]
    assert (row.operations, row.read_bytes, row.total_seconds) == (101, 409_600, 5.0)
    assert told.operations["/lus", "open"].total_seconds == pytest.approx(90e-6)
    assert {operation for _, operation in told.operations} == {
        *("read", "write", "open", "osc_requests")
    }
    assert told.lacks == []


def test_requests_are_summed_over_the_servers_of_a_kind(tmp_path: Path) -> None:
    told = Told(lustre(tmp_path, old()))
    data, metadata = (told.operations["/lus", f"{k}_requests"] for k in ("osc", "mdc"))
    assert (data.operations, data.server_seconds, data.in_flight) == (110, 6.0, 6)
    assert (metadata.operations, metadata.in_flight) == (7, 4)


def test_room_is_told_without_asking_the_mount(tmp_path: Path) -> None:
    (row,) = Told(lustre(tmp_path, old())).rooms
    assert (row.mount, row.filesystem) == ("/lus", "lustre")
    assert (row.size_bytes, row.available_bytes) == (1_024_000, 409_600)
    assert (row.inodes, row.inodes_free) == (90, 80)


def test_a_server_that_begins_again_or_goes_never_lowers_the_sum(tmp_path: Path) -> None:
    source = lustre(tmp_path, old())
    first = f"proc/fs/lustre/osc/scratch-OST0000-osc-{AT}"
    sums = [Told(source).operations["/lus", "osc_requests"].operations]
    tree(tmp_path, server("proc/fs/lustre", "OST0000", samples=3, us=30))
    sums.append(Told(source).operations["/lus", "osc_requests"].operations)
    for name in ("stats", "rpc_stats"):
        (tmp_path / first / name).unlink()
    (tmp_path / first).rmdir()
    sums.append(Told(source).operations["/lus", "osc_requests"].operations)
    assert sums == [110, 113, 113]


def test_sums_go_on_after_a_restart_of_the_agent(tmp_path: Path) -> None:
    memory: dict[str, str] = {}
    place = replace(context(tree(tmp_path, old())), memory=memory)
    Told(Lustre(LustreSettings(), place))
    tree(tmp_path, server("proc/fs/lustre", "OST0000", samples=3, us=30))
    before = Told(Lustre(LustreSettings(), place))  # it begins again while nobody looks
    source = Lustre(LustreSettings(), place)
    Told(source)
    tree(tmp_path, server("proc/fs/lustre", "OST0000", samples=1, us=10))
    after = Told(source).operations["/lus", "osc_requests"].operations
    assert before.operations["/lus", "osc_requests"].operations == 113
    assert after == 114
    assert (
        Told(Lustre(LustreSettings(), place)).operations["/lus", "osc_requests"].operations == 114
    )


def test_a_server_that_cannot_be_read_at_first_leaves_the_sum_missing(tmp_path: Path) -> None:
    broken = f"proc/fs/lustre/osc/scratch-OST0001-osc-{AT}/stats"
    files = {k: v for k, v in old().items() if k != broken}
    told = Told(lustre(tmp_path, {**files, f"{broken}/a folder": ""}))
    row = told.operations["/lus", "osc_requests"]
    assert (row.operations, row.server_seconds, row.in_flight) == (None, None, 6)
    assert told.lacks == [("/lus", "osc.stats", "unreadable")]
    assert told.operations["/lus", "read"].operations == 632_846


def test_statistics_that_only_root_reads_are_denied_and_the_rest_is_told(tmp_path: Path) -> None:
    def read(path: Path) -> bytes:
        if "debug" in path.parts:
            raise PermissionError(13, "Permission denied")
        return path.read_bytes()

    told = Told(lustre(tmp_path, new(), read))
    assert [r.size_bytes for r in told.rooms] == [1_024_000]
    assert ("/lus", "llite.stats", "denied") in told.lacks
    assert ("/lus", "osc.stats", "denied") in told.lacks
    assert told.operations["/lus", "osc_requests"].operations is None


def test_room_that_hangs_stops_nothing_else(tmp_path: Path) -> None:
    freed = threading.Event()

    def read(path: Path) -> bytes:
        if path.name == "kbytestotal":
            freed.wait()
        return path.read_bytes()

    source = lustre(tmp_path, old(), read)
    told = Told(source)
    assert [r.size_bytes for r in told.rooms] == [None]
    assert told.lacks == [("/lus", "room", "timeout")]
    assert told.operations["/lus", "read"].operations == 632_846
    freed.set()
    source.close()


def test_an_unwell_client_says_so_once_and_when_it_is_well_again(tmp_path: Path) -> None:
    source = lustre(tmp_path, old())
    health = "proc/fs/lustre/health_check"
    tree(tmp_path, {health: "device scratch-MDT0000 reported unhealthy\nNOT HEALTHY\n"})
    assert Told(source).lacks == [("", "health_check", "lost")]
    assert Told(source).lacks == []
    tree(tmp_path, {health: "healthy\n"})
    assert Told(source).lacks == [("", "health_check", "")]


def test_a_filesystem_mounted_twice_is_told_by_instance(tmp_path: Path) -> None:
    other = AT.replace("c", "d")
    tree(tmp_path, {f"proc/fs/lustre/llite/scratch-{other}/stats": NEW})
    told = Told(lustre(tmp_path, old()))
    assert {m for m, _ in told.operations} == {f"scratch-{AT}", f"scratch-{other}"}


def test_a_text_that_is_not_understood_costs_its_columns_only(tmp_path: Path) -> None:
    stats = OLD.replace("2446905945284", "-3193831078871982772")
    told = Told(lustre(tmp_path, old(**{f"proc/fs/lustre/llite/scratch-{AT}/stats": stats})))
    row = told.operations["/lus", "read"]
    assert (row.read_bytes, row.operations) == (None, 632_846)
    assert told.lacks == [("/lus", "read.read_bytes", "malformed")]


def test_a_machine_without_a_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        list(lustre(tmp_path, {"proc/self/mounts": ""}).read())


def test_a_client_that_mounts_nothing_has_no_rows(tmp_path: Path) -> None:
    told = Told(lustre(tmp_path, {"sys/fs/lustre/health_check": "healthy\n"}))
    assert (told.operations, told.rooms) == ({}, [])


def test_names_of_instances_are_taken_apart() -> None:
    assert instance(f"my-fs-{AT}") == ("my-fs", AT)
    assert instance(f"scratch-OST00a1-osc-{AT}") == ("scratch", AT)
    assert mounts("h@tcp:/scratch/team /lus lustre rw 0 0\n") == {
        "scratch": ("h@tcp:/scratch/team", "/lus")
    }


@given(st.text() | st.lists(st.sampled_from([*OLD.split(), *NEW.split(" "), "\n"])).map(" ".join))
def test_no_text_upsets_the_parsers(text: str) -> None:
    told = operations(parse(text))
    assert all(value is None or value >= 0 for v in told.values() for value in v.values())
    in_flight(text)
    mounts(text)


def test_names_of_instances_can_be_stored_whatever_they_are(tmp_path: Path) -> None:
    odd = os.fsdecode(b"scr\xff") + f"-{AT}"
    (tmp_path / "proc/fs/lustre/llite" / odd).mkdir(parents=True)
    assert Parameters(tmp_path).instances("llite") == [f"scr\ufffd-{AT}"]
