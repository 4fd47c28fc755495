"""Interfaces and ports, odd ones included."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.sources.network import Network, NetworkSettings
from gpuledger.catalogue.network import NetworkSample
from gpuledger.errors import Unavailable
from tests.collector.support import FakeClock, context, tree

COUNTS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
ERRORS = ("rx_errors", "rx_dropped", "tx_errors", "tx_dropped")


def ethernet(name: str, *, hardware: bool = True, kind: int = 1) -> dict[str, str]:
    base = f"sys/class/net/{name}"
    return {
        f"{base}/type": f"{kind}\n",
        f"{base}/operstate": "up\n",
        f"{base}/speed": "25000\n",
        f"{base}/carrier_down_count": "3\n",
        **{f"{base}/statistics/{n}": f"{i}000\n" for i, n in enumerate(COUNTS, 1)},
        **{f"{base}/statistics/{n}": f"{i}\n" for i, n in enumerate(ERRORS, 1)},
        **({f"{base}/device/vendor": "0x15b3\n"} if hardware else {}),
    }


def infiniband(device: str = "mlx5_0") -> dict[str, str]:
    port = f"sys/class/infiniband/{device}/ports/1"
    return {
        f"{port}/state": "4: ACTIVE\n",
        f"{port}/rate": "400 Gb/sec (4X NDR)\n",
        f"{port}/counters/port_rcv_data": "1000\n",
        f"{port}/counters/port_xmit_data": "2000\n",
        f"{port}/counters/port_rcv_packets": "10\n",
        f"{port}/counters/port_xmit_packets": "20\n",
        f"{port}/counters/port_rcv_errors": "1\n",
        f"{port}/counters/port_xmit_discards": "2\n",
        f"{port}/counters/port_xmit_wait": "77\n",
        f"{port}/counters/link_downed": "5\n",
    }


def read(root: Path, **settings: bool) -> dict[str, NetworkSample]:
    source = Network(NetworkSettings(**settings), context(root))
    return {row.device: row for row in source.read()}


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


def test_an_infiniband_port_counts_four_octets_at_a_time(tmp_path: Path) -> None:
    row = read(tree(tmp_path, infiniband()))["mlx5_0/1"]
    assert (row.kind, row.up_ratio, row.speed_bytes_per_second) == ("infiniband", 1.0, 5e10)
    assert (row.receive_bytes, row.transmit_bytes) == (4000, 8000)
    assert (row.receive_errors, row.transmit_errors) == (1, 2)
    assert (row.transmit_wait, row.link_downs) == (77, 5)


def test_an_odd_port_has_missing_values_and_the_other_port_is_whole(tmp_path: Path) -> None:
    odd = {
        "sys/class/infiniband/irdma0/ports/1/state": "1: DOWN\n",
        "sys/class/infiniband/irdma0/ports/1/counters/port_rcv_data": "N/A (no PMA)\n",
    }
    rows = read(tree(tmp_path, {**odd, **infiniband()}))
    assert rows["irdma0/1"].up_ratio == 0.0
    assert rows["irdma0/1"].receive_bytes is None
    assert rows["mlx5_0/1"].receive_bytes == 4000


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
    source = Network(NetworkSettings(), context(tree(tmp_path, ethernet("eth0")), clock))
    assert len(list(source.read())) == 1
    tree(tmp_path, ethernet("eth1"))
    assert len(list(source.read())) == 1
    clock.pass_s(60)
    assert len(list(source.read())) == 2


def test_a_machine_without_network_hardware_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        read(tmp_path)
