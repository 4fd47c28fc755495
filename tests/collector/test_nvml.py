"""The NVIDIA source above the real nvidia-ml-py and a fake driver, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import nvml

# Reads when told to; the clock moves one second per reading, whatever the machine does.
CHILD = """
import json, sys
from pathlib import Path
from collector.pace import Tick
from collector.source import Clock, Context
from collector.sources.nvml import source
from collector.stamp import Stamp
from gpuledger.errors import GpuledgerError

now = [1000.0]
clock = Clock(lambda: 1_800_000_000.0 + now[0], lambda: now[0])
here = Context("c", "n1", root=Path(sys.argv[1]), clock=clock)
stamp = Stamp(here, 0)
nvml = source.make(source.settings(), here)
for line in sys.stdin:
    now[0] += 1.0
    rows = []
    try:
        for row in nvml.read():
            stamp.apply(row, Tick(int(now[0] * 1000), 1.0))
            rows.append({"table": row.table.name, **row.__dict__})
        print(json.dumps(rows, default=str), flush=True)
    except GpuledgerError as e:
        print(json.dumps({"error": type(e).__name__, "text": str(e)}), flush=True)
nvml.close()
"""


class Machine:
    """A process with the source in it; `read` lets it read once."""

    def __init__(self, environment: dict[str, str], root: Path = Path("/")) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(root)],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("read\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def table(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.read() if row["table"] == name]

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()
            assert self.process.wait(10) == 0


Start = Callable[..., Machine]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nvml")


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[Machine] = []

    def begin(scenario: nvml.Scenario, *, old_driver: bool = False) -> Machine:
        scenario.write(tmp_path / "scenario")
        library = nvml.build(folder, old_driver=old_driver)
        started.append(Machine(nvml.environment(library, tmp_path / "scenario")))
        return started[-1]

    yield begin
    for machine in started:
        machine.close()


@pytest.fixture
def change(tmp_path: Path) -> Callable[[nvml.Scenario], None]:
    return lambda scenario: scenario.write(tmp_path / "scenario")


def of_slot(rows: list[dict[str, Any]], slot: int) -> dict[str, Any]:
    (row,) = [r for r in rows if r["slot"] == slot]
    return row


def values(row: dict[str, Any]) -> dict[str, Any]:
    """What the device said, without stamps and identity."""
    own = ("slot", "uuid", "gpu_id", "table", "ts", "interval_seconds", "cluster", "node", "epoch")
    return {k: v for k, v in row.items() if k not in own}


def test_a_healthy_node_tells_everything_of_every_gpu(start: Start) -> None:
    machine = start(nvml.healthy())
    machine.read()
    rows = machine.table("gpu_samples")
    assert [r["slot"] for r in rows] == list(range(8))
    row = rows[0]
    assert None not in row.values()
    assert row["utilization_ratio"] == 0.97
    assert row["memory_used_bytes"] == 64 * nvml.GIB
    assert (row["power_watts"], row["power_limit_watts"]) == (620.0, 700.0)
    assert (row["temperature_celsius"], row["memory_temperature_celsius"]) == (63, 71)
    assert (row["sm_clock_hertz"], row["memory_clock_hertz"]) == (1.755e9, 2.619e9)
    assert (row["active_seconds"], row["lost_seconds"], row["processes"]) == (1.0, 0.0, 0)


def test_activity_is_measured_between_two_readings(start: Start) -> None:
    machine = start(nvml.healthy(1))
    (first,) = machine.table("gpu_samples")
    (second,) = machine.table("gpu_samples")
    assert (first["sm_active_ratio"], first["active_seconds"]) == (None, 0.0)
    assert second["sm_active_ratio"] == pytest.approx(0.85, abs=0.01)
    assert second["tensor_active_ratio"] == pytest.approx(0.55, abs=0.01)
    assert second["dram_active_ratio"] == pytest.approx(0.45, abs=0.01)


def test_sm_activity_outweighs_utilization_in_active_time(start: Start) -> None:
    world = nvml.healthy(2)
    world.gpus[0].sm = 0.0
    world.gpus[1].gpm = 0
    machine = start(world)
    machine.read()
    spinning, before_hopper = machine.table("gpu_samples")
    assert (spinning["utilization_ratio"], spinning["active_seconds"]) == (0.97, 0.0)
    assert (before_hopper["sm_active_ratio"], before_hopper["active_seconds"]) == (None, 1.0)


def test_the_inventory_is_told_at_the_start_and_not_each_time(start: Start) -> None:
    machine = start(nvml.healthy(2))
    cards = machine.table("gpus")
    assert [(c["slot"], c["model"]) for c in cards] == [
        (0, "NVIDIA H100 80GB HBM3"),
        (1, "NVIDIA H100 80GB HBM3"),
    ]
    assert cards[0]["driver"] == "550.127.05"
    assert cards[0]["uuid"].startswith("GPU-")
    assert machine.table("gpus") == []


def test_the_slot_is_the_minor_number_not_the_index(start: Start) -> None:
    world = nvml.healthy(2)
    world.gpus[0].minor, world.gpus[1].minor = 5, 4
    assert [r["slot"] for r in start(world).table("gpu_samples")] == [5, 4]


def test_a_gpu_lost_in_mid_run_keeps_its_name_and_comes_back(
    start: Start, change: Callable[[nvml.Scenario], None]
) -> None:
    world = nvml.healthy()
    machine = start(world)
    machine.read()
    before = of_slot(machine.table("gpu_samples"), 3)
    world.gpus[3].state = "lost"
    change(world)
    rows = machine.read()
    (event,) = [r for r in rows if r["table"] == "gpu_events"]
    assert (event["slot"], event["kind"], event["code"]) == (3, "lost", 15)
    samples = [r for r in rows if r["table"] == "gpu_samples"]
    lost = of_slot(samples, 3)
    assert lost["uuid"] == before["uuid"]
    assert lost["gpu_id"] == before["gpu_id"]
    said = {k: v for k, v in values(lost).items() if v is not None}
    assert said == {"lost_seconds": 1.0}
    assert all(of_slot(samples, s)["power_watts"] == 620.0 for s in range(8) if s != 3)
    assert machine.table("gpu_events") == []
    world.gpus[3].state = "ok"
    change(world)
    rows = machine.read()
    (event,) = [r for r in rows if r["table"] == "gpu_events"]
    assert (event["slot"], event["kind"]) == (3, "recovered")
    back = of_slot([r for r in rows if r["table"] == "gpu_samples"], 3)
    assert (back["power_watts"], back["lost_seconds"]) == (620.0, 0.0)


@pytest.mark.parametrize(("state", "code"), [("reset_required", 16), ("unknown", 999)])
def test_a_gpu_that_wants_a_reset_or_answers_nothing_is_lost_too(
    start: Start, change: Callable[[nvml.Scenario], None], state: str, code: int
) -> None:
    world = nvml.healthy(2)
    machine = start(world)
    machine.read()
    world.gpus[0].state = state
    change(world)
    (event,) = machine.table("gpu_events")
    assert (event["slot"], event["code"]) == (0, code)


def test_a_gpu_lost_before_the_agent_came_is_a_row_without_a_name(start: Start) -> None:
    world = nvml.healthy(2)
    world.gpus[1].state = "lost"
    rows = start(world).read()
    samples = [r for r in rows if r["table"] == "gpu_samples"]
    assert [(r["slot"], r["uuid"] == "") for r in samples] == [(0, False), (1, True)]
    assert [r["kind"] for r in rows if r["table"] == "gpu_events"] == ["lost"]


def test_a_card_that_supports_nothing_is_named_and_otherwise_missing(start: Start) -> None:
    world = nvml.healthy(2)
    world.gpus[0] = nvml.geforce(0)
    machine = start(world)
    machine.read()
    geforce, h100 = machine.table("gpu_samples")
    said = {k: v for k, v in values(geforce).items() if v is not None}
    assert said == {"lost_seconds": 0.0}
    assert h100["power_watts"] == 620.0


def test_an_old_driver_lacks_calls_and_still_tells_what_it_can(start: Start) -> None:
    machine = start(nvml.healthy(1), old_driver=True)
    machine.read()
    (row,) = machine.table("gpu_samples")
    assert (row["utilization_ratio"], row["power_watts"]) == (0.97, 620.0)
    assert row["memory_used_bytes"] is not None
    assert (row["sm_active_ratio"], row["processes"]) == (None, None)


def test_without_permission_a_value_is_missing_and_asked_again(
    start: Start, change: Callable[[nvml.Scenario], None]
) -> None:
    world = nvml.healthy(1)
    world.gpus[0].no_permission = ("nvmlDeviceGetPowerUsage",)
    machine = start(world)
    assert machine.table("gpu_samples")[0]["power_watts"] is None
    world.gpus[0].no_permission = ()
    change(world)
    assert machine.table("gpu_samples")[0]["power_watts"] == 620.0


def test_processes_are_told_with_their_owner(start: Start) -> None:
    world = nvml.healthy(1)
    world.gpus[0].processes = [
        nvml.Process(os.getpid(), memory_bytes=3 * nvml.GIB),
        nvml.Process(4_000_000_000),
    ]
    rows = start(world).read()
    mine, unknown = (r for r in rows if r["table"] == "process_samples")
    assert (mine["pid"], mine["memory_used_bytes"]) == (os.getpid(), 3 * nvml.GIB)
    assert mine["executable"].startswith("python")
    assert mine["user"] != ""
    assert (unknown["user"], unknown["executable"]) == ("", "")
    assert [r["processes"] for r in rows if r["table"] == "gpu_samples"] == [2]


def test_a_machine_without_a_driver_says_so(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    machine = Machine(environment, tmp_path)
    answer = machine.read()
    machine.close()
    assert answer == {
        "error": "Unavailable",
        "text": "no NVIDIA driver (libnvidia-ml.so.1 not found)",
    }


def test_a_driver_without_gpus_is_not_a_gpu_machine(start: Start) -> None:
    answer = start(nvml.healthy(0)).read()
    assert answer["error"] == "Unavailable"


def test_a_driver_that_is_not_loaded_yet_is_asked_again(
    start: Start, change: Callable[[nvml.Scenario], None]
) -> None:
    world = nvml.healthy(1)
    world.init_error = 9
    machine = start(world)
    assert machine.read()["error"] == "Unavailable"
    world.init_error = 0
    change(world)
    assert len(machine.table("gpu_samples")) == 1
