"""The Slurm source on a real one-node Slurm with fake GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from collector.source import Context
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.catalogue.work import Allocation, Job, NodeState
from gpuledger.errors import ReadError
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER, Row
from tests.components.slurm import Slurm

R = TypeVar("R", bound=Row)


def of_kind(rows: list[Row], kind: type[R]) -> list[R]:
    return [r for r in rows if isinstance(r, kind)]


def test_a_real_job_from_its_wait_to_its_end(slurm: Slurm) -> None:
    here = Context("c", "head")
    source = SlurmSource(SlurmSettings(conf=str(slurm.conf)), here)
    running = slurm.submit("sleep 300", gpus=4, name="train", account="vision")
    waiting = slurm.submit("sleep 300", gpus=8, name="sweep")
    slurm.wait_state(running, "RUNNING")

    first = list(source.read())
    found = {j.job_id: j for j in of_kind(first, Job)}
    assert found[f"c/{running}"].state == "running"
    assert found[f"c/{running}"].team == "vision"
    assert found[f"c/{waiting}"].state == "pending"
    assert found[f"c/{waiting}"].gpus_per_node == 8
    held = {a.gpu_id for a in of_kind(first, Allocation)}
    assert held == {gpu_id("c", slurm.node, slot) for slot in range(4)}
    assert [(n.node, n.state, n.gpus) for n in of_kind(first, NodeState)] == [("n1", "up", 8)]

    slurm.cancel(running)
    slurm.wait_state(running, "CANCELLED")
    second = list(source.read())
    assert {j.state for j in of_kind(second, Job) if j.job_id == f"c/{running}"} == {"cancelled"}
    closed = [a for a in of_kind(second, Allocation) if a.valid_to != FOREVER]
    assert {a.gpu_id for a in closed} >= held
    slurm.cancel(waiting)


def test_a_drained_node_is_told_with_its_reason(slurm: Slurm) -> None:
    source = SlurmSource(SlurmSettings(conf=str(slurm.conf)), Context("c", "head"))
    slurm.run("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=fan broken")
    (node,) = of_kind(list(source.read()), NodeState)
    slurm.run("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    assert (node.state, node.reason) == ("drained", "fan broken")


def test_a_controller_that_is_gone_is_a_failed_reading(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text("ClusterName=x\nSlurmctldHost=localhost\nSlurmctldPort=1\n")
    settings = SlurmSettings(conf=str(conf), timeout_s=1.0)
    with pytest.raises(ReadError):
        SlurmSource(settings, Context("c", "head")).read()
