"""Ports of InfiniBand, RoCE and Slingshot adapters: which files tell what, by vendor.

Sources: linux Documentation/ABI/stable/sysfs-class-infiniband, drivers/infiniband/core/sysfs.c
(widths), mlx5 counters.rst, and the statistics tables of the drivers irdma, bnxt_re and ionic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field

from collector.files import TOO_LARGE, Files, boot_id, real, scaled, whole
from collector.missing import Missing, Reason
from gpuledger.catalogue.network import NetworkSample

INFINIBAND = "sys/class/infiniband"
SLINGSHOT = "sys/class/cxi"
TELEMETRY = "device/telemetry"
GIGABIT = 1e9 / 8
LANES = 4  # port_xmit_data counts octets divided by 4 (linux: sysfs-class-infiniband)
ACTIVE = 4
NDEVS_ASKED = 4  # an entry of the address table without an interface answers EINVAL

# Bits of the counters of the classic performance management, which stop at all ones.
WIDTHS = {
    "symbol_error": 16,
    "link_error_recovery": 8,
    "link_downed": 8,
    "port_rcv_errors": 16,
    "port_rcv_remote_physical_errors": 16,
    "port_xmit_discards": 16,
    "port_xmit_constraint_errors": 8,
    "port_rcv_constraint_errors": 8,
    "local_link_integrity_errors": 4,
    "excessive_buffer_overrun_errors": 4,
    "port_xmit_wait": 32,
    "port_xmit_data": 32,
    "port_rcv_data": 32,
    "port_xmit_packets": 32,
    "port_rcv_packets": 32,
}

Alternatives = tuple[tuple[str, ...], ...]

# By column: groups of files that are added up. The first group that a port can tell is used.
TRAFFIC: dict[str, Alternatives] = {
    "receive_bytes": (
        ("counters/port_rcv_data",),
        ("hw_counters/rx_rdma_ucast_bytes", "hw_counters/rx_rdma_mcast_bytes"),  # ionic
        ("hw_counters/rx_bytes",),  # bnxt_re
        ("hw_counters/ip4InOctets", "hw_counters/ip6InOctets"),  # irdma
    ),
    "transmit_bytes": (
        ("counters/port_xmit_data",),
        ("hw_counters/tx_rdma_ucast_bytes", "hw_counters/tx_rdma_mcast_bytes"),
        ("hw_counters/tx_bytes",),
        ("hw_counters/ip4OutOctets", "hw_counters/ip6OutOctets"),
    ),
    "receive_packets": (
        ("counters/port_rcv_packets",),
        ("hw_counters/rx_rdma_ucast_pkts", "hw_counters/rx_rdma_mcast_pkts"),
        ("hw_counters/rx_pkts",),
        ("hw_counters/ip4InPkts", "hw_counters/ip6InPkts"),
    ),
    "transmit_packets": (
        ("counters/port_xmit_packets",),
        ("hw_counters/tx_rdma_ucast_pkts", "hw_counters/tx_rdma_mcast_pkts"),
        ("hw_counters/tx_pkts",),
        ("hw_counters/ip4OutPkts", "hw_counters/ip6OutPkts"),
    ),
    "transmit_wait": (("counters/port_xmit_wait",),),
}
ERRORS: dict[str, Alternatives] = {
    "receive_errors": (
        ("counters/port_rcv_errors",),
        ("hw_counters/rx_roce_errors", "hw_counters/rx_roce_discards"),
        ("hw_counters/ip4InDiscards", "hw_counters/ip6InDiscards"),
    ),
    "transmit_errors": (
        ("counters/port_xmit_discards",),
        ("hw_counters/tx_roce_errors", "hw_counters/tx_roce_discards"),
        ("hw_counters/ip4OutNoRoutes", "hw_counters/ip6OutNoRoutes"),
    ),
    "link_downs": (("counters/link_downed",),),
    "symbol_errors": (("counters/symbol_error",),),
    "link_recoveries": (("counters/link_error_recovery",),),
    "link_integrity_errors": (("counters/local_link_integrity_errors",),),
    "buffer_overruns": (("counters/excessive_buffer_overrun_errors",),),
    "remote_errors": (("counters/port_rcv_remote_physical_errors",),),
    "constraint_errors": (
        ("counters/port_rcv_constraint_errors", "counters/port_xmit_constraint_errors"),
    ),
    "out_of_sequence": (("hw_counters/out_of_sequence",), ("hw_counters/oos_drop_count",)),
    "sequence_errors": (
        ("hw_counters/packet_seq_err",),
        ("hw_counters/seq_err_naks_rcvd",),
        ("hw_counters/req_rx_pkt_seq_err",),
    ),
    "ack_timeouts": (("hw_counters/local_ack_timeout_err",), ("hw_counters/to_retransmits",)),
    "rnr_retries": (("hw_counters/rnr_nak_retry_err",),),
    "duplicate_requests": (("hw_counters/duplicate_request",), ("hw_counters/dup_req",)),
    "implied_naks": (("hw_counters/implied_nak_seq_err",), ("hw_counters/missing_resp",)),
    "out_of_buffer": (("hw_counters/out_of_buffer",), ("hw_counters/rx_out_of_buffer",)),
    "completion_errors": (("hw_counters/req_cqe_error", "hw_counters/resp_cqe_error"),),
}
# Only where the link layer is Ethernet.
CONGESTION: dict[str, Alternatives] = {
    "ecn_packets": (
        ("hw_counters/np_ecn_marked_roce_packets",),
        ("hw_counters/rx_ecn_marked_pkts",),
        ("hw_counters/rx_rdma_ecn_pkts",),
        ("hw_counters/RxECNMrkd",),
    ),
    "cnp_sent": (
        ("hw_counters/np_cnp_sent",),
        ("hw_counters/tx_cnp_pkts",),
        ("hw_counters/cnpSent",),
    ),
    "cnp_handled": (
        ("hw_counters/rp_cnp_handled",),
        ("hw_counters/rx_cnp_pkts",),
        ("hw_counters/rx_rdma_cnp_pkts",),
        ("hw_counters/cnpHandled",),
    ),
    "retransmits": (
        ("hw_counters/roce_adp_retrans",),
        ("hw_counters/tx_rdma_retx_pkts",),
        ("hw_counters/RetransSegs",),
        ("hw_counters/tcpRetransSegs",),
    ),
}
SLINGSHOT_BYTES: dict[str, Alternatives] = {
    "receive_bytes": (("hni_sts_rx_ok_octets",),),
    "transmit_bytes": (("hni_sts_tx_ok_octets",),),
}


@dataclass(frozen=True)
class Reading:
    """The files below a port's folder whose sum is one column."""

    column: str
    paths: tuple[str, ...]


@dataclass
class Port:
    """One port and how it is read. Counters of errors are read less often, and kept between."""

    device: str
    folder: str
    kind: str
    interface: str = ""
    traffic: list[Reading] = field(default_factory=list)
    errors: list[Reading] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    speed: float | None = None
    kept: dict[str, float | None] = field(default_factory=dict)


class Ports:
    """Reads ports; what one of them cannot tell is missing there, and nowhere else.

    Which files tell a column is kept in `memory` until the next boot: other files count from
    another origin.
    """

    def __init__(self, files: Files, missing: Missing, memory: MutableMapping[str, str]) -> None:
        self._files = files
        self._missing = missing
        self._memory = memory
        self._ports: dict[str, Port] = {}

    def look(self) -> None:
        """List the ports there are; one that is known keeps its files."""
        found = {**dict(self._found()), **dict(self._slingshot())}
        for folder in self._ports.keys() - found.keys():
            self._files.forget(folder)
        known = self._ports
        self._ports = {f: known.get(f) or self._port(f, name) for f, name in found.items()}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._ports)

    def rows(self, *, detailed: bool) -> Iterator[NetworkSample]:
        """One row per port; error counters are read anew where `detailed`."""
        for port in self._ports.values():
            if detailed:
                self._detail(port)
            yield self._row(port)

    def _found(self) -> Iterator[tuple[str, str]]:
        for device in self._files.names(INFINIBAND):
            for port in self._files.names(f"{INFINIBAND}/{device}/ports"):
                yield f"{INFINIBAND}/{device}/ports/{port}", f"{device}/{port}"

    def _slingshot(self) -> Iterator[tuple[str, str]]:
        for device in self._files.names(SLINGSHOT):
            yield f"{SLINGSHOT}/{device}/{TELEMETRY}", device

    def _port(self, folder: str, device: str) -> Port:
        """A new port: which of the alternatives it offers."""
        if folder.startswith(SLINGSHOT):
            port = Port(device, folder, "slingshot")
            self._plan(port, port.traffic, SLINGSHOT_BYTES)
            self._plan(port, port.traffic, self._histograms(folder))
            return port
        is_roce = (self._files.text(f"{folder}/link_layer", keep=False) or "").strip() == "Ethernet"
        port = Port(device, folder, "roce" if is_roce else "infiniband")
        port.interface = self._interface(folder) if is_roce else ""
        self._plan(port, port.traffic, TRAFFIC)
        self._plan(port, port.errors, {**ERRORS, **CONGESTION} if is_roce else ERRORS)
        return port

    def _plan(self, port: Port, into: list[Reading], wanted: dict[str, Alternatives]) -> None:
        listed = {
            f"{part}{name}"
            for part in ("counters/", "hw_counters/", "")
            for name in self._files.names(f"{port.folder}/{part}")
        }
        key, boot = f"port {port.folder}", boot_id(self._files.root)
        before, chosen = json.loads(self._memory.get(key, '["", {}]'))
        chosen = chosen if before == boot else {}
        for column, alternatives in wanted.items():
            there = [group for group in alternatives if group and listed.issuperset(group)]
            if not there:
                port.absent.append(column)
                continue
            known = tuple(chosen.get(column, ()))
            group = known if known in there else self._first(port, there)
            chosen[column] = group
            into.append(Reading(column, group))
        self._memory[key] = json.dumps([boot, chosen])

    def _first(self, port: Port, there: list[tuple[str, ...]]) -> tuple[str, ...]:
        """The first group that this kind of port tells, if not at this moment."""
        return next((group for group in there if self._offers(port, group)), there[0])

    def _offers(self, port: Port, group: tuple[str, ...]) -> bool:
        paths = [f"{port.folder}/{path}" for path in group]
        return all(
            _count(self._files.text(path, keep=False)) is not None
            or self._files.why(path) is not Reason.UNSUPPORTED
            for path in paths
        )

    def _histograms(self, folder: str) -> dict[str, Alternatives]:
        """Packets by size, whose sum is every packet."""
        names = self._files.names(folder)
        return {
            f"{word}_packets": (tuple(n for n in names if n.startswith(f"hni_{short}_ok_")),)
            for word, short in (("receive", "rx"), ("transmit", "tx"))
        }

    def _interface(self, folder: str) -> str:
        for index in range(NDEVS_ASKED):
            name = (self._files.text(f"{folder}/gid_attrs/ndevs/{index}", keep=False) or "").strip()
            if name:
                return name
        return ""

    def _detail(self, port: Port) -> None:
        for column in port.absent:
            self._missing.note(port.device, column, Reason.UNSUPPORTED, "no such counter")
        port.kept = self._values(port, port.errors, keep=False)
        port.speed = rate(self._files.text(f"{port.folder}/rate", keep=False))
        self._tell(port, "speed_bytes_per_second", port.speed, "rate")

    def _tell(self, port: Port, column: str, value: float | None, name: str) -> None:
        if value is None:
            why = self._files.why(f"{port.folder}/{name}")
            self._missing.note(port.device, column, why, name)
        else:
            self._missing.found(port.device, column)

    def _row(self, port: Port) -> NetworkSample:
        up_ratio = is_active(self._files.text(f"{port.folder}/state"))
        self._tell(port, "up_ratio", up_ratio, "state")
        return NetworkSample.known(
            device=port.device,
            kind=port.kind,
            interface=port.interface,
            up_ratio=up_ratio,
            speed_bytes_per_second=port.speed,
            **port.kept,
            **self._values(port, port.traffic, keep=True),
        )

    def _values(
        self, port: Port, readings: list[Reading], *, keep: bool
    ) -> dict[str, float | None]:
        return {reading.column: self._value(port, reading, keep=keep) for reading in readings}

    def _value(self, port: Port, reading: Reading, *, keep: bool) -> float | None:
        """The sum of the reading's files. One that stands at its end says no more: missing."""
        sum_ = 0
        for name in reading.paths:
            path = f"{port.folder}/{name}"
            count = _count(self._files.text(path, keep=keep))
            if count is None:
                self._tell(port, reading.column, None, name)
                return None
            if is_saturated(name, count):
                self._missing.note(port.device, reading.column, Reason.SATURATED, name)
                return None
            sum_ += count * (LANES if name.endswith("_data") else 1)
        if sum_ >= TOO_LARGE:
            self._missing.note(port.device, reading.column, Reason.MALFORMED, str(sum_))
            return None
        self._missing.found(port.device, reading.column)
        return sum_


def is_saturated(path: str, count: int) -> bool:
    """Whether a classic counter has all its bits set, at which it stops."""
    bits = WIDTHS.get(path.removeprefix("counters/"))
    return bits is not None and count == (1 << bits) - 1


def is_active(state: str | None) -> float | None:
    """1 for `4: ACTIVE`."""
    number = whole((state or "").partition(":")[0])
    return None if number is None else float(number == ACTIVE)


def rate(text: str | None) -> float | None:
    """Bytes per second from `400 Gb/sec (4X NDR)`."""
    value, _, unit = (text or "").partition(" ")
    return scaled(real(value), GIGABIT) if unit.startswith("Gb/sec") else None


def _count(text: str | None) -> int | None:
    """A count; Slingshot puts the time behind it: `1234@1700000000.25`."""
    return whole((text or "").partition("@")[0])
