"""What a target's own settings change: its name, and how old a sample may be."""

from __future__ import annotations

from typing import Any

import pytest

from collector.sources.scrape import ScrapeSettings
from gpuledger.catalogue import ServingSample
from gpuledger.errors import ConfigError
from tests.collector.support import MIDNIGHT
from tests.collector.test_scrape import (
    Exporter,
    exporter,
    missing,
    read,
    runs,
    samples,
    scrape,
    target,
)

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


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"max_page_bytes": 1000}, "more than 1000 bytes, [scrape] max_page_bytes"),
        ({"max_samples": 3}, "more than 3 samples"),
        ({"max_rows": 2}, "more than 2 rows"),
    ],
)
def test_a_page_beyond_a_limit_of_the_settings_is_malformed(
    exporter: Exporter, limit: dict[str, int], said: str
) -> None:
    rows = read(scrape(target(exporter, "/good"), **limit))
    assert samples(rows) == {}
    assert [run.reason for run in runs(rows).values()] == [said]
    assert list(missing(rows).values()) == ["malformed"]


@pytest.mark.parametrize("limit", ["max_page_bytes", "max_samples", "max_rows", "threads"])
def test_a_limit_of_nothing_is_a_configuration_error(limit: str) -> None:
    with pytest.raises(ConfigError, match=limit):
        ScrapeSettings(**{limit: 0})
