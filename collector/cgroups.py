"""Which job, pod or container a control group belongs to, by its path.

Paths: slurm.schedmd.com/cgroup_v2.html (from 26.05 on named by SLUID), Kubernetes' two cgroup
drivers, Docker's and Podman's of systemd and of plain files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from collector.files import Files

V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/memory"
DEEPEST = 8  # user.slice/user-N.slice/user@N.service/user.slice/libpod-….scope is five
UUID = r"[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}"
CONTAINER = r"[0-9a-f]{64}"
END = r"(?=/|$)"


class Member(NamedTuple):
    """The runtime and its name for the job (id or SLUID), the pod (UID) or the container."""

    runtime: str
    name: str

    @property
    def is_sluid(self) -> bool:
        """Whether it is a Slurm job of which only the SLUID is known."""
        return self.runtime == "slurm" and not self.name.isdigit()


# A job within a pod (Slurm on Kubernetes) is the job; a container within a pod is the pod.
PATTERNS = (
    (
        "slurm",
        re.compile(
            r"/(?:[^/]*slurmstepd\.scope|slurm(?:_[^/]+)?/uid_\d+)"
            # A SLUID is 64 bits in Crockford's base 32.
            rf"/(?:job_(?P<job>\d+)|(?P<sluid>s[0-9A-HJKMNP-TV-Z]{{13}})){END}"
        ),
    ),
    # Pods that the kubelet starts from files are named by a hash without dashes.
    (
        "kubernetes",
        re.compile(rf"kubepods.*?[-/]pod(?P<pod>{UUID}|[0-9a-f]{{32}})(?:\.slice)?{END}"),
    ),
    (
        "docker",
        re.compile(rf"/docker(?:-(?P<scope>{CONTAINER})\.scope|/(?P<plain>{CONTAINER})){END}"),
    ),
    ("podman", re.compile(rf"/libpod-(?P<id>{CONTAINER})(?:\.scope)?{END}")),
)
# Folders between the root and the groups that are looked for.
BRANCH = re.compile(
    r".*\.slice|user@\d+\.service|.*slurmstepd\.scope|slurm(?:_.+)?|uid_\d+"
    r"|kubepods|kubelet|burstable|besteffort|docker|libpod_parent"
)


def member(path: str) -> Member | None:
    """Whose group this is, by its path; None for the system's own and for login sessions."""
    rooted = f"/{path.lstrip('/')}"
    for runtime, pattern in PATTERNS:
        match = pattern.search(rooted)
        if match:
            name = next(group for group in match.groups() if group)
            return Member(runtime, name.replace("_", "-"))
    return None


def member_of(text: str) -> Member | None:
    """Whose process it is, from its /proc/<pid>/cgroup: lines of number, controllers and path."""
    paths = [line.split(":", 2)[2] for line in text.splitlines() if line.count(":") >= 2]
    found = {m.runtime: m for m in map(member, paths) if m}
    return next((found[runtime] for runtime, _ in PATTERNS if runtime in found), None)


def groups(files: Files, top: str, below: str = "", depth: int = 0) -> Iterator[tuple[Member, str]]:
    """Every member's group below the folder `top`, with its path from there."""
    for name in files.folders(f"{top}/{below}" if below else top):
        path = f"{below}/{name}" if below else name
        found = member(path)
        if found:
            yield found, path
        elif depth < DEEPEST and BRANCH.fullmatch(name):
            yield from groups(files, top, path, depth + 1)


def is_unified(files: Files) -> bool:
    """Whether control groups are of version 2."""
    return files.exists(f"{V2}/cgroup.controllers")
