"""The whole agent: threads that do not harm each other, and an end that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.agent import Agent, AgentSettings, boot_id
from collector.source import Source
from collector.window import Folded, Profile
from gpuledger.batch import Batch
from gpuledger.errors import ConfigError, ReadError
from gpuledger.spool import Spool
from tests.collector.support import Context, Lines, Script, host_row, tree
from tests.collector.support import context as fake_context

FAST = AgentSettings(profile=Profile.FINE, flush_s=0.02)


class Seen:
    """Collects folded rows and tells when there are enough."""

    def __init__(self, enough: int) -> None:
        self.rows: list[Folded] = []
        self.enough = threading.Event()
        self._enough = enough

    def __call__(self, rows: Sequence[Folded]) -> None:
        self.rows += rows
        if sum(r.table.name == "host_samples" for r in self.rows) >= self._enough:
            self.enough.set()


def real_clock(lines: Lines | None = None) -> Context:
    fake = fake_context(lines=lines)
    return Context(fake.cluster, fake.node, root=fake.root, log=fake.log)


def agent(path: Path, sources: dict[str, Source], seen: Seen, lines: Lines | None = None) -> Agent:
    def encode(batch: Batch) -> bytes:
        return f"{len(batch)}".encode()

    return Agent(sources, real_clock(lines), Spool(path), encode, FAST, listeners=[seen])


def test_one_failing_source_never_stops_another(tmp_path: Path) -> None:
    seen, lines = Seen(3), Lines()
    sources = {
        "bad": Script(ReadError("broken"), period_s=0.02),
        "worse": Script(ZeroDivisionError("a bug"), period_s=0.02),
        "good": Script([host_row()], period_s=0.02),
    }
    collecting = agent(tmp_path / "spool", sources, seen, lines)
    collecting.start()
    assert seen.enough.wait(20)
    collecting.stop()
    failing = {
        r.values["source"]: r.values["failures"] for r in seen.rows if r.table.name == "source_runs"
    }
    assert failing == {"bad": 1, "worse": 1, "good": 0}
    assert sorted(line.split(":")[0] for line in lines.lines) == [
        "source bad fails",
        "source worse fails",
    ]


def test_stopping_hands_every_row_to_the_spool_and_closes_the_sources(tmp_path: Path) -> None:
    seen, source = Seen(1), Script([host_row()], period_s=0.02)
    collecting = agent(tmp_path / "spool", {"good": source}, seen)
    collecting.start()
    assert seen.enough.wait(20)
    collecting.stop()
    assert source.closed
    spool = Spool(tmp_path / "spool").open()
    kept = 0
    while heads := spool.heads():
        entry = spool.entry(heads[0])
        assert entry is not None
        kept += entry.rows
        spool.done(entry.sequence)
    spool.close()
    assert kept == len(seen.rows)


def test_a_spool_in_use_is_said_before_anything_runs(tmp_path: Path) -> None:
    other = Spool(tmp_path / "spool").open()
    with pytest.raises(ConfigError, match="locked"):
        agent(tmp_path / "spool", {}, Seen(1)).start()
    other.close()


def test_a_moved_wall_clock_is_said_in_one_line() -> None:
    lines = Lines()
    collecting = Agent({}, fake_context(lines=lines), Spool(Path("x")), lambda _: b"", FAST)
    collecting._tell_step(0.0)
    collecting._tell_step(-3600.0)
    assert len(lines.lines) == 1
    assert "moved by -3600.0 s" in lines.lines[0]


def test_the_boots_name_is_read_below_the_root(tmp_path: Path) -> None:
    assert boot_id(tmp_path) == ""
    root = tree(tmp_path, {"proc/sys/kernel/random/boot_id": "abc\n"})
    assert boot_id(root) == "abc"
