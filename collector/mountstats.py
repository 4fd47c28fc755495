"""/proc/self/mountstats: what the NFS client counts for each mount and operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from collector.files import whole

NFS = ("nfs", "nfs4")
PER_OPERATION = "per-op statistics"
# linux, net/sunrpc/stats.c: _print_rpc_iostats. The ninth came with iostats 1.1 (Linux 5.3).
LEAST_WORDS, WORDS = 8, 9
# The kernel subtracts instants; one taken too early comes out as a count close to 2^64.
UNDERFLOW = 1 << 63
NAME = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
ESCAPE = re.compile(r"\\([0-7]{3})")
MILLI = 1e-3


@dataclass(frozen=True)
class Operation:
    """One operation's counts since the mount, times in milliseconds; None where malformed."""

    name: str
    tells_errors: bool
    operations: int | None
    transmissions: int | None
    timeouts: int | None
    sent_bytes: int | None
    received_bytes: int | None
    queue_ms: int | None
    round_trip_ms: int | None
    execute_ms: int | None
    errors: int | None

    @property
    def retransmits(self) -> int | None:
        """Requests sent again: every operation is sent at least once."""
        if self.transmissions is None or self.operations is None:
            return None
        again = self.transmissions - self.operations
        return again if again >= 0 else None


@dataclass
class Mount:
    """One NFS mount; `read_bytes` and `write_bytes` are what programs asked for, cached or not."""

    export: str
    point: str
    options: dict[str, str] = field(default_factory=dict)
    read_bytes: int | None = None
    write_bytes: int | None = None
    operations: list[Operation] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)

    @property
    def transport(self) -> tuple[str, str, str]:
        """Export, protocol and server: the same for every mount of one superblock."""
        return self.export, self.options.get("proto", ""), self.options.get("mountaddr", "")


def parse(text: str) -> Iterator[Mount]:
    """The NFS mounts of the file; lines that are not understood are named in them.

    A last line without an end may be cut off within a number: it does not count.
    """
    mount: Mount | None = None
    counting = False
    for line in text.split("\n")[:-1]:
        if line.startswith(("device ", "no device ")):
            if mount:
                yield mount
            mount, counting = _mount(line.split(" ")), False
        elif mount is None:
            continue
        elif line.strip() == PER_OPERATION:
            counting = True
        elif counting:
            _count(mount, line)
        else:
            _tell(mount, line)
    if mount:
        yield mount


def superblocks(mountinfo: str) -> dict[str, str]:
    """Device number of the superblock by mount point, of NFS mounts (proc(5), mountinfo)."""
    found = {}
    for line in mountinfo.splitlines():
        place, _, kind = line.partition(" - ")
        words = place.split(" ")
        if len(words) >= 5 and kind.split(" ")[0] in NFS:
            found[plain(words[4])] = words[2]
    return found


def _mount(words: list[str]) -> Mount | None:
    """`device nas:/home mounted on /home with fstype nfs4 statvers=1.1`, where it is NFS."""
    if len(words) < 8 or words[2:4] != ["mounted", "on"] or words[7] not in NFS:
        return None
    return Mount(plain(words[1]), plain(words[4]))


def _tell(mount: Mount, line: str) -> None:
    """A line ahead of the operations."""
    name, _, rest = line.strip().partition(":")
    if name == "opts":
        pairs = (word.partition("=") for word in rest.strip().split(","))
        mount.options = {key: value for key, _, value in pairs}
    elif name == "bytes":
        # Read and written through the page cache, then past it; what comes behind is the wire's.
        counts = [_count_of(word) for word in rest.split()[:4]]
        if len(counts) < 4 or None in counts:
            mount.malformed.append("bytes")
            return
        read, written, read_directly, written_directly = (n or 0 for n in counts)
        mount.read_bytes, mount.write_bytes = read + read_directly, written + written_directly


def _count(mount: Mount, line: str) -> None:
    """A line of one operation."""
    name, colon, rest = line.strip().partition(":")
    if not name:
        return
    words = rest.split()
    if not colon or not NAME.fullmatch(name) or len(words) < LEAST_WORDS:
        mount.malformed.append(name[:40])
        return
    told = [_count_of(word) for word in words[:WORDS]]
    tells_errors = len(told) == WORDS
    mount.operations.append(Operation(name, tells_errors, *told, *[None] * (WORDS - len(told))))


def _count_of(word: str) -> int | None:
    value = whole(word)
    return None if value is None or value >= UNDERFLOW else value


def plain(word: str) -> str:
    r"""The word without the octal escapes of /proc/mounts, e.g. `\040` for a space."""
    return ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
