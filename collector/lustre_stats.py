"""Lustre's parameters on a client: where they are, and what their texts say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from collector.files import unicode, whole
from collector.mountstats import plain

# /proc up to 2.9; then /sys for single values and debugfs, which only root reads, for statistics.
FOLDERS = ("proc/fs/lustre", "sys/fs/lustre", "sys/kernel/debug/lustre")
# `scratch-ffff81019a4eb000` of llite, `scratch-OST0000-osc-ffff81019a4eb000` of osc: the address
# tells one mount of a filesystem from another.
INSTANCE = re.compile(
    r"(?P<name>.+?)(?:-(?:OST|MDT)[0-9a-f]{4}-(?:osc|mdc))?-(?P<at>[0-9a-f]{8,16})"
)
IN_FLIGHT = re.compile(r"^\w+[ _]RPCs[ _]in[ _]flight:\s*(\d+)\s*$", re.MULTILINE | re.ASCII)
STAT = re.compile(
    r"(?P<name>\w{1,40})\s+(?P<samples>\d+) samples \[(?P<unit>\w+)\](?P<rest>.*)", re.ASCII
)
SUM = 2  # of the words behind the unit: least, most, sum, sum of squares
MICRO = 1e-6
MOST_OPERATIONS = 100  # a client of today knows some forty

Read = Callable[[Path], bytes]
Columns = dict[str, float | None]


@dataclass(frozen=True)
class Stat:
    """One line: how often, and the sum of what was measured; None where it was not, or is wrong."""

    samples: int
    unit: str
    sum: int | None


class Parameters:
    """Texts by kind (llite, osc, mdc), instance and name, wherever this version keeps them.

    Files are opened at every reading: a client of many servers has more of them than the agent
    may keep open.
    """

    def __init__(self, root: Path, read: Read = Path.read_bytes) -> None:
        self._folders = [root / folder for folder in FOLDERS]
        self._read = read
        self._places: dict[tuple[str, ...], Path] = {}

    def is_there(self) -> bool:
        """Whether Lustre's modules are loaded."""
        return any(folder.is_dir() for folder in self._folders[:2])

    def instances(self, kind: str) -> list[str]:
        """Names below that kind, sorted."""
        found: set[str] = set()
        for folder in self._folders:
            found.update(name for name in names(folder / kind) if INSTANCE.fullmatch(name))
        return sorted(found)

    def text(self, *words: str) -> str:
        """The text of that parameter. OSError: the most telling one of all places."""
        known = self._places.get(words)
        places = [folder.joinpath(*words) for folder in self._folders]
        error: OSError = FileNotFoundError(2, "no such parameter")
        for place in [known, *places] if known else places:
            try:
                text = self._read(place).decode(errors="replace")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as e:
                error = e
                continue
            self._places[words] = place
            return text
        raise error

    def forget(self, present: Iterable[str]) -> None:
        """Let go of places of instances that are no more."""
        kept = set(present)
        self._places = {w: p for w, p in list(self._places.items()) if len(w) < 3 or w[1] in kept}


def names(folder: Path) -> list[str]:
    """What is in the folder; nothing where there is none or it is closed."""
    try:
        return [unicode(entry.name) for entry in folder.iterdir()]
    except OSError:
        return []


def instance(name: str) -> tuple[str, str]:
    """Name of the filesystem and address of the mount, of an instance's name."""
    match = INSTANCE.fullmatch(name)
    return (match["name"], match["at"]) if match else (name, "")


def parse(text: str) -> dict[str, Stat]:
    """The lines of a `stats` file that are understood, by name."""
    found: dict[str, Stat] = {}
    for line in text.splitlines():
        match = STAT.fullmatch(line.strip())
        if match and len(found) < MOST_OPERATIONS:
            words = match["rest"].split()
            told = whole(words[SUM]) if len(words) > SUM else None
            found[match["name"]] = Stat(
                whole(match["samples"]) or 0, match["unit"].rstrip("s"), told
            )
    return found


def operations(stats: dict[str, Stat]) -> dict[str, Columns]:
    """Columns by operation of llite's stats: `read_bytes` and `read` tell of the same one."""
    found: defaultdict[str, Columns] = defaultdict(dict)
    for name, stat in stats.items():
        if stat.unit == "byte":
            operation = name.removesuffix("_bytes")
            way = "read_bytes" if "read" in operation else "write_bytes"
            found[operation][way] = stat.sum
            found[operation].setdefault("operations", stat.samples)
        else:
            found[name]["operations"] = stat.samples
            if stat.unit == "usec":
                found[name]["total_seconds"] = None if stat.sum is None else stat.sum * MICRO
    return dict(found)


def in_flight(text: str) -> int | None:
    """Requests in flight as `rpc_stats` says, of all ways; None where it says nothing."""
    told = [int(number) for number in IN_FLIGHT.findall(text)]
    return sum(told) if told else None


def mounts(text: str) -> dict[str, tuple[str, str]]:
    """Device and first mount point in /proc/mounts, by name of the Lustre filesystem."""
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) >= 3 and words[2] == "lustre":
            device = plain(words[0])
            name = device.rpartition(":/")[2].partition("/")[0]
            found.setdefault(name, (device, plain(words[1])))
    return found
