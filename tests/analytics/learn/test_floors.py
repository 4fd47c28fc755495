"""A power floor rests on quiet minutes alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics.learn import floors
from analytics.learn.settings import LearnSettings
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.quiet import BUSY, minutes

SETTINGS = LearnSettings()


def floor(store: Store, slot: int = 0) -> dict[str, Any]:
    rows = store.select(
        "SELECT * FROM v_power_floors WHERE gpu_id = {gpu:UInt64}", gpu=world.gpu(slot)
    )
    return rows[0] if rows else {}


def learn(store: Store, minute: float, **settings: Any) -> None:
    floors.learn(store, world.at(minute), LearnSettings(**settings) if settings else SETTINGS)


def test_bare_and_context_floors_are_apart(store: Store) -> None:
    world.write(store, minutes(0, 0, [70.0] * 40, processes=0) + minutes(0, 40, [115.0] * 50))
    learn(store, 100)
    found = floor(store)
    assert (found["bare_watts"], found["bare_minutes"]) == (70.0, 40)
    assert (found["context_watts"], found["context_minutes"]) == (115.0, 50)


def test_a_busy_phase_does_not_raise_a_floor(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * 40) + minutes(0, 40, [650.0] * 400, **BUSY))
    learn(store, 500)
    assert floor(store)["context_watts"] == 110.0


def test_minutes_that_cool_down_after_work_do_not_raise_a_floor(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * 40) + minutes(0, 40, [200.0] * 20))
    learn(store, 100)
    assert floor(store)["context_watts"] == 110.0


def test_a_floor_needs_enough_minutes(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * (SETTINGS.floor_minutes - 1)))
    learn(store, 100)
    assert floor(store) == {}


def test_a_floor_stays_while_the_gpu_is_busy(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * 40) + minutes(0, 40, [70.0] * 40, processes=0))
    learn(store, 100)
    day = 24 * 60
    world.write(store, minutes(0, 10 * day, [72.0] * 40, processes=0))
    world.write(store, minutes(0, 10 * day + 40, [650.0] * 100, **BUSY))
    learn(store, 11 * day)
    assert (floor(store)["bare_watts"], floor(store)["context_watts"]) == (72.0, 110.0)


def test_a_gpu_that_was_busy_so_far_is_learned_the_same_day(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * 40) + minutes(1, 0, [650.0] * 100, **BUSY))
    learn(store, 100)
    assert floor(store, 1) == {}
    world.write(store, minutes(1, 100, [90.0] * 40))
    learn(store, 160)
    assert floor(store, 1)["context_watts"] == 90.0


def test_a_known_floor_is_left_alone_for_a_day(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * 40) + minutes(0, 40, [70.0] * 40, processes=0))
    learn(store, 100)
    world.write(store, minutes(0, 100, [60.0] * 100, processes=0))
    learn(store, 250)
    assert floor(store)["learned"] == world.at(100)


def test_unknown_processes_make_no_floor(store: Store) -> None:
    world.write(store, minutes(0, 0, [110.0] * 60, processes=None))
    learn(store, 100)
    assert floor(store) == {}


@pytest.mark.parametrize("coder", ["decoder_ratio", "encoder_ratio"])
def test_video_work_is_not_quiet(store: Store, coder: str) -> None:
    world.write(store, minutes(0, 0, [180.0] * 60, **{coder: 0.5}))
    learn(store, 100)
    assert floor(store) == {}


def test_a_card_that_was_changed_is_learned_anew(store: Store) -> None:
    world.write(store, minutes(0, 0, [60.0] * 60) + minutes(0, 60, [90.0] * 40, uuid="GPU-new"))
    learn(store, 120)
    assert floor(store)["context_watts"] == 90.0


def test_each_gpu_has_its_own_floor(store: Store) -> None:
    world.write(store, minutes(0, 0, [60.0] * 40) + minutes(1, 0, [80.0] * 40))
    learn(store, 120)
    assert [floor(store, slot)["context_watts"] for slot in (0, 1)] == [60.0, 80.0]


def test_learning_twice_changes_nothing(store: Store) -> None:
    world.write(store, minutes(0, 0, [60.0] * 40))
    learn(store, 120)
    before = floor(store)
    learn(store, 120)
    assert floor(store) == before


def test_an_empty_store_teaches_nothing(store: Store) -> None:
    floors.learn(store, world.START + timedelta(hours=1), SETTINGS)
    assert floor(store) == {}
