"""Commands for smaller requests, from what is stored of jobs and cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from analytics.advice.smaller import command, facts
from analytics.commands import Command
from analytics.less import Less
from gpuledger.catalogue import Gpu, Job
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import MODEL, asset, at, card, given, job, node_state, write

NOW = at(600)
POD = "ml/chat-5d9c7b-x2x4z@0a1b2c3d"


def runs(native: str = "1", gpus: int = 4, source: str = "slurm", **told: Any) -> list[Row]:
    """A job that holds GPU 0 of a node of four."""
    held = given(native, 0, source=source)
    return [*(asset(slot) for slot in range(4)), _job(native, gpus, **told), held]


def _job(native: str, gpus: int, **told: Any) -> Job:
    kind = told.pop("kind", "batch")
    made = job(native, gpus=gpus, started=at(0), **told)
    made.kind = kind
    return made


def waits(native: str, gpus: int = 4, **told: Any) -> Job:
    """A job of the same name that waits."""
    return job(native, state="pending", reason="Resources", gpus=gpus, **told)


def told(store: Store, less: Less, rows: Sequence[Row], native: str = "1") -> Command:
    """The command for the job of that id."""
    write(store, rows)
    return again(store, less, native)


def again(store: Store, less: Less, native: str = "1") -> Command:
    """The same without writing anything."""
    asked = (f"c/{native}", less)
    return command(*asked, facts(store, [asked], NOW))


def test_jobs_that_wait_ask_for_less_at_once_and_the_next_run_by_its_flag(store: Store) -> None:
    given_ = told(store, Less(gpus=1), [*runs(), waits("7"), waits("8")])
    assert given_.do == (
        "scontrol update JobId=7 TresPerNode=gres/gpu:1",
        "scontrol update JobId=8 TresPerNode=gres/gpu:1",
    )
    assert given_.undo[0] == "scontrol update JobId=8 TresPerNode=gres/gpu:4"
    assert "the next run of train asks for less by sbatch --gpus-per-node=1" in given_.note


@pytest.mark.parametrize(
    "other",
    [
        waits("7", user="bob"),
        waits("7", name="other"),
        waits("7", gpus=2),
        job("7", state="pending", gpus=4, ended=at(60)),
    ],
)
def test_jobs_of_others_other_names_and_other_sizes_are_left_alone(
    store: Store, other: Job
) -> None:
    given_ = told(store, Less(gpus=1), [*runs(), other])
    assert given_.text == (
        "# no command: the next run of train asks for less by sbatch --gpus-per-node=1"
    )


def test_of_many_that_wait_the_first_ten_are_changed_and_the_rest_told(store: Store) -> None:
    given_ = told(store, Less(gpus=1), [*runs(), *(waits(str(n)) for n in range(10, 23))])
    assert len(given_.do) == 10
    assert "3 more jobs of that name wait too" in given_.note


@pytest.mark.parametrize(
    ("gpus", "flags"),
    [(4, "--nodes=1 --gpus-per-node=4"), (3, "--nodes=1 --gpus-per-node=3"),
     (8, "--nodes=2 --gpus-per-node=4")],
)  # fmt: skip
def test_a_job_of_many_nodes_asks_for_fewer_nodes_before_fewer_gpus_on_each(
    store: Store, gpus: int, flags: str
) -> None:
    given_ = told(store, Less(gpus=gpus), [*runs(nodes=3), waits("7", nodes=3)])
    assert given_.do == ()
    assert flags in given_.text


def test_a_deployment_is_patched_and_the_pods_of_a_job_are_not(store: Store) -> None:
    service = {"source": "kubernetes", "name": "chat", "kind": "service"}
    given_ = told(store, Less(gpus=1), runs(POD, 2, **service), POD)
    assert given_.do[0].startswith("kubectl patch deployment --namespace=ml")
    assert '"value":"2"' in given_.undo[0]
    batch = told(store, Less(gpus=1), runs("ml/train-x@1", 2, source="kubernetes"), "ml/train-x@1")
    assert batch.text.startswith("# no command: write nvidia.com/gpu: 1 where the pods of train")


def test_a_pod_of_a_stateful_set_is_not_taken_for_one_of_a_deployment(store: Store) -> None:
    native = "ml/chat-0@0a1b2c3d"
    service = {"source": "kubernetes", "name": "chat", "kind": "service"}
    assert told(store, Less(gpus=1), runs(native, 2, **service), native).do == ()


def test_another_model_is_named_in_the_words_of_the_scheduler(store: Store) -> None:
    given_ = told(store, Less(model=MODEL), [*runs(), node_state()])
    assert "sbatch --gpus-per-node=h100:4" in given_.text
    other = again(store, Less(model="A30")).text
    assert other.endswith("--gpus-per-node with the type that gres.conf has for A30")


def test_processors_and_memory_are_flags_of_the_next_run(store: Store) -> None:
    text = told(store, Less(cpus=8, memory_gib=32), runs()).text
    assert "take 8 together and --mem=32G" in text
    pod = told(store, Less(cpus=8, memory_gib=32), runs(POD, source="kubernetes"), POD).text
    assert "write cpu: 8 and memory: 32Gi where" in pod


def test_a_job_that_no_scheduler_holds_gets_no_command_and_a_reason(store: Store) -> None:
    text = told(store, Less(gpus=1), runs(source="hook")).text
    assert text == "# no command: no scheduler is known that has the job"
    assert again(store, Less(gpus=1), "9").text == text


SLICE = Less(gpus=1, size=2)


def cards(*modes: str) -> list[Gpu]:
    """The cards of the node, each as the inventory says of MIG."""
    made = [card(slot) for slot in range(len(modes))]
    for one, mode in zip(made, modes, strict=True):
        one.mig = mode
    return made


def cut(slot: int, profile: str) -> Gpu:
    """A slice of a card."""
    made = card(slot)
    made.uuid, made.parent, made.profile = f"MIG-{slot}-{profile}", f"GPU-n0-{slot}", profile
    return made


def test_a_card_of_the_pool_that_nobody_holds_is_cut(store: Store) -> None:
    rows = [*runs(), *cards("enabled", "disabled", "enabled", "enabled"), node_state()]
    given_ = told(store, SLICE, [*rows, given("5", 3)])
    assert given_.do[1:-1] == ("nvidia-smi mig -i GPU-n0-2 -cgi 14,14,14 -C",)
    assert given_.undo[1:-1] == (
        "nvidia-smi mig -i GPU-n0-2 -dci",
        "nvidia-smi mig -i GPU-n0-2 -dgi",
    )
    assert given_.note.startswith("GPU 2 of n0, which nobody holds: 3 slices of 2g")


def test_its_old_slices_come_back_by_the_undo(store: Store) -> None:
    rows = [*runs(), *cards("enabled", "enabled"), cut(1, "1g.10gb"), node_state()]
    given_ = told(store, SLICE, rows)
    assert "nvidia-smi mig -i GPU-n0-1 -cgi 1g.10gb -C" in given_.undo
    assert "nvidia-smi mig -i GPU-n0-1 -dgi" in given_.do


def test_where_all_are_held_the_cut_waits_for_the_job(store: Store) -> None:
    given_ = told(store, SLICE, [*runs(), *cards("disabled"), node_state()])
    assert given_.do[1] == "nvidia-smi -i GPU-n0-0 -mig 1"
    assert "once the job on it has ended" in given_.note


def test_slices_that_are_there_need_no_cut(store: Store) -> None:
    rows = [*runs(), *cards("enabled", "enabled"), cut(1, "2g.20gb"), node_state()]
    text = told(store, SLICE, rows).text
    assert text.startswith("# no command: the next run of train asks for less by sbatch")
    assert "--gres=gpu:2g.20gb:1" in text


@pytest.mark.parametrize("modes", [(), ("", "")])
def test_a_card_that_the_inventory_does_not_call_one_of_mig_is_not_cut(
    store: Store, modes: tuple[str, ...]
) -> None:
    given_ = told(store, SLICE, [*runs(), *cards(*modes), node_state()])
    assert given_.text == ("# no command: no card of its pool is known to be one that MIG can cut")
