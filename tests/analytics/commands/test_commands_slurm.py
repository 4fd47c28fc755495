"""Printed commands on a real Slurm: it takes them, and takes them back."""

from __future__ import annotations

import subprocess

import pytest

from analytics import commands
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
    command = commands.move(f"c/{job}", "slurm", "elsewhere", slurm.node)
    carry_out(slurm, command.text)
    assert f"ReqNodeList={slurm.node}" in shown(slurm, "job", str(job))
    slurm.cancel_all()


def test_a_node_is_drained_and_taken_back(slurm: Slurm) -> None:
    slurm.cancel_all()
    command = commands.drain(slurm.node, "slurm", "it's spare; $(date)")
    carry_out(slurm, command.text)
    told = shown(slurm, "node", slurm.node)
    assert "DRAIN" in told
    assert "Reason=it's spare; $(date)" in told
    carry_out(slurm, command.undo_text)
    assert "DRAIN" not in shown(slurm, "node", slurm.node)


def test_a_waiting_job_is_held_and_asks_for_less(slurm: Slurm, job: int) -> None:
    waiting = slurm.submit(SLEEP, gpus=slurm.gpus)
    hold = commands.hold(f"c/{waiting}", "slurm")
    carry_out(slurm, hold.text)
    assert "JobHeld" in shown(slurm, "job", str(waiting))
    less = commands.ask_less(f"c/{waiting}", "slurm", 2, slurm.gpus)
    carry_out(slurm, less.text)
    assert "TresPerNode=gres:gpu:2" in shown(slurm, "job", str(waiting)).replace("gres/", "gres:")
    carry_out(slurm, less.undo_text)
    carry_out(slurm, hold.undo_text)
    assert "JobHeld" not in shown(slurm, "job", str(waiting))
    slurm.cancel_all()
