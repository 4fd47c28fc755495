"""Cards other than the H100, each with what its kind lacks or has besides."""

from __future__ import annotations

from tests.fakes.nvml import GIB, Gpu, Scenario, Slice, h100

H100_SMS, SLICE_SMS, SEVEN = 132, 16, 7


def geforce(index: int, *, node: int = 0) -> Gpu:
    """A card that tells who it is and refuses every reading."""
    gpu = h100(index, node=node)
    gpu.name, gpu.not_supported = "NVIDIA GeForce GT 710", ("all",)
    return gpu


def a100(index: int, *, node: int = 0) -> Gpu:
    """No GPM, NVLink 3, and a driver that counts no PCIe bytes."""
    gpu = h100(index, node=node)
    gpu.name, gpu.gpm = "NVIDIA A100-SXM4-80GB", 0
    gpu.nvlinks = gpu.nvlinks_up = 12
    gpu.nvlink_version, gpu.nvlink_mbps, gpu.sms = 3, 25781, 108
    gpu.pcie_generation = gpu.pcie_generation_max = 4
    gpu.not_supported = ("field:197", "field:198", "field:271")
    return gpu


def b200(index: int, *, node: int = 0) -> Gpu:
    """NVLink 5: traffic and errors are told link by link, and the rack is known."""
    gpu = h100(index, node=node)
    gpu.name, gpu.nvlink_version, gpu.nvlink_mbps = "NVIDIA B200", 5, 53125
    gpu.chassis, gpu.fabric, gpu.fabric_clique = "1820325160012", "ab" * 16, 7
    gpu.gpm_cumulative = 1
    return gpu


def gh200(index: int, *, node: int = 0) -> Gpu:
    """Grace Hopper: the module's power holds the processor's too."""
    gpu = h100(index, node=node)
    gpu.name, gpu.module_power_w = "NVIDIA GH200 480GB", 910
    return gpu


def sliced(index: int, *, cut: int = 0, node: int = 0) -> Gpu:
    """An H100 cut into seven; each `cut` gives slices of other UUIDs, on the same handles."""
    gpu = h100(index, node=node)
    gpu.mig = 1
    gpu.slices = [
        Slice(i, f"MIG-{cut:08x}-0000-5000-8000-{index:06x}{i:06x}", SEVEN + i)
        for i in range(SEVEN)
    ]
    return gpu


def recut(index: int, *, node: int = 0) -> Gpu:
    """The same card cut into 3g and 4g: only two of the seven indices are in use."""
    gpu = sliced(index, cut=1, node=node)
    gpu.slices = [
        Slice(1, "MIG-00000001-0000-5000-8000-000000000003", 1, 0, "3g.40gb", 60, 40 * GIB),
        Slice(4, "MIG-00000001-0000-5000-8000-000000000004", 2, 0, "4g.40gb", 64, 40 * GIB),
    ]
    return gpu


def of(*gpus: Gpu) -> Scenario:
    """A node of these cards."""
    return Scenario(list(gpus))
