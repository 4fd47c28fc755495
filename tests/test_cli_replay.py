"""`gpuledger replay`: a trace, what if, and one line for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gpuledger.cli.replay import command
from gpuledger.errors import ConfigError

NODES = "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(f"n{i},9000,9000,2,T4\n" for i in range(2))
TASKS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time\n"
    + "".join(f"t{i},1000,1000,{1 + i % 2},1000,,{60 * i},{60 * i + 600}\n" for i in range(8))
)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "tasks.csv").write_text(TASKS)
    return [str(tmp_path / "tasks.csv"), "--nodes", str(tmp_path / "nodes.csv")]


def said(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def told(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--format", "json"))


def test_a_trace_alone_is_told_once(files: list[str]) -> None:
    found = told(*files)
    assert set(found) == {"before"}
    before = found["before"]
    assert before["gpu_hours"] == pytest.approx(4 * 1020 / 3600)
    assert before["unallocated_gpu_hours"] + before["allocated_gpu_hours"] == before["gpu_hours"]
    assert [w["size"] for w in before["waits"]] == ["1", "2", "all"]


@pytest.mark.parametrize(
    "what_if",
    [
        ["--add-nodes", "2xT4:2"],
        ["--quota", "=1"],
        ["--policy", "fgd"],
        ["--moves", "1", "--every", "1m"],
        ["--load", "90", "--days", "0.1", "--policy", "spread"],
    ],
)
def test_a_what_if_is_shown_beside(files: list[str], what_if: list[str]) -> None:
    found = told(*files, *what_if)
    assert set(found) == {"before", "after", "wait_saved_seconds"}
    assert found["wait_saved_seconds"][-1]["size"] == "all"
    text = said(*files, *what_if)
    assert "On average a task waits" in text
    assert "of it stranded" in text
    assert all(word in text for word in ("median before", "p95 after"))


def test_more_nodes_shorten_waits(files: list[str]) -> None:
    found = told(*files, "--add-nodes", "4xT4:2")
    assert found["wait_saved_seconds"][-1]["low_seconds"] > 0


def test_a_cluster_is_filled_by_two_policies(files: list[str]) -> None:
    found = told(*files, "--drive", "saturation", "--policy", "spread")
    assert [found[name]["policy"] for name in ("before", "after")] == ["best-fit", "spread"]
    assert len(found["before"]["allocated_percent"]) == 131
    assert "asked for" in said(*files, "--drive", "saturation")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (["--add-nodes", "many"], "write e.g. 4xH100:8"),
        (["--quota", "vision"], "write e.g. vision=64"),
        (["--moves", "3", "--every", "0h"], "write e.g. 6h"),
        (["--policy", "fdg"], "did you mean 'fgd'"),
        (["--load", "0"], "a load of 0"),
        (["--drive", "saturation", "--moves", "1"], "nothing ends there"),
        (["--timezone", "Mars"], "Europe/Berlin"),
    ],
)
def test_what_cannot_be_meant_is_one_line(files: list[str], wrong: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        said(*files, *wrong)
    assert "\n" not in str(caught.value)


def test_without_files_and_store_it_says_what_it_needs(files: list[str]) -> None:
    for arguments in ([], files[:1], files[1:]):
        with pytest.raises(ConfigError, match="TRACE and one with --nodes, or a --store"):
            said(*arguments)


def test_the_store_gives_jobs_and_nodes(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpuledger.cli import options

    monkeypatch.setattr(options, "open_for_questions", lambda *_: store)
    found = told("--store", "chdb:///unused")
    assert found["before"]["waits"] == []
