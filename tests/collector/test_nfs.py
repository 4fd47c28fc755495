"""NFS mounts: of both iostats versions, mounted twice, with counts below 0, and cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.mountstats import Mount, parse, plain, superblocks
from collector.sources.nfs import Nfs, NfsSettings
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import NetfsSample
from gpuledger.errors import ReadError, Unavailable
from tests.collector.support import context, tree

READ = "1000 1003 2 220000 1048680000 1689 503927 505677 5"
WRITE = "2000 2000 0 2097616000 288000 5178088 48850 5230077 0"
UNUSED = "0 0 0 0 0 0 0 0 0"
BELOW_0 = str((1 << 64) - 17)
STATS = "proc/self/mountstats"
NO_NFS = "device proc mounted on /proc with fstype proc\n"


def mount(
    point: str = "/home",
    export: str = "nas:/home",
    fstype: str = "nfs4",
    options: str = "rw,vers=4.2,proto=tcp,clientaddr=10.0.0.9",
    **operations: str,
) -> str:
    """One mount of the file as Linux 6 prints it."""
    lines = [
        f"device {export} mounted on {point} with fstype {fstype} statvers=1.1",
        f"\topts:\t{options}",
        "\tage:\t9503",
        "\tcaps:\tcaps=0x3ffd7,wtmult=512,dtsize=32768,bsize=0,namlen=255",
        "\tevents:\t35 259 2 1005 9 7 511 256000 0 66 0 26 18 2 6 4 0 3 0 0 256000 0 0 0 0 0 0",
        "\tbytes:\t1000 2000 300 400 1048576000 2097152000 256000 256000",
        "\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)",
        "\txprt:\ttcp 0 0 1 0 0 12755 12754 0 51500 0 32 101086 25994",
        "\tper-op statistics",
        *(f"\t{name:>12}: {told}" for name, told in operations.items()),
    ]
    return "\n".join(lines) + "\n\n"


def rows_of(root: Path, **settings: int) -> tuple[list[NetfsSample], list[tuple[str, str, str]]]:
    told = list(Nfs(NfsSettings(**settings), context(root)).read())
    lacks = [(r.subject, r.reading, r.reason) for r in told if isinstance(r, MissingValue)]
    return [r for r in told if isinstance(r, NetfsSample)], lacks


def of_operation(rows: list[NetfsSample], operation: str) -> NetfsSample:
    (row,) = (r for r in rows if r.operation == operation)
    return row


def test_an_operation_is_told_with_its_times_bytes_and_retransmits(tmp_path: Path) -> None:
    root = tree(tmp_path, {STATS: NO_NFS + mount(READ=READ, WRITE=WRITE, NULL=UNUSED)})
    rows, lacks = rows_of(root)
    assert [r.operation for r in rows] == ["application", "READ", "WRITE"]
    row = of_operation(rows, "READ")
    assert (row.kind, row.mount, row.device) == ("nfs", "/home", "nas:/home")
    assert (row.operations, row.retransmits, row.timeouts, row.errors) == (1000, 3, 2, 5)
    assert (row.read_bytes, row.write_bytes) == (1_048_680_000, 220_000)
    assert row.queue_seconds == pytest.approx(1.689)
    assert row.server_seconds == pytest.approx(503.927)
    assert row.total_seconds == pytest.approx(505.677)
    assert lacks == []


def test_what_programs_asked_for_is_told_with_and_without_the_page_cache(tmp_path: Path) -> None:
    row = of_operation(rows_of(tree(tmp_path, {STATS: mount()}))[0], "application")
    assert (row.read_bytes, row.write_bytes, row.operations) == (1300, 2400, None)


def test_an_older_kernel_tells_no_errors(tmp_path: Path) -> None:
    old = READ.rpartition(" ")[0]
    rows, lacks = rows_of(tree(tmp_path, {STATS: mount(READ=old, WRITE=WRITE)}))
    assert (of_operation(rows, "READ").errors, of_operation(rows, "READ").timeouts) == (None, 2)
    assert lacks == [("/home", "errors", "unsupported")]


def test_a_queue_time_below_0_is_missing_and_the_rest_of_the_operation_is_told(
    tmp_path: Path,
) -> None:
    rows, lacks = rows_of(tree(tmp_path, {STATS: mount(READ=READ.replace("1689", BELOW_0))}))
    row = of_operation(rows, "READ")
    assert (row.queue_seconds, row.operations) == (None, 1000)
    assert row.total_seconds == pytest.approx(505.677)
    assert lacks == [("/home", "READ.queue_seconds", "malformed")]


def test_one_superblock_mounted_twice_is_told_once(tmp_path: Path) -> None:
    text = mount(READ=READ) + mount(point="/also", READ=READ)
    rows, _ = rows_of(tree(tmp_path, {STATS: text}))
    assert {r.mount for r in rows} == {"/home"}


def test_parts_of_one_superblock_are_told_once_as_their_device_number_shows(tmp_path: Path) -> None:
    text = "".join(
        mount(point=f"/home/{user}", export=f"nas:/home/{user}", READ=READ) for user in "abc"
    )
    info = (
        "36 35 0:48 / /home/a rw - nfs4 nas:/home/a rw\n"
        "37 35 0:48 / /home/b rw shared:1 - nfs4 nas:/home/b rw\n"
        "38 35 0:52 / /home/c rw - nfs4 nas:/home/c rw\n"
    )
    rows, _ = rows_of(tree(tmp_path, {STATS: text, "proc/self/mountinfo": info}))
    assert {r.mount for r in rows} == {"/home/a", "/home/c"}


def test_the_same_export_of_two_servers_behind_one_name_is_two_filesystems(tmp_path: Path) -> None:
    texts = (
        mount(point=f"/m{n}", fstype="nfs", options=f"vers=3,proto=tcp,mountaddr=10.0.0.{n}")
        for n in (1, 2)
    )
    rows, _ = rows_of(tree(tmp_path, {STATS: "".join(texts)}))
    assert {r.mount for r in rows} == {"/m1", "/m2"}


def test_more_mounts_than_wanted_are_cut_and_that_is_said(tmp_path: Path) -> None:
    text = "".join(mount(point=f"/m{n}", export=f"nas:/{n}", READ=READ) for n in range(5))
    rows, lacks = rows_of(tree(tmp_path, {STATS: text}), mounts=2)
    assert {r.mount for r in rows} == {"/m0", "/m1"}
    assert lacks == [("", "mounts", "unsupported")]


def test_a_file_cut_off_costs_its_last_line_only(tmp_path: Path) -> None:
    text = mount(READ=READ) + mount(point="/x", export="nas:/x", READ=READ, WRITE=WRITE)
    rows, lacks = rows_of(tree(tmp_path, {STATS: text.rstrip()[:-3]}))
    assert [(r.mount, r.operation) for r in rows if r.operation != "application"] == [
        ("/home", "READ"),
        ("/x", "READ"),
    ]
    assert lacks == [("", STATS, "malformed")]


def test_a_line_that_is_not_understood_costs_itself_only(tmp_path: Path) -> None:
    rows, lacks = rows_of(tree(tmp_path, {STATS: mount(READ=READ, WRITE="20", CLOSE=WRITE)}))
    assert [r.operation for r in rows] == ["application", "READ", "CLOSE"]
    assert lacks == [("/home", "WRITE", "malformed")]


def test_fewer_transmissions_than_operations_cannot_be(tmp_path: Path) -> None:
    rows, lacks = rows_of(tree(tmp_path, {STATS: mount(READ=READ.replace("1003", "999"))}))
    assert of_operation(rows, "READ").retransmits is None
    assert lacks == [("/home", "READ.retransmits", "malformed")]


def test_spaces_in_mount_points_are_kept(tmp_path: Path) -> None:
    rows, _ = rows_of(tree(tmp_path, {STATS: mount(point=r"/my\040data", READ=READ)}))
    assert {r.mount for r in rows} == {"/my data"}


def test_a_node_whose_automounts_are_away_waits_for_them(tmp_path: Path) -> None:
    root = tree(tmp_path, {STATS: NO_NFS, "proc/filesystems": "nodev\tnfs\nnodev\tnfs4\n"})
    assert rows_of(root) == ([], [])


def test_a_kernel_without_a_client_says_so(tmp_path: Path) -> None:
    root = tree(tmp_path, {STATS: NO_NFS, "proc/filesystems": "nodev\tproc\nnodev\tnfsd\n"})
    with pytest.raises(Unavailable):
        rows_of(root)


def test_a_file_that_cannot_be_read_is_a_failed_reading(tmp_path: Path) -> None:
    with pytest.raises(ReadError):
        rows_of(tree(tmp_path, {f"{STATS}/a folder": ""}))


def test_octal_escapes_are_undone() -> None:
    assert plain(r"/a\040b\011c\134d") == "/a b\tc\\d"


WORDS = [*mount(READ=READ, WRITE=BELOW_0).split(" "), "\n", "\t", ":", "READ:", "bytes:", "opts:"]


@given(st.lists(st.sampled_from(WORDS)).map(" ".join) | st.text())
def test_no_text_upsets_the_parsers(text: str) -> None:
    mounts = list(parse(mount(READ=READ) + text))
    assert isinstance(mounts[0], Mount)
    superblocks(text)


@given(st.integers(0, 1200))
def test_a_file_cut_off_anywhere_gives_whole_counts_or_none(length: int) -> None:
    text = mount(READ=READ, WRITE=WRITE)[:length]
    whole = {o for m in parse(mount(READ=READ, WRITE=WRITE)) for o in m.operations}
    assert {o for m in parse(text) for o in m.operations} <= whole
