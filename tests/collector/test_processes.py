"""Who a process is, and what is never read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.processes import (
    ENVIRONMENT_BYTES,
    Owner,
    Owners,
    SlurmEnvironment,
    slurm_environment,
)
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


def test_names_that_are_no_text_fit_a_row_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "proc/42/exe").symlink_to(os.fsdecode(b"/opt/ev\xffil"))
    entry = SimpleNamespace(pw_name=os.fsdecode(b"j\xffrg"))
    monkeypatch.setattr("collector.processes.pwd.getpwuid", lambda _: entry)
    owner = Owners(root).of(42)
    assert (owner.executable, owner.user) == ("ev\ufffdil", "j\ufffdrg")


def test_arguments_are_never_opened_and_the_environment_only_where_no_group_names_the_job(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_ = Path.open

    def spy(self: Path, *arguments: object, **named: object) -> object:
        opened.append(self.name)
        return open_(self, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", spy)
    tree(root, {"proc/42/cgroup": f"0::/docker/{'a' * 64}\n"})
    Owners(root).of(42)
    assert set(opened) == {"stat", "comm", "cgroup"}


def test_the_job_is_named_by_the_control_group(root: Path) -> None:
    tree(root, {"proc/42/cgroup": "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n"})
    tree(root, {"proc/42/environ": "SLURM_JOB_ID=8\0"})
    owner = Owners(root).of(42)
    assert (owner.runtime, owner.container) == ("slurm", "7")


def test_a_sluid_becomes_the_job_id_that_the_environment_tells(root: Path) -> None:
    tree(root, {"proc/42/cgroup": "0::/system.slice/slurmstepd.scope/s8FXKTA79XAR00/step_0\n"})
    assert Owners(root).of(42).container == "s8FXKTA79XAR00"
    tree(root, {"proc/42/environ": "SLURM_JOB_ID=123\0"})
    assert Owners(root).of(42).container == "123"


def test_of_an_environment_two_variables_are_kept_and_nothing_else(root: Path) -> None:
    poisoned = [
        "AWS_SECRET_ACCESS_KEY=hunter2",
        "XSLURM_JOB_ID=1",
        "SLURM_JOB_ID_EXTRA=2",
        "NOTE=a\nSLURM_JOB_ID=3",
        "SLURM_JOB_ID=4;hunter2",
        "SLURM_JOB_GPUS=hunter2",
        "SLURM_JOB_ID=5",
        "SLURM_JOB_ID=6",
        "SLURM_JOB_GPUS=0,2-3",
        "SLURM_JOB_USER=hunter2",
    ]
    tree(root, {"proc/42/environ": "\0".join(poisoned) + "\0"})
    owners = Owners(root)
    assert owners.slurm(42) == SlurmEnvironment(5, (0, 2, 3))
    kept = f"{owners.of(42)!r} {vars(owners)!r}"
    assert "hunter2" not in kept
    assert (owners.of(42).runtime, owners.of(42).container) == ("slurm", "5")


def test_of_a_long_environment_a_part_is_read_and_what_is_cut_off_is_not_used(root: Path) -> None:
    filling = "A=" + "x" * (ENVIRONMENT_BYTES - 2 - 1 - len("SLURM_JOB_ID=12")) + "\0"
    tree(root, {"proc/42/environ": f"{filling}SLURM_JOB_ID=123\0SLURM_JOB_GPUS=0\0"})
    assert Owners(root).slurm(42) == SlurmEnvironment()


def test_an_environment_that_may_not_be_read_tells_nothing(root: Path) -> None:
    (root / "proc/42/environ").mkdir()
    assert Owners(root).slurm(42) == SlurmEnvironment()
    assert Owners(root).of(42).runtime == ""


@given(st.binary())
def test_no_environment_upsets_the_parser(data: bytes) -> None:
    told = slurm_environment(b"SLURM_JOB_GPUS=" + data)
    assert all(0 <= gpu <= 9999 for gpu in told.gpus)


def test_this_very_process_is_known() -> None:
    owner = Owners(Path("/")).of(os.getpid())
    assert owner.executable.startswith("python")
    assert owner.is_root == (os.getuid() == 0)


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
