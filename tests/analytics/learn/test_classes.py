"""Jobs are judged when there is something new to judge by, by the model where it can be used."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from analytics.learn import classes, features, model
from analytics.learn.features import NAMES, Features
from analytics.learn.settings import LearnSettings
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.quiet import BUSY, minutes
from tests.labelled import scenario, site

SETTINGS = LearnSettings()
TRAINING: dict[str, Any] = {
    **BUSY,
    "tensor_active_ratio": 0.45,
    "dram_active_ratio": 0.4,
    "sm_occupancy_ratio": 0.35,
    "fp32_active_ratio": 0.07,
    "fp64_active_ratio": 0.0,
    "decoder_ratio": 0.0,
    "memory_used_bytes": 60 << 30,
    "memory_total_bytes": 80 << 30,
}


def judged(store: Store) -> dict[str, Any]:
    return {r["job_id"]: r for r in store.select("SELECT * FROM v_job_classes")}


def learn(store: Store, minute: float) -> None:
    classes.learn(store, world.at(minute), SETTINGS)


def test_a_busy_job_is_training(store: Store) -> None:
    job = world.job("1", name="torch-run", started=world.at(0))
    world.write(store, [job, world.given("1", 0), *minutes(0, 0, [600.0] * 40, **TRAINING)])
    learn(store, 40)
    found = judged(store)[job.job_id]
    assert (found["work"], found["framework"], found["minutes"]) == ("training", "pytorch", 40)
    assert found["model"] == model.load().version
    assert found["confidence_ratio"] >= 0.7


def test_a_job_that_does_nothing_is_idle(store: Store) -> None:
    job = world.job("1", started=world.at(0))
    rows = minutes(0, 0, [70.0] * 60, memory_used_bytes=0, memory_total_bytes=80 << 30)
    world.write(store, [job, world.given("1", 0), *rows])
    learn(store, 60)
    assert judged(store)[job.job_id]["work"] == "idle"


def test_half_an_hour_is_needed(store: Store) -> None:
    world.write(store, [world.job("1"), world.given("1", 0), *minutes(0, 0, [70.0] * 29)])
    learn(store, 29)
    assert judged(store) == {}


def test_a_job_is_judged_again_when_it_has_run_twice_as_long(store: Store) -> None:
    world.write(store, [world.job("1"), world.given("1", 0), *minutes(0, 0, [70.0] * 100)])
    seen = []
    for minute in (30, 45, 60, 61):
        learn(store, minute)
        seen += [r["minutes"] for r in judged(store).values()]
    assert seen == [30, 30, 60, 60]


def test_a_job_that_ended_is_judged_once_more(store: Store) -> None:
    given = world.given("1", 0)
    world.write(store, [world.job("1"), given, *minutes(0, 0, [70.0] * 40)])
    learn(store, 40)
    given.valid_to, given.version = world.at(50), 2
    world.write(store, [given, *minutes(0, 40, [70.0] * 10)])
    for minute in (55, 56):
        learn(store, minute)
    (found,) = judged(store).values()
    assert found["minutes"] == 50
    assert store.value("SELECT count() FROM job_classes") == 2


def test_what_is_too_much_for_one_call_is_judged_by_the_next(store: Store) -> None:
    rows = [world.job("1"), world.given("1", 0), *minutes(0, 0, [70.0] * 40)]
    world.write(store, [*rows, world.job("2"), world.given("2", 1), *minutes(1, 0, [70.0] * 40)])
    counts = []
    for minute in (40, 41):
        classes.learn(store, world.at(minute), LearnSettings(class_most=40))
        counts.append(len(judged(store)))
    assert counts == [1, 2]


def test_an_empty_store_has_no_classes(store: Store) -> None:
    learn(store, 60)
    assert judged(store) == {}


def test_without_a_model_the_rule_speaks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> model.Model:
        raise ConfigError("the model was changed")

    monkeypatch.setattr(model, "load", refuse)
    values = np.zeros((4, len(NAMES)))
    values[2, NAMES.index("active")] = 0.5
    kinds = ("interactive", "service", "batch", "batch")
    found = Features(("a", "b", "c", "d"), values, np.full(4, 60), kinds)
    with caplog.at_level(logging.ERROR):
        works, _, version = classes.judge(found)
    assert (list(works), version) == (["notebook", "inference", "training", "idle"], "rule")
    assert "the model was changed" in caplog.text


def test_the_model_beats_the_rule_on_labelled_jobs(store: Store) -> None:
    built = scenario.build(site.small(site.HOPPER, 12), site.TUNING_SEEDS[0], hours=4)
    built.write(store)
    kinds = {f"{built.cluster}/{job.number}": job.kind for job in built.facts.jobs}
    found = features.of_jobs(store, sorted(kinds), built.until)
    busy = {"train", "bursts", "throttled", "no_tensor", "input_bound"}
    inference = {"serving", "decode", "warm", "low_traffic"}
    works, _, _ = classes.judge(found)

    def right(judged: list[str]) -> int:
        pairs = zip(found.jobs, judged, strict=True)
        named = [(kinds[job], work) for job, work in pairs]
        return sum(
            (kind in busy and work == "training") or (kind in inference and work == "inference")
            for kind, work in named
        )

    known = sum(kinds[job] in busy | inference for job in found.jobs)
    assert known > 15
    assert right(list(works)) >= 0.9 * known
    assert right(list(works)) >= right(classes.rule(found))
