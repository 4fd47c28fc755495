"""Sums of counters over series that begin again, are missing once, or outlive the agent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from collector.counters import Counters
from collector.sources.scrape import Scrape, ScrapeSettings, Target
from gpuledger.catalogue import GpuSample, ObjectStoreSample
from tests.collector.support import FakeClock, context, tree
from tests.collector.test_scrape import Exporter, exporter, read, target

__all__ = ["exporter"]  # the fixture

BOOT = "proc/sys/kernel/random/boot_id"


class Agent:
    """Reads one target, through lives of the agent, and keeps counters as it does."""

    def __init__(self, exporter: Exporter, mapping: str, root: Path = Path("/nowhere")) -> None:
        self.clock = FakeClock()
        self.exporter = exporter
        self.place = context(root, self.clock)
        self.target: Target = target(exporter, "/sums", mapping=mapping)
        self.counters = Counters()
        self.begin()

    def begin(self) -> None:
        """Another life of the agent, with the memory of the one before."""
        self.place = replace(self.place)
        self.source = Scrape(ScrapeSettings(targets=[self.target], wait_s=10.0), self.place)

    def reboot(self, root: Path) -> None:
        """Another boot of the machine."""
        kept = self.counters.changed()
        name = (root / BOOT).read_text() + "+"
        tree(root, {BOOT: name})
        told = {k: v for k, v in kept.items() if v is not None}
        self.counters = Counters({**told, "boot": "before"}, name)
        self.begin()

    def read(self, kind: type[GpuSample | ObjectStoreSample], lines: Iterable[str]) -> list[object]:
        page = "".join(f"{line}\n" for line in lines).encode()
        self.exporter.answers["/sums"] = lambda h: h.send(page)
        self.clock.pass_s(15)
        rows = [row for row in read(self.source) if isinstance(row, kind)]
        for row in rows:
            row.__dict__.update(cluster="c", node=row.__dict__.get("node") or "n1")
            self.counters.correct(row)
        column = "nvlink_receive_bytes" if kind is GpuSample else "requests"
        return [row.__dict__[column] for row in rows]


def links(numbers: Iterable[int], kilobytes: int = 1000) -> list[str]:
    base = 'gpu_xgmi_link_rx{gpu_id="0",gpu_uuid="u",link_index="'
    return [f'{base}{number}"}} {kilobytes}' for number in numbers]


def users(names: str, count: int = 1000) -> list[str]:
    more = 'bucket="b",category="get_obj",store="s"'
    return [f'radosgw_usage_ops_total{{owner="{name}",{more}}} {count}' for name in names]


def test_a_link_that_is_missing_once_counts_for_no_more(exporter: Exporter) -> None:
    agent = Agent(exporter, "amd-device-metrics-exporter")
    told = [agent.read(GpuSample, links(range(n))) for n in (7, 7, 6, 7)]
    assert told == [[7e6]] * 4


def test_one_link_that_begins_again_costs_no_history(exporter: Exporter) -> None:
    agent = Agent(exporter, "amd-device-metrics-exporter")
    agent.read(GpuSample, links(range(7)))
    told = agent.read(GpuSample, [*links(range(6)), *links([6], 5)])
    assert told == [7e6 + 5e3]


def test_users_that_come_and_go_are_counted_once(exporter: Exporter) -> None:
    agent = Agent(exporter, "radosgw-usage-exporter")
    told = [agent.read(ObjectStoreSample, users(names)) for names in ("ab", "a", "abc", "b")]
    assert told == [[2000], [2000], [3000], [3000]]


def test_a_restart_of_the_agent_while_a_series_is_missing_counts_nothing_twice(
    exporter: Exporter,
) -> None:
    agent = Agent(exporter, "radosgw-usage-exporter")
    told = [agent.read(ObjectStoreSample, users("ab"))]
    for names in ("a", "ab"):
        agent.begin()
        told.append(agent.read(ObjectStoreSample, users(names)))
    assert told == [[2000], [2000], [2000]]


def test_after_a_reboot_the_counters_of_this_node_go_on_once(
    exporter: Exporter, tmp_path: Path
) -> None:
    agent = Agent(exporter, "amd-device-metrics-exporter", tree(tmp_path, {BOOT: "one"}))
    agent.read(GpuSample, links(range(7)))
    agent.reboot(tmp_path)
    assert agent.read(GpuSample, links(range(7), 1)) == [7e6 + 7e3]


def test_sums_that_nobody_tells_for_a_day_are_forgotten(exporter: Exporter) -> None:
    agent = Agent(exporter, "radosgw-usage-exporter")
    agent.read(ObjectStoreSample, users("ab"))
    agent.begin()
    for _ in range(2):
        agent.read(ObjectStoreSample, [])
        agent.clock.pass_s(86_400)
    agent.read(ObjectStoreSample, [])
    assert [key for key in agent.place.memory if key.startswith("sum/there/")] == []
