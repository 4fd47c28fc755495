"""`gpuledger doctor`: where it looks, what it leaves alone, and that it says only its checks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gpuledger.catalogue import Quarantine
from gpuledger.checks import Verdict
from gpuledger.cli.doctor import default_spool, odd, quarantined
from gpuledger.service import ServiceFile
from gpuledger.store import Store
from tests.analytics.command import run
from tests.analytics.world import asset, at, booked, cells, samples, write

CONFIG = '[agent]\nsources = ["tcp"]\n'


def doctored(home: Path, *arguments: object, **environment: str) -> dict[str, dict[str, str]]:
    """Checks by name; nothing may be on standard error."""
    config = home / "gpuledger.toml"
    config.write_text(CONFIG)
    spool = home / "spool.db"
    words = ("--config", config, "--spool", spool, "--format", "json", *arguments)
    done = run("doctor", *words, **environment)
    assert done.stderr == ""
    return {check["name"]: check for check in json.loads(done.stdout)}


def test_a_spool_is_looked_for_where_the_service_keeps_it(tmp_path: Path) -> None:
    installed = tmp_path / "spool.db"
    assert default_spool({}, installed) == Path("gpuledger-spool.db")
    installed.touch()
    assert default_spool({}, installed) == installed
    assert default_spool({"STATE_DIRECTORY": "/state:/other"}, installed) == Path("/state/spool.db")


def test_a_folder_that_may_not_be_entered_is_where_the_spool_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refused)
    assert default_spool({}, tmp_path / "spool.db") == tmp_path / "spool.db"


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = doctored(tmp_path, "--store", f"chdb://{tmp_path / 'none'}")
    assert (found["store"]["verdict"], found["store"]["found"]) == (
        "wrong",
        f"there is no gpuledger store in {tmp_path / 'none'}",
    )
    assert not (tmp_path / "none").exists()


def test_a_store_that_a_service_holds_is_asked_through_the_service(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    (directory / "metadata").mkdir(parents=True)
    ServiceFile(directory).write("http://127.0.0.1:8080", "t")
    found = doctored(tmp_path, "--store", f"chdb://{directory}")
    assert found["store"]["verdict"] == "note"
    assert found["store"]["advice"].endswith("doctor --ingest http://127.0.0.1:8080")


def test_addresses_that_nobody_answers_are_a_line_each(tmp_path: Path) -> None:
    doors = ("--store", "http://127.0.0.1:9", "--ingest", "http://127.0.0.1:9")
    found = doctored(tmp_path, *doors)
    assert "cannot be reached" in found["store"]["found"]
    assert "cannot be reached" in found["service"]["found"]


def test_an_address_without_a_scheme_is_not_asked(tmp_path: Path) -> None:
    found = doctored(tmp_path, "--ingest", "localhost:8080")
    assert "write http(s)://host:port" in found["service"]["found"]


def test_a_token_file_that_is_not_there_is_a_check_among_the_others(tmp_path: Path) -> None:
    found = doctored(tmp_path, "--ingest", "http://127.0.0.1:9", GPULEDGER_TOKEN_FILE="/nowhere")
    assert found["token"]["verdict"] == "wrong"
    assert "/nowhere" in found["token"]["found"]
    assert {"service", "spool", "packages"} <= found.keys()


def test_rows_that_were_kept_aside_this_week_are_named(store: Store) -> None:
    assert list(quarantined(store)) == []
    now = datetime.now(UTC)
    for days, node in ((1, "n1"), (2, "n2"), (9, "n3")):
        row = Quarantine(
            ts=now - timedelta(days=days),
            node=node,
            of="gpu_samples",
            reason="late",
            rows=5,
            body="",
        )
        store.insert_rows([row])
    (check,) = quarantined(store)
    assert check.verdict is Verdict.WRONG
    assert check.found == "10 rows for gpu_samples were kept aside: late (n1, n2)"


def test_what_is_odd_about_the_book_is_named_with_what_to_do(store: Store) -> None:
    assert list(odd(store)) == []
    write(
        store, [asset(0), *samples(5, 0, 10), *booked(cells("free_surplus", range(120)), at(120))]
    )
    (check,) = odd(store)
    assert (check.name, check.verdict) == ("unknown GPUs", Verdict.NOTE)
    assert check.found == "1 GPUs report and are on no asset list: n0 GPU 5"
    assert "gpuledger assets import" in check.advice
