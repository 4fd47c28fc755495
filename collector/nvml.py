"""NVML in Python's words: a session, and questions to one GPU. The only place that knows pynvml.

Other modules of the collector get the loaded module from here and never import it.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import struct
import sys
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from collector.missing import Reason
from gpuledger.errors import ReadError, Unavailable

MINIMUM_DRIVER = "libnvidia-ml.so.1"
# Return codes, from nvml.h (NVML_ERROR_*).
UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 1, 2, 3, 4, 6
DRIVER_NOT_LOADED, TIMEOUT, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 9, 10, 12, 13
GPU_IS_LOST, RESET_REQUIRED, LIBRARY_MISMATCH, VERSION_MISMATCH, UNKNOWN = 15, 16, 18, 25, 999
# Ours, beside NVML's: it answered something that cannot be a value.
MALFORMED = -1
NEVER = frozenset({NOT_SUPPORTED, FUNCTION_NOT_FOUND, VERSION_MISMATCH})
# A field or metric that this driver does not know yet.
REFUSED = NEVER | {INVALID_ARGUMENT}
GONE = frozenset({GPU_IS_LOST, RESET_REQUIRED, UNKNOWN})
SESSION_OVER = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_MISMATCH})

REASONS = {
    GPU_IS_LOST: "GPU is lost: it has fallen off the bus",
    RESET_REQUIRED: "GPU requires a reset",
    UNKNOWN: "GPU answers 'unknown error' to everything",
}
_WHY = {
    **dict.fromkeys(REFUSED, Reason.UNSUPPORTED),
    # Not "unknown error": a card that says so to everything is lost, and noted as such.
    GPU_IS_LOST: Reason.LOST,
    RESET_REQUIRED: Reason.LOST,
    NO_PERMISSION: Reason.DENIED,
    TIMEOUT: Reason.TIMEOUT,
    MALFORMED: Reason.MALFORMED,
}

# nvmlFieldValue_t: id, scope, timestamp, latency, valueType, nvmlReturn and a union of 8 bytes.
_FIELD = struct.Struct("=IIqqIIQ")
# How the union is read, by valueType (nvmlValueType_t): double, uint, ulong, ulonglong, longlong,
# int, ushort.
_UNION = tuple(struct.Struct(f"={code}").unpack_from for code in "dIQQqiH")
# All ones mean "not available" (NVML_VALUE_NOT_AVAILABLE) in whatever width.
_NOTHING = frozenset({0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})

Answer = tuple[int, float | None]


class Lost(ReadError):
    """One GPU that is lost or wants a reset; the others answer."""

    def __init__(self, code: int) -> None:
        super().__init__(REASONS.get(code, f"NVML error {code}"))
        self.code = code


class Denied(ReadError):
    """One GPU that this process may not open; it may well be healthy."""


class DriverGone(ReadError):
    """The driver was unloaded or replaced; NVML must be opened again."""


class Vanished(ReadError):
    """A handle that is dead: its slice was taken apart, its card pulled out or reloaded."""


def reason_of(code: int) -> Reason:
    """The reason for a missing value that a return code stands for."""
    return _WHY.get(code, Reason.UNREADABLE)


class Asker:
    """Puts questions to one GPU or slice. `code` is the return code of the last one.

    `refused` keeps what it can never answer until the driver is loaded again: it is asked once.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.nvml = nvml
        self.handle = handle
        self.refused: dict[Hashable, int] = {}
        self.code = 0

    def ask(self, call: str, *arguments: Any) -> Any:
        """The answer of one NVML call about this GPU; None where it has none, then see `code`."""
        return self.put((call, arguments), call, self.handle, *arguments)

    def put(self, question: Hashable, call: str, *arguments: Any) -> Any:
        """The same with the arguments as they are, and a name for what is asked."""
        refused = self.refused.get(question)
        if refused is not None:
            self.code = refused
            return None
        function = getattr(self.nvml, call, None)
        if function is None:  # an older nvidia-ml-py
            self.code = self.refused[question] = FUNCTION_NOT_FOUND
            return None
        try:
            answer = function(*arguments)
        except self.nvml.NVMLError as e:
            self.code = e.value
            self._judge(question, e.value)
            return None
        self.code = 0
        return answer

    def fields(self, request: Sequence[tuple[int, int]]) -> list[Answer]:
        """Return code and value of each (field id, scope), in one call."""
        values = self.put("fields", "nvmlDeviceGetFieldValues", self.handle, request)
        if values is None:
            return [(self.code, None)] * len(request)
        return [_value(kind, code, raw) for *_, kind, code, raw in _FIELD.iter_unpack(values)]

    def _judge(self, question: Hashable, code: int) -> None:
        """Whether an error concerns this question, this GPU, or the whole driver."""
        if code in SESSION_OVER:
            raise DriverGone(f"the NVIDIA driver is gone or was replaced (NVML error {code})")
        if code in {GPU_IS_LOST, RESET_REQUIRED}:
            raise Lost(code)
        if code in {UNKNOWN, INVALID_ARGUMENT}:
            self._check_alive()
        if code in NEVER:
            self.refused[question] = code

    def _check_alive(self) -> None:
        """One odd reading does not make a GPU lost: ask what every GPU answers."""
        try:
            self.nvml.nvmlDeviceGetMemoryInfo(self.handle)
        except self.nvml.NVMLError as e:
            if e.value in {INVALID_ARGUMENT, NOT_FOUND}:
                raise Vanished("the handle is dead") from None
            if e.value in GONE:
                raise Lost(e.value) from None


def _value(kind: int, code: int, raw: int) -> Answer:
    """One field by its own type; a lost card says so in each field."""
    if code in {GPU_IS_LOST, RESET_REQUIRED}:
        raise Lost(code)
    if code:
        return code, None
    if kind >= len(_UNION):
        return MALFORMED, None
    value = _UNION[kind](raw.to_bytes(8, sys.byteorder))[0] if kind not in {2, 3} else raw
    return (MALFORMED, None) if value in _NOTHING or math.isnan(value) else (0, value)


def load_pynvml() -> Any:
    """The pynvml module. Unavailable where it is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        raise Unavailable(
            "nvidia-ml-py is not installed (pip install gpuledger[collector])"
        ) from None


class Nvml:
    """A session with the driver; kept open, since opening can take seconds per GPU."""

    def __init__(self, library: str = "", load: Callable[[], Any] = load_pynvml) -> None:
        self._library = library
        self._load = load
        self._nvml: Any = None

    @property
    def is_open(self) -> bool:
        """Whether `open` succeeded and `close` was not called since."""
        return self._nvml is not None

    @property
    def module(self) -> Any:
        """The pynvml module while the session is open, else None."""
        return self._nvml

    def open(self) -> None:
        """Begin. Unavailable without a driver, ReadError where it cannot be asked."""
        nvml = self._load()
        try:
            if self._library:  # pynvml asks for the soname, and finds what is loaded already
                ctypes.CDLL(self._library)
            nvml.nvmlInit()
        except OSError as e:
            raise Unavailable(f"cannot load {self._library}: {e}") from None
        except nvml.NVMLError as e:
            raise _opening_error(e.value, str(e)) from None
        self._nvml = nvml

    def close(self) -> None:
        """End; never fails."""
        nvml, self._nvml = self._nvml, None
        if nvml:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError:
                return  # the driver is gone already

    def driver(self) -> str:
        """Version of the driver; empty if it does not say."""
        try:
            return str(self._nvml.nvmlSystemGetDriverVersion())
        except self._nvml.NVMLError:
            return ""

    def count(self) -> int:
        """GPUs that the driver knows, lost ones included. DriverGone if it does not answer."""
        try:
            return int(self._nvml.nvmlDeviceGetCount())
        except self._nvml.NVMLError as e:
            raise DriverGone(f"the NVIDIA driver does not count its GPUs: {e}") from None

    def asker(self, index: int) -> Asker:
        """Questions to the GPU of that index. Lost, Denied, or DriverGone if nothing answers."""
        try:
            return Asker(self._nvml, self._nvml.nvmlDeviceGetHandleByIndex(index))
        except self._nvml.NVMLError as e:
            if e.value in SESSION_OVER:
                raise DriverGone(f"the NVIDIA driver is gone or was replaced: {e}") from None
            if e.value == INVALID_ARGUMENT and index < self.count():
                raise DriverGone("the driver was loaded again: handles are dead") from None
            if e.value == NO_PERMISSION:
                raise Denied("this process may not open the GPU") from None
            raise Lost(e.value) from None


def _opening_error(code: int, text: str) -> Unavailable | ReadError:
    if code == LIBRARY_NOT_FOUND:
        return Unavailable(f"no NVIDIA driver ({MINIMUM_DRIVER} not found)")
    if code == DRIVER_NOT_LOADED:
        return Unavailable("the NVIDIA driver is not loaded")
    return ReadError(f"NVML cannot be opened: {text}")
