"""Printed commands on a real Slurm: it takes them, and takes them back."""

from __future__ import annotations

import subprocess

import pytest

from analytics import commands
from analytics.commands import Move
from tests.components.slurm import Slurm

SLEEP = "sleep 300"


def carry_out(slurm: Slurm, text: str) -> None:
    """Run what was printed, as a person would."""
    done = subprocess.run(
        ["/bin/bash", "-c", text], env=slurm.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def shown(slurm: Slurm, what: str, name: str) -> str:
    return slurm.run("scontrol", "show", what, name)


@pytest.fixture
def job(slurm: Slurm) -> int:
    """A batch job of one GPU that runs."""
    slurm.cancel_all()
    number = slurm.submit(SLEEP, gpus=1)
    slurm.wait_state(number, "RUNNING")
    return number


def test_a_cancelled_batch_job_can_be_handed_in_again(slurm: Slurm, job: int) -> None:
    command = commands.cancel(f"c/{job}", "slurm")
    carry_out(slurm, command.text)
    slurm.wait_state(job, "CANCELLED")
    carry_out(slurm, command.undo_text)
    assert slurm.state(job) != "CANCELLED"
    slurm.cancel_all()


def test_a_moved_job_starts_on_the_node_that_was_named(slurm: Slurm, job: int) -> None:
    command = commands.move(Move(f"c/{job}", "slurm", "elsewhere", slurm.node))
    carry_out(slurm, command.text)
    assert f"ReqNodeList={slurm.node}" in shown(slurm, "job", str(job))
    slurm.cancel_all()


def test_a_node_is_closed_while_its_card_is_cut_and_opened_again(slurm: Slurm) -> None:
    slurm.cancel_all()
    closed, *_, opened = commands.recut("GPU-1", slurm.node, "slurm", (), ("9",)).do
    carry_out(slurm, closed)
    told = shown(slurm, "node", slurm.node)
    assert "DRAIN" in told
    assert "Reason=gpuledger: MIG slices" in told
    carry_out(slurm, opened)
    assert "DRAIN" not in shown(slurm, "node", slurm.node)


def test_a_partition_has_its_nodes_after_the_undo(slurm: Slurm) -> None:
    command = commands.lend("slurm", slurm.partition, [slurm.node], [slurm.node])
    carry_out(slurm, command.text)
    carry_out(slurm, command.undo_text)
    assert f"   Nodes={slurm.node}\n" in shown(slurm, "partition", slurm.partition)


def test_a_waiting_job_asks_for_less_and_for_as_much_again(slurm: Slurm, job: int) -> None:
    waiting = slurm.submit(SLEEP, gpus=slurm.gpus)
    less = commands.ask_less(f"c/{waiting}", "slurm", 2, slurm.gpus)
    carry_out(slurm, less.text)
    assert "TresPerNode=gres:gpu:2" in shown(slurm, "job", str(waiting)).replace("gres/", "gres:")
    carry_out(slurm, less.undo_text)
    assert f"gpu:{slurm.gpus}" in shown(slurm, "job", str(waiting))
    slurm.cancel_all()
