"""The framework of a job, where its processes or names tell it."""

from __future__ import annotations

import pytest

from analytics.learn import framework
from gpuledger.catalogue import ProcessSample
from gpuledger.store import Store
from tests.analytics import world


@pytest.mark.parametrize(
    ("name", "executables", "said"),
    [
        ("sft-torchtune-8b", ["python"], "pytorch"),
        ("deepspeed_run_3", [], "pytorch"),
        ("keras-cnn", ["python3"], "tensorflow"),
        ("serve", ["tensorflow_model_server"], "tensorflow"),
        ("maxtext.v5", ["python"], "jax"),
        ("train", ["python3.11"], ""),
        ("tfidf-index", ["python"], ""),
        ("torch-to-jax", ["python"], ""),
        ("keras-cnn", ["torchrun"], ""),
        ("", [], ""),
    ],
)
def test_names_tell_or_do_not(name: str, executables: list[str], said: str) -> None:
    assert framework.of(name, executables) == said


@pytest.mark.parametrize(
    ("name", "mapped", "said"),
    [
        ("train", ["jax"], "jax"),
        ("torch-to-jax", ["jax"], "jax"),
        ("keras-cnn", ["pytorch"], "pytorch"),
        ("train", ["jax", "pytorch"], ""),
        ("torch-train", ["jax", "pytorch"], "pytorch"),
        ("torch-train", [], "pytorch"),
    ],
)
def test_what_is_mapped_outweighs_names(name: str, mapped: list[str], said: str) -> None:
    assert framework.of(name, ["python"], mapped) == said


def process(minute: float, executable: str, mapped: str = "") -> ProcessSample:
    return ProcessSample.known(
        ts=world.at(minute),
        interval_seconds=60,
        cluster=world.CLUSTER,
        node="n0",
        slot=0,
        gpu_id=world.gpu(0),
        pid=7,
        user="ana",
        executable=executable,
        started=world.START,
        framework=mapped,
    )


def test_processes_of_the_job_itself_count(store: Store) -> None:
    world.write(
        store,
        [
            *(world.job("1", name="serve"), world.job("2", name="serve")),
            world.given("1", 0, until=world.at(10)),
            world.given("2", 0, since=world.at(10)),
            *(process(5, "tensorflow_model_server"), process(15, "torchserve")),
        ],
    )
    ids = [f"{world.CLUSTER}/{n}" for n in (1, 2)]
    found = framework.of_jobs(store, ids, world.at(0), world.at(20))
    assert found == {ids[0]: "tensorflow", ids[1]: "pytorch"}


def test_a_job_of_nameless_processes_is_told_by_what_they_mapped(store: Store) -> None:
    processes = [process(4, "python3"), process(5, "python3", "jax")]
    world.write(store, [world.job("1", name="run"), world.given("1", 0), *processes])
    found = framework.of_jobs(store, [f"{world.CLUSTER}/1"], world.at(0), world.at(20))
    assert found == {f"{world.CLUSTER}/1": "jax"}


def test_a_job_without_processes_has_its_name(store: Store) -> None:
    world.write(store, [world.job("1", name="jax-1")])
    found = framework.of_jobs(store, [f"{world.CLUSTER}/1"], world.at(0), world.at(20))
    assert found == {f"{world.CLUSTER}/1": "jax"}
