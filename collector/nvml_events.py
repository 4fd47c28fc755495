"""NVML's events: XIDs, memory errors, retirements and recovery actions."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from collector.xid import HARDWARE, INFORMATION, NONE, RESET, RESTART, Meaning, action, meaning
from gpuledger.catalogue.gpu import GpuEvent

# Types of events, from nvml.h (nvmlEventType*).
XID, RECOVERY = 0x8, 0x8000
KINDS = {
    0x1: ("ecc", Meaning(INFORMATION, "corrected memory error", NONE)),
    0x2: ("ecc", Meaning(HARDWARE, "uncorrected memory error", RESET)),
    0x200: ("ecc", Meaning(INFORMATION, "storm of corrected memory errors", NONE)),
    0x400: ("retirement", Meaning(INFORMATION, "memory retired", NONE)),
    0x800: ("retirement", Meaning(HARDWARE, "memory could not be retired", RESET)),
    0x1000: ("ecc", Meaning(HARDWARE, "contained memory poison", RESTART)),
    0x2000: ("ecc", Meaning(HARDWARE, "uncontained memory poison", RESET)),
    0x4000: ("reset", Meaning(HARDWARE, "GPU is not available", RESET)),
}
WANTED = XID | RECOVERY | sum(KINDS)
TIMEOUT = 10
NEVER = frozenset({3, 4, 13})  # not supported, no permission, function not found
EVENTS_AT_ONCE = 10_000
NO_SLICE = 0xFFFFFFFF
RECOVERY_FIELD = 230
Event = tuple[int, int, int, int, int]  # slot, type, data, GPU instance, compute instance


class Events:
    """What happened to the GPUs since the last call. `nvml` is pynvml with a session open."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._set: Any = None
        self._registered: dict[int, int] = {}  # slot to address of the handle
        self._slots: dict[int, int] = {}  # and back, also of cards that do not answer any more
        self._refused = False

    def poll(self, handles: Mapping[int, Any], now: datetime) -> Iterator[GpuEvent]:
        """Events by slot, equal ones counted; never waits. `handles` are those of GPUs that answer.

        A driver that has no events is asked once.
        """
        if self._refused or not self._ready():
            return
        self._register(handles)
        for (slot, type_, data, *slices), count in self._counted().items():
            kind, known = ("xid", meaning(data)) if type_ == XID else self._known(type_)
            yield GpuEvent(
                ts=now,
                slot=slot,
                kind=kind,
                code=data if type_ == XID else type_,
                cause=known.cause,
                recovery=self._action(handles.get(slot)) if type_ == RECOVERY else known.recovery,
                count=count,
                detail=_detail(known.text, *slices),
            )

    def close(self) -> None:
        """Free the set; events begin anew with the next call."""
        events, self._set, self._registered, self._slots = self._set, None, {}, {}
        if events is not None:
            try:
                self._nvml.nvmlEventSetFree(events)
            except self._nvml.NVMLError:
                return  # the session is over, and the set with it

    def _ready(self) -> bool:
        if self._set is None:
            try:
                self._set = self._nvml.nvmlEventSetCreate()
            except self._nvml.NVMLError as e:
                self._refused = e.value in NEVER
        return self._set is not None

    def _register(self, handles: Mapping[int, Any]) -> None:
        """Ask for the events of every GPU that is new, or back with a new handle."""
        for slot in self._registered.keys() - handles.keys():
            del self._registered[slot]
        for slot, handle in handles.items():
            address = _address(handle)
            if self._registered.get(slot) == address:
                continue
            try:
                types = WANTED & self._nvml.nvmlDeviceGetSupportedEventTypes(handle)
                if types:
                    self._nvml.nvmlDeviceRegisterEvents(handle, types, self._set)
            except self._nvml.NVMLError as e:
                if e.value not in NEVER:
                    continue  # it is lost or busy: with the next call
            self._registered[slot] = address
            self._slots[address] = slot

    def _counted(self) -> Counter[Event]:
        """Everything that waits in the set, by what it is."""
        counted: Counter[Event] = Counter()
        for _ in range(EVENTS_AT_ONCE):
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._set, 0)
            except self._nvml.NVMLError as e:
                if e.value != TIMEOUT:
                    self.close()  # a lost GPU spoils the set for the others
                break
            slot = self._slots.get(_address(event.device))
            if slot is not None:
                slices = event.gpuInstanceId, event.computeInstanceId
                counted[slot, event.eventType, event.eventData, *slices] += 1
        return counted

    def _known(self, type_: int) -> tuple[str, Meaning]:
        changed = Meaning(INFORMATION, "recovery action changed")
        return KINDS.get(type_, ("recovery", changed))

    def _action(self, handle: Any) -> str:
        """What the driver asks for now; empty if it does not say."""
        if handle is None:
            return ""
        try:
            (answer,) = self._nvml.nvmlDeviceGetFieldValues(handle, [RECOVERY_FIELD])
        except self._nvml.NVMLError:
            return ""
        return action(answer.value.uiVal) if answer.nvmlReturn == 0 else ""


def _address(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _detail(text: str, gpu_instance: int, compute_instance: int) -> str:
    if gpu_instance == NO_SLICE:
        return text
    slice_ = f"GPU instance {gpu_instance}"
    if compute_instance != NO_SLICE:
        slice_ += f", compute instance {compute_instance}"
    return f"{slice_}: {text}"
