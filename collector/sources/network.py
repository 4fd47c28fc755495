"""Ethernet interfaces and InfiniBand ports, from /sys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from collector.files import Files, real, scaled, total, whole
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.network import NetworkSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable

NET = "sys/class/net"
INFINIBAND = "sys/class/infiniband"
ETHERNET_TYPE = 1  # ARPHRD_ETHER in linux/if_arp.h; loopback and IP over InfiniBand are others
LANES = 4  # port_xmit_data counts octets divided by 4 (linux: sysfs-class-infiniband)
MEGABIT = 1e6 / 8
GIGABIT = 1e9 / 8
# Listing devices and asking for a link's speed takes locks in the kernel; both change rarely.
LOOK_AGAIN_S = 60.0


class NetworkSettings(Settings):
    """Section `[network]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    virtual: Annotated[bool, "also read interfaces without hardware, e.g. veth and bridges"] = False


class Network(Source):
    """One row per interface and port; a file that cannot be read is a missing value."""

    def __init__(self, settings: NetworkSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._virtual = settings.virtual
        self._monotonic = context.clock.monotonic
        self._files = Files(context.root, self._monotonic)
        self._interfaces: dict[str, float | None] = {}
        self._ports: dict[str, str] = {}
        self._looked: float | None = None

    def read(self) -> Iterable[NetworkSample]:
        """Every interface, then every port. Unavailable where there is neither."""
        now = self._monotonic()
        if self._looked is None or now - self._looked >= LOOK_AGAIN_S:
            self._look()
            self._looked = now
        if not self._interfaces and not self._ports:
            self._looked = None
            raise Unavailable("no network hardware in /sys/class")
        for name, speed in self._interfaces.items():
            yield self._ethernet(name, speed)
        for name, path in self._ports.items():
            yield self._port(name, path)

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _look(self) -> None:
        """List the devices, and the speed of each interface in bytes per second."""
        self._interfaces = {
            name: scaled(self._files.number(f"{NET}/{name}/speed"), MEGABIT)
            for name in self._files.names(NET)
            if self._is_wanted(name)
        }
        self._ports = {
            f"{device}/{port}": f"{INFINIBAND}/{device}/ports/{port}"
            for device in self._files.names(INFINIBAND)
            for port in self._files.names(f"{INFINIBAND}/{device}/ports")
        }

    def _is_wanted(self, name: str) -> bool:
        if self._files.number(f"{NET}/{name}/type") != ETHERNET_TYPE:
            return False
        return self._virtual or self._files.exists(f"{NET}/{name}/device")

    def _ethernet(self, name: str, speed: float | None) -> NetworkSample:
        def count(what: str) -> int | None:
            return self._files.number(f"{NET}/{name}/statistics/{what}")

        return NetworkSample.known(
            device=name,
            kind="ethernet",
            up_ratio=_is_up(self._files.text(f"{NET}/{name}/operstate")),
            speed_bytes_per_second=speed,
            receive_bytes=count("rx_bytes"),
            transmit_bytes=count("tx_bytes"),
            receive_packets=count("rx_packets"),
            transmit_packets=count("tx_packets"),
            receive_errors=total(count("rx_errors"), count("rx_dropped")),
            transmit_errors=total(count("tx_errors"), count("tx_dropped")),
            transmit_wait=None,
            link_downs=self._files.number(f"{NET}/{name}/carrier_down_count"),
        )

    def _port(self, name: str, path: str) -> NetworkSample:
        def count(what: str) -> int | None:
            return self._files.number(f"{path}/counters/{what}")

        return NetworkSample.known(
            device=name,
            kind="infiniband",
            up_ratio=_is_active(self._files.text(f"{path}/state")),
            speed_bytes_per_second=_rate(self._files.text(f"{path}/rate")),
            receive_bytes=scaled(count("port_rcv_data"), LANES),
            transmit_bytes=scaled(count("port_xmit_data"), LANES),
            receive_packets=count("port_rcv_packets"),
            transmit_packets=count("port_xmit_packets"),
            receive_errors=count("port_rcv_errors"),
            transmit_errors=count("port_xmit_discards"),
            transmit_wait=count("port_xmit_wait"),
            link_downs=count("link_downed"),
        )


def _is_up(operstate: str | None) -> float | None:
    """1 for `up`; drivers without the notion say `unknown`: missing."""
    word = (operstate or "unknown").strip()
    return None if word == "unknown" else float(word == "up")


def _is_active(state: str | None) -> float | None:
    """1 for `4: ACTIVE`."""
    number = whole((state or "").partition(":")[0])
    return None if number is None else float(number == 4)


def _rate(text: str | None) -> float | None:
    """Bytes per second from `400 Gb/sec (4X NDR)`."""
    value, _, unit = (text or "").partition(" ")
    return scaled(real(value), GIGABIT) if unit.startswith("Gb/sec") else None


source = SourceKind(NetworkSettings, Network)
