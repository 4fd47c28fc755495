"""Ethernet interfaces: traffic and errors from /sys, and what only their driver knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from collector.ethtool import NAMES, Ethtool
from collector.files import TOO_LARGE, Files, reason_of, scaled, total
from collector.missing import Missing, Reason
from gpuledger.catalogue.network import NetworkSample

NET = "sys/class/net"
ETHERNET_TYPE = 1  # ARPHRD_ETHER in linux/if_arp.h; loopback and IP over InfiniBand are others
MEGABIT = 1e6 / 8
MICRO = 1e-6
# By column: the files that are added up.
TRAFFIC = (
    ("receive_bytes", ("statistics/rx_bytes",)),
    ("transmit_bytes", ("statistics/tx_bytes",)),
    ("receive_packets", ("statistics/rx_packets",)),
    ("transmit_packets", ("statistics/tx_packets",)),
    ("receive_errors", ("statistics/rx_errors", "statistics/rx_dropped")),
    ("transmit_errors", ("statistics/tx_errors", "statistics/tx_dropped")),
)
# Where a driver does not tell the column, the kernel's own count does.
KERNEL = {
    "link_downs": "carrier_down_count",
    "carrier_changes": "carrier_changes",
    "receive_discards": "statistics/rx_missed_errors",
    "crc_errors": "statistics/rx_crc_errors",
}
DETAILS = (*NAMES, "carrier_changes")
# What a driver without statistics, another namespace and a lack of rights answer every time.
FINAL = {Reason.UNSUPPORTED, Reason.LOST, Reason.DENIED}


@dataclass
class Interface:
    """One interface, and what was last read of what is read less often."""

    name: str
    driver: frozenset[str] | None = None
    speed: float | None = None
    kept: dict[str, float | None] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where the kernel tells of it."""
        return f"{NET}/{self.name}"


class Interfaces:
    """Reads interfaces with hardware behind them, and others where `virtual`."""

    def __init__(self, files: Files, missing: Missing, ethtool: Ethtool, *, virtual: bool) -> None:
        self._files = files
        self._missing = missing
        self._ethtool = ethtool
        self._virtual = virtual
        self._interfaces: dict[str, Interface] = {}

    def look(self) -> None:
        """List the interfaces there are."""
        names = [name for name in self._files.names(NET) if self._is_wanted(name)]
        for name in self._interfaces.keys() - set(names):
            self._files.forget(f"{NET}/{name}")
            self._ethtool.forget(name)
        self._interfaces = {name: self._interfaces.get(name) or Interface(name) for name in names}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._interfaces)

    def rows(self, *, detailed: bool) -> Iterator[NetworkSample]:
        """One row per interface; speed and details are read anew where `detailed`."""
        for interface in self._interfaces.values():
            if detailed:
                self._detail(interface)
            yield self._row(interface)

    def _is_wanted(self, name: str) -> bool:
        if self._files.number(f"{NET}/{name}/type") != ETHERNET_TYPE:
            return False
        return self._virtual or self._files.exists(f"{NET}/{name}/device")

    def _row(self, interface: Interface) -> NetworkSample:
        traffic = {column: self._sum(interface, column, *names) for column, names in TRAFFIC}
        return NetworkSample.known(
            device=interface.name,
            kind="ethernet",
            up_ratio=is_up(self._files.text(f"{interface.folder}/operstate")),
            speed_bytes_per_second=interface.speed,
            **traffic,
            **interface.kept,
        )

    def _sum(self, interface: Interface, column: str, *names: str) -> int | None:
        """The sum of these files, missing where one of them is."""
        counts = [self._files.number(f"{interface.folder}/{name}") for name in names]
        for name, count in zip(names, counts, strict=True):
            if count is None:
                why = self._files.why(f"{interface.folder}/{name}")
                self._missing.note(interface.name, column, why, name)
                return None
        sum_ = total(*counts) or 0
        if sum_ >= TOO_LARGE:
            self._missing.note(interface.name, column, Reason.MALFORMED, str(sum_))
            return None
        self._missing.found(interface.name, column)
        return sum_

    def _detail(self, interface: Interface) -> None:
        megabits = self._sum(interface, "speed_bytes_per_second", "speed")
        interface.speed = scaled(megabits, MEGABIT)
        if is_up(self._files.text(f"{interface.folder}/operstate")) is None:
            self._missing.note(interface.name, "up_ratio", Reason.UNSUPPORTED, "operstate")
        else:
            self._missing.found(interface.name, "up_ratio")
        told, because = self._driver(interface)
        # Until the driver has answered, what it may tell is not taken from elsewhere.
        drivers = NAMES if interface.driver is None else interface.driver
        interface.kept = {
            column: self._of_driver(interface, column, told)
            if column in drivers
            else self._of_kernel(interface, column, because)
            for column in DETAILS
        }

    def _of_driver(self, interface: Interface, column: str, told: dict[str, int]) -> float | None:
        """From the driver, also where it says nothing now: another count would be a jump."""
        value = told.get(column)
        if value is None or value >= TOO_LARGE:
            reason = Reason.UNREADABLE if value is None else Reason.MALFORMED
            self._missing.note(interface.name, column, reason, "ethtool")
            return None
        self._missing.found(interface.name, column)
        return value * MICRO if column == "pause_seconds" else value

    def _of_kernel(self, interface: Interface, column: str, because: str) -> float | None:
        name = KERNEL.get(column)
        if name:
            return self._sum(interface, column, name)
        self._missing.note(interface.name, column, Reason.UNSUPPORTED, because)
        return None

    def _driver(self, interface: Interface) -> tuple[dict[str, int], str]:
        """What the driver tells, or why it does not. Its first answer settles its columns.

        One that is only busy settles nothing: the kernel counts from another origin.
        """
        ours = (self._files.text(f"{interface.folder}/address") or "").strip()
        told: dict[str, int] = {}
        because = "the driver has no such counter"
        try:
            # In a container, an interface of the same name may be quite another one.
            if self._ethtool.address(interface.name) == ours:
                told = self._ethtool.statistics(interface.name)
            else:
                because = "not in this network namespace"
        except OSError as error:
            because = f"ethtool: {reason_of(error)}"
            if reason_of(error) not in FINAL:
                return told, because
        if interface.driver is None:
            interface.driver = frozenset(told)
        return told, because


def is_up(operstate: str | None) -> float | None:
    """1 for `up`; drivers without the notion say `unknown`: missing."""
    word = (operstate or "unknown").strip()
    return None if word == "unknown" else float(word == "up")
