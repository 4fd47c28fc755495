"""What the operations page says is true: its sizes, its commands on both engines, its paths."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from analytics.ingest.gate import IngestSettings
from gpuledger.store import Store
from tests.components.clickhouse import ClickHouse
from tests.deploy.files import ROOT
from tests.store_contract import served_address

PAGE = (ROOT / "docs" / "operations.md").read_text()
GPULEDGER = str(Path(sys.executable).with_name("gpuledger"))
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines()
]
# docs/measurements/: relay, ledger, storage, ingest, scale.
ROWS_S, ENVELOPE_BYTES, RELAY_CORES, DATABASE_CORES = 29_966, 2_600, 0.62, 1.07  # 10,000 nodes
BOOKING_S = 62.0 * 2 / 24 / 60  # processor seconds for each second, 10,000 GPUs, two hours a tick
RAW_BYTES = 14 * 8_640 * 39 * 0.607
MINUTES_BYTES = 396 * (1_440 + 24) * 126
BOOK_BYTES = 396 * 4_300 + 1.1e9 / 10_000


def size(nodes: int) -> str:
    """A row of the table of sizes."""
    gpus, share = 8 * nodes, nodes / 10_000
    cores = DATABASE_CORES * share + BOOKING_S * gpus / 10_000
    disk = 2 * gpus * (RAW_BYTES + MINUTES_BYTES + BOOK_BYTES) / 1e9
    network = nodes * ENVELOPE_BYTES * 8 / 10 / 1e6
    figures = f"{ROWS_S * share:,.0f} | {network:.1f} | {RELAY_CORES * share:.2f} | {cores:.2f}"
    return f"| {nodes:,} | {gpus:,} | {figures} | {disk:,.0f} |"


@pytest.mark.parametrize("nodes", [10, 100, 1_250, 5_000, 10_000])
def test_the_table_of_sizes_is_what_the_measurements_make(nodes: int) -> None:
    assert size(nodes) in PAGE


@pytest.mark.parametrize(
    ("page", "figure"),
    [
        ("relay", "29,966"),
        ("relay", "2.6 kB"),
        ("relay", "0.62 core, 216 MB"),
        ("relay", "1.07 cores"),
        ("ledger", "62.0"),
        ("storage", "**0.607**"),
        ("ingest", "126 now"),
        ("scale", "1.1 GB"),
    ],
)
def test_the_figures_that_it_rests_on_were_measured(page: str, figure: str) -> None:
    assert figure in (ROOT / "docs" / "measurements" / f"{page}.md").read_text()


def test_the_switch_is_where_the_page_says() -> None:
    assert f"`{IngestSettings().pause_file}`" in PAGE


def run_commands(commands: Sequence[str], environment: dict[str, str]) -> dict[str, str]:
    """What each command of the page printed, by its first words."""
    told = {}
    for command in commands:
        words = [
            re.sub(r"\$(\w+)", lambda m: environment.get(m[1], m[0]), w)
            for w in shlex.split(command)
        ]
        done = subprocess.run(
            [GPULEDGER, *words[1:]],
            env={**os.environ, **environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        told[" ".join(words[1:3])] = done.stdout
    return told


def test_the_commands_work_on_an_embedded_store(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path}/store"
    made = subprocess.run(
        [GPULEDGER, "schema", "apply", "--store", store],
        check=False,
        capture_output=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    environment = {"STORE": store, "NEW": f"chdb://{tmp_path}/new", "TO": f"{tmp_path}/saved"}
    told = run_commands(COMMANDS, environment)
    assert "restored" in told["restore --store"]
    assert "gpu001" in told["tokens list"]
    assert "token.create" in told["audit --store"]


def test_a_server_is_saved_and_restored_by_the_same_commands(
    clickhouse: ClickHouse, tmp_path: Path
) -> None:
    Store(served_address(clickhouse, "operations")).apply()
    address = f"http://{clickhouse.user}@{clickhouse.host}:{clickhouse.http_port}/operations"
    environment = {
        "STORE": address,
        "NEW": address,
        "TO": f"File('{clickhouse.directory}/backups/operations-{tmp_path.name}')",
        "GPULEDGER_STORE_PASSWORD": clickhouse.password,
    }
    backup, *others = COMMANDS[:3]
    run_commands([backup], environment)
    clickhouse.execute("DROP DATABASE operations SYNC")
    assert "restored" in run_commands(others, environment)["restore --store"]
