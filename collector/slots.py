"""Which slot a device of this node is in, by its UUID or PCI address."""

from __future__ import annotations

import re
from pathlib import Path

from gpuledger.mapping import identifier

NVIDIA = "proc/driver/nvidia/gpus"
DRM = "sys/class/drm"
CARD = re.compile(r"card(\d+)")
FIELD = re.compile(r"^(GPU UUID|Bus Location|Device Minor):\s*(\S+)\s*$", re.MULTILINE)


def slots(root: Path) -> dict[str, int]:
    """Identifiers of the devices that the kernel shows: minor numbers of NVIDIA GPUs, N of cardN.

    An exporter's own index is another count, and may differ after a card was lost.
    """
    return {**_cards(root), **_nvidia(root)}


def _nvidia(root: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in _paths(root / NVIDIA):
        try:
            fields = dict(FIELD.findall((path / "information").read_text(errors="replace")))
        except OSError:
            continue
        minor = fields.get("Device Minor", "")
        names = (fields.get("GPU UUID", ""), fields.get("Bus Location", ""))
        if minor.isascii() and minor.isdigit():
            found |= {identifier(name): int(minor) for name in names if name}
    return found


def _cards(root: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in _paths(root / DRM):
        number = CARD.fullmatch(path.name)
        if number and (path / "device").exists():
            found[identifier((path / "device").resolve().name)] = int(number[1])
    return found


def _paths(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
