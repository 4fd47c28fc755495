"""Pods as a node knows them: their UIDs, and whether they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

LOGS = "var/log/pods"  # <namespace>_<name>_<uid>, made by every kubelet for every pod
CGROUPS = "sys/fs/cgroup"
# Where the pods' cgroups lie: systemd's and the kubelet's own names, bare or below a root of the
# kubelet's; in version 1 one tree per controller, of which one is enough.
TREES = (
    "kubepods.slice",
    "kubepods",
    "kubelet.slice/kubelet-kubepods.slice",
    "kubelet/kubepods",
    "systemd/kubepods.slice",
    "systemd/kubepods",
    "memory/kubepods.slice",
    "memory/kubepods",
)
QOS = ("burstable", "besteffort")
_UID = re.compile(r"pod([0-9a-f][0-9a-f_-]{31,35})(?:\.slice)?$")


@dataclass(frozen=True)
class Pod:
    """One life of a pod on this node."""

    uid: str = ""
    since: datetime | None = None
    live: bool | None = None  # None: this machine does not show the pods' cgroups


@dataclass
class Pods:
    """What the files of this node say of its pods; `look` reads them anew."""

    root: Path
    shows_logs: bool = False
    _lives: dict[tuple[str, str], list[Pod]] = field(default_factory=dict)

    def look(self) -> None:
        """List the pods' log folders and cgroups."""
        running = running_uids(self.root)
        self._lives, self.shows_logs = {}, True
        for namespace, name, uid, since in self._logs():
            live = None if running is None else uid in running
            self._lives.setdefault((namespace, name), []).append(Pod(uid, since, live))

    def find(self, namespace: str, name: str) -> Pod:
        """The pod of that name: the life that runs, else the latest; empty where unknown.

        A stateful pod comes back under its name while the logs of its former life still lie there.
        """
        lives = self._lives.get((namespace, name), [])
        epoch = datetime.fromtimestamp(0, UTC)
        return max(lives, key=lambda p: (bool(p.live), p.since or epoch, p.uid), default=Pod())

    def _logs(self) -> Iterator[tuple[str, str, str, datetime]]:
        """Namespace, name, UID, and when the pod's last container was made."""
        try:
            entries = list((self.root / LOGS).iterdir())
        except OSError:
            self.shows_logs = False
            return
        for entry in entries:
            namespace, _, rest = entry.name.partition("_")
            name, _, uid = rest.rpartition("_")
            try:
                made = entry.stat().st_mtime
            except OSError:
                continue  # it went while the others were read
            if name and uid:
                yield namespace, name, uid, datetime.fromtimestamp(made, UTC)


def running_uids(root: Path) -> set[str] | None:
    """UIDs of pods that have a process; None where this machine shows no pods' cgroups."""
    trees = [root / CGROUPS / tree for tree in TREES]
    found = next((tree for tree in trees if tree.is_dir()), None)
    return None if found is None else set(_populated(found))


def _populated(tree: Path) -> Iterator[str]:
    prefix = tree.name.removesuffix(".slice")
    below = [tree / q for q in QOS] + [tree / f"{prefix}-{q}.slice" for q in QOS]
    for folder in (tree, *below):
        for name in _names(folder):
            uid = _UID.search(name)
            if uid and not _is_empty(folder / name):
                yield uid[1].replace("_", "-")


def _is_empty(cgroup: Path) -> bool:
    """Whether a cgroup of version 2 says that it has no process; version 1 does not say."""
    try:
        return "populated 0" in (cgroup / "cgroup.events").read_text()
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
