"""Who a process is: user, executable's base name and control group; never its arguments.

Of its environment two variables are looked at, SLURM_JOB_ID and SLURM_JOB_GPUS, and nothing else
of it is kept.
"""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collector.cgroups import Member, member_of
from collector.files import whole
from gpuledger.schema import UNSET_TIME

SESSION, START = 3, 19  # fields of /proc/<pid>/stat behind the name (proc(5): 6 and 22)
ENVIRONMENT_BYTES = 128 << 10
JOB_ID = re.compile(rb"SLURM_JOB_ID=(\d{1,10})")
JOB_GPUS = re.compile(rb"SLURM_JOB_GPUS=([\d,-]{1,512})")
RANGE = re.compile(rb"(\d{1,4})(?:-(\d{1,4}))?")


@dataclass(frozen=True)
class Owner:
    """What may be known of a process; empty where it cannot be (another namespace, gone)."""

    user: str = ""
    executable: str = ""
    session: int = 0
    started: datetime = UNSET_TIME
    runtime: str = ""
    container: str = ""
    is_root: bool = False


@dataclass(frozen=True)
class SlurmEnvironment:
    """The Slurm job that a process says it belongs to, and the job's GPUs on this node.

    These are Slurm's ordinals, not NVML's indices. None and empty where it does not say.
    """

    job_id: int | None = None
    gpus: tuple[int, ...] = ()


class Owners:
    """Owners by process id, asked once as long as the process is seen at every reading."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._owners: dict[int, Owner] = {}
        self._seen: set[int] = set()
        self._users: dict[int, str] = {}

    def of(self, pid: int) -> Owner:
        """The owner of the process of that id."""
        self._seen.add(pid)
        if pid not in self._owners:
            self._owners[pid] = self.look(pid)
        return self._owners[pid]

    def slurm(self, pid: int) -> SlurmEnvironment:
        """The process's Slurm job by its environment; empty where that may not be read.

        It takes the same user, or the capability CAP_SYS_PTRACE. A job may set what it likes:
        trust its control group more.
        """
        try:
            with (self._root / f"proc/{pid}/environ").open("rb", buffering=0) as file:
                data = file.read(ENVIRONMENT_BYTES)
        except OSError:
            return SlurmEnvironment()
        return slurm_environment(data)

    def forget_unseen(self) -> None:
        """Forget processes not asked for since the last call: their ids may be used again."""
        self._owners = {pid: o for pid, o in self._owners.items() if pid in self._seen}
        self._seen.clear()

    def look(self, pid: int) -> Owner:
        """The owner as of now; the answer is not remembered."""
        folder = self._root / f"proc/{pid}"
        try:
            uid = folder.stat().st_uid
            stat = (folder / "stat").read_text(errors="replace")
        except OSError:
            return Owner()
        # The name stands in parentheses and may itself hold spaces and parentheses.
        words = stat.rpartition(")")[2].split()
        numbers = [whole(word) for word in words]
        start = numbers[START] if len(numbers) > START else None
        session = numbers[SESSION] if len(numbers) > SESSION else None
        group = self._member(pid, member_of(_text(folder / "cgroup")))
        return Owner(
            self.user(uid),
            _executable(folder),
            session or 0,
            self._time(start),
            runtime=group.runtime if group else "",
            container=group.name if group else "",
            is_root=uid == 0,
        )

    def _member(self, pid: int, group: Member | None) -> Member | None:
        """The group; where it has no name that schedulers know, what the environment says."""
        if group and not group.is_sluid:
            return group
        job = self.slurm(pid).job_id
        return group if job is None else Member("slurm", str(job))

    def user(self, uid: int) -> str:
        """The user's name; the number where no directory knows it."""
        if uid not in self._users:
            try:
                self._users[uid] = _plain(pwd.getpwuid(uid).pw_name)
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]

    def _time(self, ticks: int | None) -> datetime:
        """The instant that many clock ticks after boot."""
        boot = self._boot_s()
        if ticks is None or boot is None:
            return UNSET_TIME
        return datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"), UTC)

    def _boot_s(self) -> int | None:
        try:
            text = (self._root / "proc/stat").read_text()
        except OSError:
            return None
        return whole(text.partition("\nbtime ")[2].partition("\n")[0])


def _executable(folder: Path) -> str:
    """Base name of the program; the kernel's short name where the link may not be read."""
    try:
        name = (folder / "exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return _text(folder / "comm").strip()
    return _plain(name)


def _plain(name: str) -> str:
    """The name without what is no UTF-8: a row cannot hold that."""
    return os.fsencode(name).decode(errors="replace")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def slurm_environment(data: bytes) -> SlurmEnvironment:
    """The two variables out of the text of an environment; the first of each counts."""
    variables = data.split(b"\0")
    if len(data) >= ENVIRONMENT_BYTES:
        variables.pop()  # it may have been cut in two
    job = next(filter(None, map(JOB_ID.fullmatch, variables)), None)
    gpus = next(filter(None, map(JOB_GPUS.fullmatch, variables)), None)
    return SlurmEnvironment(
        job_id=int(job[1]) if job else None,
        gpus=_ordinals(gpus[1]) if gpus else (),
    )


def _ordinals(text: bytes) -> tuple[int, ...]:
    """Numbers of `0,2-3`; none where it is anything else."""
    out: set[int] = set()
    for part in text.split(b","):
        match = RANGE.fullmatch(part)
        if not match:
            return ()
        out.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(out))
