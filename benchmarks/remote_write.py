"""What a real Prometheus' remote-write costs the service, per sample and per core.

Debian's Prometheus scrapes a page like dcgm-exporter's every second and writes it to a real service
with the embedded engine, which makes rows of it. Processor time is that of the service: doors,
assembly, journal, inserts with all rollups, merges. 10,000 GPUs with 25 metrics at 15 s are 16,667
samples a second.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.analytics.command import Running
from tests.components.exporter import FakeDcgm
from tests.components.prometheus import Prometheus

FLEET_SAMPLES_PER_S = 10_000 * 25 / 15
SENDER, OWNER = "sender", "owner"
WARM_UP_S = 4.0
ACCEPTED = re.compile(r"^gpuledger_scraped_samples_total(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


def accepted(address: str) -> float:
    """Samples that the service has taken since it began."""
    request = urllib.request.Request(
        f"http://{address}/metrics", headers={"Authorization": f"Bearer {OWNER}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return sum(map(float, ACCEPTED.findall(answer.read().decode())))


def processor_s(service: Running) -> float:
    """Processor time of the service until now."""
    assert service.child.process is not None
    times = psutil.Process(service.child.process.pid).cpu_times()
    return float(times.user + times.system)


def measured(cards: int, seconds: float) -> tuple[float, float]:
    """Samples taken a second, and the cores that the service uses meanwhile."""
    tokens = {"GPULEDGER_TOKEN": OWNER, "GPULEDGER_INGEST_TOKEN": SENDER}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "config.toml").write_text('[scraped]\ncluster = "bench"\n')
        flags = ("--store", f"chdb://{home}/store", "--config", home / "config.toml")
        with FakeDcgm(cards=cards) as dcgm, Running(home, "serve", *flags, **tokens) as service:
            url = f"http://{service.address}/v1/prometheus/write"
            jobs = {"dcgm": dcgm.address}
            with Prometheus(home / "prometheus", [], jobs=jobs, write_to=url, token=SENDER):
                time.sleep(WARM_UP_S)
                before, began = accepted(service.address), processor_s(service)
                time.sleep(seconds)
                used = processor_s(service) - began
                taken = accepted(service.address) - before
    return taken / seconds, used / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 s instead of 60 s each")
    seconds = 4.0 if parser.parse_args().quick else 60.0
    (few, idle), (many, busy) = measured(64, seconds), measured(768, seconds)
    assert many > few > 0, "the service took no samples"
    for rate, cores in ((few, idle), (many, busy)):
        print(f"{rate:8,.0f} samples/s: {cores:.3f} cores, {rate / cores:8,.0f} a core-second")
    # An insert a second and table costs what it costs: the rest grows with the samples.
    each = (busy - idle) / (many - few)
    fleet = busy + (FLEET_SAMPLES_PER_S - many) * each
    print(f"{1 / each:,.0f} samples per further core-second")
    print(f"10,000 GPUs, 25 metrics, 15 s: {fleet:.2f} cores (ratio to one core)")


if __name__ == "__main__":
    main()
