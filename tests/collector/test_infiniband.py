"""Ports of several vendors, odd ones included."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.files import Files
from collector.infiniband import ERRORS, TRAFFIC, WIDTHS, Ports, is_saturated
from collector.missing import Missing
from gpuledger.catalogue.network import NetworkSample
from gpuledger.schema import Kind
from tests.collector.support import FakeClock, tree

CLASS = "sys/class/infiniband"
MLX5_HARDWARE = (
    *("np_ecn_marked_roce_packets", "np_cnp_sent", "rp_cnp_handled", "rp_cnp_ignored"),
    *("out_of_sequence", "packet_seq_err", "local_ack_timeout_err", "rnr_nak_retry_err"),
    *("duplicate_request", "implied_nak_seq_err", "out_of_buffer", "roce_adp_retrans"),
    *("req_cqe_error", "resp_cqe_error", "lifespan"),
)


def port(device: str, layer: str = "InfiniBand") -> dict[str, str]:
    base = f"{CLASS}/{device}/ports/1"
    return {
        f"{base}/state": "4: ACTIVE\n",
        f"{base}/rate": "400 Gb/sec (4X NDR)\n",
        f"{base}/link_layer": f"{layer}\n",
    }


def classic(device: str = "mlx5_0") -> dict[str, str]:
    """Every counter of the classic performance management, each with a value of its own."""
    base = f"{CLASS}/{device}/ports/1/counters"
    return {f"{base}/{name}": f"{i}\n" for i, name in enumerate(WIDTHS, 1)}


def hardware(device: str, *names: str) -> dict[str, str]:
    base = f"{CLASS}/{device}/ports/1/hw_counters"
    return {f"{base}/{name}": f"{i}00\n" for i, name in enumerate(names, 1)}


class World:
    """Ports of a tree, with what is missing in them."""

    def __init__(self, root: Path, memory: dict[str, str] | None = None) -> None:
        self.clock = FakeClock()
        self.files = Files(root, self.clock.clock.monotonic)
        self.missing = Missing("network")
        self.ports = Ports(self.files, self.missing, {} if memory is None else memory)
        self.ports.look()

    def read(self, *, detailed: bool = True) -> dict[str, NetworkSample]:
        return {row.device: row for row in self.ports.rows(detailed=detailed)}

    def reasons(self) -> dict[tuple[str, str], tuple[str, str]]:
        return {(m.subject, m.reading): (m.reason, m.detail) for m in self.missing.rows()}


def read(root: Path) -> dict[str, NetworkSample]:
    return World(root).read()


def test_an_infiniband_port_counts_four_octets_at_a_time(tmp_path: Path) -> None:
    row = read(tree(tmp_path, {**port("mlx5_0"), **classic()}))["mlx5_0/1"]
    assert (row.kind, row.interface, row.up_ratio) == ("infiniband", "", 1.0)
    assert row.speed_bytes_per_second == 5e10
    assert (row.receive_bytes, row.transmit_bytes) == (4 * 13, 4 * 12)
    assert (row.receive_packets, row.transmit_packets, row.transmit_wait) == (15, 14, 11)


def test_every_error_counter_has_its_column(tmp_path: Path) -> None:
    row = read(tree(tmp_path, {**port("mlx5_0"), **classic()}))["mlx5_0/1"]
    assert (row.symbol_errors, row.link_recoveries, row.link_downs) == (1, 2, 3)
    assert (row.receive_errors, row.remote_errors, row.transmit_errors) == (4, 5, 6)
    assert row.constraint_errors == 7 + 8
    assert (row.link_integrity_errors, row.buffer_overruns) == (9, 10)


def test_a_roce_port_tells_of_congestion_and_of_its_interface(tmp_path: Path) -> None:
    ndevs = f"{CLASS}/mlx5_0/ports/1/gid_attrs/ndevs"
    tree(tmp_path, {**port("mlx5_0", "Ethernet"), **classic(), f"{ndevs}/1": "ens1f0\n"})
    row = read(tree(tmp_path, hardware("mlx5_0", *MLX5_HARDWARE)))["mlx5_0/1"]
    assert (row.kind, row.interface) == ("roce", "ens1f0")
    assert (row.ecn_packets, row.cnp_sent, row.cnp_handled) == (100, 200, 300)
    assert (row.out_of_sequence, row.sequence_errors, row.ack_timeouts) == (500, 600, 700)
    assert (row.rnr_retries, row.duplicate_requests, row.implied_naks) == (800, 900, 1000)
    assert (row.out_of_buffer, row.retransmits) == (1100, 1200)
    assert row.completion_errors == 1300 + 1400


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (
            ("rx_bytes", "tx_bytes", "rx_pkts", "tx_pkts", "rx_ecn_marked_pkts", "oos_drop_count"),
            (
                *("receive_bytes", "transmit_bytes", "receive_packets", "transmit_packets"),
                *("ecn_packets", "out_of_sequence"),
            ),
        ),
        (
            ("RxECNMrkd", "cnpSent", "cnpHandled", "RetransSegs"),
            ("ecn_packets", "cnp_sent", "cnp_handled", "retransmits"),
        ),
        (
            ("tx_rdma_retx_pkts", "rx_rdma_ecn_pkts", "rx_rdma_cnp_pkts", "req_rx_pkt_seq_err"),
            ("retransmits", "ecn_packets", "cnp_handled", "sequence_errors"),
        ),
    ],
    ids=["bnxt_re", "irdma", "ionic"],
)
def test_other_vendors_names_fill_the_same_columns(
    tmp_path: Path, names: tuple[str, ...], columns: tuple[str, ...]
) -> None:
    tree(tmp_path, {**port("other0", "Ethernet"), **hardware("other0", *names)})
    row = read(tmp_path)["other0/1"]
    expected = [100 * i for i in range(1, len(names) + 1)]
    assert [getattr(row, column) for column in columns] == expected


def test_irdma_without_classic_counters_adds_up_both_protocols(tmp_path: Path) -> None:
    names = ("ip4InOctets", "ip6InOctets", "ip4OutOctets", "ip6OutOctets")
    tree(tmp_path, {**port("irdma0", "Ethernet"), **hardware("irdma0", *names)})
    row = read(tmp_path)["irdma0/1"]
    assert (row.receive_bytes, row.transmit_bytes) == (300, 700)


def test_without_performance_management_the_vendors_counters_are_used(tmp_path: Path) -> None:
    tree(tmp_path, {**port("x0", "Ethernet"), **hardware("x0", "rx_bytes")})
    tree(tmp_path, {f"{CLASS}/x0/ports/1/counters/port_rcv_data": "N/A (no PMA)\n"})
    assert read(tmp_path)["x0/1"].receive_bytes == 100


def test_files_that_were_chosen_stay_so_until_the_next_boot(tmp_path: Path) -> None:
    data = f"{CLASS}/x0/ports/1/counters/port_rcv_data"
    boot = "proc/sys/kernel/random/boot_id"
    tree(tmp_path, {**port("x0", "Ethernet"), **hardware("x0", "rx_bytes"), boot: "one"})
    tree(tmp_path, {data: "N/A (no PMA)\n"})
    memory: dict[str, str] = {}
    told = [World(tmp_path, memory).read()["x0/1"].receive_bytes]
    tree(tmp_path, {data: "100\n"})
    told.append(World(tmp_path, memory).read()["x0/1"].receive_bytes)
    tree(tmp_path, {boot: "two"})
    told.append(World(tmp_path, memory).read()["x0/1"].receive_bytes)
    assert told == [100, 100, 400]


@pytest.mark.parametrize("said", ["", "18446744073709551615\n"])
def test_files_that_cannot_be_read_at_first_are_not_given_up(tmp_path: Path, said: str) -> None:
    data = f"{CLASS}/x0/ports/1/counters/port_rcv_data"
    tree(tmp_path, {**port("x0", "Ethernet"), **hardware("x0", "rx_bytes"), data: said})
    world = World(tmp_path)
    assert world.read()["x0/1"].receive_bytes is None
    tree(tmp_path, {data: "100\n"})
    assert world.read()["x0/1"].receive_bytes == 400


def test_an_odd_port_has_missing_values_and_the_other_port_is_whole(tmp_path: Path) -> None:
    data = f"{CLASS}/irdma0/ports/1/counters/port_rcv_data"
    tree(tmp_path, {**port("mlx5_0"), **classic(), **port("irdma0"), data: "N/A (no PMA)\n"})
    tree(tmp_path, {f"{CLASS}/irdma0/ports/1/state": "1: DOWN\n"})
    world = World(tmp_path)
    rows = world.read()
    assert (rows["irdma0/1"].up_ratio, rows["irdma0/1"].receive_bytes) == (0.0, None)
    assert rows["mlx5_0/1"].receive_bytes == 52
    reasons = world.reasons()
    assert reasons["irdma0/1", "receive_bytes"] == ("unsupported", "counters/port_rcv_data")
    assert reasons["irdma0/1", "symbol_errors"] == ("unsupported", "no such counter")


@pytest.mark.parametrize(
    ("name", "column", "end"),
    [
        ("link_downed", "link_downs", 255),
        ("symbol_error", "symbol_errors", 65535),
        ("local_link_integrity_errors", "link_integrity_errors", 15),
        ("port_xmit_wait", "transmit_wait", 4294967295),
    ],
)
def test_a_counter_at_its_end_is_missing_because_it_is_saturated(
    tmp_path: Path, name: str, column: str, end: int
) -> None:
    path = f"{CLASS}/mlx5_0/ports/1/counters/{name}"
    world = World(tree(tmp_path, {**port("mlx5_0"), **classic(), path: f"{end - 1}\n"}))
    assert getattr(world.read()["mlx5_0/1"], column) == end - 1
    world.reasons()
    tree(tmp_path, {path: f"{end}\n"})
    assert getattr(world.read()["mlx5_0/1"], column) is None
    assert world.reasons() == {("mlx5_0/1", column): ("saturated", f"counters/{name}")}
    tree(tmp_path, {path: "0\n"})
    assert getattr(world.read()["mlx5_0/1"], column) == 0
    assert world.reasons() == {("mlx5_0/1", column): ("", "")}


def test_a_wider_counter_goes_on_behind_the_classic_end() -> None:
    assert is_saturated("counters/link_downed", 255)
    assert not is_saturated("counters/link_downed", 256)
    assert not is_saturated("hw_counters/out_of_buffer", 255)


def test_a_file_that_answers_with_an_error_is_left_alone_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tree(tmp_path, {**port("mlx5_0"), **classic()}))
    asked: list[str] = []
    real = Files._read_once

    def restricted(self: Files, path: str) -> bytes:
        if path.endswith("symbol_error"):
            asked.append(path)
            raise OSError(errno.EINVAL, "invalid argument")
        return real(self, path)

    monkeypatch.setattr(Files, "_read_once", restricted)
    for _ in range(10):
        row = world.read()["mlx5_0/1"]
        assert (row.symbol_errors, row.link_downs) == (None, 3)
    assert len(asked) == 3
    assert world.reasons()["mlx5_0/1", "symbol_errors"][0] == "unsupported"
    world.clock.pass_s(3600)
    world.read()
    assert len(asked) == 4


def test_errors_are_kept_between_detailed_readings_and_traffic_is_not(tmp_path: Path) -> None:
    world = World(tree(tmp_path, {**port("mlx5_0"), **classic()}))
    world.read()
    counters = f"{CLASS}/mlx5_0/ports/1/counters"
    tree(tmp_path, {f"{counters}/symbol_error": "99\n", f"{counters}/port_rcv_data": "100\n"})
    row = world.read(detailed=False)["mlx5_0/1"]
    assert (row.symbol_errors, row.receive_bytes) == (1, 400)
    assert world.read()["mlx5_0/1"].symbol_errors == 99


def test_a_slingshot_adapter_tells_octets_and_adds_up_its_histogram(tmp_path: Path) -> None:
    telemetry = "sys/class/cxi/cxi0/device/telemetry"
    counts = {
        "hni_sts_rx_ok_octets": 5000,
        "hni_sts_tx_ok_octets": 6000,
        "hni_rx_ok_64": 10,
        "hni_rx_ok_8192_to_max": 20,
        "hni_tx_ok_64": 7,
        "hni_rx_paused_0": 99,
    }
    tree(tmp_path, {f"{telemetry}/{n}": f"{v}@1700000000.25\n" for n, v in counts.items()})
    row = read(tmp_path)["cxi0"]
    assert row.kind == "slingshot"
    assert (row.receive_bytes, row.transmit_bytes) == (5000, 6000)
    assert (row.receive_packets, row.transmit_packets) == (30, 7)


def test_a_port_without_a_state_or_rate_says_so(tmp_path: Path) -> None:
    folder = f"{CLASS}/x0/ports/1"
    world = World(tree(tmp_path, {f"{folder}/state": "?\n", f"{folder}/rate": "fast\n"}))
    row = world.read()["x0/1"]
    assert (row.up_ratio, row.speed_bytes_per_second) == (None, None)
    reasons = world.reasons()
    assert reasons["x0/1", "up_ratio"] == ("malformed", "state")
    assert reasons["x0/1", "speed_bytes_per_second"] == ("malformed", "rate")


def test_a_port_that_is_gone_has_no_row(tmp_path: Path) -> None:
    world = World(tree(tmp_path, {**port("mlx5_0"), **port("mlx5_1")}))
    assert list(world.read()) == ["mlx5_0/1", "mlx5_1/1"]
    (tmp_path / CLASS / "mlx5_1").rename(tmp_path / "away")
    world.ports.look()
    assert list(world.read()) == ["mlx5_0/1"]


@given(st.dictionaries(st.sampled_from(["state", "rate", "link_layer", *WIDTHS]), st.binary()))
def test_garbage_is_missing_and_no_counter_is_negative(
    tmp_path_factory: pytest.TempPathFactory, garbage: dict[str, bytes]
) -> None:
    root = tree(tmp_path_factory.mktemp("m"), {**port("mlx5_0"), **classic()})
    for name, data in garbage.items():
        part = "counters/" if name in WIDTHS else ""
        (root / CLASS / f"mlx5_0/ports/1/{part}{name}").write_bytes(data)
    row = read(root)["mlx5_0/1"]
    counters = [c.name for c in NetworkSample.table.columns if c.kind is Kind.COUNTER]
    assert all((getattr(row, name) or 0) >= 0 for name in counters)


def test_every_column_of_the_tables_is_declared() -> None:
    declared = {c.name for c in NetworkSample.table.columns}
    assert declared.issuperset({*TRAFFIC, *ERRORS})
