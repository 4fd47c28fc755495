"""Printed commands, run by a real shell on programs that only tell how they were called."""

from __future__ import annotations

import json

import pytest

from analytics import commands
from analytics.commands import Command, Move
from tests.analytics.commands.shell import PROGRAMS, UID, Shell

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


def made(name: str) -> list[Command]:
    """Every command, with that name wherever one goes."""
    job = f"c/{name}"
    pod = f"c/{name}/{name}@{UID}"
    return [
        commands.cancel(job, "slurm"),
        commands.move(Move(job, "slurm", name, name)),
        commands.ask_less(job, "slurm", 1, 2),
        commands.power_down(name, "slurm"),
        commands.quota("slurm", name, name, 4, 8),
        commands.lend("slurm", name, [name], [name]),
        commands.cancel(pod, "kubernetes"),
        commands.cancel(f"c/ns/{name}", "kubernetes"),
        commands.move(Move(pod, "kubernetes", name, name)),
        commands.together([Move(pod, "kubernetes", name, f"{name}x")] * 2),
        commands.next_run(pod, "kubernetes", name, 1, 2),
        commands.power_down(name, "kubernetes"),
        commands.quota("kubernetes", name, name, 4, None, queue=name),
        commands.recut(f"GPU-{name}", "n0", "slurm", ("1g.10gb",), ("9", "9")),
        commands.recut("GPU-1", name, "kubernetes", (), ("9", "9"), on=False),
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
    move = commands.move(Move("c/12_3", "slurm", "n0", "n1"))
    assert shell.run(move.text) == [
        ["scontrol", "requeuehold", "12_3"],
        ["scontrol", "update", "JobId=12_3", "ReqNodeList=n1"],
        ["scontrol", "release", "12_3"],
    ]
    assert shell.run(move.undo_text)[1] == ["scontrol", "update", "JobId=12_3", "ReqNodeList="]


def test_a_node_is_drained_before_it_is_switched_off_and_opened_after_it_is_on(
    shell: Shell,
) -> None:
    off = commands.power_down("n0", "slurm")
    update = ["scontrol", "update", "NodeName=n0"]
    assert shell.run(off.text) == [
        [*update, "State=DRAIN", "Reason=gpuledger: spare"],
        [*update, "State=POWER_DOWN_ASAP"],
    ]
    assert shell.run(off.undo_text) == [[*update, "State=POWER_UP"], [*update, "State=RESUME"]]
    (call,) = shell.run(commands.power_down("n0", "kubernetes").text)
    assert call[1] == "drain"


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
    assert commands.power_down(name, "slurm").do == ()
    assert commands.quota("slurm", "c", name, 1, 2).do == ()
    assert commands.move(Move("c/1", "slurm", "n0", name)).do == ()
    assert commands.lend("slurm", name, ["n0"], ["n1"]).do == ()
    assert commands.lend("slurm", "gpu", ["n0"], [name]).do == ()


def test_a_pod_is_evicted_by_the_api_that_honours_budgets(shell: Shell) -> None:
    command = commands.cancel(f"c/ml/train-0@{UID}", "kubernetes")
    get, create, body = shell.run(command.text)
    assert get[:4] == ["kubectl", "get", "pod", "--namespace=ml"]
    assert create[1:3] == ["create", "--raw=/api/v1/namespaces/ml/pods/train-0/eviction"]
    assert json.loads(body[1])["kind"] == "Eviction"


def test_a_pod_that_came_back_under_the_name_is_left_alone(shell: Shell) -> None:
    command = commands.cancel(f"c/ml/train-0@{UID}", "kubernetes")
    assert [c[1] for c in shell.run(command.text, uid="ffff0000")] == ["get"]


POD = Move(f"c/ml/train-0@{UID}", "kubernetes", "n0", "n1")
MOVED = ["cordon n0", "get pod", "create", "wait", "get pods", "uncordon n0"]


def verbs(calls: list[list[str]]) -> list[str]:
    """What kubectl was asked for."""
    told = (c[1:] for c in calls if c[0] == "kubectl")
    named = {"get": lambda c: f"get {c[1]}", "create": lambda _: "create", "wait": lambda _: "wait"}
    return [named.get(c[0], lambda c: f"{c[0]} {c[-1]}")(c) for c in told]


def test_the_old_node_opens_once_the_pod_is_gone_and_a_person_has_said_so(shell: Shell) -> None:
    command = commands.move(POD)
    assert verbs(shell.run(command.text)) == verbs(shell.run(command.text, "sh")) == MOVED
    gone, look = shell.run(command.text)[-3:-1]
    assert gone[2:] == ["--for=delete", "--timeout=15m", "--namespace=ml", "--", "pod/train-0"]
    assert look[2:] == [
        "pods",
        "--namespace=ml",
        "--field-selector=spec.nodeName=n1",
        "--output=wide",
    ]
    assert command.undo == ("kubectl uncordon -- n0",)


@pytest.mark.parametrize("answers", ["", "no\n", "\n", "yes, but\n"])
def test_without_a_yes_the_old_node_stays_closed(shell: Shell, answers: str) -> None:
    assert verbs(shell.run(commands.move(POD).text, answers=answers)) == MOVED[:-1]


def test_pasted_as_a_whole_the_old_node_stays_closed_until_a_yes(shell: Shell) -> None:
    both = commands.joined([commands.move(POD), commands.move(POD._replace(source="n2"))])
    assert verbs(shell.pasted(both.text)) == MOVED[:-1]
    assert "cordon n2" not in verbs(shell.pasted(both.text, "no"))
    second = [*MOVED, "cordon n2", *MOVED[1:-1]]
    assert verbs(shell.pasted(both.text, "yes", "no")) == second
    assert both.undo == ("kubectl uncordon -- n2", "kubectl uncordon -- n0")


def test_pods_move_at_once_where_no_node_gives_and_takes(shell: Shell) -> None:
    told = commands.together([POD, Move(f"c/ml/b@{UID}", "kubernetes", "n2", "n1")])
    done = verbs(shell.run(told.text))
    assert done[:2] == ["cordon n0", "cordon n2"]
    assert done[2:] == [
        *["get pod", "create"] * 2,
        *["wait"] * 2,
        "get pods",
        "uncordon n0",
        "uncordon n2",
    ]
    assert told.undo == ("kubectl uncordon -- n0", "kubectl uncordon -- n2")


def test_jobs_and_pods_move_in_one_plan(shell: Shell) -> None:
    told = commands.together([Move("c/1", "slurm", "n5", "n6"), POD])
    assert [call[0] for call in shell.run(told.text)][:4] == ["scontrol"] * 3 + ["kubectl"]
    assert commands.together([POD, Move("c/1", "", "n5", "n6")]).do == ()


@pytest.mark.parametrize("node", ["a,spec.x=b", "a=b", ""])
def test_what_a_selector_would_read_as_several_gets_no_command(node: str) -> None:
    assert commands.move(Move("c/ml/a", "kubernetes", "n0", node)).do == ()


def test_tasks_that_change_places_all_stop_before_one_starts(shell: Shell) -> None:
    swap = commands.together([Move("c/1", "slurm", "n0", "n1"), Move("c/2", "slurm", "n1", "n0")])
    verbs = [call[1] for call in shell.run(swap.text)]
    assert verbs == ["requeuehold"] * 2 + ["update"] * 2 + ["release"] * 2


def test_pods_cannot_change_places() -> None:
    told = commands.together([POD, Move("c/ml/b", "kubernetes", "n1", "n0")])
    assert (told.do, told.undo) == ((), ())
    assert len(told.text.splitlines()) == 1
    assert "--mode live" in told.text


def test_what_to_know_stands_above_the_lines_as_comments(shell: Shell) -> None:
    off = commands.power_down("n0", "slurm")
    assert off.text.startswith("# needs SuspendProgram and ResumeProgram")
    assert commands.cancel("c/1", "slurm").undo_text.startswith("# batch jobs alone")
    both = commands.joined([off, commands.cancel("c/1", "slurm"), off])
    assert both.text.count("# needs") == 1
    assert len(shell.run(both.text)) == 5
    assert [call[0] for call in shell.run(both.undo_text, "sh")] == ["scontrol"] * 5


def test_where_there_is_no_command_the_text_says_why() -> None:
    assert (
        commands.cancel("c/1", "").text == "# no command: no scheduler is known that would take it"
    )
    assert commands.power_down("a,b", "slurm").undo_text == ""


@pytest.mark.parametrize("name", [*HOSTILE, "a\x1b[2K\nb", "\u202eb", "a\u2028touch pwned"])
def test_no_name_leaves_its_comment(shell: Shell, name: str) -> None:
    told = [
        *made(name),
        commands.move(Move("c/ml/a", "kubernetes", name, "n1")),
        commands.power_down(f"{name},", "slurm"),
        commands.cancel("c/1", name),
        commands.recut(name, "n0", "slurm", (), ()),
        commands.recut("GPU-1", "n0", "slurm", (), (name,)),
    ]
    notes = "\n".join(line for c in told for line in c.text.splitlines() if line[:1] == "#")
    assert shell.run(notes) == shell.run(notes, "sh") == []
    assert not any(ord(char) < ord(" ") for char in notes.replace("\n", ""))


@pytest.mark.parametrize("job", ["c/pod", "c//pod", "c/ns/", "c/ns/..", "c/ns/a@$(x)", "c/ns/a/b"])
def test_what_names_no_pod_gets_no_command(job: str) -> None:
    assert commands.cancel(job, "kubernetes").do == ()


MIG = ["nvidia-smi", "mig", "-i", "GPU-1"]
CLOSED = ["scontrol", "update", "NodeName=n0", "State=DRAIN", "Reason=gpuledger: MIG slices"]
OPEN = ["scontrol", "update", "NodeName=n0", "State=RESUME"]


def test_a_card_is_cut_while_its_node_is_closed_and_gets_its_old_slices_back(shell: Shell) -> None:
    command = commands.recut("GPU-1", "n0", "slurm", ("1g.10gb", "1g.10gb"), ("9", "9"))
    gone = [[*MIG, "-dci"], [*MIG, "-dgi"]]
    assert shell.run(command.text) == [CLOSED, *gone, [*MIG, "-cgi", "9,9", "-C"], OPEN]
    back = [*MIG, "-cgi", "1g.10gb,1g.10gb", "-C"]
    assert shell.run(command.undo_text) == [CLOSED, *gone, back, OPEN]
    assert commands.recut("0", "n0", "slurm", (), ("9",)).do == ()
    assert commands.recut("GPU-1", "n0", "slurm", (), ("3g;40gb",)).do == ()
    assert commands.recut("GPU-1", "n0", "", (), ("9",)).do == ()


def test_a_card_without_mig_gets_it_first_and_loses_it_last(shell: Shell) -> None:
    command = commands.recut("GPU-1", "n0", "kubernetes", (), ("19",), on=False)
    assert shell.run(command.text)[1:-1] == [
        ["nvidia-smi", "-i", "GPU-1", "-mig", "1"],
        [*MIG, "-cgi", "19", "-C"],
    ]
    assert shell.run(command.undo_text)[1:-1] == [
        [*MIG, "-dci"],
        [*MIG, "-dgi"],
        ["nvidia-smi", "-i", "GPU-1", "-mig", "0"],
    ]
    assert "needs a reset" in command.text


@pytest.mark.parametrize(
    ("parts", "size", "cut"),
    [
        (7, 1, ("19",) * 7),
        (7, 2, ("14",) * 3),
        (7, 3, ("9", "9")),
        (7, 4, ("5", "9")),
        (4, 1, ("14",) * 4),
        (4, 2, ("5", "5")),
        (4, 3, ()),
        (8, 1, ()),
    ],
)
def test_a_card_is_cut_into_as_many_slices_as_it_holds(
    parts: int, size: int, cut: tuple[str, ...]
) -> None:
    assert commands.equal(parts, size) == cut


def test_a_service_asks_for_less_only_where_it_asked_for_as_much(shell: Shell) -> None:
    less = commands.next_run("c/ml/chat-5d9c7b-x2x4z@0a1b", "kubernetes", "chat", 1, 2)
    (call,) = shell.run(less.text)
    assert call[1:5] == ["patch", "deployment", "--namespace=ml", "--type=json"]
    path = "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu"
    assert json.loads(call[5].removeprefix("--patch=")) == [
        {"op": "test", "path": path, "value": "2"},
        {"op": "replace", "path": path, "value": "1"},
    ]
    assert json.loads(shell.run(less.undo_text)[0][5].removeprefix("--patch="))[1]["value"] == "2"


def test_a_partition_gets_nodes_and_gives_them_back(shell: Shell) -> None:
    lent = commands.lend("slurm", "small", ["n0", "n1"], ["n7"])
    update = ["scontrol", "update", "PartitionName=small"]
    assert shell.run(lent.text) == [[*update, "Nodes=n0,n1,n7"]]
    assert shell.run(lent.undo_text) == [[*update, "Nodes=n0,n1"]]


def test_a_plan_is_taken_back_from_its_end_and_is_whole_or_nothing() -> None:
    off = [commands.power_down(name, "slurm") for name in ("n0", "n1")]
    plan = commands.joined(off)
    assert [line.split()[2] for line in plan.do] == ["NodeName=n0"] * 2 + ["NodeName=n1"] * 2
    assert [line.split()[2] for line in plan.undo] == ["NodeName=n1"] * 2 + ["NodeName=n0"] * 2
    broken = commands.joined([*off, commands.power_down("a,b", "slurm")])
    assert broken.do == broken.undo == ()
    assert "a,b" in broken.note


def test_what_no_scheduler_holds_gets_no_command() -> None:
    for command in (
        commands.cancel("c/1", ""),
        commands.move(Move("c/1", "", "a", "b")),
        commands.next_run("c/1", "slurm", "train", 1, 2),
        commands.lend("kubernetes", "gpu", ["a"], ["b"]),
        commands.ask_less("c/1", "kubernetes", 1, 2),
        commands.power_down("n0", ""),
        commands.quota("", "c", "t", 1, 2),
    ):
        assert (command.do, command.undo) == ((), ())
        assert command.note
