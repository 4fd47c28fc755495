"""Records of the kernel's log, and what NVIDIA's driver says in them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.kmsg import DETAIL_CHARACTERS, Fault, Kmsg, Record, address, fault, parse
from gpuledger.errors import ReadError, Unavailable
from tests.collector.support import tree

XID_79 = "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off"
Act = bytes | int


def script(*acts: Act) -> Callable[[int, int], bytes]:
    """A device that gives records, or fails with an error number; then it has nothing more."""
    left = list(acts)

    def read(_: int, __: int) -> bytes:
        act = left.pop(0) if left else errno.EAGAIN
        if isinstance(act, int):
            raise OSError(act, os.strerror(act))
        return act

    return read


def record(sequence: int, text: str, priority: int = 3) -> bytes:
    return f"{priority},{sequence},{sequence}000000,-;{text}\n".encode()


def opened(root: Path, *acts: Act) -> Kmsg:
    tree(root, {"dev/kmsg": ""})
    kmsg = Kmsg(root, script(*acts))
    kmsg.open()
    return kmsg


def test_records_have_a_number_a_time_and_a_text() -> None:
    data = b"6,339,5140900,-,caller=T1;NET: Registered\\x20protocol\n SUBSYSTEM=net\n DEVICE=+x\n"
    assert list(parse(data)) == [Record(339, 5140900, "NET: Registered protocol")]


def test_what_a_program_wrote_is_not_the_kernels_word() -> None:
    assert list(parse(record(1, XID_79, priority=(1 << 3) | 3))) == []


def test_a_record_that_no_fault_can_be_in_is_left_out(tmp_path: Path) -> None:
    kmsg = opened(tmp_path, record(1, "usb 1-1: new device"), record(2, XID_79))
    assert [r.sequence for r in kmsg.records()] == [2]
    kmsg.close()


def test_reading_ends_where_there_is_nothing_for_now(tmp_path: Path) -> None:
    kmsg = opened(tmp_path, record(1, XID_79), errno.EAGAIN, record(2, XID_79))
    assert [r.sequence for r in kmsg.records()] == [1]
    assert [r.sequence for r in kmsg.records()] == [2]
    kmsg.close()


def test_records_that_were_written_over_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    kmsg = opened(tmp_path, record(1, XID_79), errno.EPIPE, record(90, XID_79))
    assert [r.sequence for r in kmsg.records()] == [1, 90]
    assert kmsg.overwritten == 1
    kmsg.close()


def test_a_device_that_cannot_be_read_is_opened_anew_next_time(tmp_path: Path) -> None:
    kmsg = opened(tmp_path, errno.EIO, record(1, XID_79))
    with pytest.raises(ReadError, match="Input/output error"):
        list(kmsg.records())
    kmsg.open()
    assert len(list(kmsg.records())) == 1
    kmsg.close()


def test_without_a_kernel_log_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no /dev/kmsg"):
        Kmsg(tmp_path).open()


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="/dev/kmsg may not be read here")
def test_the_real_log_of_this_machine_is_read_to_its_end() -> None:
    kmsg = Kmsg(Path("/"))
    try:
        kmsg.open()
    except Unavailable:
        pytest.skip("the kernel does not let this user read its log")
    list(kmsg.records())
    assert kmsg._next() is None
    kmsg.close()


def test_an_xid_is_found_with_and_without_a_bus_name() -> None:
    assert fault(XID_79) == Fault("xid", (0, 0x3B, 0), 79, XID_79.partition("79, ")[2])
    old = fault("NVRM: Xid (0000:03:00): 14, Channel 00000001")
    assert old == Fault("xid", (0, 3, 0), 14, "Channel 00000001")
    far = fault("NVRM: Xid (PCI:0009:01:00): 154, GPU recovery action changed from 0x0 to 0x4")
    assert far
    assert (far.pci, far.code) == ((9, 1, 0), 154)


def test_an_xid_of_a_slice_says_which() -> None:
    said = fault("NVRM: Xid (PCI:0000:07:00 GPU-I:03): 43, pid=7, name=python, Ch 0000000e")
    assert said == Fault("xid", (0, 7, 0), 43, "GPU instance 03: pid=7, name=python, Ch 0000000e")


def test_an_error_of_a_switch_has_its_severity() -> None:
    said = fault(
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46 MC TS (First)"
    )
    assert said == Fault(
        "sxid",
        (0, 0xC1, 0),
        28006,
        "nvidia-nvswitch3, Non-fatal, Link 46 MC TS (First)",
        "Non-fatal",
    )
    severe = fault(
        "nvidia-nvswitch0: SXid (PCI:0000:a9:00.0): 20034, Fatal, Link 30 LTSSM Fault Up"
    )
    assert severe
    assert severe.severity == "Fatal"


@pytest.mark.parametrize(
    "text",
    [
        "NVRM: GPU 0000:29:00.0: GPU has fallen off the bus.",
        "NVRM: GPU 29:00.0: GPU has fallen off the bus.",
        "NVRM: The NVIDIA GPU 0000:29:00.0\nNVRM: has fallen off the bus and is not responding.",
    ],
)
def test_a_card_off_the_bus_is_found_without_an_xid(text: str) -> None:
    said = fault(text)
    assert said
    assert (said.kind, said.pci) == ("lost", (0, 0x29, 0))


@pytest.mark.parametrize(
    "text",
    [
        "NVRM: Xid error: xyz, invalid data",
        "NVRM: Xid (invalid): some error",
        "NVRM: The NVIDIA GPU invalid.0\nNVRM: fallen off the bus and is not responding",
        "usb 1-1: has fallen off the bus",
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.127.05",
    ],
)
def test_other_messages_are_no_faults(text: str) -> None:
    assert fault(text) is None


def test_what_was_said_is_kept_short() -> None:
    said = fault(f"NVRM: Xid (PCI:0000:3b:00): 31, {'x' * 5000}")
    assert said
    assert len(said.detail) == DETAIL_CHARACTERS


def test_an_address_without_domain_is_in_domain_zero() -> None:
    assert address("18:00") == address("0000:18:00") == (0, 0x18, 0)


@given(st.binary(max_size=400))
def test_garbage_in_the_log_is_no_error(data: bytes) -> None:
    for found in parse(data):
        fault(found.text)


PIECES = ["NVRM: ", "Xid ", "SXid ", "(PCI:", "0000:3b:00", "): ", "79", ", ", "Fatal", "GPU-I:05"]


@given(st.lists(st.sampled_from([*PIECES, "fallen off the bus", "\\x0a", "9" * 30, ":", "\n"])))
def test_pieces_of_messages_in_any_order_are_no_error(pieces: list[str]) -> None:
    for found in parse(record(1, "".join(pieces))):
        said = fault(found.text)
        assert said is None or 0 <= said.code < 2**32
