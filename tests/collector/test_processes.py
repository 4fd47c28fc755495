"""Who a process is, and what is never read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.processes import Owner, Owners
from gpuledger.schema import UNSET_TIME
from tests.collector.support import tree

STAT = "42 (odd ) name) S 1 40 40 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 5000 1 1 1"
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"proc/stat": "cpu 1\nbtime 1700000000\n", "proc/42/stat": STAT}
    return tree(tmp_path, {**files, "proc/42/comm": "python\n", "proc/42/cmdline": "secret"})


def test_session_start_and_short_name_are_read(root: Path) -> None:
    owner = Owners(root).of(42)
    assert owner.executable == "python"
    assert owner.session == 40
    assert owner.started == datetime.fromtimestamp(1_700_000_000 + 5000 / TICKS, UTC)
    assert owner.user != ""


def test_the_executables_base_name_wins_over_the_short_name(root: Path) -> None:
    (root / "proc/42/exe").symlink_to("/opt/conda/bin/python3.11 (deleted)")
    assert Owners(root).of(42).executable == "python3.11"


def test_arguments_and_environment_are_never_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read_text = Path.read_text

    def spy(self: Path, *arguments: object, **named: object) -> str:
        opened.append(self.name)
        return read_text(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", spy)
    Owners(root).of(42)
    assert set(opened) <= {"stat", "comm"}


def test_a_process_of_another_namespace_is_unknown_not_somebody(root: Path) -> None:
    assert Owners(root).of(999) == Owner("", "", 0, UNSET_TIME)


def test_a_process_is_looked_at_once_until_its_id_may_be_another_one(root: Path) -> None:
    owners = Owners(root)
    owners.of(42)
    (root / "proc/42/comm").write_text("other\n")
    owners.forget_unseen()
    assert owners.of(42).executable == "python"
    owners.forget_unseen()
    owners.forget_unseen()
    assert owners.of(42).executable == "other"
