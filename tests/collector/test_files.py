"""Files of /proc and /sys that change, vanish, lie, or bite."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.files import Files, boot_id, real, reason_of, scaled, total, unicode, whole
from collector.missing import Reason
from tests.collector.support import FakeClock, tree

# What counts below 0 print, and what a bus without a device answers.
TOO_LARGE = (str(1 << 63), "18446744073709551612", "18446744073709551615")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def files(tmp_path: Path, clock: FakeClock) -> Files:
    return Files(tree(tmp_path, {"sys/a": "1\n"}), clock.clock.monotonic)


def test_a_kept_descriptor_sees_updates(files: Files) -> None:
    assert files.number("sys/a") == 1
    (files.root / "sys/a").write_text("22\n")
    assert files.number("sys/a") == 22
    files.close()


def test_long_files_are_read_to_their_end(files: Files) -> None:
    text = "line\n" * 50_000
    tree(files.root, {"proc/long": text})
    assert files.text("proc/long") == text


def test_a_file_that_is_not_there_is_missing(files: Files) -> None:
    assert files.text("sys/b") is None
    assert files.number("sys/b") is None
    assert files.names("sys/none") == []


def test_a_file_that_keeps_failing_is_asked_again_after_an_hour(
    files: Files, clock: FakeClock
) -> None:
    for _ in range(3):
        assert files.text("sys/late") is None
    tree(files.root, {"sys/late": "5"})
    assert files.number("sys/late") is None
    clock.pass_s(3601)
    assert files.number("sys/late") == 5


def test_a_file_read_once_is_not_kept_open(files: Files) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert files.number("sys/a", keep=False) == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_forgotten_is_asked_again_at_once(files: Files) -> None:
    assert files.number("sys/a") == 1
    for _ in range(3):
        assert files.text("sys/late") is None
    files.forget("sys")
    tree(files.root, {"sys/late": "5"})
    assert (files.number("sys/late"), files.number("sys/a")) == (5, 1)
    files.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("N/A (no PMA)\n", Reason.UNSUPPORTED),
        ("-1\n", Reason.UNSUPPORTED),
        ("", Reason.MALFORMED),
        ("\x00garbage", Reason.MALFORMED),
        (None, Reason.UNSUPPORTED),
    ],
)
def test_a_missing_number_has_a_reason(files: Files, text: str | None, reason: Reason) -> None:
    if text is not None:
        tree(files.root, {"sys/odd": text})
    assert files.number("sys/odd", keep=False) is None
    assert files.why("sys/odd") is reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.EINVAL, Reason.UNSUPPORTED),
        (errno.EACCES, Reason.DENIED),
        (errno.ENODEV, Reason.LOST),
        (errno.ETIMEDOUT, Reason.TIMEOUT),
        (errno.EIO, Reason.UNREADABLE),
    ],
)
def test_a_failed_call_says_what_to_do_about_it(code: int, reason: Reason) -> None:
    assert reason_of(OSError(code, "")) is reason


def test_folders_are_told_from_files(files: Files) -> None:
    tree(files.root, {"sys/b/c": ""})
    assert files.folders("sys") == ["b"]
    assert files.folders("nowhere") == []


@pytest.mark.parametrize(
    "text",
    [None, "", "N/A (no PMA)", "-1", "1.5", "0x10", "²", "9" * 5000, *TOO_LARGE],
)
def test_what_is_no_count_is_missing(text: str | None) -> None:
    assert whole(text) is None


def test_a_count_below_0_without_its_sign_is_malformed(files: Files) -> None:
    tree(files.root, {"sys/rx": "18446744073709551612\n", "sys/most": f"{(1 << 63) - 1}\n"})
    assert files.number("sys/rx") is None
    assert files.why("sys/rx") is Reason.MALFORMED
    assert files.number("sys/most") == (1 << 63) - 1


def test_names_that_are_no_unicode_are_told_so_that_a_row_can_carry_them(files: Files) -> None:
    (files.root / "sys/b" / os.fsdecode(b"x\xff")).mkdir(parents=True)
    assert files.names("sys/b") == files.folders("sys/b") == ["x\ufffd"]
    assert unicode("eth0-\u00e9") == "eth0-\u00e9"


def test_the_boot_has_a_name(tmp_path: Path) -> None:
    assert boot_id(tmp_path) == ""
    assert boot_id(tree(tmp_path, {"proc/sys/kernel/random/boot_id": "b-1\n"})) == "b-1"


def test_a_sum_with_a_missing_part_is_missing() -> None:
    assert total(1, 2) == 3
    assert total(1, None) is None
    assert scaled(None, 4) is None


@given(st.text())
def test_no_text_upsets_the_parsers(text: str) -> None:
    parsers: tuple[Callable[[str], float | None], ...] = (whole, real)
    for parser in parsers:
        value = parser(text)
        assert value is None or value >= 0
