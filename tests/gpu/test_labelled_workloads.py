"""Labelled workloads on a real NVIDIA GPU (`pytest -m gpu tests/gpu -s`); never part of CI.

Each runs GPULEDGER_WORKLOAD_S seconds (300) while the agent reads the card into an embedded store;
then the runner books and judges. With $OUT, or with GPULEDGER_KEEP_MEASUREMENTS=1 under
docs/measurements, labelled-gpu.json and labelled-gpu.md are written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analytics.runner import Runner
from collector.nvml import load_pynvml
from collector.run import build
from collector.source import Context
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Allocation, Job
from gpuledger.catalogue.work import version
from gpuledger.config import Config
from gpuledger.errors import Unavailable
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.states import LedgerSettings
from gpuledger.store import Store
from tests.labelled.workloads import WORKLOADS, Outcome, Workload, markdown, outcome, shorter

pytestmark = pytest.mark.gpu

REPOSITORY = Path(__file__).parents[2]
CLUSTER, NODE = "gpu-test", "n1"
SECONDS = float(os.environ.get("GPULEDGER_WORKLOAD_S", "300"))
START_S, DELIVERY_S = 120.0, 75.0


@dataclass(frozen=True)
class Ran:
    """One workload, and when it ran."""

    workload: Workload
    job: str
    since: datetime
    until: datetime


@pytest.fixture(scope="module")
def slot() -> int:
    """Minor number of the first card."""
    try:
        nvml = load_pynvml()
    except Unavailable as e:
        pytest.skip(str(e))
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as e:
        pytest.skip(str(e))
    try:
        return int(nvml.nvmlDeviceGetMinorNumber(nvml.nvmlDeviceGetHandleByIndex(0)))
    finally:
        nvml.nvmlShutdown()


@pytest.fixture(scope="module")
def outcomes(engine: Store, slot: int, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """All workloads, run one after another and judged."""
    context = Context(CLUSTER, NODE)
    spool = tmp_path_factory.mktemp("agent") / "spool.db"
    sources = Config({"agent": {"sources": ["nvml", "host", "storage", "cgroups"]}})
    agent = build(sources, context, spool, store=engine)
    agent.start()
    try:
        ran = [_run(engine, workload, i, slot) for i, workload in enumerate(WORKLOADS)]
        time.sleep(DELIVERY_S)
    finally:
        agent.stop()
    told = {"ledger": shorter(SECONDS, LedgerSettings.__struct_fields__)}
    Runner(engine, Config(told)).tick(datetime.now(UTC))
    judged = [_judged(engine, one) for one in ran]
    _keep(judged, _device(engine))
    return judged


def _run(store: Store, workload: Workload, number: int, slot: int) -> Ran:
    """Run one program as a job of its own, as a scheduler would tell of it."""
    job = job_id(CLUSTER, 1000 + number)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    command = [sys.executable, "-c", workload.program, str(SECONDS)]
    since = _now()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            pytest.skip("PyTorch with CUDA is not installed")
        assert process.wait(SECONDS + START_S) == 0
    finally:
        process.kill()
        process.communicate()
    until = _now()
    store.insert_rows([_job(workload, job, since, until)])
    store.insert_rows([_allocation(job, slot, since, until)])
    return Ran(workload, job, since, until)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _job(workload: Workload, job: str, since: datetime, until: datetime) -> Job:
    return Job(
        job_id=job,
        cluster=CLUSTER,
        name=workload.name,
        user="tester",
        team="tests",
        pool="gpu",
        state="completed",
        kind="interactive" if "notebook" in workload.name else "batch",
        gpus_per_node=1,
        memory_bytes=None,
        submitted=since,
        eligible=since,
        started=since,
        ended=until,
        seen_at=until,
        version=version(8, to_milliseconds(until)),
    )


def _allocation(job: str, slot: int, since: datetime, until: datetime) -> Allocation:
    gpu = gpu_id(CLUSTER, NODE, slot)
    return Allocation(
        gpu_id=gpu,
        alloc_id=alloc_id(job, 0, gpu),
        job_id=job,
        cluster=CLUSTER,
        node=NODE,
        valid_from=since,
        valid_to=until,
        source="slurm",
        seen_at=until,
        version=version(8, to_milliseconds(until)),
    )


def _judged(store: Store, ran: Ran) -> Outcome:
    cells = store.select(
        "SELECT minute, argMax(state, gpu_seconds) AS state FROM v_book_1m"
        " WHERE job = {job:String} GROUP BY minute ORDER BY minute",
        job=ran.job,
    )
    findings = store.select(
        "SELECT kind, cause FROM v_findings WHERE subject = {job:String}", job=ran.job
    )
    return outcome(ran.workload, cells, findings)


def _device(store: Store) -> str:
    found = store.select("SELECT any(model) AS model, any(driver) AS driver FROM gpus FINAL")[0]
    return f"{found['model']}, driver {found['driver']}"


def _keep(judged: list[Outcome], device: str) -> None:
    """Write the page, where that was asked for."""
    folder = os.environ.get("OUT")
    if os.environ.get("GPULEDGER_KEEP_MEASUREMENTS") == "1":
        folder = folder or str(REPOSITORY / "docs/measurements")
    if not folder:
        return
    told: dict[str, Any] = {"device": device, "seconds": SECONDS}
    told["workloads"] = [asdict(o) for o in judged]
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, "labelled-gpu.json").write_text(json.dumps(told, indent=2) + "\n")
    Path(folder, "labelled-gpu.md").write_text(markdown(judged, device, SECONDS))


@pytest.mark.parametrize("number", range(len(WORKLOADS)), ids=[w.name for w in WORKLOADS])
def test_a_workload_is_booked_as_what_it_is(outcomes: list[Outcome], number: int) -> None:
    told = outcomes[number]
    assert told.state_right, told


@pytest.mark.parametrize("number", range(len(WORKLOADS)), ids=[w.name for w in WORKLOADS])
def test_a_workload_is_found_by_the_right_detector(outcomes: list[Outcome], number: int) -> None:
    told = outcomes[number]
    assert told.kind_right, told


def test_causes_are_right_where_they_are_told(outcomes: list[Outcome]) -> None:
    asked = [o for o in outcomes if o.cause_right is not None]
    assert sum(bool(o.cause_right) for o in asked) >= 0.85 * len(asked), asked
