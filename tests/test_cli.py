"""The command line: what each command prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from alerts.build import build as alert_files
from dashboards.build import build as board_files
from gpuledger import __version__
from gpuledger.catalogue import TABLES
from gpuledger.cli import COMMANDS
from tests.analytics.command import complaint, filled, output, rows, run
from tests.analytics.world import HOSTILE

ESCAPE = "\x1b"
DEMO = ("demo", "--exit", "--nodes", 1, "--days", 1, "--end", "2026-03-02T10:00Z")
SUBCOMMANDS = (
    *((name,) for name in COMMANDS),
    ("schema", "print"),
    ("schema", "apply"),
    ("schema", "check"),
    ("recommend", "list"),
    ("recommend", "show"),
    ("report", "weekly"),
    *(("dashboards", name) for name in ("build", "check", "push", "preview")),
    ("alerts", "build"),
    ("alerts", "check"),
    ("alerts", "list"),
    ("alerts", "status"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a booked store of two GPUs, one of which idles in a hostile job."""
    return filled(tmp_path_factory.mktemp("booked") / "store")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    """The directory of a demo in a pipe, and what it said."""
    home = tmp_path_factory.mktemp("demo") / "demo"
    return home, run(*DEMO, "--dir", home)


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    told = output(*words, "--help")
    assert told.startswith(f"Usage: gpuledger {' '.join(words)} ")
    assert output(*words, "-h") == told


def test_the_program_names_its_commands_and_its_version() -> None:
    told = output("--help")
    assert [c for c in COMMANDS if f"\n  {c} " not in told] == ["generate"]
    assert output("--version") == f"gpuledger, version {__version__}\n"


def test_the_book_is_printed_for_people(store: str) -> None:
    told = output("ledger", "--store", store)
    assert "Book from 2026-03-02 10:00 to 2026-03-02 13:00 UTC" in told
    *_, last, loose, _ = told.rstrip().splitlines()
    assert last.split()[:7] == ["all", "owned", "time", "6.0", "100.0", "%", "18"]
    assert loose.startswith("recoverable: 0.0 GPU-hours, which waiting jobs could have used")


def test_the_book_is_printed_for_programs(store: str) -> None:
    found = rows(output("ledger", "--store", store, "--format", "json", "--by", "team,state"))
    assert sum(r["gpu_hours"] for r in found) == pytest.approx(6)
    assert sum(r["share"] for r in found) == pytest.approx(1, abs=1e-5)
    assert {r["team"] for r in found} == {HOSTILE, "vision"}
    assert list(found[0]) == [
        "team",
        "state",
        "gpu_hours",
        "share",
        "capacity_value",
        "cash_avoidable",
        "currency",
        "priced_ratio",
        "recoverable_gpu_hours",
        "slack_gpu_hours",
        "grade",
        "grades",
    ]


def test_the_book_is_printed_for_spreadsheets(store: str) -> None:
    words = ("ledger", "--store", store, "--by", "state")
    told = list(csv.DictReader(io.StringIO(output(*words, "--format", "csv"))))
    same = rows(output(*words, "--format", "json"))
    assert [float(r["gpu_hours"]) for r in told] == [r["gpu_hours"] for r in same]
    assert [json.loads(r["grades"]) for r in told] == [r["grades"] for r in same]


def test_a_span_may_be_asked_for(store: str) -> None:
    found = rows(output("ledger", "--store", store, "--since", "30m", "--format", "json"))
    assert sum(r["gpu_hours"] for r in found) == pytest.approx(1)


def test_findings_are_listed(store: str) -> None:
    (found,) = rows(output("findings", "--store", store, "--format", "json"))
    assert (found["subject"], found["user"], found["open"]) == ("c/2", HOSTILE, True)
    assert found["since"].endswith("Z")
    assert found["finding_id"][:8] in output("findings", "--store", store)
    (line,) = csv.DictReader(
        io.StringIO(output("findings", "--store", store, "--all", "--format", "csv"))
    )
    assert line["summary"] == found["summary"]


def test_where_no_alert_stands_a_sentence_says_so(store: str) -> None:
    assert output("alerts", "status", "--store", store).startswith("Nothing is wrong")
    assert rows(output("alerts", "status", "--store", store, "--format", "json")) == []


def test_recommendations_are_listed_and_shown_by_the_id_that_the_list_prints(store: str) -> None:
    told = output("recommend", "list", "--store", store)
    assert "scancel 2" in told
    (found,) = rows(output("recommend", "list", "--store", store, "--format", "json"))
    short = found["recommendation_id"][:8]
    assert short in told
    shown: dict[str, Any] = json.loads(
        output("recommend", "show", short, "--store", store, "--format", "json")
    )
    assert found.items() <= shown.items()
    assert shown["finding"]["finding_id"] == found["finding_id"]
    assert output("recommend", "list", "--store", store, "--status", "expired") == (
        "None is expired.\n"
    )


def test_an_id_that_names_nothing_is_said(store: str) -> None:
    said = complaint(2, "recommend", "show", "zz", "--store", store)
    assert "begins with 'zz'" in said


def test_the_report_is_written_or_printed(store: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "week.html"
    assert output("report", "weekly", "--store", store, "--out", out) == f"{out}\n"
    assert out.read_text().lower().startswith("<!doctype html>")
    assert "<script" not in out.read_text()
    assert output("report", "weekly", "--store", store, "--format", "md").startswith("**")
    said = complaint(2, "report", "weekly", "--store", store, "--week", "2026-W54")
    assert "2026-W54" in said


def test_the_schema_is_printed_applied_and_checked(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    printed = output("schema", "print")
    assert all(f"CREATE TABLE IF NOT EXISTS {name} (" in printed for name in TABLES)
    assert "TTL" not in printed
    assert "TTL" in output("schema", "print", "--retention")
    for asking in (("check",), ("plan",), ("apply", "--dry-run")):
        assert "'gpuledger schema apply' makes it" in complaint(
            2, "schema", *asking, "--store", store
        )
    assert list(tmp_path.iterdir()) == []
    applied = output("schema", "apply", "--store", store).splitlines()
    assert len(applied) > len(TABLES)
    assert output("schema", "apply", "--store", store) == f"{applied[-1]}\n"
    assert output("schema", "check", "--store", store).endswith("schema is up to date\n")


@pytest.mark.parametrize(
    ("command", "files"), [("dashboards", board_files), ("alerts", alert_files)]
)
def test_generated_files_are_those_of_the_repository(
    command: str, files: Any, tmp_path: Path
) -> None:
    told = output(command, "build", "--out", tmp_path / "new").splitlines()
    assert {Path(p).name: Path(p).read_text() for p in told} == files()


def test_one_reading_of_this_machine_is_plausible() -> None:
    done = run("collect", "--once", "--format", "json", "--cluster", "c", "--node", "here")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert {(r["cluster"], r["node"]) for r in found} == {("c", "here")}
    (host,) = (r for r in found if r["table"] == "host_samples")
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total = int(meminfo["MemTotal"].split()[0]) * 1024
    assert host["memory_total_bytes"] == pytest.approx(total, rel=1e-3)
    assert 0 < host["memory_available_bytes"] < total
    assert host["cpus"] == len(os.sched_getaffinity(0)) or host["cpus"] == os.cpu_count()
    assert 0 <= host["cpu_busy_ratio"] <= 1
    runs = {r["source"]: r for r in found if r["table"] == "source_runs"}
    assert {"host", "network", "storage"} <= runs.keys()
    assert all(r["failures"] == 0 or r["reason"] for r in runs.values())


def test_one_reading_is_printed_for_people_too() -> None:
    told = run("collect", "--once").stdout
    assert "host_samples" in told
    assert "memory_total_bytes" in told


def test_nothing_in_a_pipe_has_colour_or_moves(
    store: str, demo: tuple[Path, CompletedProcess[str]]
) -> None:
    commands: list[tuple[object, ...]] = [
        ("ledger", "--store", store),
        ("findings", "--store", store),
        ("recommend", "list", "--store", store),
        ("collect", "--once"),
    ]
    for done in (*(run(*words) for words in commands), demo[1]):
        assert done.returncode == 0, done.stderr
        assert ESCAPE not in done.stdout + done.stderr
        assert "\r" not in done.stdout + done.stderr


def test_a_demo_says_what_it_wrote_and_where(demo: tuple[Path, CompletedProcess[str]]) -> None:
    home, done = demo
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout
    written = {p.name for p in home.iterdir()}
    assert written >= {
        "alerts",
        "dashboards",
        "gpuledger.toml",
        "store",
        "truth.json",
        "weekly-report.html",
    }
    assert all(f"{home / name}" in first for name in ("weekly-report.html", "store"))
    report = (home / "weekly-report.html").read_text()
    # A second demo over the first: the same seed and end give the same bytes.
    again = output(*DEMO, "--dir", home)
    assert (home / "weekly-report.html").read_text() == report
    assert again.partition("took")[0] == first.partition("took")[0]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("ledgr",), "'ledger'"),
        (("ledger", "--sinc", "7d"), "--since"),
        (("ledger",), "--store"),
        (("findings", "--limit", "0", "--store", "chdb:///x"), "--limit"),
        (("ledger", "--format", "yaml", "--store", "chdb:///x"), "'parquet'"),
        (("ledger", "--by", "tema", "--store", "chdb:///x"), "'team'"),
        (("recommend", "show", "--store", "chdb:///x"), "IDENTIFIER"),
    ],
)
def test_wrong_use_ends_with_2_and_a_hint(words: tuple[str, ...], hint: str) -> None:
    assert hint in complaint(2, *words)


def test_a_traceback_is_shown_only_to_those_who_ask_for_it() -> None:
    words = ("ledger", "--store", "nonsense")
    assert complaint(2, *words).startswith("store nonsense: write chdb:///absolute/dir")
    for done in (run("--debug", *words), run(*words, GPULEDGER_DEBUG="1")):
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "ConfigError: store nonsense" in done.stderr
    assert complaint(2, *words, GPULEDGER_DEBUG="0")


def test_a_collector_must_be_told_where_rows_go() -> None:
    assert "--ingest URL, --store URL, or --once" in complaint(2, "collect")
