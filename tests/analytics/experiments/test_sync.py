"""Runs of a real tracking server become jobs and are told what they used."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from analytics.experiments.server import MlflowSettings, Tracking
from analytics.experiments.sync import Experiments
from gpuledger.errors import ConfigError, ReadError
from gpuledger.store import Store
from tests.analytics.world import asset, at, booked, cells, given, job, write
from tests.components.fixtures import or_skip
from tests.components.mlflow import Mlflow

HOUR = 60
NOW = at(HOUR + 5)


EXPERIMENTS = ("whole", "open", "silent", "view", "often")
Recorded = tuple[Mlflow, dict[str, str]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A server with a run in each experiment, made by MLflow's own client; ids of the runs."""
    with or_skip(Mlflow(tmp_path_factory.mktemp("mlflow"))) as server:
        ids = server.record([run(name) for name in EXPERIMENTS])
        yield server, dict(zip(EXPERIMENTS, ids, strict=True))


def milliseconds(minute: float) -> int:
    return round(at(minute).timestamp() * 1000)


def run(experiment: str) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "name": "bold-owl",
        "started": milliseconds(10.5),
        "ended": None if experiment == "open" else milliseconds(40),
        "state": "FINISHED",
        "tags": {"mlflow.user": "ana", "SLURM_JOB_ID": "1"},
        "parameters": {"lr": "0.1"},
        "metrics": {"loss": 0.25},
    }


def settings(server: Mlflow, experiment: str, **changed: Any) -> MlflowSettings:
    return MlflowSettings(uri=server.url, experiments=(experiment,), look_back_h=1e6, **changed)


def filled(store: Store) -> None:
    told = [
        *cells("productive", range(30), native="1"),
        *cells("alloc_idle", range(30, HOUR), native="1"),
    ]
    for cell in told[:30]:
        cell.intensity_ratio = 0.8
    write(store, [asset(0), job(started=at(0)), given("1", 0), *booked(told, at(HOUR))])


def stored(store: Store) -> dict[str, Any]:
    (row,) = store.select("SELECT * FROM v_runs")
    return row


def data_of(server: Mlflow, run_id: str) -> dict[str, Any]:
    answer = urllib3.request("GET", f"{server.url}/api/2.0/mlflow/runs/get?run_id={run_id}")
    data = answer.json()["run"]["data"]
    return {e["key"]: e["value"] for kind in ("metrics", "tags") for e in data[kind]}


def test_a_run_becomes_a_job_and_is_told_what_it_used(store: Store, recorded: Recorded) -> None:
    server, ids = recorded
    filled(store)
    run_id = ids["whole"]
    sync = Experiments(store, settings(server, "whole"))
    assert sync.look(NOW) == 1
    row = stored(store)
    assert (row["run_id"], row["experiment"], row["name"]) == (run_id, "whole", "bold-owl")
    assert (row["state"], row["job_id"], row["matched_by"]) == ("finished", "c/1", "tag")
    assert (row["started"], row["ended"]) == (at(10.5), at(40))
    assert (json.loads(row["parameters"]), json.loads(row["metrics"])) == (
        {"lr": "0.1"},
        {"loss": 0.25},
    )
    told = data_of(server, run_id)
    assert told["gpuledger.gpu_hours"] == pytest.approx(29.5 / 60)
    assert told["gpuledger.idle_ratio"] == pytest.approx(10 / 29.5)
    assert told["gpuledger.sm_active_ratio"] == pytest.approx(0.8)
    assert (told["gpuledger.job"], told["gpuledger.grade"]) == ("c/1", "A")

    assert sync.look(NOW + timedelta(minutes=5)) == 1
    assert "gpuledger.gpu_hours" not in json.loads(stored(store)["metrics"])


def test_a_run_that_goes_on_is_not_told_yet(store: Store, recorded: Recorded) -> None:
    server, ids = recorded
    filled(store)
    run_id = ids["open"]
    Experiments(store, settings(server, "open")).look(NOW)
    assert stored(store)["state"] == "running"
    assert "gpuledger.gpu_hours" not in data_of(server, run_id)


def test_nothing_is_written_back_where_that_is_not_wanted(store: Store, recorded: Recorded) -> None:
    server, ids = recorded
    filled(store)
    run_id = ids["silent"]
    Experiments(store, settings(server, "silent", write_back=False)).look(NOW)
    assert stored(store)["job_id"] == "c/1"
    assert "gpuledger.gpu_hours" not in data_of(server, run_id)


def test_what_a_run_cost_is_a_question_to_one_view(store: Store, recorded: Recorded) -> None:
    server, _ = recorded
    filled(store)
    Experiments(store, settings(server, "view")).look(NOW)
    (row,) = store.select("SELECT * FROM v_run_costs")
    assert row["gpu_hours"] == pytest.approx(29.5 / 60, rel=0.01)
    assert row["result_seconds"] == 40 * 60


def test_it_looks_again_after_its_period_only(store: Store, recorded: Recorded) -> None:
    server, _ = recorded
    sync = Experiments(store, settings(server, "often"))
    for minute, rows in ((0, 1), (4, 1), (6, 2)):
        sync.step(NOW + timedelta(minutes=minute))
        assert store.value("SELECT uniqExact(version) FROM runs") == rows


def test_a_server_that_is_away_is_one_line(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    away = MlflowSettings(uri="http://127.0.0.1:9")
    sync = Experiments(store, away, Tracking(away, sleep=lambda _: None))
    with caplog.at_level(logging.WARNING):
        sync.step(NOW)
    assert [r.message for r in caplog.records] == [
        "[mlflow] http://127.0.0.1:9: NewConnectionError"
    ]


def test_a_token_file_that_is_missing_is_named(tmp_path: Path) -> None:
    tracking = Tracking(MlflowSettings(uri="http://127.0.0.1:9", token_file=str(tmp_path / "no")))
    with pytest.raises(ConfigError, match="token_file"):
        list(tracking.runs(NOW))


def test_an_address_that_is_no_tracking_server_is_said_so(recorded: Recorded) -> None:
    server, _ = recorded
    tracking = Tracking(MlflowSettings(uri=f"{server.url}/nothing"))
    with pytest.raises(ReadError, match="experiments/search: 404"):
        list(tracking.runs(NOW))
