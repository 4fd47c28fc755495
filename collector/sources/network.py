"""Ethernet interfaces and InfiniBand, RoCE and Slingshot ports, from /sys and their drivers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from collector.ethtool import Ethtool
from collector.files import Files
from collector.infiniband import Ports
from collector.interfaces import Interfaces
from collector.missing import Missing
from collector.source import Context, Source, SourceKind
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

# Listing devices takes locks in the kernel; they change rarely.
LOOK_AGAIN_S = 60.0


class NetworkSettings(Settings):
    """Section `[network]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    detail_period_s: Annotated[
        float, "seconds between readings of error counters, speeds and driver statistics"
    ] = 10.0
    virtual: Annotated[bool, "also read interfaces without hardware, e.g. veth and bridges"] = False


class Network(Source):
    """One row per interface and port; a file that cannot be read is a missing value.

    Adapters answer every error counter by a command to their firmware: those are asked less
    often than traffic, and a row between repeats what they last said. In a container
    /sys/class/net shows the container's own interfaces: run it with the host's network.
    """

    def __init__(
        self, settings: NetworkSettings, context: Context, ethtool: Ethtool | None = None
    ) -> None:
        self.period_s = settings.period_s
        self._detail_period_s = settings.detail_period_s
        self._monotonic = context.clock.monotonic
        self._files = Files(context.root, self._monotonic)
        self._missing = Missing("network")
        self._interfaces = Interfaces(
            self._files, self._missing, ethtool or Ethtool(), virtual=settings.virtual
        )
        self._ports = Ports(self._files, self._missing, context.memory)
        self._looked: float | None = None
        self._detailed: float | None = None

    def read(self) -> Iterable[Row]:
        """Every interface, then every port. Unavailable where there is neither."""
        now = self._monotonic()
        looks = self._looked is None or now - self._looked >= LOOK_AGAIN_S
        if looks:
            self._interfaces.look()
            self._ports.look()
            self._looked = now
        if not self._interfaces and not self._ports:
            self._looked = None
            raise Unavailable("no network hardware in /sys/class")
        # A device that has just been found has nothing kept.
        detailed = looks or self._detailed is None or now - self._detailed >= self._detail_period_s
        if detailed:
            self._detailed = now
        yield from self._interfaces.rows(detailed=detailed)
        yield from self._ports.rows(detailed=detailed)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files."""
        self._files.close()


source = SourceKind(NetworkSettings, Network)
