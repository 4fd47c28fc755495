"""Interfaces and ports, odd ones included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.ethtool import Ethtool
from collector.sources.network import Network, NetworkSettings
from gpuledger.batch import by_table
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.network import NetworkSample
from gpuledger.errors import Unavailable
from gpuledger.schema import Kind
from tests.collector.support import FakeClock, context, tree

COUNTS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
ERRORS = (
    *("rx_errors", "rx_dropped", "tx_errors", "tx_dropped"),
    *("rx_missed_errors", "rx_crc_errors"),
)
MAC = "02:fc:00:00:00:01"


def ethernet(name: str, *, hardware: bool = True, kind: int = 1) -> dict[str, str]:
    base = f"sys/class/net/{name}"
    return {
        f"{base}/type": f"{kind}\n",
        f"{base}/operstate": "up\n",
        f"{base}/speed": "25000\n",
        f"{base}/carrier_down_count": "3\n",
        f"{base}/carrier_changes": "6\n",
        f"{base}/address": f"{MAC}\n",
        **{f"{base}/statistics/{n}": f"{i}000\n" for i, n in enumerate(COUNTS, 1)},
        **{f"{base}/statistics/{n}": f"{i}\n" for i, n in enumerate(ERRORS, 1)},
        **({f"{base}/device/vendor": "0x15b3\n"} if hardware else {}),
    }


class FakeEthtool(Ethtool):
    """A driver that tells what the test says."""

    def __init__(self, told: dict[str, int] | OSError | None = None, address: str = MAC) -> None:
        super().__init__()
        self.told: dict[str, int] | OSError = told or {}
        self.mac = address

    def address(self, interface: str) -> str:
        return self.mac if interface else ""

    def statistics(self, interface: str) -> dict[str, int]:
        if isinstance(self.told, OSError):
            raise self.told
        return self.told if interface else {}


def samples(source: Network) -> dict[str, NetworkSample]:
    return {row.device: row for row in source.read() if isinstance(row, NetworkSample)}


def reasons(source: Network) -> dict[str, tuple[str, str]]:
    rows = [row for row in source.read() if isinstance(row, MissingValue)]
    return {row.reading: (row.reason, row.detail) for row in rows}


def network(
    root: Path, ethtool: Ethtool | None = None, clock: FakeClock | None = None, **settings: bool
) -> Network:
    return Network(NetworkSettings(**settings), context(root, clock), ethtool)


def read(root: Path, **settings: bool) -> dict[str, NetworkSample]:
    return samples(network(root, **settings))


def test_an_interface_with_hardware_is_read_and_loopback_and_veth_are_not(tmp_path: Path) -> None:
    tree(tmp_path, {**ethernet("eth0"), **ethernet("veth1", hardware=False)})
    tree(tmp_path, ethernet("lo", kind=772))
    rows = read(tmp_path)
    assert list(rows) == ["eth0"]
    row = rows["eth0"]
    assert (row.kind, row.up_ratio, row.speed_bytes_per_second) == ("ethernet", 1.0, 3.125e9)
    assert (row.receive_bytes, row.transmit_packets) == (1000, 4000)
    assert (row.receive_errors, row.transmit_errors, row.link_downs) == (3, 7, 3)
    assert row.transmit_wait is None


def test_virtual_interfaces_are_read_when_asked_for(tmp_path: Path) -> None:
    tree(tmp_path, ethernet("veth1", hardware=False))
    assert list(read(tmp_path, virtual=True)) == ["veth1"]


def test_a_link_that_is_down_has_no_speed(tmp_path: Path) -> None:
    tree(tmp_path, {**ethernet("eth0"), "sys/class/net/eth0/speed": "-1\n"})
    tree(tmp_path, {"sys/class/net/eth0/operstate": "down\n"})
    row = read(tmp_path)["eth0"]
    assert (row.up_ratio, row.speed_bytes_per_second) == (0.0, None)


def test_an_error_count_with_a_missing_part_is_missing(tmp_path: Path) -> None:
    tree(tmp_path, ethernet("eth0"))
    (tmp_path / "sys/class/net/eth0/statistics/rx_dropped").unlink()
    row = read(tmp_path)["eth0"]
    assert row.receive_errors is None
    assert row.transmit_errors == 7


def test_an_interface_that_comes_later_is_found_within_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    source = network(tree(tmp_path, ethernet("eth0")), clock=clock)
    assert len(samples(source)) == 1
    tree(tmp_path, ethernet("eth1"))
    assert len(samples(source)) == 1
    clock.pass_s(60)
    assert len(samples(source)) == 2


def test_a_machine_without_network_hardware_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        read(tmp_path)


def test_what_no_driver_tells_is_the_kernels_count_or_missing_with_its_reason(
    tmp_path: Path,
) -> None:
    root = tree(tmp_path, ethernet("eth0"))
    row = samples(network(root, FakeEthtool()))["eth0"]
    assert (row.link_downs, row.carrier_changes, row.receive_discards, row.crc_errors) == (
        3,
        6,
        5,
        6,
    )
    silent = (
        *("symbol_errors", "corrected_errors"),
        *("receive_pauses", "transmit_pauses", "pause_seconds"),
    )
    why = ("unsupported", "the driver has no such counter")
    assert reasons(network(root, FakeEthtool())) == dict.fromkeys(silent, why)


def test_what_the_driver_tells_wins(tmp_path: Path) -> None:
    told = {"link_downs": 9, "receive_discards": 8, "symbol_errors": 7, "pause_seconds": 2_000_000}
    row = samples(network(tree(tmp_path, ethernet("eth0")), FakeEthtool(told)))["eth0"]
    assert (row.link_downs, row.receive_discards, row.symbol_errors) == (9, 8, 7)
    assert row.pause_seconds == pytest.approx(2.0)
    assert row.crc_errors == 6


def test_a_driver_that_falls_silent_is_missing_and_not_another_count(tmp_path: Path) -> None:
    clock, driver = FakeClock(), FakeEthtool({"link_downs": 900})
    source = network(tree(tmp_path, ethernet("eth0")), driver, clock)
    assert samples(source)["eth0"].link_downs == 900
    driver.told = OSError(5, "input/output error")
    clock.pass_s(10)
    assert samples(source)["eth0"].link_downs is None
    driver.told = {"link_downs": 901}
    clock.pass_s(10)
    assert samples(source)["eth0"].link_downs == 901


def test_a_driver_that_is_busy_at_first_is_not_replaced_by_another_count(tmp_path: Path) -> None:
    clock, driver = FakeClock(), FakeEthtool()
    driver.told = OSError(16, "busy")
    source = network(tree(tmp_path, ethernet("eth0")), driver, clock)
    row = samples(source)["eth0"]
    assert (row.link_downs, row.carrier_changes) == (None, 6)
    driver.told = {"link_downs": 500}
    clock.pass_s(10)
    row = samples(source)["eth0"]
    assert (row.link_downs, row.crc_errors) == (500, 6)


def test_a_driver_without_statistics_leaves_the_kernels(tmp_path: Path) -> None:
    driver = FakeEthtool()
    driver.told = OSError(95, "operation not supported")
    source = network(tree(tmp_path, ethernet("eth0")), driver)
    assert samples(source)["eth0"].link_downs == 3


@pytest.mark.parametrize("told", ["18446744073709551613", str((1 << 63) - 1)])
def test_a_sum_that_no_device_reaches_is_malformed(tmp_path: Path, told: str) -> None:
    tree(tmp_path, {**ethernet("eth0"), "sys/class/net/eth0/statistics/rx_dropped": told})
    source = network(tmp_path, FakeEthtool({"link_downs": 1 << 63}))
    rows = list(source.read())
    [row] = [r for r in rows if isinstance(r, NetworkSample)]
    lacks = {r.reading: r.reason for r in rows if isinstance(r, MissingValue)}
    assert (row.receive_errors, row.link_downs) == (None, None)
    assert (lacks["receive_errors"], lacks["link_downs"]) == ("malformed", "malformed")


def test_an_interface_with_an_odd_name_costs_no_other(tmp_path: Path) -> None:
    tree(tmp_path, {**ethernet("eth0"), **ethernet("odd")})
    base = tmp_path / "sys/class/net"
    (base / "odd").rename(base / os.fsdecode(b"et\xffh"))
    rows = list(Network(NetworkSettings(), context(tmp_path)).read())
    assert "eth0" in {r.device for r in rows if isinstance(r, NetworkSample)}
    assert repr(rows).isprintable()
    by_table(rows)


def test_an_interface_of_that_name_in_another_namespace_is_not_asked(tmp_path: Path) -> None:
    elsewhere = FakeEthtool({"link_downs": 900}, address="02:00:00:00:00:99")
    source = network(tree(tmp_path, ethernet("eth0")), elsewhere)
    assert samples(source)["eth0"].link_downs == 3
    source = network(tmp_path, elsewhere)
    assert reasons(source)["symbol_errors"] == ("unsupported", "not in this network namespace")


def test_details_are_read_every_ten_seconds_and_kept_between(tmp_path: Path) -> None:
    clock, driver = FakeClock(), FakeEthtool({"link_downs": 1})
    source = network(tree(tmp_path, ethernet("eth0")), driver, clock)
    assert samples(source)["eth0"].link_downs == 1
    driver.told = {"link_downs": 2}
    clock.pass_s(9)
    assert samples(source)["eth0"].link_downs == 1
    clock.pass_s(1)
    assert samples(source)["eth0"].link_downs == 2


def test_an_interface_that_left_and_came_back_is_read_afresh(tmp_path: Path) -> None:
    clock, base = FakeClock(), tmp_path / "sys/class/net/eth1"
    source = network(tree(tmp_path, {**ethernet("eth0"), **ethernet("eth1")}), clock=clock)
    assert list(samples(source)) == ["eth0", "eth1"]
    away = base.rename(tmp_path / "away")
    for _ in range(4):
        assert samples(source)["eth1"].up_ratio == 1.0  # the kept descriptors still answer
    clock.pass_s(60)
    assert list(samples(source)) == ["eth0"]
    away.rename(base)
    tree(tmp_path, {"sys/class/net/eth1/statistics/rx_bytes": "5\n"})
    clock.pass_s(60)
    assert samples(source)["eth1"].receive_bytes == 5


def test_a_speed_of_minus_one_is_unsupported(tmp_path: Path) -> None:
    tree(tmp_path, {**ethernet("eth0"), "sys/class/net/eth0/speed": "-1\n"})
    source = network(tmp_path, FakeEthtool())
    assert reasons(source)["speed_bytes_per_second"] == ("unsupported", "speed")


@given(st.dictionaries(st.sampled_from([*COUNTS, *ERRORS]), st.binary(max_size=40)))
def test_garbage_is_missing_and_no_counter_is_negative(
    tmp_path_factory: pytest.TempPathFactory, garbage: dict[str, bytes]
) -> None:
    root = tree(tmp_path_factory.mktemp("m"), ethernet("eth0"))
    for name, data in garbage.items():
        (root / f"sys/class/net/eth0/statistics/{name}").write_bytes(data)
    row = samples(network(root, FakeEthtool()))["eth0"]
    counters = [c.name for c in NetworkSample.table.columns if c.kind is Kind.COUNTER]
    assert all((getattr(row, name) or 0) >= 0 for name in counters)
