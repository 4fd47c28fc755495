"""Debian's real node_exporter, read over HTTP with its mapping, against this kernel's own files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.source import Clock, Context
from collector.sources.scrape import Scrape, ScrapeSettings, Target
from gpuledger.catalogue import (
    BlockSample,
    FilesystemSample,
    HostSample,
    MissingValue,
    NetworkSample,
    TcpSample,
)
from gpuledger.schema import Row
from tests.components.fixtures import skipping
from tests.components.process import Child, free_port, http_ok, program

PROC, SYS = Path("/proc"), Path("/sys")
SECTOR = 512


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Row], dict[str, int]]]:
    """Rows of one reading, and the kernel's counts just before it."""
    with skipping():
        command = program("prometheus-node-exporter")
    page = f"http://127.0.0.1:{free_port()}/metrics"
    address = page.removeprefix("http://").removesuffix("/metrics")
    log = tmp_path_factory.mktemp("node_exporter") / "log"
    child = Child([command, f"--web.listen-address={address}"], log)
    child.start()
    try:
        child.wait_ready(lambda: http_ok(page), 20)
        before = counts()
        settings = ScrapeSettings(targets=[Target(page, "node-exporter")], wait_s=20.0)
        with Reader(settings) as source:
            yield list(source.read()), before
    finally:
        child.stop()


class Reader:
    """The scrape source, closed at the end."""

    def __init__(self, settings: ScrapeSettings) -> None:
        self.source = Scrape(settings, Context("c", "n1", clock=Clock()))

    def __enter__(self) -> Scrape:
        return self.source

    def __exit__(self, *error: object) -> None:
        self.source.close()


def counts() -> dict[str, int]:
    """Counts of the kernel that only grow: sectors by disk, bytes by network device, segments."""
    found = {}
    for line in (PROC / "diskstats").read_text().splitlines():
        field = line.split()
        found[f"disk {field[2]}"] = int(field[5]) * SECTOR
    for device in (SYS / "class" / "net").iterdir():
        statistics = device / "statistics" / "rx_bytes"
        if statistics.exists():
            found[f"net {device.name}"] = int(statistics.read_text())
    names, values = [s.split() for s in snmp("Tcp:")]
    found["tcp"] = int(values[names.index("OutSegs")])
    return found


def snmp(protocol: str) -> list[str]:
    return [s for s in (PROC / "net" / "snmp").read_text().splitlines() if s.startswith(protocol)]


def of(rows: list[Row], kind: type[Row]) -> list[dict[str, Any]]:
    return [row.__dict__ for row in rows if isinstance(row, kind)]


Told = tuple[list[Row], dict[str, int]]


def test_the_mapping_knows_every_name_that_the_exporter_tells(told: Told) -> None:
    said = [r["reading"] for r in of(told[0], MissingValue) if "lacks this name" in r["detail"]]
    assert said == []


def test_the_host_is_this_machine(told: Told) -> None:
    [host] = of(told[0], HostSample)
    memory = dict(s.split(":") for s in (PROC / "meminfo").read_text().splitlines())
    assert host["memory_total_bytes"] == int(memory["MemTotal"].split()[0]) * 1024
    assert 0 < host["memory_available_bytes"] < host["memory_total_bytes"]
    assert abs(host["load1"] - os.getloadavg()[0]) < 5


def test_pressure_is_in_seconds(told: Told) -> None:
    [host] = of(told[0], HostSample)
    pressure = PROC / "pressure" / "cpu"
    if not pressure.exists():
        pytest.skip("this kernel tells no pressure")
    now_s = int(pressure.read_text().split("\n")[0].rpartition("total=")[2]) / 1e6
    assert 0 <= host["cpu_pressure_seconds"] <= now_s + 1


def test_disks_have_read_what_the_kernel_says(told: Told) -> None:
    rows, before = told
    after = counts()
    disks = {r["device"]: r["read_bytes"] for r in of(rows, BlockSample)}
    assert disks or not [d for d in before if d.startswith("disk") and "loop" not in d]
    for disk, read in disks.items():
        assert before[f"disk {disk}"] <= read <= after[f"disk {disk}"]


def test_network_devices_have_received_what_the_kernel_says(told: Told) -> None:
    rows, before = told
    after = counts()
    for row in of(rows, NetworkSample):
        device = row["device"]
        assert before[f"net {device}"] <= row["receive_bytes"] <= after[f"net {device}"]
        assert device != "lo"


def test_tcp_has_sent_what_the_kernel_says(told: Told) -> None:
    rows, before = told
    [tcp] = of(rows, TcpSample)
    assert before["tcp"] <= tcp["segments_sent"] <= counts()["tcp"]


def test_filesystems_have_the_size_that_the_kernel_says(told: Told) -> None:
    for row in of(told[0], FilesystemSample):
        room = os.statvfs(row["mount"])
        assert row["size_bytes"] == room.f_blocks * room.f_frsize
        assert 0 <= row["available_bytes"] <= row["size_bytes"]
