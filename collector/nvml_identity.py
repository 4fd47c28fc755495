"""Who a GPU is and where it sits: what seldom changes, for the inventory."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collector.nvml import NEVER, Asker

COMPLETED = 3  # NVML_GPU_FABRIC_STATE_COMPLETED
RACKS = (
    ("c_nvmlPlatformInfo_v2_t", "chassisSerialNumber"),
    ("c_nvmlPlatformInfo_v1_t", "rackGuid"),
)


@dataclass(frozen=True)
class Identity:
    """One card. `slot` is its minor number, else its index; empty = it does not tell.

    `guessed`: it has told no minor number yet, and its index may be another card's slot.
    """

    slot: int
    uuid: str = ""
    serial: str = ""
    model: str = ""
    memory_bytes: int | None = None
    mig: str = ""
    pci: str = ""
    numa: str = ""
    nvlink_domain: str = ""
    rack: str = ""
    part_number: str = ""
    vbios: str = ""
    guessed: bool = False


def identify(asker: Asker, index: int, mig: str, root: Path, known: Identity) -> Identity:
    """Ask a card who it is. `root` is where /sys is looked up. Lost if it cannot say.

    What it does not tell this time stays as it is `known`, unless it is another card.
    """
    uuid = _text(asker, "nvmlDeviceGetUUID", known.uuid)
    if uuid != known.uuid:
        known = Identity(slot=index, guessed=True)
    memory = asker.ask("nvmlDeviceGetMemoryInfo")
    pci = asker.ask("nvmlDeviceGetPciInfo")
    bus = str(pci.busId) if pci else known.pci
    return replace(
        _placed(asker, known),
        uuid=uuid,
        serial=_text(asker, "nvmlDeviceGetSerial", known.serial),
        model=_text(asker, "nvmlDeviceGetName", known.model),
        memory_bytes=memory.total if memory else known.memory_bytes,
        mig=mig,
        pci=bus,
        numa=_numa(asker, bus, root),
        nvlink_domain=_domain(asker),
        rack=_rack(asker),
        part_number=_text(asker, "nvmlDeviceGetBoardPartNumber", known.part_number),
        vbios=_text(asker, "nvmlDeviceGetVbiosVersion", known.vbios),
    )


def _placed(asker: Asker, known: Identity) -> Identity:
    """With its slot; the index only of a card that will never tell its minor number."""
    minor = asker.ask("nvmlDeviceGetMinorNumber")
    if minor is not None:
        return replace(known, slot=minor, guessed=False)
    return replace(known, guessed=False) if asker.code in NEVER else known


def _text(asker: Asker, call: str, known: str) -> str:
    answer = asker.ask(call)
    if answer is None and asker.code not in NEVER:
        return known
    return str(answer or "")


def _numa(asker: Asker, bus: str, root: Path) -> str:
    """The node of the host's memory that is nearest; NVML's own word is about coherent memory."""
    # NVML writes the domain with eight digits and capitals, the kernel with four and small ones.
    place = root / "sys/bus/pci/devices" / bus[-12:].lower() / "numa_node"
    try:
        told = place.read_text().strip() if bus else ""
    except OSError:
        told = ""
    if told.isdigit():
        return told
    node = asker.ask("nvmlDeviceGetNumaNodeId")
    return "" if node is None else str(node)


def _domain(asker: Asker) -> str:
    """Cluster UUID and clique of an NVLink fabric across nodes; empty on a fabric of one node."""
    info = _filled(asker, "c_nvmlGpuFabricInfo_v2_t", "nvmlDeviceGetGpuFabricInfoV") or _filled(
        asker, "c_nvmlGpuFabricInfo_t", "nvmlDeviceGetGpuFabricInfo"
    )
    if info is None or info.state != COMPLETED or info.status:
        return ""
    cluster = bytes(info.clusterUuid).hex()
    return f"{cluster}.{info.cliqueId}" if cluster.strip("0") else ""


def _rack(asker: Asker) -> str:
    """Serial number of the chassis; of older interfaces the rack's id."""
    for structure, field in RACKS:
        info = _filled(asker, structure, "nvmlDeviceGetPlatformInfo")
        if info is not None:
            return _label(info, field)
    return ""


def _filled(asker: Asker, structure: str, call: str) -> Any:
    """The structure as the call filled it; None where driver or binding lack it."""
    make = getattr(asker.nvml, structure, None)
    if make is None:
        return None
    info = make()
    done = asker.put((call, structure), call, asker.handle, ctypes.byref(info))
    return None if done is None else info


def _label(info: Any, field: str) -> str:
    """A fixed text of a structure, or its digits where it is no text."""
    place = getattr(type(info), field)
    raw = bytes(info)[place.offset : place.offset + place.size].rstrip(b"\0")
    text = raw.decode("ascii", errors="replace")
    return text if text.isprintable() and "�" not in text else raw.hex()
