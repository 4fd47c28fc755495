"""`gpuledger recommend plan` prints moves, and one line for what it cannot plan."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from analytics.advice import asked as advised
from analytics.repacking import plan as planning
from analytics.repacking.instance import Instance, write
from gpuledger.cli import options
from gpuledger.cli.plan import command
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.advice.fleets import EIGHT, node, pod, two_nodes
from tests.analytics.advice.sites import NOW, crumbs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two nodes with one task each."""
    path = tmp_path / "fleet.json"
    path.write_bytes(write(two_nodes()))
    return path


def asked(*words: str) -> str:
    """What the command prints; its error goes through."""
    done = CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


def planned(*words: str) -> dict[str, Any]:
    """What it prints as JSON."""
    told: dict[str, Any] = json.loads(asked(*words, "--format", "json"))
    return told


def changed(path: Path, **told: Any) -> str:
    """The file with other parts."""
    document = msgspec.json.decode(path.read_bytes()) | told
    path.write_bytes(msgspec.json.encode(document))
    return str(path)


def test_json_has_moves_mode_and_the_measures_before_after_and_at_the_bound(file: Path) -> None:
    told = planned("--instance", str(file))
    assert told["moves"] == [{"pod": "a", "to": "n1", "gpu_ids": [1]}]
    assert told["mode"] == "live"
    assert told["before"] == {"frag_gpus": 14, "slots": {"1": 14, "2": 6, "4": 2, "8": 0}}
    assert told["after"] == {"frag_gpus": 6, "slots": {"1": 14, "2": 7, "4": 3, "8": 1}}
    assert told["bound"]["frag_gpus"] <= 6


def test_the_table_says_what_moves_where_and_how_far_that_gets(file: Path) -> None:
    out = asked("--instance", str(file), "--max-moves", "1")
    assert "1 of at most 1 moves, live: one after another" in out
    assert "n0 [0]" in out
    assert "n1 [1]" in out
    assert " % of what any single move could" in out


def test_draining_tells_the_empty_nodes_and_their_gpus(file: Path) -> None:
    words = ("--instance", str(file), "--objective", "drain")
    out = asked(*words)
    assert "empty nodes  their GPUs" in out
    assert [line.split()[-2:] for line in out.splitlines() if line.startswith("after")] == [
        ["1", "8"]
    ]
    told = planned(*words)
    empty = [told[name]["empty_nodes"] for name in ("before", "after", "bound")]
    assert (empty, told["emptied_nodes"], told["reached"]) == ([0, 1, 1], 1, 1)


def test_the_size_that_was_asked_for_has_a_column(file: Path) -> None:
    words = ("--instance", str(file), "--objective", "slots:3", "--max-moves", "1")
    assert "× 2  × 3  × 4  × 8" in asked(*words)
    told = planned(*words)
    assert [told[name]["slots"]["3"] for name in ("before", "after", "bound")] == [4, 4, 4]


def test_what_meets_the_bound_in_whole_slots_reaches_it(file: Path) -> None:
    words = ("--instance", str(file), "--objective", "slots:8")
    assert "reaches the bound: no other 10 moves do better" in asked(*words)
    assert planned(*words)["reached"] == 1


def test_where_no_move_is_allowed_the_plan_is_empty(file: Path) -> None:
    assert planned("--instance", str(file), "--max-moves", "0")["moves"] == []
    out = asked("--instance", str(file), "--max-moves", "0")
    assert out == "No move was allowed: 0 moves at most; 2 of 2 tasks may move.\n"


def test_a_k_of_0_in_the_file_moves_nothing_unless_the_command_says_otherwise(file: Path) -> None:
    path = changed(file, K=0)
    assert planned("--instance", path)["moves"] == []
    assert len(planned("--instance", path, "--max-moves", "1")["moves"]) == 1


def test_an_empty_target_has_nothing_to_make_room_for(file: Path) -> None:
    told = planned("--instance", changed(file, target=[]))
    assert told["moves"] == []
    assert told["before"] == told["after"]


def test_a_file_is_taken_literally_also_where_a_task_may_not_be_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_bytes(write(two_nodes(preemptible=False)))
    assert len(planned("--instance", str(path))["moves"]) == 1


def test_what_cannot_move_stays(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_bytes(write(two_nodes(movable=False)))
    assert planned("--instance", str(path))["moves"] == []


def test_what_says_that_it_would_lose_its_work_moves_only_with_any_task(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_bytes(write(two_nodes(preemptible=False, checkpointed=False)))
    told = planned("--instance", str(path))
    assert (told["moves"], told["reached"]) == ([], None)
    assert told["bound"] == told["before"]
    assert told["why"] == "no task may move: 0 of 2; --any-task would let them"
    assert told["tasks"] == {"may_move": 0, "of": 2, "more_with_any_task": 2}
    assert "2 of 2 tasks may move." in asked("--instance", str(path), "--any-task")


def test_a_gang_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_bytes(write(two_nodes(gang="g")))
    out = asked("--instance", str(path))
    assert out == "No task may move: 0 of 2; --any-task would let them.\n"


def test_a_budget_limits_the_work_that_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_bytes(write(two_nodes(cost_gpu_seconds=7200.0)))
    words = ("--instance", str(path), "--objective", "slots:8")
    assert planned(*words, "--budget", "1.5h")["moves"] == []
    out = asked(*words, "--budget", "20h")
    assert "It loses 2.00 of at most 20 GPU-hours of work." in out


def test_of_a_batch_the_table_says_what_stops_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planning.plan(two_nodes())
    monkeypatch.setattr(advised, "plan", lambda *_, **__: replace(made, mode="batch"))
    out = asked("--instance", str(file), "--mode", "batch")
    assert "batch: all of these tasks stop at once, then they start in this order" in out
    assert "at once" in next(line for line in out.splitlines() if "n0 [0]" in line)


def test_the_same_seed_gives_the_same_plan(file: Path) -> None:
    assert planned("--instance", str(file)) == planned("--instance", str(file))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"nodes": [{"name": "n0"}]}, "model"),
        ({"nodes": []}, "no node is called n0"),
        ({"K": -1}, "K is -1"),
        (
            {"target": [{"cpu_milli": -1, "num_gpu": 1, "gpu_milli": 1, "gpu_spec": "", "p": 1}]},
            "-1",
        ),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_one_line(
    file: Path, told: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        asked("--instance", changed(file, **told))
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_tasks_over_capacity_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    tasks = (pod("a", "n0", 0), pod("b", "n0", 0))
    path.write_bytes(write(Instance((node("n0"),), tasks, (EIGHT,))))
    with pytest.raises(ConfigError, match="tasks hold 2000 thousandths of GPU 0"):
        asked("--instance", str(path))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give either --instance FILE or --at TIME"),
        (("--instance", "x", "--at", "now"), "give either"),
        (("--at", "now", "--store", ""), "--at needs one"),
        (("--instance", "no such"), "no such: No such file"),
        (("--instance", "x", "--objective", "best"), "objective best"),
        (("--instance", "x", "--time-limit", "nan"), "time-limit nan"),
        (("--instance", "x", "--time-limit", "0"), "time-limit 0"),
        (("--instance", "x", "--budget", "-3"), "budget -3: write GPU-hours"),
        (("--instance", "x", "--budget", "much"), "budget much"),
        (("--instance", "x", "--commands"), "a file tells of no scheduler"),
    ],
)
def test_wrong_use_is_told_in_one_line(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        asked(*words)


@pytest.fixture
def site(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that the command finds."""
    monkeypatch.setattr(options, "open_for_questions", lambda *_: store)
    return store


FLEET = ("--at", "now", "--store", "chdb:///x", "--objective", "slots:8")


def test_a_plan_for_the_fleet_says_whether_it_is_worth_it(site: Store) -> None:
    crumbs(site)
    told = planned(*FLEET)
    assert (told["offered"], told["best"], len(told["moves"])) == (True, "moves", 1)
    assert told["at"] == "2026-03-02T14:00:00Z"
    assert told["net_gpu_hours"]["low"] <= told["net_gpu_hours"]["expected"]


def test_the_table_for_the_fleet_says_why_waiting_is_better(site: Store) -> None:
    crumbs(site, ends_by=NOW + timedelta(minutes=1))
    out = " ".join(asked(*FLEET).split())
    assert "Not advised: waiting is better: the same comes by itself by 2026-03-02 14:01" in out


def test_what_would_lose_its_work_does_not_move_unless_told(site: Store) -> None:
    crumbs(site, preemptible=0)
    none = "no task may move: 0 of 2; --any-task would let them"
    assert asked(*FLEET) == f"N{none[1:]}.\n"
    told = planned(*FLEET)
    assert (told["why"], told["reached"], told["commands"]) == (none, None, "")
    assert "1 of at most 10 moves" in asked(*FLEET, "--any-task")


def test_commands_are_printed_where_somebody_asks_for_them(site: Store) -> None:
    crumbs(site)
    assert "scontrol" not in asked(*FLEET)
    out = asked(*FLEET, "--commands")
    assert "scontrol requeuehold 0 &&\nscontrol update JobId=0 ReqNodeList=n1 &&" in out
    assert "What takes them back:" in out
    told = planned(*FLEET)
    assert told["commands"] in out
    assert told["undo"] in out


@pytest.mark.parametrize(
    ("at", "said"), [("2020-01-01", "the book is from"), ("soon", "write now")]
)
def test_a_moment_that_the_book_does_not_have_is_refused(site: Store, at: str, said: str) -> None:
    crumbs(site)
    with pytest.raises(ConfigError, match=said):
        asked("--at", at, "--store", "chdb:///x")


def test_without_a_book_there_is_no_moment(site: Store) -> None:
    with pytest.raises(ConfigError, match="nothing was booked yet"):
        asked(*FLEET)
