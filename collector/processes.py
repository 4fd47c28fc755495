"""Who a process is: user and executable's base name; never its arguments or environment."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collector.files import whole
from gpuledger.schema import UNSET_TIME

SESSION, START = 3, 19  # fields of /proc/<pid>/stat behind the name (proc(5): 6 and 22)


@dataclass(frozen=True)
class Owner:
    """What may be known of a process; empty where it cannot be (another namespace, gone)."""

    user: str = ""
    executable: str = ""
    session: int = 0
    started: datetime = UNSET_TIME
    runtime: str = ""
    container: str = ""


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
            self._owners[pid] = self._look(self._root / f"proc/{pid}")
        return self._owners[pid]

    def forget_unseen(self) -> None:
        """Forget processes not asked for since the last call: their ids may be used again."""
        self._owners = {pid: o for pid, o in self._owners.items() if pid in self._seen}
        self._seen.clear()

    def _look(self, folder: Path) -> Owner:
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
        return Owner(self._user(uid), _executable(folder), session or 0, self._time(start))

    def _user(self, uid: int) -> str:
        """The user's name; the number where no directory knows it."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
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
        return (folder / "exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        pass
    try:
        return (folder / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""
