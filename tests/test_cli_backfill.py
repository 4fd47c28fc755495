"""`gpuledger backfill` as people run it: to its end, killed half-way, and with wrong answers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.analytics.backfill.past import past
from tests.analytics.command import (
    LIMIT_S,
    PROGRAM,
    complaint,
    environment,
    output,
    refusal,
    rows,
    run,
)
from tests.components.fixtures import or_skip
from tests.components.process import free_port, wait_until
from tests.components.prometheus_history import History, door
from tests.fakes.site import SLURM, Site

SITE = Site(scheduler=SLURM, nodes=1, gpus=4, hours=3, seed=6)
# Questions after which a run is killed: while it looks around, and at different stretches.
KILLED_AFTER = (40, 75)
PIECES = {"GPULEDGER_BACKFILL_SAMPLES": "3000"}
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with or_skip(History(tmp_path_factory.mktemp("prometheus"), past(SITE))) as started:
        yield started


def arguments(directory: Path, url: str, **more: str) -> list[str]:
    """What to ask for, with everything in one directory."""
    sacct = directory / "sacct.txt"
    if not sacct.exists():
        sacct.write_text(SITE.sacct(SITE.start, SITE.end))
    told = {
        "store": f"chdb://{directory / 'store'}",
        "prometheus": url,
        "sacct": str(sacct),
        "since": (SITE.start - timedelta(hours=1)).isoformat(),
        "until": SITE.end.isoformat(),
        "cluster": "c",
        "out": str(directory / "report.html"),
        **more,
    }
    return ["backfill", *(word for key, value in told.items() for word in (f"--{key}", value))]


def book(directory: Path) -> dict[tuple[str, str], float]:
    told = output(
        *("ledger", "--store", f"chdb://{directory / 'store'}", "--since", SITE.start.isoformat()),
        *("--by", "state,team", "--format", "json"),
    )
    return {(r["state"], r["team"] or ""): r["gpu_hours"] for r in rows(told)}


def samples(directory: Path) -> dict[str, Any]:
    """What every sample of the store adds up to, asked for in a process of its own."""
    code = (
        "import json, sys; from pathlib import Path; from gpuledger.store import Address, Store\n"
        "store = Store(Address(directory=Path(sys.argv[1])))\n"
        "(row,) = store.select('SELECT count() AS rows, sum(interval_ms) AS ms,'\n"
        "  ' sum(active_ms) AS active, uniqExact(slot, ts) AS apart FROM gpu_samples')\n"
        "print(json.dumps(row))"
    )
    command = [str(PROGRAM.with_name("python")), "-c", code, str(directory / "store")]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=LIMIT_S, env=environment()
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@dataclass(frozen=True)
class Whole:
    """A run that nobody disturbed: its directory and what it printed."""

    directory: Path
    told: str


@pytest.fixture(scope="module")
def whole(history: History, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    directory = tmp_path_factory.mktemp("whole")
    return Whole(directory, output(*arguments(directory, history.url), **PIECES))


def test_a_past_becomes_a_book_a_report_and_a_baseline(whole: Whole) -> None:
    directory = whole.directory
    words = {line[:15].strip(): line[16:] for line in whole.told.splitlines()}
    assert re.fullmatch(
        r"some [\d,]+ samples of 12 metrics in \d\.0 hours and .*", words["to read"]
    )
    assert "GPU jobs in this time" in words["sacct"]
    assert words["gaps"] == "none longer than 10 minutes"
    assert words["grade"] == "A"
    assert words["report"] == str(directory / "report.html")
    assert "</html>" in (directory / "report.html").read_text()
    (week,) = json.loads((directory / "report-baseline.json").read_text())
    assert [m["name"] for m in week["metrics"]][:2] == ["GPU availability", "Resource utilization"]
    assert sum(book(directory).values()) == pytest.approx(4 * 3, rel=1e-6)


def test_killed_and_started_again_nothing_is_lost_or_doubled(
    history: History, whole: Whole, tmp_path: Path
) -> None:
    with door(history.url) as (url, asked):
        for questions in KILLED_AFTER:
            asked.clear()
            child = subprocess.Popen(
                [PROGRAM, *arguments(tmp_path, url)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(**PIECES),
            )
            wait_until(lambda n=questions: len(asked) >= n, LIMIT_S, "questions")  # type: ignore[misc]
            child.kill()
            assert child.wait(LIMIT_S) == -9
        asked.clear()
        output(*arguments(tmp_path, url), **PIECES)
    assert samples(tmp_path) == samples(whole.directory)
    assert book(tmp_path) == pytest.approx(book(whole.directory))


def test_what_there_is_can_be_asked_for_without_reading_it(
    history: History, tmp_path: Path
) -> None:
    told = output(*arguments(tmp_path, history.url), "--dry-run")
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_the_help_has_the_command_for_accounting() -> None:
    told = output("backfill", "--help")
    assert "TZ=UTC SLURM_TIME_FORMAT=standard sacct" in told
    assert "--format=JobIDRaw,JobID,User,Account," in told


def test_nobody_there_is_one_line_and_3(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert complaint(3, *arguments(tmp_path, url)).startswith(f"{url} cannot be reached: ")


def test_a_wrong_address_is_one_line_and_2(history: History, tmp_path: Path) -> None:
    said = complaint(2, *arguments(tmp_path, f"{history.url}/grafana"))
    assert "is no Prometheus API" in said
    assert "before /api/v1" in said


def test_a_wrong_token_is_one_line_and_3_and_is_not_shown(history: History, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong-token")
    with door(history.url, "right") as (url, _):
        said = complaint(
            3, *arguments(tmp_path, url), GPULEDGER_BACKFILL_TOKEN_FILE=str(tmp_path / "token")
        )
    assert "refused us (401)" in said
    assert "wrong-token" not in said


def test_a_time_without_history_is_one_line_and_2(history: History, tmp_path: Path) -> None:
    words = {"since": "2025-01-01T00:00Z", "until": "2025-01-02T00:00Z"}
    listing = tmp_path / "sacct.txt"
    listing.write_text(SITE.sacct(SITE.start, SITE.start))
    said = complaint(2, *arguments(tmp_path, history.url, **words))
    assert "has no metric that dcgm-exporter, node-exporter or kube-state-metrics told" in said
    assert len(TIME.findall(said)) == 2


def test_garbage_for_accounting_is_one_line_and_2(history: History, tmp_path: Path) -> None:
    (tmp_path / "sacct.txt").write_bytes(b"\x80\x00garbage\n" * 9)
    said = complaint(2, *arguments(tmp_path, history.url))
    assert "sacct.txt is no output of sacct --parsable2; run: TZ=UTC" in said


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("step", "7s", "--step 7s: write 10s, 15s, 20s, 30s, 60s or scrape"),
        ("since", "soon", "since soon: write 7d, 12h, 90m or 2026-11-16T00:00Z"),
        ("until", "late", "--until late: write 2026-11-22T04:00Z"),
        ("until", "2999-01-01", "--until 2999-01-01: that is in the future"),
        ("timezone", "Mars/Base", "--timezone Mars/Base: write a name such as Europe/Berlin"),
        ("mapping", "dcgm", "unknown mapping 'dcgm'"),
        ("prometheus", "p:9090", "--prometheus: write http(s)://host:port[/path]"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_2(
    option: str, value: str, said: str, tmp_path: Path
) -> None:
    asked = arguments(tmp_path, "http://127.0.0.1:1", **{option: value})
    assert refusal(2, *asked).startswith(said)


def test_nothing_is_said_in_a_pipe_but_the_summary(history: History, tmp_path: Path) -> None:
    done = run(*arguments(tmp_path, history.url, step="scrape"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
