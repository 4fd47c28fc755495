"""The book of a small cluster against files as others write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.reconcile.run import Asked, Files, as_dict, compare
from gpuledger.errors import ConfigError
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, booked, cells, given, job, write

HEAD = "JobIDRaw|User|Account|State|Submit|Start|End|NNodes|NodeList|AllocTRES|JobName"
TITLE = "Cluster/Account/User Utilization {} - {} (3600 secs)"


def line(native: str, first: float, last: float, gpus: int = 1, user: str = "ana") -> str:
    start, end = (f"{at(m):%Y-%m-%dT%H:%M:%S}" for m in (first, last))
    return (
        f"{native}|{user}|vision|COMPLETED|{start}|{start}|{end}|1|n0|gres/gpu={gpus},node=1|train"
    )


@pytest.fixture
def site(store: Store) -> Store:
    """An hour of two GPUs: job 1 has the first for 40 minutes, job 2 the second for all of it."""
    rows: list[Row] = [asset(0), asset(1)]
    rows += [job("1", started=START, ended=at(40)), job("2", user="ben", started=START)]
    rows += [given("1", 0, until=at(40)), given("2", 1, until=at(120))]
    hour = [
        *cells("productive", range(40), native="1"),
        *cells("free_surplus", range(40, 60)),
        *cells("productive", range(50), 1, native="2"),
        *cells("fault", range(50, 60), 1, native="2"),
    ]
    write(store, [*rows, *booked(hour, at(60))])
    return store


def sacct(folder: Path, *lines: str) -> Path:
    path = folder / "sacct.txt"
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return path


def told(store: Store, files: Files, **asked: Any) -> dict[str, Any]:
    [found] = compare(store, files, Asked(**asked))
    return as_dict(found)


def hours(said: dict[str, Any]) -> dict[str, float]:
    return {r["reason"]: r["gpu_hours"] for r in said["reasons"]}


def test_accounting_that_says_the_same_leaves_only_what_was_booked_as_fault(
    site: Store, tmp_path: Path
) -> None:
    path = sacct(tmp_path, line("1", 0, 40), line("2", 0, 120, user="ben"))
    said = told(site, Files(sacct=(path,)))
    assert (said["theirs_gpu_hours"], said["ours_gpu_hours"]) == (1.666667, 1.5)
    assert hours(said) == pytest.approx({"node_state": 1 / 6}, abs=1e-6)
    assert said["unexplained_ratio"] == 0


def test_jobs_that_only_one_side_knows_are_named(site: Store, tmp_path: Path) -> None:
    said = told(site, Files(sacct=(sacct(tmp_path, line("1", 0, 40), line("9", 10, 40, 2)),)))
    assert hours(said) == pytest.approx({"unknown_job": 1, "only_ours": -5 / 6}, abs=1e-6)
    assert {r["example"] for r in said["reasons"]} == {"c/9", "c/2"}
    assert said["unexplained_gpu_hours"] == 0


def test_an_error_that_no_reason_covers_is_left_over(site: Store, tmp_path: Path) -> None:
    path = sacct(tmp_path, line("1", 0, 55), line("2", 0, 120, user="ben"))
    said = told(site, Files(sacct=(path,)))
    assert said["unexplained_gpu_hours"] == 0.25


def sreport(folder: Path, *rows: str, unit: str = "Seconds", end: str = "10:59:59") -> Path:
    path = folder / "sreport.txt"
    bar = "-" * 80
    title = TITLE.format("2026-03-02T10:00:00", f"2026-03-02T{end}")
    head = "Cluster|Account|Login|Proper Name|TRES Name|Used"
    path.write_text("\n".join([bar, title, f"Usage reported in TRES {unit}", bar, head, *rows]))
    return path


def test_a_report_is_compared_by_account_and_user(site: Store, tmp_path: Path) -> None:
    path = sreport(
        tmp_path,
        "c|root|||gres/gpu|6000",
        "c|vision|ana|Ana|gres/gpu|2401",
        "c|vision|ben|Ben|gres/gpu|3600",
    )
    said = told(site, Files(sreport=path))
    assert said["theirs_gpu_hours"] == pytest.approx(6001 / 3600, abs=1e-6)
    assert hours(said) == pytest.approx({"node_state": 1 / 6, "rounding": 1 / 3600}, abs=1e-6)
    assert said["unexplained_gpu_hours"] == 0


def test_the_jobs_of_accounting_name_what_a_report_by_user_cannot(
    site: Store, tmp_path: Path
) -> None:
    jobs = sacct(tmp_path, line("1", 0, 40), line("2", 0, 120, user="ben"), line("9", 0, 30))
    rows = ("c|vision|ana|Ana|gres/gpu|4200", "c|vision|ben|Ben|gres/gpu|3600")
    files = Files(sacct=(jobs,), sreport=sreport(tmp_path, *rows))
    said = as_dict(compare(site, files, Asked())[1])
    assert hours(said) == pytest.approx({"unknown_job": 0.5, "node_state": 1 / 6}, abs=1e-6)
    assert said["unexplained_gpu_hours"] == 0


def test_whole_hours_of_a_report_are_rounding(site: Store, tmp_path: Path) -> None:
    rows = ("c|vision|ana|Ana|gres/gpu|1", "c|vision|ben|Ben|gres/gpu|1")
    said = told(site, Files(sreport=sreport(tmp_path, *rows, unit="Hours")))
    assert hours(said)["rounding"] == pytest.approx(1 / 3, abs=1e-6)
    assert said["unexplained_gpu_hours"] == 0


@pytest.mark.parametrize(
    ("end", "asked", "complaint"),
    [
        ("10:29:59", {}, "whole hours"),
        ("11:59:59", {}, "the book is closed up to"),
        ("10:59:59", {"since": START}, "span of its own"),
    ],
)
def test_a_report_of_another_span_is_refused(
    site: Store, tmp_path: Path, end: str, asked: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        compare(site, Files(sreport=sreport(tmp_path, end=end)), Asked(**asked))


def test_what_is_no_report_is_refused_with_the_command(site: Store, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("hello\n")
    with pytest.raises(ConfigError, match="run: sreport cluster AccountUtilizationByUser"):
        compare(site, Files(sreport=path), Asked())


@pytest.mark.parametrize("form", ["csv", "json"])
def test_pods_are_compared_by_namespace_and_name(store: Store, tmp_path: Path, form: str) -> None:
    hour = [*cells("productive", range(60), native="ml/train@1a2b3c4d")]
    pod = given("ml/train@1a2b3c4d", 0, until=at(60), source="kubernetes")
    write(store, [asset(0), job("ml/train@1a2b3c4d", team="ml"), pod, *booked(hour, at(60))])
    labels = {"namespace": "ml", "pod": "train"}
    texts = {
        "csv": "namespace,pod,gpu_hours\nml,train,1.0\nml,other,0.5\n",
        "json": json.dumps(
            {
                "data": {
                    "result": [
                        {"metric": labels, "value": [0, "1.0"]},
                        {"metric": {**labels, "pod": "other"}, "value": [0, "0.5"]},
                    ]
                }
            }
        ),
    }
    path = tmp_path / f"pods.{form}"
    path.write_text(texts[form])
    said = told(store, Files(kube=path))
    assert hours(said) == {"unknown_job": 0.5}
    assert said["unexplained_gpu_hours"] == 0


def test_the_asset_list_is_compared_place_by_place(site: Store, tmp_path: Path) -> None:
    path = tmp_path / "assets.csv"
    text = "cluster,node,slot,valid_from\nc,n0,0,2026-03-02T10:30Z\nc,n9,0,2026-01-01\n"
    path.write_text(text)
    said = told(site, Files(assets=path))
    assert hours(said) == {"not_listed": -1, "not_owned": 1, "dates": -0.5}
    assert said["unexplained_gpu_hours"] == 0


def test_without_files_or_a_book_there_is_nothing_to_compare(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to compare with"):
        compare(store, Files(), Asked())
    with pytest.raises(ConfigError, match="nothing was booked yet"):
        compare(store, Files(sacct=(sacct(tmp_path),)), Asked())


def test_an_unknown_cluster_is_refused(site: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--cluster d: say which one; there are c"):
        compare(site, Files(sacct=(sacct(tmp_path),)), Asked(cluster="d"))
