"""A file at the service stops what reads on every node; without it, nobody is told anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.ingest.pause import HEADER, HOLDS_S, PauseSwitch
from collector import halt
from gpuledger import envelope
from tests.analytics.ingest.doors import open_doors
from tests.analytics.web import TestClient

VERSION = "0.1.0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pause-agents"


@pytest.fixture
def door(tmp_path: Path, file: Path) -> Iterator[TestClient]:
    with open_doors(tmp_path / "relay.db") as (client, _):
        client.app.state.intake.pause = PauseSwitch(file)  # type: ignore[attr-defined]
        yield client


def told(door: TestClient, path: str = envelope.PATH, **headers: str) -> str | None:
    """The header of the answer to an envelope of nothing."""
    sent = {"X-Gpuledger-Schema": VERSION, **headers}
    word: str | None = door.post(path, content=envelope.seal([]), headers=sent).headers.get(HEADER)
    return word


def test_both_sides_call_it_the_same() -> None:
    assert halt.HEADER == HEADER
    assert HOLDS_S <= halt.LONGEST_S


def test_without_the_file_nobody_is_told(door: TestClient) -> None:
    assert told(door) is None


def test_an_empty_file_stops_everybody_from_the_next_answer_on(
    door: TestClient, file: Path
) -> None:
    file.touch()
    assert told(door) == str(HOLDS_S)
    file.unlink()
    assert told(door) is None


def test_a_version_stops_its_agents_only(door: TestClient, file: Path) -> None:
    file.write_text("0.2.0  # hangs on old drivers\n")
    assert told(door) is None
    assert told(door, **{"X-Gpuledger-Schema": "0.2.0"}) == str(HOLDS_S)


def test_the_file_may_change_while_it_is_there(door: TestClient, file: Path) -> None:
    file.write_text("0.2.0\n")
    assert told(door) is None
    file.write_text("0.2.0\n*\n")
    assert told(door) == str(HOLDS_S)


def test_a_refusal_tells_it_too(door: TestClient, file: Path) -> None:
    file.touch()
    assert told(door, Authorization="Bearer nobody") == str(HOLDS_S)
    assert told(door, f"{envelope.PATH}/no_such_table") == str(HOLDS_S)


def test_a_file_that_cannot_be_read_stops_everybody(door: TestClient, file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    assert told(door) == str(HOLDS_S)


def test_other_routes_tell_nothing(door: TestClient, file: Path) -> None:
    file.touch()
    assert HEADER not in door.get("/healthz").headers
