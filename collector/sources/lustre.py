"""Lustre mounts of this node: operations, requests to the servers, room left, health."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from collector.files import boot_id, reason_of, scaled, total, whole
from collector.lustre_stats import (
    MICRO,
    Columns,
    Parameters,
    Read,
    Stat,
    in_flight,
    instance,
    mounts,
    operations,
    parse,
)
from collector.missing import Missing, Reason
from collector.patience import Patience
from collector.source import Context, Source, SourceKind
from collector.tally import Tally
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import FilesystemSample, NetfsSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable

KIB = 1024
# Column of the filesystem's row, its parameter, what one of it is.
ROOM = {
    "size_bytes": ("kbytestotal", KIB),
    "available_bytes": ("kbytesavail", KIB),
    "inodes": ("filestotal", 1),
    "inodes_free": ("filesfree", 1),
}
# Requests to all data servers, and to all metadata servers, of one mount.
SERVERS = {"osc": "osc_requests", "mdc": "mdc_requests"}
WAIT = "req_waittime"
NOTHING = Stat(0, "usec", 0)  # a server that was never asked has no line
HEALTH = "health_check"

Rows = Iterator[NetfsSample | FilesystemSample | MissingValue]


class LustreSettings(Settings):
    """Section `[lustre]`."""

    period_s: Annotated[float, "seconds between readings; all counts go on meanwhile"] = 10.0
    timeout_s: Annotated[float, "longest wait for the room left in one filesystem, seconds"] = 2.0


class Lustre(Source):
    """One row per operation of each mount, one for each kind of server, one of its room."""

    def __init__(
        self, settings: LustreSettings, context: Context, read: Read = Path.read_bytes
    ) -> None:
        self.period_s = settings.period_s
        self._root = context.root
        self._parameters = Parameters(context.root, read)
        # The client may ask its servers for it, and they may be gone.
        self._room = Patience(self._ask_room, settings.timeout_s)
        self._tally = Tally(context.memory, boot_id(context.root))
        self._missing = Missing("lustre")

    def read(self) -> Rows:
        """Every mount. Unavailable where Lustre is not loaded."""
        if not self._parameters.is_there():
            raise Unavailable("no Lustre client on this machine")
        self._check_health()
        names = self._parameters.instances("llite")
        servers = {kind: self._parameters.instances(kind) for kind in SERVERS}
        points = self._points(names)
        for name in names:
            device, mount = points[name]
            yield from self._operations(name, mount, device)
            for kind in SERVERS:
                targets = [t for t in servers[kind] if instance(t)[1] == instance(name)[1]]
                if targets:
                    yield self._requests(kind, targets, mount, device)
            yield self._filesystem(name, mount, device)
        self._parameters.forget([*names, *servers["osc"], *servers["mdc"]])
        self._tally.forget(lambda key: key.partition(" ")[0] in {instance(n)[1] for n in names})
        yield from self._missing.rows()

    def close(self) -> None:
        """Let the thread end that asks for the room left."""
        self._room.close()

    def _points(self, names: list[str]) -> dict[str, tuple[str, str]]:
        """Device and mount point by instance; the instance where a filesystem is mounted twice."""
        try:
            told = mounts((self._root / "proc/self/mounts").read_text(errors="replace"))
        except OSError as e:
            self._missing.note("", "proc/self/mounts", reason_of(e), e.strerror or "")
            told = {}
        labels = [instance(name)[0] for name in names]
        found = {}
        for name, label in zip(names, labels, strict=True):
            device, point = told.get(label, (label, label))
            found[name] = (device, point if labels.count(label) == 1 else name)
        return found

    def _texts(self, mount: str, file: str, kind: str, names: list[str]) -> dict[str, str]:
        """The texts of one parameter by instance; those that cannot be read have one reason."""
        told: dict[str, str] = {}
        failed: tuple[str, OSError] | None = None
        for name in names:
            try:
                told[name] = self._parameters.text(kind, name, file)
            except OSError as e:
                failed = failed or (name, e)
        if failed:
            name, error = failed
            detail = f"{name}: {error.strerror}"
            self._missing.note(mount, f"{kind}.{file}", reason_of(error), detail)
        else:
            self._missing.found(mount, f"{kind}.{file}")
        return told

    def _operations(self, name: str, mount: str, device: str) -> Iterator[NetfsSample]:
        for text in self._texts(mount, "stats", "llite", [name]).values():
            for operation, values in operations(parse(text)).items():
                self._judge(mount, operation, values)
                yield _row(mount, device, operation, values)

    def _requests(self, kind: str, targets: list[str], mount: str, device: str) -> NetfsSample:
        """What the client's requests to servers of that kind took, and how many are under way."""
        key = f"{instance(targets[0])[1]} {kind}"
        stats = self._texts(mount, "stats", kind, targets)
        for target, text in stats.items():
            waits = parse(text).get(WAIT, NOTHING)
            if waits.sum is not None:
                self._tally.add(f"{key} samples", target, waits.samples)
                self._tally.add(f"{key} us", target, waits.sum)
        flying = self._texts(mount, "rpc_stats", kind, targets)
        values: Columns = {
            "operations": self._tally.sum(f"{key} samples", targets),
            "server_seconds": scaled(self._tally.sum(f"{key} us", targets), MICRO),
            "in_flight": total(*(in_flight(flying.get(target, "")) for target in targets)),
        }
        if len(stats) == len(flying) == len(targets):
            self._judge(mount, SERVERS[kind], values)
        return _row(mount, device, SERVERS[kind], values)

    def _judge(self, mount: str, operation: str, values: Columns) -> None:
        """Note what a text that could be read does not tell."""
        for column, value in values.items():
            if value is None:
                self._missing.note(mount, f"{operation}.{column}", Reason.MALFORMED)
            else:
                self._missing.found(mount, f"{operation}.{column}")

    def _filesystem(self, name: str, mount: str, device: str) -> FilesystemSample:
        try:
            values = self._room(name)
        except OSError as e:
            self._missing.note(mount, "room", reason_of(e), e.strerror or "")
            values = dict.fromkeys(ROOM)
        else:
            self._missing.found(mount, "room")
        return FilesystemSample.known(mount=mount, device=device, filesystem="lustre", **values)

    def _ask_room(self, name: str) -> Columns:
        """Size and room left, from the client and not by statvfs. OSError without any."""
        texts = {c: self._parameters.text("llite", name, file) for c, (file, _) in ROOM.items()}
        return {column: scaled(whole(texts[column]), unit) for column, (_, unit) in ROOM.items()}

    def _check_health(self) -> None:
        """Tell as a missing reading that the client is not well: it has no column of its own."""
        try:
            said = " ".join(self._parameters.text(HEALTH).split())
        except OSError as e:
            self._missing.note("", HEALTH, reason_of(e), e.strerror or "")
            return
        if said == "healthy":
            self._missing.found("", HEALTH)
        else:
            self._missing.note("", HEALTH, Reason.LOST, said[:200])


def _row(mount: str, device: str, operation: str, values: Columns) -> NetfsSample:
    return NetfsSample.known(
        kind="lustre", mount=mount, device=device, operation=operation, **values
    )


source = SourceKind(
    LustreSettings,
    Lustre,
    privilege="root where this version of Lustre keeps its statistics in debugfs",
)
