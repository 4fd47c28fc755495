"""Pods of this node and the exact GPUs that each holds, from the kubelet's PodResources service.

The container needs /var/lib/kubelet/pod-resources, /var/log/pods and the host's /sys/fs/cgroup,
read-only. Without the log folders a pod has no UID, and the API server's word does not join.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from math import inf
from typing import Annotated

from collector.doubts import Doubts
from collector.holdings import Holdings
from collector.kubelet_devices import Devices, Place, SliceOf
from collector.missing import Reason
from collector.podresources import Kubelet, PodDevices
from collector.pods import Pod, Pods
from collector.slice_places import SlicePlaces
from collector.source import Context, Source, SourceKind, Trust
from gpuledger.accelerators import GPU_RESOURCES, WHOLE
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue.work import Allocation, version
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.identity import alloc_id, asset_id, gpu_id, hash64, job_id
from gpuledger.kubernetes_names import native_id
from gpuledger.schema import Row

# The ledger ends an open allocation that nobody names for longer than this and some slack.
REFRESH_S = 600.0
LOOK_AGAIN_S = 300.0  # what devices there are changes when MIG or sharing is set up anew


class PodResourcesSettings(Settings):
    """Section `[pod_resources]`."""

    period_s: Annotated[float, "seconds between lists"] = 10.0
    socket: Annotated[str, "the kubelet's socket, below the host's root"] = (
        "/var/lib/kubelet/pod-resources/kubelet.sock"
    )
    timeout_s: Annotated[float, "longest wait for one answer"] = 5.0
    longest_bytes: Annotated[int, "longest answer taken"] = 16 << 20
    resources: Annotated[tuple[str, ...], "names of resources that are GPUs; * = any text"] = (
        GPU_RESOURCES
    )
    library: Annotated[str, "path of libnvidia-ml.so.1, asked for MIG slices only"] = ""
    drivers: Annotated[tuple[str, ...], "DRA drivers whose devices are GPUs"] = ("gpu.nvidia.com",)


class PodResources(Source):
    """One list per reading; a list counts as a whole or not at all."""

    def __init__(
        self,
        settings: PodResourcesSettings,
        context: Context,
        slice_of: SliceOf | None = None,
    ) -> None:
        self.period_s = settings.period_s
        self._names = (*settings.resources, *settings.drivers)
        self._context = context
        self._socket = context.root / settings.socket.lstrip("/")
        self._kubelet = Kubelet(str(self._socket), settings.timeout_s, settings.longest_bytes)
        self._devices = Devices(
            context.root, slice_of or SlicePlaces(settings.library, context.clock.monotonic)
        )
        self._pods = Pods(context.root)
        self._holdings = Holdings(context.memory)
        self._doubts = Doubts("pod_resources")
        self._looked = self._told_everything = -inf
        self._met = False

    def read(self) -> Iterable[Row]:
        """What changed since the last list. Unavailable without a kubelet that may be asked.

        ReadError where it does not answer, or says something that cannot be understood: then
        nothing is concluded, and no allocation ends.
        """
        self._check_socket()
        at = from_milliseconds(round(self._context.clock.wall() * 1000))
        listed = self._kubelet.pods()
        self._met = True
        now = self._context.clock.monotonic()
        if now - self._looked >= LOOK_AGAIN_S:
            self._look()
            self._looked = now
        self._pods.look()
        rank = version(Trust.SCHEDULER, to_milliseconds(at))
        held = [row for pod in listed for row in self._held(pod, at, rank)]
        everything = now - self._told_everything >= REFRESH_S
        rows: list[Row] = [*self._holdings.advance(held, at, rank, everything=everything)]
        self._told_everything = now if everything else self._told_everything
        return [*rows, *self._doubts.rows()]

    def close(self) -> None:
        """Close the connection."""
        self._kubelet.close()

    def _check_socket(self) -> None:
        """A kubelet that was met and is gone restarts; one never met is not on this machine."""
        try:
            self._socket.stat()
            allowed = os.access(self._socket, os.R_OK | os.W_OK, effective_ids=True)
        except PermissionError:
            allowed = False
        except OSError:
            self._kubelet.close()
            if self._met:
                raise ReadError(f"{self._socket} is gone: the kubelet restarts") from None
            raise Unavailable(f"no kubelet here: no {self._socket}") from None
        if not allowed:
            raise Unavailable(f"no right to ask the kubelet: {self._socket} is for its owner")

    def _look(self) -> None:
        """See which devices there are; shares of time are not known from an old kubelet."""
        try:
            advertised = self._kubelet.advertised()
        except ReadError as e:
            advertised = []
            self._doubts.lasting.note("kubelet", "advertised", Reason.UNSUPPORTED, str(e))
        else:
            self._doubts.lasting.found("kubelet", "advertised")
        self._devices.look(advertised)

    def _held(self, pod: PodDevices, at: datetime, rank: int) -> list[Allocation]:
        """Allocations of one pod: one per GPU or slice, whose shares add up."""
        places = self._places(pod)
        if not places:
            return []
        found = self._pods.find(pod.namespace, pod.name)
        native = native_id(pod.namespace, pod.name, found.uid)
        # The kubelet goes on listing pods that finished, and lists them before they begin.
        if found.live is False or (self._pods.shows_logs and not found.uid):
            return []
        if not self._pods.shows_logs:
            self._doubts.note("pods", "uid", Reason.UNREADABLE, "/var/log/pods cannot be listed")
        if found.live is None:
            self._doubts.note("pods", "cgroup", Reason.UNSUPPORTED, "finished pods cannot be told")
        return [self._row(native, place, found, at, rank) for place in places]

    def _places(self, pod: PodDevices) -> list[Place]:
        shares: dict[tuple[int, str], int] = {}
        for device in sorted(pod.devices):
            if not any(fnmatchcase(device.resource, name) for name in self._names):
                continue
            place = self._devices.place(device)
            if place is None:
                if self._doubts.is_new(device.id, "slot"):
                    self._looked = -inf  # it may be newer than what was seen of the machine
                self._doubts.note(
                    device.id, "slot", Reason.UNSUPPORTED, f"{device.resource} of no known GPU"
                )
                continue
            if place.guessed:
                self._doubts.note(device.id, "share", Reason.UNSUPPORTED, "counted as a whole GPU")
            key = place.slot, place.slice
            shares[key] = min(shares.get(key, 0) + place.share_milli, WHOLE)
        return [Place(slot, part, share) for (slot, part), share in shares.items()]

    def _row(self, native: str, place: Place, pod: Pod, at: datetime, rank: int) -> Allocation:
        context = self._context
        job, name = (
            job_id(context.cluster, native),
            asset_id(context.cluster, context.node, place.slot),
        )
        return Allocation(
            gpu_id=gpu_id(context.cluster, context.node, place.slot),
            # A pod may hold two slices of one card: each is given for itself.
            alloc_id=alloc_id(job, 0, hash64(f"{name}/{place.slice}" if place.slice else name)),
            job_id=job,
            cluster=context.cluster,
            node=context.node,
            share_milli=place.share_milli,
            valid_from=min(pod.since or at, at),
            source="kubernetes",
            slice=place.slice,
            seen_at=at,
            version=rank,
        )


source = SourceKind(
    PodResourcesSettings,
    PodResources,
    privilege="the kubelet's socket (root, or its group); /var/log/pods and the host's cgroups",
)
