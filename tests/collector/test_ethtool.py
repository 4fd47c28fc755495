"""Driver statistics by name."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.ethtool import GET_COUNT, GET_STATISTICS, GET_STRINGS, Ethtool, columns

MLX5 = [
    *("rx_packets", "rx_bytes", "rx_out_of_buffer", "rx_discards_phy", "rx_crc_errors_phy"),
    *("rx_symbol_err_phy", "rx_pcs_symbol_err_phy", "rx_corrected_bits_phy"),
    *("link_down_events_phy", "rx_pause_ctrl_phy", "tx_pause_ctrl_phy"),
]
PFC = [
    *("rx_prio0_pause", "rx_prio0_pause_duration", "rx_prio0_pause_transition"),
    *("rx_prio3_pause", "rx_prio3_pause_duration", "tx_prio3_pause", "rx_prio3_discards"),
]


class Driver(Ethtool):
    """Answers the ioctl from a table of statistics."""

    def __init__(self, table: dict[str, int]) -> None:
        super().__init__()
        self.table = table
        self.commands: list[int] = []

    def _call(self, interface: str, head: bytes, room: int) -> bytes:
        if interface != "eth0":
            raise OSError(errno.ENODEV, "no such device")
        command = int.from_bytes(head[:4], "little")
        self.commands.append(command)
        if command == GET_COUNT:
            return head + struct.pack("=I", len(self.table))
        if command == GET_STRINGS:
            return head + b"".join(struct.pack("32s", name.encode()) for name in self.table)
        return head + struct.pack(f"={len(self.table)}Q", *self.table.values()) + bytes(room)


def values(names: list[str]) -> dict[str, int]:
    return {name: 10**i for i, name in enumerate(names)}


def test_mlx5_names_become_columns() -> None:
    told = Driver(values(MLX5)).statistics("eth0")
    assert told == {
        "receive_discards": 10**2 + 10**3,
        "crc_errors": 10**4,
        "symbol_errors": 10**6,
        "corrected_errors": 10**7,
        "link_downs": 10**8,
        "receive_pauses": 10**9,
        "transmit_pauses": 10**10,
    }


def test_pauses_by_priority_are_added_up_and_not_mixed_with_their_durations() -> None:
    told = Driver(values(PFC)).statistics("eth0")
    assert told == {
        "receive_pauses": 10**0 + 10**3,
        "pause_seconds": 10**1 + 10**4,
        "transmit_pauses": 10**5,
    }


def test_names_are_asked_once_until_there_are_more_of_them() -> None:
    driver = Driver(values(MLX5))
    driver.statistics("eth0")
    driver.statistics("eth0")
    assert driver.commands.count(GET_STRINGS) == 1
    driver.table = {"rx_new_queue": 5, **driver.table}
    assert driver.statistics("eth0")["link_downs"] == 10**8
    assert driver.commands.count(GET_STRINGS) == 2


def test_a_driver_without_any_of_them_is_not_asked_for_values() -> None:
    driver = Driver({"rx_drops": 1})
    assert driver.statistics("eth0") == {}
    assert GET_STATISTICS not in driver.commands


def test_an_interface_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="device"):
        Ethtool().statistics("none0")
    with pytest.raises(OSError, match="device"):
        Ethtool().address("none0")


@pytest.mark.parametrize("name", ["et\udcffh", "e" * 16, "\u00e9" * 8])
def test_a_name_that_the_kernel_cannot_have_is_an_error_of_the_system(name: str) -> None:
    with pytest.raises(OSError, match=r"device|name"):
        Ethtool().address(name)
    with pytest.raises(OSError, match=r"device|name"):
        Ethtool().statistics(name)


def test_an_ordinary_user_may_ask() -> None:
    names = [p.name for p in Path("/sys/class/net").iterdir() if (p / "device").exists()]
    if not names:
        pytest.skip("no interface with hardware")
    expected = (Path("/sys/class/net") / names[0] / "address").read_text().strip()
    child = os.fork()
    if not child:
        ok = False
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            ethtool = Ethtool()
            ethtool.statistics(names[0])
            ok = ethtool.address(names[0]) == expected
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0


@given(st.lists(st.text(max_size=32)))
def test_no_names_upset_the_table(names: list[str]) -> None:
    for at in columns(names).values():
        assert all(0 <= i < len(names) for i in at)
