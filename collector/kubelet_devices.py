"""Devices as the kubelet names them: which GPU of this node they are, and how much of it.

Names come from device plugins (NVIDIA's UUIDs, GKE's `nvidia0/vgpu1`, PCI addresses, `card0-1`)
and from DRA drivers (`gpu-0`). Shares are thousandths of a GPU.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from collector.podresources import Device
from gpuledger.accelerators import SLICES, WHOLE, profile_share, slices

CARDS = "proc/driver/nvidia/gpus"
CAPABILITIES = "proc/driver/nvidia/capabilities"
PCI = "sys/bus/pci/devices"
DRM = "sys/class/drm"
# Compute slices by the number of the GPU instance profile, as DRA names devices (same guide).
PROFILES = {SLICES: {19: 1, 20: 1, 15: 1, 14: 2, 9: 3, 5: 4, 0: 7}, 4: {14: 1, 21: 1, 5: 2, 0: 4}}
DISPLAY_CLASSES = ("0x0300", "0x0302", "0x0380", "0x1200")  # VGA, 3D, display, accelerator

_GKE = re.compile(r"nvidia(?P<slot>\d{1,4})(?P<slice>/gi\d+)?(?P<replica>/vgpu\d+)?")
_DRA = re.compile(r"gpu-(?P<slot>\d{1,4})(?:-mig-(?P<mig>[0-9a-z-]+))?")
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_DRM_CARD = re.compile(r"(card\d{1,4})-\d+")
_OLD_MIG = re.compile(r"MIG-(GPU-[0-9a-f-]+)/\d+/\d+")

# Where a MIG slice is cut from, by its UUID: the slot, and its share if that is known.
SliceOf = Callable[[str], "tuple[int, int | None] | None"]


@dataclass(frozen=True)
class Place:
    """A GPU of this node, or a part of it."""

    slot: int
    slice: str = ""
    share_milli: int = WHOLE
    guessed: bool = False  # the share is not known: a whole GPU is the most that it can be


@dataclass(frozen=True)
class Card:
    """What the driver's /proc says of one card."""

    slot: int
    model: str


@dataclass
class Devices:
    """Places of device names, from /proc, /sys and the list of all devices."""

    root: Path
    slice_of: SliceOf
    _cards: dict[str, Card] = field(default_factory=dict)
    _replicas: Counter[str] = field(default_factory=Counter)
    _siblings: Counter[int] = field(default_factory=Counter)

    def look(self, advertised: Iterable[Device]) -> None:
        """Read the driver's list of cards, and count what each GPU is offered as."""
        self._cards = dict(_cards(self.root))
        # A card may be offered under two names of resource; its devices are the same ones.
        ids = {device.id for device in advertised}
        self._replicas = Counter(base(i) for i in ids if base(i) != i)
        gke = (_GKE.fullmatch(i) for i in {base(i) for i in ids})
        self._siblings = Counter(int(m["slot"]) for m in gke if m and m["slice"])

    def place(self, device: Device) -> Place | None:
        """Where it is; None where nothing on this machine says so."""
        whole = base(device.id)
        found = self._whole(device.resource, whole)
        if found is None or whole == device.id:
            return found
        replicas = self._replicas.get(whole, 0)
        share = max(1, round(found.share_milli / max(replicas, 1)))
        return Place(found.slot, found.slice, share, found.guessed or not replicas)

    def _whole(self, resource: str, name: str) -> Place | None:
        if card := self._cards.get(name):
            return Place(card.slot)
        if name.startswith("MIG-"):
            return self._mig(resource, name)
        if match := _GKE.fullmatch(name):
            return self._gke(match)
        if match := _DRA.fullmatch(name):
            return self._dra(match, name)
        slot = _other_slot(self.root, name)
        return None if slot is None else Place(slot)

    def _mig(self, resource: str, name: str) -> Place | None:
        """A slice: old names hold the card's UUID, new ones must be asked for."""
        old = _OLD_MIG.fullmatch(name)
        card = self._cards.get(old[1]) if old else None
        told = (card.slot, None) if card else self.slice_of(name) or self._only_sliced_card()
        if told is None:
            return None
        slot, share = told
        share = share or profile_share(resource.rpartition("/")[2], self._model(slot))
        return Place(slot, name, share or WHOLE, guessed=share is None)

    def _only_sliced_card(self) -> tuple[int, None] | None:
        """The one card that has GPU instances, where it is the only one."""
        sliced = [
            path.parent.parent.name for path in self.root.glob(f"{CAPABILITIES}/gpu*/mig/gi*")
        ]
        numbers = {name.removeprefix("gpu") for name in sliced}
        only = numbers.pop() if len(numbers) == 1 else ""
        return (int(only), None) if only.isdecimal() and only.isascii() else None

    def _gke(self, match: re.Match[str]) -> Place:
        """GKE numbers by minor, and cuts a card in equal parts."""
        slot = int(match["slot"])
        if not match["slice"]:
            return Place(slot)
        parts = self._siblings.get(slot, 0)
        return Place(slot, match[0], round(WHOLE / max(parts, 1)), guessed=not parts)

    def _dra(self, match: re.Match[str], name: str) -> Place:
        """NVIDIA's driver names by minor: gpu-0, gpu-0-mig-19-4-1, gpu-0-mig-1g12gb-19-4."""
        slot, told = int(match["slot"]), match["mig"]
        if told is None:
            return Place(slot)
        first, model = told.partition("-")[0], self._model(slot)
        if first.isdecimal():
            size = slices(model)
            compute = PROFILES[size].get(int(first))
            share = round(WHOLE * compute / size) if compute else None
        else:
            share = profile_share(first, model)
        return Place(slot, name, share or WHOLE, guessed=share is None)

    def _model(self, slot: int) -> str:
        return next((c.model for c in self._cards.values() if c.slot == slot), "")


def base(device: str) -> str:
    """The device that a replica stands for: `uuid::3` and `nvidia0/vgpu3` are shares of one."""
    name, _, _ = device.partition("::")
    match = _GKE.fullmatch(name)
    return name.removesuffix(match["replica"]) if match and match["replica"] else name


def _cards(root: Path) -> Iterable[tuple[str, Card]]:
    """UUID and card for each folder of the driver's /proc."""
    try:
        folders = sorted((root / CARDS).iterdir())
    except OSError:
        return
    for folder in folders:
        try:
            text = (folder / "information").read_text(errors="replace")
        except OSError:
            continue
        pairs = (line.partition(":") for line in text.splitlines())
        told = {key.strip(): value.strip() for key, _, value in pairs}
        uuid, minor = told.get("GPU UUID", ""), told.get("Device Minor", "")
        if uuid and minor.isdecimal() and minor.isascii():
            yield uuid, Card(int(minor), told.get("Model", ""))


def _other_slot(root: Path, name: str) -> int | None:
    """AMD's and Intel's devices: their rank among the vendor's GPUs, in the order of addresses."""
    if match := _DRM_CARD.fullmatch(name):
        try:
            name = (root / DRM / match[1] / "device").resolve().name
        except OSError:
            return None
    if not _ADDRESS.fullmatch(name):
        return None
    vendor = _word(root / PCI / name / "vendor")
    if not vendor:
        return None
    peers = [p.parent.name for p in (root / PCI).glob("*/vendor") if _word(p) == vendor]
    gpus = sorted(p for p in peers if _word(root / PCI / p / "class")[:6] in DISPLAY_CLASSES)
    return gpus.index(name) if name in gpus else None


def _word(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
