"""What `ethtool -S` shows, by the same ioctl; no right is needed for it.

Structures and numbers: linux include/uapi/linux/ethtool.h and sockios.h. Names: mlx5
counters.rst, and the statistics tables of the drivers bnxt_en, ice and i40e.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import socket
import struct
from dataclasses import dataclass

SIOCETHTOOL = 0x8946
SIOCGIFHWADDR = 0x8927
GET_STRINGS, GET_STATISTICS, GET_COUNT = 0x1B, 0x1D, 0x37
STATISTICS_SET = 1
NAME_BYTES, VALUE_BYTES = 32, 8
INTERFACE_BYTES = 16
# The kernel writes as many entries as there are at that moment, whatever was asked for: queues
# that come between two calls must not write beyond our buffer.
SLACK = 4096
ADDRESS = slice(18, 24)

# By column: patterns of names that are added up; the first that a driver knows is used.
NAMES: dict[str, tuple[str, ...]] = {
    "link_downs": (r"link_down_events_phy",),
    "receive_discards": (r"rx_discards_phy|rx_out_of_buffer", r"rx_dropped\.nic"),
    "crc_errors": (
        r"rx_crc_errors_phy",
        r"rx_fcs_err_frames",
        r"rx_crc_errors\.nic",
        r"port\.rx_crc_errors",
    ),
    "symbol_errors": (r"rx_pcs_symbol_err_phy", r"rx_symbol_err_phy"),
    "corrected_errors": (r"rx_corrected_bits_phy",),
    "receive_pauses": (
        r"rx_prio[0-7]_pause|rx_global_pause",
        r"rx_pause_ctrl_phy",
        r"rx_pause_frames",
        r"link_xoff_rx\.nic",
        r"port\.link_xoff_rx",
    ),
    "transmit_pauses": (
        r"tx_prio[0-7]_pause|tx_global_pause",
        r"tx_pause_ctrl_phy",
        r"tx_pause_frames",
        r"link_xoff_tx\.nic",
        r"port\.link_xoff_tx",
    ),
    # Microseconds for which frames received held our sending up.
    "pause_seconds": (r"rx_prio[0-7]_pause_duration|rx_global_pause_duration",),
}


@dataclass(frozen=True)
class Plan:
    """Which of how many statistics make up each column."""

    count: int
    columns: dict[str, tuple[int, ...]]


class Ethtool:
    """Statistics of interfaces in this process's network namespace; names are asked once."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}

    def address(self, interface: str) -> str:
        """Its hardware address, e.g. 02:fc:00:00:00:01. OSError outside our namespace."""
        request = bytearray(struct.pack("16s24x", _name(interface)))
        _ioctl(SIOCGIFHWADDR, request)
        return bytes(request[ADDRESS]).hex(":")

    def statistics(self, interface: str) -> dict[str, int]:
        """Sums by column of `NAMES`. OSError where the driver has no statistics."""
        count = self._count(interface)
        plan = self._plans.get(interface)
        if plan is None or plan.count != count:
            plan = self._plans[interface] = Plan(count, columns(self._names(interface, count)))
        if not plan.columns:
            return {}
        values = array.array("Q")
        body = self._call(interface, struct.pack("=II", GET_STATISTICS, count), count * VALUE_BYTES)
        values.frombytes(body[8 : 8 + count * VALUE_BYTES])
        return {column: sum(values[i] for i in at) for column, at in plan.columns.items()}

    def forget(self, interface: str) -> None:
        """The interface is gone; what comes under its name may be another one."""
        self._plans.pop(interface, None)

    def _count(self, interface: str) -> int:
        """How many statistics the driver has now."""
        head = struct.pack("=IIQ", GET_COUNT, 0, 1 << STATISTICS_SET)
        answer: tuple[int, int] = struct.unpack_from("=QI", self._call(interface, head, 4), 8)
        mask, count = answer
        return count if mask else 0

    def _names(self, interface: str, count: int) -> list[str]:
        head = struct.pack("=III", GET_STRINGS, STATISTICS_SET, count)
        body = self._call(interface, head, count * NAME_BYTES)[12:]
        starts = range(0, count * NAME_BYTES, NAME_BYTES)
        return [_text(body[at : at + NAME_BYTES]) for at in starts]

    def _call(self, interface: str, head: bytes, room: int) -> bytes:
        """The answer to one command: the request's own head, then what the driver wrote."""
        buffer = array.array("B", head + bytes(room + SLACK * NAME_BYTES))
        request = struct.pack("16sP16x", _name(interface), buffer.buffer_info()[0])
        _ioctl(SIOCETHTOOL, bytearray(request))
        return buffer.tobytes()


def columns(names: list[str]) -> dict[str, tuple[int, ...]]:
    """Positions of the statistics of each column that a driver with these names knows."""
    out = {}
    for column, patterns in NAMES.items():
        matches = (
            tuple(i for i, name in enumerate(names) if re.fullmatch(pattern, name))
            for pattern in patterns
        )
        found = next((m for m in matches if m), ())
        if found:
            out[column] = found
    return out


def _name(interface: str) -> bytes:
    """The name as the kernel takes it. OSError for one that it would cut to another's."""
    name = os.fsencode(interface)
    if len(name) >= INTERFACE_BYTES:
        raise OSError(errno.ENODEV, "no interface has so long a name")
    return name


def _ioctl(command: int, request: bytearray) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, command, request)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")
