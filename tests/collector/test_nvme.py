"""NVMe controllers: healthy, dead, talking nonsense, and closed to this agent."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import nvme_log
from collector.sources.nvme import Nvme, NvmeSettings
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import NvmeSample
from gpuledger.errors import Unavailable
from tests.collector.support import Lines, context, tree


def page(
    *, kelvin: int = 311, spare: int = 100, used: int = 3, units_read: int = 2_000, errors: int = 4
) -> bytes:
    """A log page, put together from the offsets that the specification gives."""
    told = bytearray(512)
    struct.pack_into("<BHBBB", told, 0, 0b101, kelvin, spare, 10, used)
    wide = {32: units_read, 48: 1 << 70, 144: 7, 160: errors, 176: 9}
    for offset, value in wide.items():
        told[offset : offset + 16] = value.to_bytes(16, "little")
    return bytes(told)


def controller(name: str, state: str = "live", firmware: str = "GDC7502Q") -> dict[str, str]:
    base = f"sys/class/nvme/{name}"
    return {
        f"{base}/state": f"{state}\n",
        f"{base}/model": "SAMSUNG MZQL23T8HCLS-00A07              \n",
        f"{base}/serial": f"S64HNE0R{name}      \n",
        f"{base}/firmware_rev": f"{firmware}\n",
        f"{base}/transport": "pcie\n",
        f"{base}/hwmon3/temp1_input": "38850\n",
        f"{base}/hwmon3/name": "nvme\n",
    }


def reading(source: Nvme) -> tuple[dict[str, NvmeSample], list[tuple[str, str, str]]]:
    told = list(source.read())
    lacks = [(r.subject, r.reading, r.reason) for r in told if isinstance(r, MissingValue)]
    return {r.device: r for r in told if isinstance(r, NvmeSample)}, lacks


def nvme(root: Path, ask: Callable[[Path], bytes], lines: Lines | None = None) -> Nvme:
    return Nvme(NvmeSettings(), context(root, lines=lines), ask)


def denied(device: Path) -> bytes:
    raise PermissionError(1, "Operation not permitted")


def test_a_controller_is_told_with_state_identity_and_log(tmp_path: Path) -> None:
    asked = []

    def ask(device: Path) -> bytes:
        asked.append(device)
        return page()

    rows, _ = reading(nvme(tree(tmp_path, controller("nvme0")), ask))
    row = rows["nvme0"]
    assert asked == [tmp_path / "dev/nvme0"]
    assert (row.state, row.firmware) == ("live", "GDC7502Q")
    assert (row.model, row.serial) == ("SAMSUNG MZQL23T8HCLS-00A07", "S64HNE0Rnvme0")
    assert row.temperature_celsius == pytest.approx(38.85)
    assert (row.critical_warning, row.used_ratio) == (5, 0.03)
    assert (row.spare_ratio, row.spare_threshold_ratio) == (1.0, 0.1)
    assert (row.unsafe_shutdowns, row.media_errors, row.error_log_entries) == (7, 4, 9)
    assert row.read_bytes == 2_000 * 512_000


def test_what_no_column_holds_or_no_disk_can_say_is_missing(tmp_path: Path) -> None:
    files = controller("nvme0")
    rows, lacks = reading(nvme(tree(tmp_path, files), lambda _: page(spare=101)))
    assert (rows["nvme0"].write_bytes, rows["nvme0"].spare_ratio) == (None, None)
    assert lacks == [
        ("nvme0", "spare_ratio", "malformed"),
        ("nvme0", "write_bytes", "malformed"),
    ]


def test_wear_beyond_the_makers_promise_is_told(tmp_path: Path) -> None:
    rows, _ = reading(nvme(tree(tmp_path, controller("nvme0")), lambda _: page(used=255)))
    assert rows["nvme0"].used_ratio == 2.55


def test_without_the_right_there_is_sys_and_that_is_said_once(tmp_path: Path) -> None:
    lines = Lines()
    files = {**controller("nvme0"), **controller("nvme1")}
    source = nvme(tree(tmp_path, files), denied, lines)
    rows, lacks = reading(source)
    assert [r.media_errors for r in rows.values()] == [None, None]
    assert [r.temperature_celsius for r in rows.values()] == [pytest.approx(38.85)] * 2
    assert lacks == [("", "SMART log", "denied")]
    assert reading(source)[1] == []
    assert len(lines.lines) == 1
    assert "CAP_SYS_ADMIN" in lines.lines[0]


def test_without_a_sensor_the_log_tells_the_temperature_in_kelvin(tmp_path: Path) -> None:
    tree(tmp_path, controller("nvme0"))
    (tmp_path / "sys/class/nvme/nvme0/hwmon3/temp1_input").unlink()
    rows, _ = reading(nvme(tmp_path, lambda _: page(kelvin=311)))
    assert rows["nvme0"].temperature_celsius == 38


def test_an_older_kernel_keeps_the_sensor_elsewhere(tmp_path: Path) -> None:
    base = "sys/class/nvme/nvme0"
    tree(tmp_path, {f"{base}/device/hwmon/hwmon1/temp1_input": "41000\n", f"{base}/state": "live"})
    rows, _ = reading(nvme(tmp_path, denied))
    assert rows["nvme0"].temperature_celsius == pytest.approx(41)


def test_a_temperature_that_nobody_tells_is_missing(tmp_path: Path) -> None:
    tree(tmp_path, {"sys/class/nvme/nvme0/state": "live\n"})
    rows, lacks = reading(nvme(tmp_path, lambda _: page(kelvin=0)))
    assert rows["nvme0"].temperature_celsius is None
    assert ("nvme0", "temperature_celsius", "malformed") in lacks


def test_a_dead_controller_is_a_row_and_is_not_asked_for_its_log(tmp_path: Path) -> None:
    asked = []

    def ask(device: Path) -> bytes:
        asked.append(device.name)
        return page()

    tree(tmp_path, {**controller("nvme0", "dead"), **controller("nvme1")})
    rows, lacks = reading(nvme(tmp_path, ask))
    assert asked == ["nvme1"]
    assert (rows["nvme0"].state, rows["nvme0"].media_errors) == ("dead", None)
    assert ("nvme0", "SMART log", "lost") in lacks
    assert rows["nvme1"].media_errors == 4


def test_a_kernel_that_tells_no_state_is_asked_for_the_log(tmp_path: Path) -> None:
    tree(tmp_path, controller("nvme0"))
    (tmp_path / "sys/class/nvme/nvme0/state").unlink()
    rows, _ = reading(nvme(tmp_path, lambda _: page()))
    assert (rows["nvme0"].state, rows["nvme0"].media_errors) == ("", 4)


def test_a_log_that_cannot_be_read_costs_that_controller_only(tmp_path: Path) -> None:
    def ask(device: Path) -> bytes:
        if device.name == "nvme0":
            raise OSError(5, "Input/output error")
        return page()[: 512 if device.name == "nvme2" else 100]

    files = {**controller("nvme0"), **controller("nvme1"), **controller("nvme2")}
    rows, lacks = reading(nvme(tree(tmp_path, files), ask))
    assert [r.media_errors for r in rows.values()] == [None, None, 4]
    assert ("nvme0", "SMART log", "unreadable") in lacks
    assert ("nvme1", "SMART log", "malformed") in lacks


def test_a_log_that_comes_back_is_told(tmp_path: Path) -> None:
    pages = [page()[:1], page()]
    source = nvme(tree(tmp_path, controller("nvme0")), lambda _: pages.pop(0))
    assert ("nvme0", "SMART log", "malformed") in reading(source)[1]
    assert ("nvme0", "SMART log", "") in reading(source)[1]


def test_the_firmware_is_asked_again_after_a_reset(tmp_path: Path) -> None:
    source = nvme(tree(tmp_path, controller("nvme0")), lambda _: page())
    reading(source)
    tree(tmp_path, controller("nvme0", "resetting", firmware="GDC7602Q"))
    assert reading(source)[0]["nvme0"].firmware == "GDC7502Q"
    tree(tmp_path, controller("nvme0"))
    tree(tmp_path, {"sys/class/nvme/nvme0/firmware_rev": "GDC7602Q\n"})
    assert reading(source)[0]["nvme0"].firmware == "GDC7602Q"


def test_namespaces_and_fabrics_are_no_controllers(tmp_path: Path) -> None:
    files = {**controller("nvme0"), "sys/class/nvme/nvme-fabrics/x": "", "sys/class/nvme/x": ""}
    assert list(reading(nvme(tree(tmp_path, files), denied))[0]) == ["nvme0"]


def test_a_machine_without_controllers_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        list(nvme(tmp_path, denied).read())


def test_a_log_is_not_asked_for_where_it_is_not_wanted(tmp_path: Path) -> None:
    source = Nvme(NvmeSettings(smart=False), context(tree(tmp_path, controller("nvme0"))), denied)
    assert reading(source)[1] == []


def test_the_command_has_the_size_and_number_of_the_kernels_header() -> None:
    assert nvme_log.COMMAND.size == 72
    assert nvme_log.ADMIN_CMD == 0xC0484E41


def test_what_is_no_controller_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"ioctl|device|permitted"):
        nvme_log.ask(Path(os.devnull))


@pytest.mark.parametrize("filling", [b"\0", b"\xff"])
def test_a_page_that_no_controller_wrote_is_refused(filling: bytes) -> None:
    with pytest.raises(ValueError, match="every byte"):
        nvme_log.parse(filling * 512)


@given(st.binary(max_size=600))
def test_no_page_upsets_the_parser(told: bytes) -> None:
    try:
        log = nvme_log.parse(told)
    except ValueError:
        return
    assert log.read_bytes is None or 0 <= log.read_bytes < 1 << 64


@given(st.binary(min_size=512, max_size=512))
def test_every_full_page_has_values_that_fit_their_columns(told: bytes) -> None:
    if len(set(told)) == 1:
        return
    log = nvme_log.parse(told)
    assert 0 <= log.used_ratio <= 2.55
    assert log.spare_ratio is None or 0 <= log.spare_ratio <= 1


def test_a_log_that_is_denied_for_one_controller_is_told_by_the_others(tmp_path: Path) -> None:
    asked = []

    def ask(device: Path) -> bytes:
        asked.append(device.name)
        return denied(device) if device.name == "nvme1" else page()

    lines = Lines()
    files = {**controller("nvme0"), **controller("nvme1"), **controller("nvme2")}
    source = nvme(tree(tmp_path, files), ask, lines)
    told = [reading(source) for _ in range(2)]
    assert [[r.media_errors for r in rows.values()] for rows, _ in told] == [[4, None, 4]] * 2
    assert [("nvme1", "SMART log", "denied") in lacks for _, lacks in told] == [True, False]
    assert asked == ["nvme0", "nvme1", "nvme2", "nvme0", "nvme2"]
    assert lines.lines == []
