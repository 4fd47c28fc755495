"""Sources on machines whose files answer with errors, garbage or half of what they hold."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import files
from collector.source import Context, Source
from collector.sources.cgroups import Cgroups, CgroupsSettings
from collector.sources.host import Host, HostSettings
from collector.sources.network import Network, NetworkSettings
from collector.sources.tcp import Tcp, TcpSettings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Kind, Row
from tests.collector.support import FakeClock, context, tree
from tests.collector.test_cgroups import SLURM, machine
from tests.collector.test_host import MACHINE
from tests.collector.test_infiniband import MLX5_HARDWARE, classic, hardware, port
from tests.collector.test_network import FakeEthtool, ethernet
from tests.collector.test_tcp import NETSTAT, SNMP

ERRORS = (errno.EIO, errno.EINVAL, errno.EACCES, errno.ENODEV, errno.ENOENT, errno.ETIMEDOUT)
READINGS = 3
Answer = int | bytes | float


def network(here: Context) -> Source:
    return Network(NetworkSettings(), here, FakeEthtool({"link_downs": 1}))


SOURCES: dict[str, Callable[[Context], Source]] = {
    "network": network,
    "tcp": lambda here: Tcp(TcpSettings(), here),
    "host": lambda here: Host(HostSettings(), here),
    "cgroups": lambda here: Cgroups(CgroupsSettings(), here),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = machine(tmp_path_factory.mktemp("machine"), f"{SLURM}/job_7")
    tree(root, {"proc/net/snmp": SNMP, "proc/net/netstat": NETSTAT, **MACHINE})
    tree(root, {**ethernet("eth0"), **classic(), **port("mlx5_0", "Ethernet")})
    return tree(root, hardware("mlx5_0", *MLX5_HARDWARE))


def answers() -> st.SearchStrategy[list[Answer | None]]:
    """What files do in turn: an error, garbage, a share of their text, or what they should."""
    odd = st.one_of(st.sampled_from(ERRORS), st.binary(max_size=30), st.floats(0, 1), st.just(None))
    return st.lists(odd, min_size=1, max_size=40)


class Disk:
    """Reads of files, each answered by the next of the answers."""

    def __init__(self, answers: list[Answer | None]) -> None:
        self._answers = answers
        self._asked = 0
        self._real = files._all

    def read(self, descriptor: int, path: str) -> bytes:
        answer = self._answers[self._asked % len(self._answers)]
        self._asked += 1
        if isinstance(answer, int):
            raise OSError(answer, "the device says no")
        if isinstance(answer, bytes):
            return answer
        data = self._real(descriptor, path)
        return data if answer is None else data[: int(len(data) * answer)]


def read(source: Source) -> list[Row]:
    try:
        return list(source.read())
    except (ReadError, Unavailable):
        return []


@pytest.mark.parametrize("name", SOURCES)
@given(answers=answers())
@settings(max_examples=60)
def test_whatever_files_do_only_our_errors_come_and_no_counter_is_negative(
    root: Path, name: str, answers: list[Answer | None]
) -> None:
    clock = FakeClock()
    with pytest.MonkeyPatch.context() as patch:
        source = SOURCES[name](context(root, clock))
        patch.setattr(files, "_all", Disk(answers).read)
        for _ in range(READINGS):
            for row in read(source):
                counters = (c.name for c in row.table.columns if c.kind is Kind.COUNTER)
                assert all((getattr(row, column) or 0) >= 0 for column in counters)
            clock.pass_s(10)
        source.close()


@pytest.mark.parametrize("name", SOURCES)
def test_what_was_missing_is_there_again_once_the_files_answer(root: Path, name: str) -> None:
    clock = FakeClock()
    source = SOURCES[name](context(root, clock))
    whole = {(r.table.name, k) for r in read(source) for k, v in vars(r).items() if v is not None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_all", Disk([errno.EIO]).read)
        clock.pass_s(10)
        read(source)
    clock.pass_s(3700)
    again = {(r.table.name, k) for r in read(source) for k, v in vars(r).items() if v is not None}
    samples = {pair for pair in whole if pair[0].endswith("_samples")}
    assert samples <= again
    source.close()
