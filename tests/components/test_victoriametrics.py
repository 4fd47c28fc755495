"""A real VictoriaMetrics takes samples, writes them down and answers."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.components.fixtures import or_skip
from tests.components.victoriametrics import VictoriaMetrics


def test_what_was_loaded_is_on_disk_and_answered(tmp_path: Path) -> None:
    now = int(time.time()) - 60
    line = {
        "metric": {"__name__": "power_watts", "slot": "0"},
        "values": [300.5, 301.5],
        "timestamps": [(now - 10) * 1000, now * 1000],
    }
    with or_skip(VictoriaMetrics(tmp_path)) as server:
        server.load(json.dumps(line).encode())
        server.settle()
        assert server.stored_bytes() > 0
        (found,) = server.ask("query", query="avg_over_time(power_watts[1m])", time=now)
        assert float(found["value"][1]) == 301
