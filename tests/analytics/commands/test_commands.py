"""Printed commands, run by a real shell on programs that only tell how they were called."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from analytics import commands
from analytics.commands import Command

UID = "0a1b2c3d"
# Each program appends its name and arguments; kubectl also answers who a pod is.
STUB = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" >> "$TOLD"; printf '\\n\\0' >> "$TOLD"
[[ $1 == get ]] && echo "$UID_OF_POD-9f00-4c1b-a111-000000000000"
[[ $2 == --raw=* ]] && { printf 'body\\0'; cat; printf '\\0\\n\\0'; } >> "$TOLD"
exit 0
"""
PROGRAMS = ("scancel", "scontrol", "sacctmgr", "kubectl", "nvidia-smi", "rm", "touch")
HOSTILE = [
    "it's",
    'say "x"',
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "a\ntouch pwned",
    "a b\tc",
    "a&&touch pwned|touch pwned>x",
    "-rf",
    "--all",
    "*?[a-z]~!#",
    "\\",
    "Zürich-節點-🐍",
    "%2e%2e",
    "${IFS}{a,b}",
]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


class Shell:
    """Bash in an empty directory, with nothing on its path but stubs, grep and cat."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._told = directory, directory / "told"
        self._programs = directory / "programs"
        self._programs.mkdir()
        for name in PROGRAMS:
            (self._programs / name).write_text(STUB)
            (self._programs / name).chmod(0o755)
        for name in ("grep", "cat"):
            (self._programs / name).symlink_to(f"/bin/{name}")

    def run(self, text: str, program: str = "bash", uid: str = UID) -> list[list[str]]:
        """The calls, each with its arguments; nothing else may have happened."""
        self._told.write_text("")
        environment = {"PATH": str(self._programs), "TOLD": str(self._told), "UID_OF_POD": uid}
        done = subprocess.run(
            [f"/bin/{program}", "-c", text],
            env=environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert {p.name for p in self._directory.iterdir()} == {"programs", "told"}
        return [c.split("\0")[:-1] for c in self._told.read_text().split("\n\0") if c]


def made(name: str) -> list[Command]:
    """Every command, with that name wherever one goes."""
    job = f"c/{name}"
    return [
        commands.cancel(job, "slurm"),
        commands.hold(job, "slurm"),
        commands.move(job, "slurm", name, name),
        commands.ask_less(job, "slurm", 1, 2),
        commands.drain(name, "slurm", name),
        commands.power_down(name, "slurm"),
        commands.quota("slurm", name, name, 4, 8),
        commands.cancel(f"c/{name}/{name}@{UID}", "kubernetes"),
        commands.cancel(f"c/ns/{name}", "kubernetes"),
        commands.move(f"c/{name}/{name}@{UID}", "kubernetes", name, name),
        commands.drain(name, "kubernetes", name),
        commands.power_down(name, "kubernetes"),
        commands.quota("kubernetes", name, name, 4, None, queue=name),
        commands.repartition(f"GPU-{name}", ("1g.10gb",), ("3g.40gb",)),
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_argument_of_one_program(shell: Shell, name: str) -> None:
    text = "\n".join(t for c in made(name) for t in (c.text, c.undo_text) if t)
    calls = shell.run(text)
    assert {c[0] for c in calls} <= {*PROGRAMS, "body"} - {"rm", "touch"}
    assert len(calls) > 8
    assert shell.run(text, "sh") == calls


@pytest.mark.parametrize("name", ["\x1b[2K", "a\0b", "\u202e", "\x7f", "\ud800", "\u2028", "\r"])
def test_a_name_that_a_terminal_would_obey_gets_no_command_and_a_reason(name: str) -> None:
    for command in made(f"1{name}"):
        assert command.do == command.undo == ()
        assert "U+" in command.note or "one name" in command.note


def test_slurm_is_told_numbers_and_how_to_take_it_back(shell: Shell) -> None:
    assert commands.cancel("c/4711", "slurm").text == "scancel 4711"
    assert commands.cancel("c/4711", "slurm").undo == ("scontrol requeue 4711",)
    move = commands.move("c/12_3", "slurm", "n0", "n1")
    assert shell.run(move.text) == [
        ["scontrol", "requeuehold", "12_3"],
        ["scontrol", "update", "JobId=12_3", "ReqNodeList=n1"],
        ["scontrol", "release", "12_3"],
    ]
    assert shell.run(move.undo_text)[1] == ["scontrol", "update", "JobId=12_3", "ReqNodeList="]
    drain = commands.drain("n0", "slurm", "spare at night")
    assert shell.run(drain.text) == [
        ["scontrol", "update", "NodeName=n0", "State=DRAIN", "Reason=spare at night"]
    ]
    assert shell.run(drain.undo_text) == [["scontrol", "update", "NodeName=n0", "State=RESUME"]]


def test_a_limit_is_put_back_to_what_it_was(shell: Shell) -> None:
    quota = commands.quota("slurm", "c", "vision", 16, None)
    assert shell.run(quota.text)[0][-1] == "GrpTRES=gres/gpu=16"
    assert shell.run(quota.undo_text)[0][-1] == "GrpTRES=gres/gpu=-1"
    own = commands.quota("kubernetes", "c", "vision", None, 8, queue="gpus")
    (call,) = shell.run(own.text)
    assert json.loads(call[-3].removeprefix("--patch=")) == {
        "spec": {"hard": {"requests.nvidia.com/gpu": None}}
    }
    assert shell.run(own.undo_text)[0][-3].endswith('"requests.nvidia.com/gpu":"8"}}}')


@pytest.mark.parametrize("name", ["n[1-9]", "n1,n2", "n1 n2", "", "a'b"])
def test_what_slurm_would_read_as_several_nodes_or_accounts_gets_no_command(name: str) -> None:
    assert commands.drain(name, "slurm", "x").do == ()
    assert commands.quota("slurm", "c", name, 1, 2).do == ()
    assert commands.move("c/1", "slurm", "n0", name).do == ()


def test_a_pod_is_evicted_by_the_api_that_honours_budgets(shell: Shell) -> None:
    command = commands.cancel(f"c/ml/train-0@{UID}", "kubernetes")
    get, create, body = shell.run(command.text)
    assert get[:4] == ["kubectl", "get", "pod", "--namespace=ml"]
    assert create[1:3] == ["create", "--raw=/api/v1/namespaces/ml/pods/train-0/eviction"]
    assert json.loads(body[1])["kind"] == "Eviction"


def test_a_pod_that_came_back_under_the_name_is_left_alone(shell: Shell) -> None:
    command = commands.cancel(f"c/ml/train-0@{UID}", "kubernetes")
    assert [c[1] for c in shell.run(command.text, uid="ffff0000")] == ["get"]


def test_a_moved_pod_does_not_come_back_to_its_node(shell: Shell) -> None:
    command = commands.move(f"c/ml/train-0@{UID}", "kubernetes", "n0", "n1")
    calls = [c[1:4:2] if c[1] != "get" else ["get"] for c in shell.run(command.text)]
    assert (calls[0], calls[-1]) == (["cordon", "n0"], ["uncordon", "n0"])
    assert commands.power_down("n0", "kubernetes").undo == ("kubectl uncordon -- n0",)


def test_the_old_node_opens_in_a_block_of_its_own_once_somebody_has_looked() -> None:
    command = commands.move(f"c/ml/train-0@{UID}", "kubernetes", "n0", "n1")
    first, look, last = command.text.split("\n\n")
    assert "pod without an owner is gone" in first.splitlines()[0]
    assert "uncordon" not in first + look
    assert look.splitlines()[0].startswith("# Look where the next pod runs: it should be n1")
    assert look.splitlines()[1] == (
        "kubectl get pods --namespace=ml --field-selector=spec.nodeName=n1 --output=wide"
    )
    assert last.splitlines()[0].startswith("# Only once it runs elsewhere")
    assert last.splitlines()[1:] == ["kubectl uncordon -- n0"]


@pytest.mark.parametrize("node", ["a,spec.x=b", "a=b", ""])
def test_what_a_selector_would_read_as_several_gets_no_command(node: str) -> None:
    assert commands.move("c/ml/a", "kubernetes", "n0", node).do == ()


def test_moves_of_pods_follow_each_other_with_a_look_at_each() -> None:
    parts = [commands.move(f"c/ml/a{i}", "kubernetes", f"n{i}", "n9") for i in range(2)]
    blocks = commands.joined(parts).text.split("\n\n")
    assert len(blocks) == 6
    assert blocks[3].startswith("# Then, once that is done:\nkubectl cordon -- n1")
    assert commands.joined(parts).undo == ("kubectl uncordon -- n1", "kubectl uncordon -- n0")


def test_tasks_that_change_places_all_stop_before_one_starts(shell: Shell) -> None:
    swap = commands.together(
        [commands.move("c/1", "slurm", "n0", "n1"), commands.move("c/2", "slurm", "n1", "n0")]
    )
    verbs = [call[1] for call in shell.run(swap.text)]
    assert verbs == ["requeuehold"] * 2 + ["update"] * 2 + ["release"] * 2


def test_pods_cannot_change_places() -> None:
    move = commands.move("c/ml/a", "kubernetes", "n0", "n1")
    told = commands.together([move, move])
    assert (told.do, told.undo) == ((), ())
    assert "--mode live" in told.text


def test_what_to_know_stands_above_the_lines_as_comments(shell: Shell) -> None:
    off = commands.power_down("n0", "slurm")
    assert off.text.startswith("# needs SuspendProgram and ResumeProgram")
    assert commands.cancel("c/1", "slurm").undo_text.startswith("# batch jobs alone")
    both = commands.joined([off, commands.drain("n0", "slurm", "x"), off])
    assert both.text.count("# needs") == 1
    assert len(shell.run(both.text)) == 3
    assert [call[0] for call in shell.run(both.undo_text, "sh")] == ["scontrol"] * 3


def test_where_there_is_no_command_the_text_says_why() -> None:
    assert (
        commands.cancel("c/1", "").text == "# no command: no scheduler is known that would take it"
    )
    assert commands.drain("a,b", "slurm", "x").undo_text == ""


@pytest.mark.parametrize("name", [*HOSTILE, "a\x1b[2K\nb", "\u202eb", "a\u2028touch pwned"])
def test_no_name_leaves_its_comment(shell: Shell, name: str) -> None:
    told = [
        *made(name),
        commands.move("c/ml/a", "kubernetes", name, "n1"),
        commands.drain(f"{name},", "slurm", "x"),
        commands.cancel("c/1", name),
        commands.repartition(name, (), ()),
        commands.repartition("GPU-1", (), (name,)),
    ]
    notes = "\n".join(line for c in told for line in c.text.splitlines() if line[:1] == "#")
    assert shell.run(notes) == shell.run(notes, "sh") == []
    assert not any(ord(char) < ord(" ") for char in notes.replace("\n", ""))


@pytest.mark.parametrize("job", ["c/pod", "c//pod", "c/ns/", "c/ns/..", "c/ns/a@$(x)", "c/ns/a/b"])
def test_what_names_no_pod_gets_no_command(job: str) -> None:
    assert commands.cancel(job, "kubernetes").do == ()


def test_a_card_gets_its_old_slices_back(shell: Shell) -> None:
    command = commands.repartition("GPU-1", ("1g.10gb", "1g.10gb"), ("3g.40gb",))
    mig = ["nvidia-smi", "mig", "-i", "GPU-1"]
    assert shell.run(command.text) == [
        [*mig, "-dci"],
        [*mig, "-dgi"],
        [*mig, "-cgi", "3g.40gb", "-C"],
    ]
    assert shell.run(command.undo_text)[-1] == [*mig, "-cgi", "1g.10gb,1g.10gb", "-C"]
    assert commands.repartition("0", (), ("3g.40gb",)).do == ()
    assert commands.repartition("GPU-1", (), ("3g;40gb",)).do == ()


def test_a_plan_is_taken_back_from_its_end_and_is_whole_or_nothing() -> None:
    plan = commands.joined([commands.drain("n0", "slurm", "a"), commands.power_down("n0", "slurm")])
    assert [line.split("State=")[1].split()[0] for line in plan.do] == ["DRAIN", "POWER_DOWN_ASAP"]
    assert [line.split("State=")[1] for line in plan.undo] == ["POWER_UP", "RESUME"]
    broken = commands.joined(
        [commands.drain("n0", "slurm", "a"), commands.drain("a,b", "slurm", "")]
    )
    assert broken.do == broken.undo == ()
    assert "a,b" in broken.note


def test_what_no_scheduler_holds_gets_no_command() -> None:
    for command in (
        commands.cancel("c/1", ""),
        commands.hold("c/1", "process"),
        commands.move("c/1", "", "a", "b"),
        commands.ask_less("c/1", "kubernetes", 1, 2),
        commands.drain("n0", "", ""),
        commands.power_down("n0", ""),
        commands.quota("", "c", "t", 1, 2),
    ):
        assert (command.do, command.undo) == ((), ())
        assert command.note
