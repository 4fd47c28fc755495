"""Slurm's short form of many names: `node[01-03,07],login`."""

from __future__ import annotations

import re

BRACKETS = re.compile(r"\[([^\]]*)\]")
LIMIT = 100_000  # more names than any cluster has: a garbled range, not a list


def expand(text: str) -> list[str]:
    """The names in order. ValueError for what is no hostlist."""
    return [name for part in split(text) for name in _expand_one(part)]


def split(text: str) -> list[str]:
    """The parts between commas that stand outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in (p.strip() for p in parts) if part]


def indices(text: str) -> list[int]:
    """The numbers of `0-3,7`. ValueError for anything else."""
    out: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        out += range(int(first), _bounded(int(first), int(last or first)) + 1)
    return out


def _expand_one(part: str) -> list[str]:
    found = BRACKETS.search(part)
    if not found:
        return [part]
    before, after = part[: found.start()], _expand_one(part[found.end() :])
    numbers = _numbers(found[1])
    _bounded(0, len(numbers) * len(after) - 1)
    return [f"{before}{number}{rest}" for number in numbers for rest in after]


def _numbers(text: str) -> list[str]:
    """`01-03,7` with leading zeros kept."""
    out: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        last_number = _bounded(int(first), int(last or first))
        out += [str(n).zfill(len(first)) for n in range(int(first), last_number + 1)]
    return out


def _bounded(first: int, last: int) -> int:
    if not 0 <= last - first < LIMIT:
        raise ValueError(f"no range: {first}-{last}")
    return last
