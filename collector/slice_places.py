"""From which card a MIG slice is cut: only the driver knows, and it may hang, so a child asks it.

The child is this interpreter; it lists the slices once and ends. It runs only on nodes where a pod
holds a slice that was not met before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

from gpuledger.errors import GpuledgerError

START = "from collector.slice_places import main; main()"
ASK_AGAIN_S = 60.0
TIMEOUT_S = 20.0
KILL_WITHIN_S = 1.0

Places = dict[str, tuple[int, int | None]]


class SlicePlaces:
    """The slot of a slice's card and the slice's share, by UUID."""

    def __init__(
        self,
        library: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._library = library
        self._monotonic = monotonic
        self._timeout_s = timeout_s
        self._known: Places = {}
        self._asked: float | None = None
        self._stuck: subprocess.Popen[bytes] | None = None

    def __call__(self, uuid: str) -> tuple[int, int | None] | None:
        """Where it is cut from; None where the driver does not say, or does not answer."""
        now = self._monotonic()
        if uuid not in self._known and (self._asked is None or now - self._asked >= ASK_AGAIN_S):
            self._asked = now
            self._known = self._listed() or self._known
        return self._known.get(uuid)

    def _listed(self) -> Places:
        if self._stuck and self._stuck.poll() is None:
            return {}
        child = subprocess.Popen(  # noqa: S603 - this interpreter, fixed words
            [sys.executable, "-c", START, self._library],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            told, _ = child.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            self._give_up(child)
            return {}
        try:
            return {uuid: (slot, share) for uuid, (slot, share) in json.loads(told).items()}
        except ValueError:
            return {}

    def _give_up(self, child: subprocess.Popen[bytes]) -> None:
        """Kill it; one that waits in the driver cannot be killed, and no other is started then."""
        child.kill()
        try:
            child.communicate(timeout=KILL_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._stuck = child


def listed(library: str) -> Places:
    """Every slice that the driver knows; none where there is no driver."""
    from collector.mig import Slices  # noqa: PLC0415 - the child's, not the agent's
    from collector.nvml import Lost, Nvml  # noqa: PLC0415 - as above

    nvml, found = Nvml(library), Places()
    nvml.open()
    for index in range(nvml.count()):
        try:
            card = nvml.asker(index)
            minor = card.ask("nvmlDeviceGetMinorNumber")
            for readings in Slices(card, time.monotonic).read():
                share = readings.identity.entitlement_milli or None
                found[readings.identity.uuid] = (index if minor is None else minor, share)
        except Lost:
            continue  # the slices of the others are there all the same
    nvml.close()
    return found


def main() -> None:
    """Print the slices as JSON, or nothing where the driver cannot be asked."""
    try:
        found = listed(sys.argv[1] if len(sys.argv) > 1 else "")
    except GpuledgerError:
        sys.exit(1)
    sys.stdout.write(json.dumps(found))
