"""Devices of this node by UUID and PCI address."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.slots import slots
from tests.collector.support import tree

UUID = "GPU-00000000-aaaa-bbbb-cccc-000000000000"


def information(minor: str = "4", bus: str = "0000:0A:00.0") -> dict[str, str]:
    text = (
        f"Model: \t\t NVIDIA A100-SXM4\nIRQ:   \t\t 12\nGPU UUID: \t {UUID}\n"
        f"Bus Location: \t {bus}\nDevice Minor: \t {minor}\n"
    )
    return {f"proc/driver/nvidia/gpus/{bus.lower()}/information": text}


def card(root: Path, name: str, address: str) -> None:
    (root / "sys/devices" / address).mkdir(parents=True)
    (root / "sys/class/drm" / name).mkdir(parents=True)
    (root / "sys/class/drm" / name / "device").symlink_to(root / "sys/devices" / address)


def test_an_nvidia_gpu_is_known_by_uuid_and_address(tmp_path: Path) -> None:
    assert slots(tree(tmp_path, information())) == {UUID.lower(): 4, "0000:0a:00.0": 4}


@pytest.mark.parametrize("minor", ["N/A", "", "-1", "٣"])
def test_a_gpu_without_a_minor_number_is_not_known(tmp_path: Path, minor: str) -> None:
    assert slots(tree(tmp_path, information(minor))) == {}


def test_a_card_of_another_maker_is_the_n_of_its_device_file(tmp_path: Path) -> None:
    card(tmp_path, "card1", "0000:03:00.0")
    (tmp_path / "sys/class/drm/card1-DP-1").mkdir()
    (tmp_path / "sys/class/drm/renderD128").mkdir()
    assert slots(tmp_path) == {"0000:03:00.0": 1}


def test_the_minor_number_of_a_gpu_that_is_a_card_too_wins(tmp_path: Path) -> None:
    card(tmp_path, "card9", "0000:0a:00.0")
    assert slots(tree(tmp_path, information()))["0000:0a:00.0"] == 4


def test_a_machine_without_either_knows_none(tmp_path: Path) -> None:
    assert slots(tmp_path) == {}
