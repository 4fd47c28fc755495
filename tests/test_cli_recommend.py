"""`gpuledger recommend`: deciding on advice, its end, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.analytics.command import complaint, filled, output, rows


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a booked store of two GPUs, one of which idles."""
    return filled(tmp_path_factory.mktemp("booked") / "store")


def test_advice_is_snoozed_accepted_and_applied_and_no_more(store: str) -> None:
    there = ("--store", store)
    told = output("recommend", "list", *there)
    assert "GPU-hours, each counted once" in told
    (found,) = rows(output("recommend", "list", *there, "--format", "json"))
    short = found["recommendation_id"][:8]
    assert found["undo"].splitlines()[-1] == "scontrol requeue 2"
    assert found["net_gain_gpu_hours"] == found["gain_gpu_hours"]

    told = output("recommend", "snooze", short, *there, "--until", "300d")
    assert told.startswith(short)
    assert ": snoozed until 2" in told
    assert output("recommend", "list", *there) == (
        "Nothing to recommend.\nnot listed: 1 snoozed (--status shows them)\n"
    )

    decided: dict[str, Any] = json.loads(
        output("recommend", "accept", short, *there, "--by", "lea", "--format", "json")
    )
    assert (decided["status"], decided["by"]) == ("accepted", "lea")
    output("recommend", "applied", short, *there, "--reason", "ended it")
    (applied,) = rows(
        output("recommend", "list", *there, "--status", "applied", "--format", "json")
    )
    assert applied["recommendation_id"] == found["recommendation_id"]
    life = json.loads(output("recommend", "show", short, *there, "--format", "json"))["life"]
    assert [s["status"] for s in life] == ["snoozed", "accepted", "applied"]
    shown = output("recommend", "show", short, *there)
    assert shown.startswith(f"{found['recommendation_id']}: {found['title']}")
    assert "ended it" in shown
    assert " GPU-hours in " in shown
    assert f"\n\n{found['command']}\n" in shown
    assert f"What takes them back:\n\n{found['undo']}\n" in shown
    assert output("recommend", "outcomes", *there) == "No outcome yet.\n"

    said = complaint(2, "recommend", "dismiss", short, *there, "--reason", "x", "--until", "7d")
    assert "is applied: it can only become measured or not_measurable, not dismissed" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("snooze", "", "--until", "9999d"), "a snooze lasts 366 days at most"),
        (("dismiss", "zz", "--reason", "x"), "a dismissal ends: give --until 7d or a date"),
        (("dismiss", "zz", "--until", "7d"), "a dismissal needs a reason"),
        (("snooze", "zz", "--until", "soon"), "--until soon: write 12h, 7d or"),
        (("accept", "zz"), "no recommendation begins with 'zz'"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(
    store: str, words: tuple[str, ...], said: str
) -> None:
    assert said in complaint(2, "recommend", *words, "--store", store)


def test_a_store_that_is_not_there_is_said(tmp_path: Path) -> None:
    missing = f"chdb://{tmp_path}/none/store"
    assert "no gpuledger store" in complaint(2, "recommend", "list", "--store", missing)
