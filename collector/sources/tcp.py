"""TCP of this machine: connections, retransmissions and drops, from /proc/net."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from collector.files import Files, whole
from collector.missing import Missing, Reason
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.network import TcpSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

# The protocol's lines in each file.
LINES = {"snmp": "Tcp", "netstat": "TcpExt"}
# By column: the file, and the name in its header (RFC 4022, and linux
# Documentation/networking/snmp_counter.rst).
COUNTERS = {
    "connections": ("snmp", "CurrEstab"),
    "segments_sent": ("snmp", "OutSegs"),
    "retransmits": ("snmp", "RetransSegs"),
    "receive_errors": ("snmp", "InErrs"),
    "timeouts": ("netstat", "TCPTimeouts"),
    "syn_retransmits": ("netstat", "TCPSynRetrans"),
    "listen_drops": ("netstat", "ListenDrops"),
    "receive_drops": ("netstat", "TCPRcvQDrop"),
}


class TcpSettings(Settings):
    """Section `[tcp]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0


class Tcp(Source):
    """One row per reading, of the network namespace that the agent runs in.

    In a container that is the machine's own only with the host's network.
    """

    def __init__(self, settings: TcpSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._files = Files(context.root, context.clock.monotonic)
        self._missing = Missing("tcp")

    def read(self) -> Iterable[Row]:
        """Every counter that the kernel names. Unavailable without /proc/net."""
        texts = {name: self._files.text(f"proc/net/{name}") for name in LINES}
        if not any(texts.values()):
            raise Unavailable("no /proc/net/snmp and no /proc/net/netstat")
        told = {name: counters(text or "", LINES[name]) for name, text in texts.items()}
        values = {column: told[file].get(name) for column, (file, name) in COUNTERS.items()}
        for column, value in values.items():
            if value is None:
                self._missing.note("", column, Reason.UNSUPPORTED, COUNTERS[column][1])
            else:
                self._missing.found("", column)
        yield TcpSample.known(**values)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def counters(text: str, protocol: str) -> dict[str, int]:
    """One protocol's counters by name, from a line of names followed by one of values.

    Kernels add names in the middle: never count on a column's place.
    """
    start = f"{protocol}: "
    lines = [line.split() for line in text.splitlines() if line.startswith(start)]
    if len(lines) != 2:
        return {}
    numbers = {name: whole(value) for name, value in zip(*lines, strict=False)}
    return {name: number for name, number in numbers.items() if number is not None}


source = SourceKind(TcpSettings, Tcp)
