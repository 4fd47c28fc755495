"""Names of devices, as plugins and drivers give them, and the GPUs that they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.kubelet_devices import Devices, Place, base
from collector.podresources import Device
from gpuledger.accelerators import profile_share
from tests.collector.kubelet import GPU, node, uuid
from tests.collector.support import tree


def machine(root: Path, advertised: Iterable[str] = (), model: str = "NVIDIA H100") -> Devices:
    devices = Devices(node(root, cards=2, model=model), {"MIG-x": (1, 143)}.get)
    devices.look(Device(GPU, name) for name in advertised)
    return devices


def place(devices: Devices, name: str, resource: str = GPU) -> Place | None:
    return devices.place(Device(resource, name))


def test_a_uuid_is_the_minor_number_of_its_card(tmp_path: Path) -> None:
    devices = machine(tmp_path)
    assert place(devices, uuid(0)) == Place(0)
    assert place(devices, uuid(1)) == Place(1)


def test_a_card_that_the_driver_does_not_list_is_nowhere(tmp_path: Path) -> None:
    devices = machine(tmp_path)
    assert place(devices, uuid(7)) is None
    assert place(devices, "MIG-unknown") is None
    assert place(devices, "AC01-2345", "habana.ai/gaudi") is None


def test_gke_numbers_by_minor(tmp_path: Path) -> None:
    names = ["nvidia0", *(f"nvidia1/vgpu{n}" for n in range(3))]
    devices = machine(tmp_path, names)
    assert place(devices, "nvidia0") == Place(0)
    assert place(devices, "nvidia1/vgpu2") == Place(1, share_milli=333)


def test_gke_cuts_a_card_in_equal_parts(tmp_path: Path) -> None:
    names = [f"nvidia1/gi{gi}/vgpu{n}" for gi in range(1, 8) for n in range(2)]
    devices = machine(tmp_path, names)
    assert place(devices, "nvidia1/gi3/vgpu0") == Place(1, "nvidia1/gi3", 72)
    assert place(devices, "nvidia0/gi3") == Place(0, "nvidia0/gi3", 1000, guessed=True)


def test_the_share_of_a_slice_comes_from_who_knows_it_else_from_its_profile(tmp_path: Path) -> None:
    devices = machine(tmp_path)
    assert place(devices, "MIG-x", "nvidia.com/mig-3g.40gb") == Place(1, "MIG-x", 143)
    old = f"MIG-{uuid(0)}/3/0"
    assert place(devices, old, "nvidia.com/mig-3g.20gb") == Place(0, old, 429)
    assert place(devices, old) == Place(0, old, 1000, guessed=True)


def test_a_slice_that_nobody_knows_is_cut_from_the_only_card_that_is_cut(tmp_path: Path) -> None:
    devices = machine(tree(tmp_path, {"proc/driver/nvidia/capabilities/gpu1/mig/gi2/access": ""}))
    found = place(devices, "MIG-new", "nvidia.com/mig-1g.10gb")
    assert found == Place(1, "MIG-new", 143)
    tree(tmp_path, {"proc/driver/nvidia/capabilities/gpu0/mig/gi2/access": ""})
    assert place(devices, "MIG-new", "nvidia.com/mig-1g.10gb") is None


def test_replicas_of_a_slice_share_its_share(tmp_path: Path) -> None:
    devices = machine(tmp_path, ["MIG-x::0", "MIG-x::1"])
    assert place(devices, "MIG-x::1") == Place(1, "MIG-x", 72)


def test_replicas_offered_under_two_names_count_once(tmp_path: Path) -> None:
    devices = Devices(node(tmp_path), lambda _: None)
    ids = [f"{uuid(0)}::{n}" for n in range(2)]
    devices.look(Device(r, i) for r in (GPU, "nvidia.com/gpu.shared") for i in ids)
    assert place(devices, ids[0]) == Place(0, share_milli=500)


@pytest.mark.parametrize(
    ("name", "share"),
    [("gpu-1-mig-19-4-1", 143), ("gpu-1-mig-9-0-4", 429), ("gpu-1-mig-3g40gb-9-4", 429)],
)
def test_dynamic_resources_name_slices_by_profile(tmp_path: Path, name: str, share: int) -> None:
    assert place(machine(tmp_path), name) == Place(1, name, share)


def test_dynamic_resources_name_cards_by_minor(tmp_path: Path) -> None:
    devices = machine(tmp_path)
    assert place(devices, "gpu-1") == Place(1)
    assert place(devices, "gpu-vfio-1") is None
    assert place(devices, "gpu-1-mig-99-0-1") == Place(1, "gpu-1-mig-99-0-1", 1000, guessed=True)


def test_cards_that_are_cut_in_four(tmp_path: Path) -> None:
    devices = machine(tmp_path, model="NVIDIA A30")
    assert place(devices, "gpu-0-mig-14-0-1") == Place(0, "gpu-0-mig-14-0-1", 250)
    assert profile_share("2g.12gb", "NVIDIA-A30") == 500
    assert profile_share("1g.24gb", "NVIDIA RTX PRO 6000 Blackwell Server Edition") == 250


@pytest.mark.parametrize(
    ("profile", "share"),
    [
        ("1g.10gb", 143),
        ("mig-1g.10gb.me", 143),
        ("mig-1c.3g.40gb", 143),
        ("7g.80gb", 1000),
        ("gpu", None),
        ("", None),
    ],
)
def test_share_of_a_profile(profile: str, share: int | None) -> None:
    assert profile_share(profile) == share


def test_amd_gpus_are_ranked_by_address(tmp_path: Path) -> None:
    files = {}
    for address, vendor, kind in (
        ("0000:03:00.0", "0x1002", "0x120000"),
        ("0000:23:00.0", "0x1002", "0x120000"),
        ("0000:23:00.1", "0x1002", "0x040300"),  # its sound device
        ("0000:01:00.0", "0x1a03", "0x030000"),  # the board's own display
    ):
        files[f"sys/bus/pci/devices/{address}/vendor"] = f"{vendor}\n"
        files[f"sys/bus/pci/devices/{address}/class"] = f"{kind}\n"
    devices = Devices(tree(tmp_path, files), lambda _: None)
    assert place(devices, "0000:23:00.0", "amd.com/gpu") == Place(1)
    assert place(devices, "0000:23:00.1", "amd.com/gpu") is None
    assert place(devices, "0000:99:00.0", "amd.com/gpu") is None
    card = tmp_path / "sys/class/drm/card2"
    card.mkdir(parents=True)
    (card / "device").symlink_to("../../../bus/pci/devices/0000:23:00.0")
    assert place(devices, "card2-1", "gpu.intel.com/i915") == Place(1)


def test_the_device_behind_a_replica() -> None:
    assert base("GPU-x::12") == "GPU-x"
    assert base("nvidia0/gi1/vgpu3") == "nvidia0/gi1"
    assert base("GPU-x") == "GPU-x"


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_name_is_a_place_or_none(name: str, resource: str) -> None:
    devices = Devices(Path("/nowhere"), lambda _: None)
    found = devices.place(Device(resource, name))
    assert found is None or 0 < found.share_milli <= 1000


def test_garbage_in_the_drivers_list_is_no_card(tmp_path: Path) -> None:
    gpus = "proc/driver/nvidia/gpus"
    tree(tmp_path, {f"{gpus}/a/information": "GPU UUID: x\nDevice Minor: -1", f"{gpus}/b": "no"})
    (tmp_path / gpus / "c").mkdir()
    (tmp_path / gpus / "c/information").write_bytes(b"\xff\xfe\x00:")
    devices = Devices(tmp_path, lambda _: None)
    devices.look([])
    assert place(devices, "x") is None
