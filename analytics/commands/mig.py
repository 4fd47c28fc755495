"""Other MIG slices for a card: nvidia-smi mig -dci, -dgi and -cgi, as its manual has them.

The card is named by its UUID: on another machine the same line finds no card and does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from analytics.commands.command import Command, Unspeakable, line, named, nothing, spoken

ROOT = (
    "as root on the node of the card, while nothing uses the card; then the scheduler has to read"
    " the slices: gres.conf and slurmd of Slurm, the device plugin of Kubernetes"
)
RESET = "a card older than Hopper needs a reset to turn MIG on or off: nvidia-smi --gpu-reset"
LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz.+")
# Profiles by the number of their compute slices, as nvidia-smi numbers them: their names have
# memory that differs from card to card. Cards that are cut in seven, and in four.
NUMBERS = {7: {1: "19", 2: "14", 3: "9", 4: "5", 7: "0"}, 4: {1: "14", 2: "5", 4: "0"}}


@spoken
def repartition(
    gpu_uuid: str, before: Sequence[str], after: Sequence[str], *, on: bool = True
) -> Command:
    """Destroy every slice of a card and cut others, each with its compute instance.

    `on` says whether MIG is on; else it is turned on before, and off again by the undo.
    """
    if not gpu_uuid.startswith("GPU-"):
        return nothing(f"{named(gpu_uuid)} is no UUID of a card")
    note = ROOT if on else f"{ROOT}\n{RESET}"
    return Command(
        (*_turned(gpu_uuid, "1", on=on), *_cut(gpu_uuid, before, after)),
        (*_cut(gpu_uuid, after, before), *_turned(gpu_uuid, "0", on=on)),
        note,
        note,
    )


def equal(parts: int, size: int) -> tuple[str, ...]:
    """As many slices of so many compute slices as a card of `parts` holds; empty = none such.

    The largest one of two leaves room for the next smaller: a slice of 4 beside one of 3.
    """
    numbers = NUMBERS.get(parts, {})
    if size not in numbers:
        return ()
    cut = (numbers[size],) * (parts // size)
    rest = parts % size
    return (*cut, numbers[rest]) if parts // size == 1 and rest in numbers else cut


def _turned(gpu: str, mode: str, *, on: bool) -> tuple[str, ...]:
    return () if on else (line("nvidia-smi", "-i", gpu, "-mig", mode),)


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
