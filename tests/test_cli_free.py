"""`gpuledger free` prints what can be had now, and one line for what it cannot answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from analytics.placing.free import free
from gpuledger.catalogue import BookedHour
from gpuledger.cli import free as command
from gpuledger.cli import options
from gpuledger.errors import ConfigError
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, cells, given, job, write


def signed() -> BookedHour:
    return BookedHour(
        hour=START,
        fingerprint=1,
        booked_until=at(2),
        owned_seconds=0,
        booked_at=at(2),
        version=1,
    )


def now(state: str, slot: int, node: str = "n0", cause: str = "", native: str = "") -> list[Row]:
    """An owned GPU in one state in the last booked minute."""
    told = cells(state, [1], slot, node, native=native)
    for cell in told:
        cell.cause = cause
    return [asset(slot, node), *told]


@pytest.fixture
def site(store: Store) -> Store:
    """A node with five free GPUs, one with two; the rest is in use or not usable."""
    rows = [
        *(r for slot in range(5) for r in now("free_surplus", slot)),
        *now("held", 5, cause="reservation"),
        *now("stranded", 6, cause="cpu_ram"),
        *now("productive", 7, native="1"),
        *now("free_demand", 0, "n1"),
        *now("stranded", 1, "n1", cause="gpu_count_on_node"),
        *now("productive", 2, "n1", native="2"),
        *now("fault", 3, "n1"),
        *(job("1", started=START, ends_by=at(90)), given("1", 7)),
        *(job("2", started=START, ends_by=at(30)), given("2", 2, "n1")),
        signed(),
    ]
    write(store, rows)
    return store


def row(store: Store) -> dict[str, Any]:
    _, rows = free(store)
    (found,) = rows
    return found


def test_free_gpus_are_counted_in_blocks_on_one_node(site: Store) -> None:
    found = row(site)
    assert (found["owned_gpus"], found["used_gpus"], found["free_gpus"]) == (12, 2, 7)
    assert [found[f"blocks_{n}"] for n in (1, 2, 4, 8)] == [7, 3, 1, 0]


def test_what_is_not_usable_says_why(site: Store) -> None:
    expected = {"fault": 1, "held reservation": 1, "stranded cpu_ram": 1}
    assert row(site)["not_usable"] == expected


def test_the_next_gpus_come_free_when_the_first_job_must_end(site: Store) -> None:
    found = row(site)
    assert (found["next_free"], found["next_free_gpus"]) == (at(30), 1)


def test_a_gpu_of_which_a_part_is_held_is_not_free(site: Store) -> None:
    write(site, cells("held", [1], 0))
    assert row(site)["free_gpus"] == 6


def test_only_the_last_booked_minute_counts(site: Store) -> None:
    write(site, [*now("free_surplus", 6, "n9"), *cells("fault", [0], 7, "n9"), asset(7, "n9")])
    assert row(site)["owned_gpus"] == 13


def test_a_model_is_found_by_a_part_of_its_name(site: Store) -> None:
    assert len(free(site, "h100")[1]) == 1
    with pytest.raises(ConfigError, match="model a100: no GPU is called so"):
        free(site, "a100")


def told(store: Store, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What the command prints."""
    monkeypatch.setattr(options, "open_for_questions", lambda *_: store)
    done = CliRunner().invoke(
        command.command, ["--store", "chdb:///nowhere", *arguments], catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.output


def test_a_table_has_a_line_for_each_model(site: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    output = told(site, monkeypatch)
    assert "Free at 2026-03-02 10:02 UTC" in output
    assert "1 by 03-02 10:30" in output
    assert "1 held reservation" in output


def test_programs_get_json_and_csv(site: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = json.loads(told(site, monkeypatch, "--format", "json"))
    assert found["next_free"] == "2026-03-02T10:30:00Z"
    assert told(site, monkeypatch, "--format", "csv").count("\n") == 2


def test_without_a_book_there_is_nothing_to_tell(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(store, monkeypatch) == "No GPU owned: nothing was booked yet.\n"
    assert told(store, monkeypatch, "--format", "json") == "[]\n"
