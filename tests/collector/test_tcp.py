"""TCP by names in headers, never by place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.tcp import Tcp, TcpSettings, counters
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.network import TcpSample
from gpuledger.errors import Unavailable
from tests.collector.support import context, tree

SNMP = """Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm MaxConn CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts
Tcp: 1 -1 7 900 1000 20 3 4
Udp: InDatagrams
Udp: 5
"""
NETSTAT = """TcpExt: SyncookiesSent ListenDrops TCPTimeouts TCPSynRetrans TCPRcvQDrop
TcpExt: 0 11 12 13 14
IpExt: InNoRoutes
IpExt: 0
"""


def read(root: Path) -> tuple[TcpSample, dict[str, str]]:
    rows = list(Tcp(TcpSettings(), context(root)).read())
    (sample,) = (r for r in rows if isinstance(r, TcpSample))
    return sample, {r.reading: r.reason for r in rows if isinstance(r, MissingValue)}


def test_counters_are_found_by_name(tmp_path: Path) -> None:
    row, missing = read(tree(tmp_path, {"proc/net/snmp": SNMP, "proc/net/netstat": NETSTAT}))
    assert (row.connections, row.segments_sent, row.retransmits, row.receive_errors) == (
        7,
        1000,
        20,
        3,
    )
    assert (row.listen_drops, row.timeouts, row.syn_retransmits, row.receive_drops) == (
        11,
        12,
        13,
        14,
    )
    assert missing == {}


def test_a_counter_that_this_kernel_does_not_name_is_missing_with_its_reason(
    tmp_path: Path,
) -> None:
    older = NETSTAT.replace(" TCPRcvQDrop", "").replace(" 14", "")
    row, missing = read(tree(tmp_path, {"proc/net/snmp": SNMP, "proc/net/netstat": older}))
    assert row.receive_drops is None
    assert row.syn_retransmits == 13
    assert missing == {"receive_drops": "unsupported"}


def test_one_file_that_is_gone_leaves_the_other(tmp_path: Path) -> None:
    row, missing = read(tree(tmp_path, {"proc/net/snmp": SNMP}))
    assert row.segments_sent == 1000
    assert sorted(missing) == ["listen_drops", "receive_drops", "syn_retransmits", "timeouts"]


def test_a_machine_without_either_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        list(Tcp(TcpSettings(), context(tmp_path)).read())


def test_this_machine_has_sent_segments() -> None:
    row, _ = read(Path("/"))
    assert row.segments_sent is not None


@given(st.text())
def test_no_text_upsets_the_parser(text: str) -> None:
    assert all(number >= 0 for number in counters(f"Tcp: {text}\nTcp: {text}", "Tcp").values())
