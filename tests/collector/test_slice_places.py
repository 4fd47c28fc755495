"""Where MIG slices are cut from: a real child process over the fake driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.slice_places import SlicePlaces
from tests.collector.support import FakeClock
from tests.fakes import nvml
from tests.fakes.nvml import models


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The fake library, and the file that it answers from."""
    scenario = tmp_path / "scenario"
    monkeypatch.setenv(nvml.SCENARIO_VARIABLE, str(scenario))
    return nvml.build(tmp_path), scenario


def test_a_slice_is_cut_from_the_card_that_lists_it(driver: tuple[Path, Path]) -> None:
    library, scenario = driver
    world = models.of(nvml.h100(0), models.sliced(1))
    world.write(scenario)
    places = SlicePlaces(str(library))
    slot, share = places(world.gpus[1].slices[3].uuid) or (None, None)
    assert slot == 1
    assert share in range(100, 160)


def test_a_slice_that_nobody_lists_is_asked_for_once_a_minute(driver: tuple[Path, Path]) -> None:
    library, scenario = driver
    models.of(models.sliced(0)).write(scenario)
    clock = FakeClock()
    places = SlicePlaces(str(library), clock.clock.monotonic)
    new = models.recut(0).slices[0].uuid
    assert places(new) is None
    models.of(models.recut(0)).write(scenario)
    assert places(new) is None
    clock.pass_s(60)
    assert places(new) is not None


def test_without_a_driver_no_slice_has_a_place(tmp_path: Path) -> None:
    assert SlicePlaces(str(tmp_path / "none.so"))("MIG-x") is None


def test_a_driver_that_does_not_answer_in_time_is_given_up() -> None:
    assert SlicePlaces(timeout_s=0.0)("MIG-x") is None
