"""GPFS through programs that answer, hang, talk nonsense, fail, or are not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.mmpmon import Program, filesystems, state
from collector.sources.gpfs import Gpfs, GpfsSettings, source
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import NetfsSample
from gpuledger.errors import ReadError, Unavailable
from tests.collector.support import context

LINE = (
    "_fs_io_s_ _n_ 10.22.0.106 _nn_ node1 _rc_ 0 _t_ 1579358234 _tu_ 53212 _cl_ big.example "
    "_fs_ {} _d_ 48 _br_ 205607400434 _bw_ 74839282351 _oc_ 2377656 _cc_ 2201576 "
    "_rdc_ 59420404 _wc_ 18874626 _dir_ 40971 _iu_ 544768"
)
NOTHING = "_fs_io_s_ _n_ 10.22.0.106 _nn_ node1 _rc_ 1 _t_ 1066660148 _tu_ 407431 _cl_ - _fs_ -"
COLUMNS = (
    "mmgetstate::HEADER:version:reserved:reserved:nodeName:nodeNumber:state:quorum:nodesUp:"
    "totalNodes:remarks:cnfsState:"
)
STATE = "mmgetstate::0:1:::node1:11:{}:4:7:1122::(undefined):"
ANSWERS = 'test "$(cat)" = fs_io_s || exit 9\n' + "\n".join(
    f"echo '{LINE.format(name)}'" for name in ("scratch", "project")
)


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name that does what the script says."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def says(what: str) -> str:
    return f"echo '{COLUMNS}'; echo '{STATE.format(what)}'"


def gpfs(folder: Path, timeout_s: float = 30.0) -> Gpfs:
    return Gpfs(GpfsSettings(programs=str(folder), timeout_s=timeout_s), context())


def failed(source: Gpfs, match: str) -> list[tuple[str, str, str]]:
    """What is told before the reading fails for that reason."""
    told: list[tuple[str, str, str]] = []
    with pytest.raises(ReadError, match=match):
        told.extend(
            (r.reading, r.reason, r.detail) for r in source.read() if isinstance(r, MissingValue)
        )
    return told


def test_every_filesystem_and_operation_is_a_row(tmp_path: Path) -> None:
    program(tmp_path, "mmpmon", ANSWERS)
    rows = [r for r in gpfs(tmp_path).read() if isinstance(r, NetfsSample)]
    assert len(rows) == 12
    read, write, opened, *_ = rows
    assert (read.kind, read.mount, read.device, read.operation) == (
        *("gpfs", "scratch", "big.example", "read"),
    )
    assert (read.operations, read.read_bytes) == (59_420_404, 205_607_400_434)
    assert (write.operations, write.write_bytes) == (18_874_626, 74_839_282_351)
    assert (opened.operation, opened.operations, opened.read_bytes) == ("open", 2_377_656, None)


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program(tmp_path, "mmpmon", f"sleep 600 & echo $! > {pid}; wait")
    program(tmp_path, "mmgetstate", says("active"))
    told = failed(gpfs(tmp_path, timeout_s=1.0), "no answer in time")
    assert [(reading, reason) for reading, reason, _ in told] == [("mmpmon", "timeout")]
    left = Path(f"/proc/{pid.read_text().strip()}/stat")
    assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_program_that_closes_its_output_and_stays_is_killed(tmp_path: Path) -> None:
    program(tmp_path, "mmpmon", "exec sleep 600 >&- 2>&-")
    program(tmp_path, "mmgetstate", says("active"))
    failed(gpfs(tmp_path, timeout_s=1.0), "does not end in time")


def test_a_program_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    program(tmp_path, "mmpmon", "exec yes")
    program(tmp_path, "mmgetstate", says("active"))
    failed(gpfs(tmp_path), "prints more than")


def test_a_program_that_fails_is_explained_by_the_daemons_state(tmp_path: Path) -> None:
    program(
        tmp_path, "mmpmon", "echo 'Could not establish connection to file system daemon.'; exit 1"
    )
    program(tmp_path, "mmgetstate", says("down"))
    told = failed(gpfs(tmp_path), "ended with 1: Could not establish")
    assert told[0][:2] == ("mmpmon", "unreadable")
    assert told[1] == ("state", "lost", "down")


def test_a_state_that_cannot_be_had_is_told_too(tmp_path: Path) -> None:
    program(tmp_path, "mmpmon", "exit 1")
    assert failed(gpfs(tmp_path), "ended with 1")[1][:2] == ("state", "unreadable")


def test_nonsense_is_no_filesystem_and_the_next_answer_is_taken(tmp_path: Path) -> None:
    program(tmp_path, "mmpmon", "echo '<html>502</html>'")
    program(tmp_path, "mmgetstate", says("active"))
    source = gpfs(tmp_path)
    (told,) = source.read()
    assert isinstance(told, MissingValue)
    assert (told.reading, told.reason) == ("mmpmon", "malformed")
    assert "<html>" in told.detail
    program(tmp_path, "mmpmon", ANSWERS)
    again = list(source.read())
    assert [r.reason for r in again if isinstance(r, MissingValue)] == [""]
    assert len(again) == 13


def test_nothing_mounted_is_no_row(tmp_path: Path) -> None:
    program(tmp_path, "mmpmon", f"echo '{NOTHING}'")
    assert list(gpfs(tmp_path).read()) == []


def test_a_machine_without_gpfs_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="mmpmon"):
        list(gpfs(tmp_path).read())


def test_a_program_that_may_not_be_run_is_a_failed_reading(tmp_path: Path) -> None:
    (tmp_path / "mmpmon").write_text("no program")
    failed(gpfs(tmp_path), "mmpmon: Permission denied")


def test_sudo_goes_before_the_program(tmp_path: Path) -> None:
    asked = []

    def run(command: tuple[str, ...], said: bytes, timeout_s: float) -> bytes:
        asked.append((command, said, timeout_s))
        return LINE.format("scratch").encode()

    program(tmp_path, "mmpmon", "")
    list(Gpfs(GpfsSettings(programs=str(tmp_path), sudo=True), context(), run).read())
    path = str(tmp_path / "mmpmon")
    assert asked == [(("sudo", "-n", path, "-s", "-p"), b"fs_io_s\n", 120.0)]


def test_a_count_that_is_no_number_is_missing(tmp_path: Path) -> None:
    line = LINE.format("scratch").replace("59420404", "many")
    program(tmp_path, "mmpmon", f"echo '{line}'")
    rows = list(gpfs(tmp_path).read())
    assert isinstance(rows[0], NetfsSample)
    assert (rows[0].operations, rows[0].read_bytes) == (None, 205_607_400_434)
    assert [(r.subject, r.reading) for r in rows if isinstance(r, MissingValue)] == [
        ("scratch", "read.operations")
    ]


def test_it_runs_only_where_it_is_named() -> None:
    assert source.optional


def test_no_second_program_is_started_while_one_hangs(tmp_path: Path) -> None:
    class Undying:
        pid = 7

        def poll(self) -> None:
            return None

    run = Program()
    run._left = Undying()  # type: ignore[assignment] # - what a process in a dead mount looks like
    with pytest.raises(ReadError, match="still hangs"):
        run(("/bin/true",), b"", 1.0)


WORDS = [*LINE.split(), *NOTHING.split(), "\n", "-1", "_fs_io_s_"]


@given(st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_no_text_upsets_the_parsers(text: str) -> None:
    for told in filesystems(text):
        assert told.name
    state(text)
    state(f"{COLUMNS}\nmmgetstate:{text}")
