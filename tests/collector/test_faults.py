"""The kernel's log as events: of which card, when, and each one once."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.kmsg import Kmsg
from collector.source import Context
from collector.sources.faults import NO_SLOT, Faults, FaultsSettings, source
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.catalogue.host import MissingValue
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row
from tests.collector.support import MIDNIGHT, FakeClock, context, tree
from tests.collector.test_kmsg import Act, record, script

# The driver lists cards by address, in an order of its own.
CARDS = {"0000:3b:00.0": 5, "0000:5e:00.0": 0, "0009:01:00.0": 2}


def node(root: Path, *, boot: str = "first") -> Path:
    gpus = "proc/driver/nvidia/gpus"
    text = "Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-1\nDevice Minor: \t {}\nGPU Excluded:\t No\n"
    files = {f"{gpus}/{pci}/information": text.format(minor) for pci, minor in CARDS.items()}
    return tree(root, {**files, "proc/sys/kernel/random/boot_id": f"{boot}\n", "dev/kmsg": ""})


def xid(sequence: int, code: int = 79, pci: str = "0000:3b:00", rest: str = "pid=7") -> bytes:
    return record(sequence, f"NVRM: Xid (PCI:{pci}): {code}, {rest}")


def faults(here: Context, *acts: Act) -> Faults:
    return Faults(FaultsSettings(), here, Kmsg(here.root, script(*acts)))


def read(here: Context, *acts: Act) -> list[Row]:
    source = faults(here, *acts)
    rows = list(source.read())
    source.close()
    return rows


def events(rows: list[Row]) -> list[GpuEvent]:
    return [row for row in rows if isinstance(row, GpuEvent)]


def test_an_xid_is_told_with_its_card_its_class_and_what_helps(tmp_path: Path) -> None:
    (event,) = events(read(context(node(tmp_path)), xid(7)))
    assert (event.slot, event.kind, event.code, event.count) == (5, "xid", 79, 1)
    assert (event.cause, event.recovery) == ("hardware", "reboot node")
    assert (event.told_by, event.detail) == ("kmsg", "pid=7")


def test_an_event_has_the_time_of_its_record_not_of_its_reading(tmp_path: Path) -> None:
    clock = FakeClock(monotonic=1000.0)
    (event,) = events(read(context(node(tmp_path), clock), xid(400)))
    assert event.ts == datetime.fromtimestamp(MIDNIGHT - 600, UTC)


def test_a_card_that_the_driver_does_not_list_has_no_slot(tmp_path: Path) -> None:
    (event,) = events(read(context(node(tmp_path)), xid(1, pci="0000:99:00")))
    assert event.slot == NO_SLOT


def test_a_switchs_error_belongs_to_no_card(tmp_path: Path) -> None:
    said = "nvidia-nvswitch3: SXid (PCI:0000:3b:00.0): 20034, Fatal, Link 30 LTSSM Fault Up"
    (event,) = events(read(context(node(tmp_path)), record(1, said)))
    assert (event.slot, event.kind, event.code, event.cause) == (NO_SLOT, "sxid", 20034, "hardware")
    assert "nvidia-nvswitch3" in event.detail


def test_a_card_off_the_bus_is_lost_as_nvml_tells_it(tmp_path: Path) -> None:
    said = "NVRM: GPU 0000:5e:00.0: GPU has fallen off the bus."
    (event,) = events(read(context(node(tmp_path)), record(1, said)))
    assert (event.slot, event.kind, event.code, event.cause) == (0, "lost", 15, "hardware")


def test_a_changed_recovery_action_is_the_drivers_own_word(tmp_path: Path) -> None:
    rest = "GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)"
    (event,) = events(read(context(node(tmp_path)), xid(1, 154, "0009:01:00", rest)))
    assert (event.slot, event.cause, event.recovery) == (2, "information", "drain and reset")


def test_what_happened_before_the_start_is_found(tmp_path: Path) -> None:
    here = context(node(tmp_path))
    assert [e.code for e in events(read(here, xid(1, 31), xid(2, 79)))] == [31, 79]


def test_nothing_is_told_twice_after_a_restart(tmp_path: Path) -> None:
    here = context(node(tmp_path))
    read(here, xid(1, 31), xid(2, 79))
    assert [e.code for e in events(read(here, xid(1, 31), xid(2, 79), xid(3, 48)))] == [48]
    assert events(read(here, xid(1, 31), xid(2, 79), xid(3, 48))) == []


def test_a_reading_that_breaks_off_is_not_repeated(tmp_path: Path) -> None:
    source = faults(context(node(tmp_path)), xid(1, 31), errno.EIO, xid(1, 31), xid(2))
    reading = iter(source.read())
    assert isinstance(next(reading), GpuEvent)
    with pytest.raises(ReadError):
        next(reading)
    assert [e.code for e in events(list(source.read()))] == [79]
    source.close()


def test_after_a_boot_records_count_anew(tmp_path: Path) -> None:
    here = context(node(tmp_path))
    read(here, xid(500, 79))
    node(tmp_path, boot="second")
    assert [e.code for e in events(read(here, xid(1, 48)))] == [48]


def test_a_damaged_memory_only_repeats_what_was_told(tmp_path: Path) -> None:
    here = context(node(tmp_path))
    here.memory.update(boot="first", sequence="what?")
    assert len(events(read(here, xid(1)))) == 1


def test_a_quiet_log_changes_no_memory(tmp_path: Path) -> None:
    here = context(node(tmp_path))
    assert read(here, record(1, "usb 1-1: new device")) == []
    assert here.memory == {}


def test_a_log_that_ran_over_is_noted_until_it_is_whole_again(tmp_path: Path) -> None:
    source = faults(context(node(tmp_path)), xid(1), errno.EPIPE, xid(900))
    rows = list(source.read())
    (gap,) = [row for row in rows if isinstance(row, MissingValue)]
    assert len(events(rows)) == 2
    assert (gap.source, gap.subject, gap.reason) == ("faults", "/dev/kmsg", "lost")
    (again,) = list(source.read())
    assert isinstance(again, MissingValue)
    assert again.reason == ""
    source.close()


def test_a_burst_of_an_unknown_card_is_read_to_its_end(tmp_path: Path) -> None:
    acts = [xid(n, 13, "0000:99:00") for n in range(1, 300)]
    assert len(events(read(context(node(tmp_path)), *acts))) == 299


def test_a_machine_without_driver_reads_no_log(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no NVIDIA driver"):
        read(context(tree(tmp_path, {"dev/kmsg": ""})))


def test_a_log_that_may_not_be_read_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    here = context(node(tmp_path))
    monkeypatch.setattr("collector.kmsg.os.open", refuse)
    with pytest.raises(Unavailable, match="CAP_SYSLOG"):
        read(replace(here))


def test_the_source_says_what_right_it_needs() -> None:
    assert source.privilege == "kmsg"


def at(sequence: int, seconds: float, code: int = 79) -> bytes:
    said = f"NVRM: Xid (PCI:0000:3b:00): {code}, pid=7"
    return f"4,{sequence},{int(seconds * 1e6)},-;{said}\n".encode()


def test_the_kernels_drifting_clock_dates_no_record_before_it_was_there(tmp_path: Path) -> None:
    clock, acts = FakeClock(monotonic=1000.0), list[Act]()
    here = context(node(tmp_path), clock)
    source = Faults(FaultsSettings(), here, Kmsg(here.root, lambda *_: take(acts)))
    assert events(list(source.read())) == []
    clock.pass_s(1.0)
    acts.append(at(1, 1001.0 - 90.0))
    (behind,) = events(list(source.read()))
    assert behind.ts.timestamp() == clock.wall_s - 1.0
    clock.pass_s(1.0)
    acts.append(at(2, 1002.0 + 90.0))
    (ahead,) = events(list(source.read()))
    assert ahead.ts.timestamp() == clock.wall_s
    source.close()


def test_a_log_that_was_not_read_to_its_end_may_hold_older_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.kmsg.RECORDS_AT_ONCE", 1)
    clock, acts = FakeClock(monotonic=1000.0), list[Act]([at(1, 100.0), at(2, 200.0)])
    here = context(node(tmp_path), clock)
    source = Faults(FaultsSettings(), here, Kmsg(here.root, lambda *_: take(acts)))
    assert len(events(list(source.read()))) == 1
    clock.pass_s(1.0)
    (second,) = events(list(source.read()))
    assert second.ts.timestamp() == clock.wall_s - 801.0
    source.close()


def take(acts: list[Act]) -> bytes:
    if not acts:
        raise BlockingIOError
    act = acts.pop(0)
    assert isinstance(act, bytes)
    return act
