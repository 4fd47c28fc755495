"""What Slurm's prolog and epilog left in a folder: which job holds which GPUs of this node.

One small file for each run of a job, `job-<id>-<restart>`, with lines `key=value`: job, restart,
gpus (ordinals), start, and stop once the epilog ran; times in seconds since 1970. Where the prolog
of a later run came first, stop is that time and `epilog=missing` says so. The folder
belongs to who runs the prolog and to nobody else: that is what makes its word trustworthy. It lives
in memory, so that a reboot, which ends every job, empties it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.files import whole
from collector.slurm_devices import EVERYWHERE, Devices, devices
from gpuledger import hostlist
from gpuledger.errors import ReadError, Unavailable

NAME = re.compile(r"job-\d+-\d+")
LONGEST_BYTES = 4096
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Where slurmd keeps its configuration, and where it has it from a configless controller.
GRES_CONFS = (
    "etc/slurm/gres.conf",
    "run/slurm/conf/gres.conf",
    "var/spool/slurmd/conf-cache/gres.conf",
)
CARDS = "proc/driver/nvidia/gpus"
INSTANCES = "proc/driver/nvidia/capabilities"
MINOR = re.compile(r"^Device Minor:\s*(\d+)", re.MULTILINE)

Mark = tuple[int, int]  # when a file was written, and its size


@dataclass(frozen=True)
class Word:
    """One run of a job on this node; `stop_s` once it gave its GPUs back.

    `exact` unless it ended without an epilog, at the latest then.
    """

    job: int
    restart: int
    node: str
    ordinals: tuple[int, ...]
    start_s: int
    stop_s: int | None = None
    exact: bool = True


class Folder:
    """The words in the folder; a file is read again only when it changed."""

    def __init__(self, path: Path, owner_uid: int) -> None:
        self._path = path
        self._owner_uid = owner_uid
        self._read: dict[str, tuple[Mark, Word | None]] = {}

    def words(self) -> list[Word]:
        """Every word that can be understood. Unavailable without the folder.

        ReadError where others may write into it: then it proves nothing.
        """
        found: dict[str, tuple[Mark, Word | None]] = {}
        for path in self._files():
            try:
                told = path.lstat()
            except OSError:
                continue  # cleaned up meanwhile
            known, mark = self._read.get(path.name), (told.st_mtime_ns, told.st_size)
            if known and known[0] == mark:
                found[path.name] = known
            else:
                found[path.name] = (mark, self._word(path, told))
        self._read = found
        return [word for _, word in found.values() if word]

    def _files(self) -> Iterator[Path]:
        try:
            told = self._path.stat()
            names = sorted(entry.name for entry in self._path.iterdir())
        except FileNotFoundError:
            raise Unavailable(f"no {self._path}: the prolog of deploy/slurm has not run") from None
        except OSError as e:
            raise ReadError(f"cannot read {self._path}: {e.strerror}") from None
        if not self._is_trusted(told):
            raise ReadError(
                f"{self._path} must belong to uid {self._owner_uid}, writable by no other"
            )
        return (self._path / name for name in names if NAME.fullmatch(name))

    def _word(self, path: Path, told: os.stat_result) -> Word | None:
        small = stat.S_ISREG(told.st_mode) and told.st_size <= LONGEST_BYTES
        if not small or not self._is_trusted(told):
            return None
        try:
            return word(path.read_text(errors="replace"))
        except OSError:
            return None

    def _is_trusted(self, told: os.stat_result) -> bool:
        return told.st_uid == self._owner_uid and not told.st_mode & OTHERS_MAY_WRITE


def word(text: str) -> Word | None:
    """What one file says; None where it says nothing that can be understood."""
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    job, restart, start = (whole(told.get(k)) for k in ("job", "restart", "start"))
    try:
        ordinals = tuple(hostlist.indices(told.get("gpus", "")))
    except ValueError:
        return None
    if not job or restart is None or not start or start >= 1 << 32:
        return None
    stop = whole(told.get("stop"))
    stop = max(start, stop) if stop is not None and stop < 1 << 32 else None
    exact = told.get("epilog") != "missing"
    return Word(job, restart, told.get("node", ""), ordinals, start, stop, exact)


def local_devices(root: Path, gres_conf: str = "") -> Devices:
    """Minor numbers of this node's GPUs in Slurm's order. Unavailable where a job may hold a part.

    An ordinal says nothing of how much: where GPUs are cut (shards, MPS, MIG), the scheduler tells.
    """
    texts = (_text(root / p) for p in ((gres_conf.lstrip("/"),) if gres_conf else GRES_CONFS))
    found = devices(next((t for t in texts if t), ""))
    if found.shared or any((root / INSTANCES).glob("gpu*/mig/gi*")):
        raise Unavailable("GPUs of this node are cut into parts, of which the hook knows nothing")
    by_bus = _minors_by_bus(root)
    return found if found.by_node or not by_bus else Devices({EVERYWHERE: by_bus})


def _minors_by_bus(root: Path) -> tuple[int, ...]:
    """Minor numbers in the order of the PCI bus; nothing without NVIDIA's driver."""
    texts = (_text(folder / "information") for folder in sorted((root / CARDS).glob("*")))
    found = [MINOR.search(text) for text in texts]
    return tuple(int(match[1]) for match in found if match)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
