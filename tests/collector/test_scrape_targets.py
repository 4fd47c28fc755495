"""What a target's own settings change: its name, and how old a sample may be."""

from __future__ import annotations

from typing import Any

from gpuledger.catalogue import ServingSample
from tests.collector.support import MIDNIGHT
from tests.collector.test_scrape import Exporter, exporter, read, scrape, target

__all__ = ["exporter"]  # the fixture

SERVED = 'vllm:num_requests_running{{model_name="m"}} 3 {stamp}\n'


def served(exporter: Exporter, stamp: str = "", **told: Any) -> list[ServingSample]:
    page = SERVED.format(stamp=stamp).encode()
    exporter.answers["/served"] = lambda h: h.send(page)
    wanted = target(exporter, "/served", mapping="vllm", **told)
    return [row for row in read(scrape(wanted)) if isinstance(row, ServingSample)]


def test_two_servers_of_one_model_are_told_apart_by_their_addresses(exporter: Exporter) -> None:
    (row,) = served(exporter)
    assert row.instance == f"127.0.0.1:{exporter.server_port}"
    (row,) = served(exporter, labels={"instance": "blue"})
    assert row.instance == "blue"


def test_a_sample_that_its_exporter_calls_old_is_left_out_unless_that_is_expected(
    exporter: Exporter,
) -> None:
    yesterday = str(int((MIDNIGHT - 86_400) * 1000))
    assert served(exporter, yesterday) == []
    assert len(served(exporter, yesterday, stale_s=90_000.0)) == 1
