"""Other MIG slices for a card: nvidia-smi mig -dci, -dgi and -cgi, as its manual has them.

The card is named by its UUID: on another machine the same line finds no card and does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from analytics.commands.command import Command, Unspeakable, line, named, nothing, spoken

ROOT = "as root on the node of the card, while nothing uses the card"
LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz.+")


@spoken
def repartition(gpu_uuid: str, before: Sequence[str], after: Sequence[str]) -> Command:
    """Destroy every slice of a card and cut others, each with its compute instance."""
    if not gpu_uuid.startswith("GPU-"):
        return nothing(f"{named(gpu_uuid)} is no UUID of a card")
    return Command(
        _cut(gpu_uuid, before, after),
        _cut(gpu_uuid, after, before),
        ROOT,
        ROOT,
    )


def _cut(gpu: str, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Compute instances go before the slices that they are in."""
    mig = ("nvidia-smi", "mig", "-i", gpu)
    gone = (line(*mig, "-dci"), line(*mig, "-dgi")) if old else ()
    return (*gone, line(*mig, "-cgi", _profiles(new), "-C")) if new else gone


def _profiles(names: Sequence[str]) -> str:
    for name in names:
        if not name or not set(name) <= LETTERS:
            raise Unspeakable(f"{named(name)} is no profile of a MIG slice")
    return ",".join(names)
