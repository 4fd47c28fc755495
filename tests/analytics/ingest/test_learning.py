"""What becomes of a series by its labels: its mapping, its target, its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.ingest.learning import host_of
from gpuledger.mapping_index import Index
from gpuledger.mapping_load import load
from tests.analytics.ingest.site import (
    MEMORY,
    NOW_MS,
    POWER,
    UTIL,
    Facts,
    Site,
    Told,
    card,
    moments,
    scrape,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "journal") as one:
        yield one


def test_names_that_nobody_knows_are_counted_and_named(site: Site) -> None:
    told = {"__name__": "my_metric", "job": "mine"}
    assert site.send([(told, 1.0, NOW_MS), (told, 1.0, NOW_MS + 1)]) == {"unknown": 2}
    assert dict(site.assembler.counts.unknown) == {"my_metric": 1}


def test_a_job_that_nobody_wants_becomes_nothing(tmp_path: Path) -> None:
    with Site(tmp_path / "journal", jobs={"dcgm": ""}) as site:
        assert site.send(scrape(NOW_MS)) == {"unwanted_job": 4}


def test_what_agents_say_of_a_cards_place_counts_more_than_labels(tmp_path: Path) -> None:
    class Store:
        def select(self, _: str, **__: object) -> list[dict[str, object]]:
            return [{"uuid": "gpu-0", "node": "n1", "slot": 5}]

    with Site(tmp_path / "journal", Facts(), Store()) as site:
        site.assembler.ask_homes()
        for at_ms in moments(2):
            site.send(scrape(at_ms))
        site.step()
        assert [(r["node"], r["slot"]) for r in site.rows()][-1] == ("n1", 5)


def machine(at_ms: int) -> Iterator[Told]:
    """A machine's load, and how it names itself."""
    here = {"job": "node", "instance": "10.0.0.5:9100"}
    yield {"__name__": "node_load1", **here}, 1.5, at_ms
    yield {"__name__": "node_uname_info", "nodename": "node-7", **here}, 1.0, at_ms


def test_a_target_is_named_as_its_machine_names_itself(site: Site) -> None:
    for at_ms in moments(2):
        site.send(machine(at_ms))
    site.step()
    assert [r["node"] for r in site.rows("host_samples")] == ["node-7", "node-7"]


def test_a_target_that_was_silent_for_long_is_named_as_before(site: Site) -> None:
    for first in (-400, 0):
        for at_ms in moments(2, first):
            site.send(machine(at_ms))
        site.wait(4000)
        site.assembler.sweep()
    assert [r["node"] for r in site.rows("host_samples")] == ["node-7"] * 4


def test_a_name_that_came_after_its_target_is_known_in_the_next_life(site: Site) -> None:
    load, name = machine(NOW_MS)
    site.send([load])
    site.send([name, next(iter(machine(NOW_MS + 15_000)))])
    site.crash()
    site.step()
    assert [r["node"] for r in site.rows("host_samples")] == ["node-7", "node-7"]


def test_series_for_which_there_was_no_room_are_taken_once_there_is(tmp_path: Path) -> None:
    with Site(tmp_path / "journal", max_series=4) as site:
        site.send(scrape(moments(1, -300)[0]))
        assert site.send([card(POWER, 5, NOW_MS, 1)]) == {"too_many_series": 1}
        site.wait(200)
        site.now_s += 4000
        site.assembler.sweep()
        assert site.send([card(POWER, 5, NOW_MS, 1)]) == {"accepted": 1}


def test_a_series_that_comes_while_others_are_forgotten_is_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = card(POWER, 5, moments(1, -300)[0]), card(UTIL, 5, NOW_MS - 15_000)
    fresh = card(MEMORY, 5, NOW_MS)
    site.send([gone])
    site.wait(200)
    site.now_s += 3500
    site.send([stays])
    site.wait(200)
    sender = threading.Thread(target=lambda: site.send([fresh]))
    sweep, accept = site.assembler.learner.sweep, site.journal.accept

    def swept(unseen_s: float) -> object:
        sender.start()
        return sweep(unseen_s)

    def accepted(*told: Any) -> list[bool]:
        if threading.current_thread() is not sender:
            sender.join(5)
        return accept(*told)

    monkeypatch.setattr(site.assembler.learner, "sweep", swept)
    monkeypatch.setattr(site.journal, "accept", accepted)
    site.assembler.sweep()
    sender.join(5)
    site.crash()
    site.wait(200)
    assert site.rows()[-1]["memory_used_mib"] == 5


def test_a_series_that_two_servers_tell_of_takes_the_room_of_one(tmp_path: Path) -> None:
    with Site(tmp_path / "journal", max_series=4) as site:
        for at_ms, replica in zip(moments(4), "abab", strict=True):
            told = [({**n, "prometheus_replica": replica}, v, t) for n, v, t in scrape(at_ms)]
            assert site.send(told) == {"accepted": 4}
        assert site.assembler.learner.size == 4


def test_without_a_name_of_its_own_a_target_is_its_host(site: Site) -> None:
    labels = {"__name__": "node_load1", "job": "node", "instance": "node-8:9100"}
    for at_ms in moments(2):
        site.send([(labels, 1.5, at_ms)])
    site.step()
    assert {r["node"] for r in site.rows("host_samples")} == {"node-8"}


def test_labels_in_another_order_are_the_same_series(site: Site) -> None:
    from analytics.ingest import protobuf

    labels, value, at_ms = card(POWER, 5, NOW_MS)
    head = protobuf.TimeSeries(
        labels=[{"name": n, "value": labels[n]} for n in sorted(labels, reverse=True)]
    ).SerializeToString()
    site.send([(labels, value, at_ms)])
    assert site.assembler.take(protobuf.Samples([head], [value], [at_ms])) == {"duplicate": 1}


@pytest.mark.parametrize(
    ("job", "expected"),
    [("triton-server", "triton"), ("vllm", "vllm"), ("models", "vllm"), ("special", "triton")],
)
def test_a_name_that_two_mappings_know_is_its_jobs_then_its_own(job: str, expected: str) -> None:
    index = Index([load("triton"), load("vllm")], {"special": "triton"})
    found = index.choose("vllm:prompt_tokens_total", job)
    assert found
    assert found.name == expected


@pytest.mark.parametrize(
    ("instance", "host"),
    [("n1:9100", "n1"), ("[::1]:9100", "::1"), ("n1", "n1"), ("http://n1/x", "http://n1/x")],
)
def test_the_host_of_an_instance_is_without_its_port(instance: str, host: str) -> None:
    assert host_of(instance) == host
