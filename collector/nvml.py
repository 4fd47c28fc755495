"""NVML in Python's words: a value, or None and why. The only place that knows pynvml."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collector.gpm import NO_ACTIVITY, Activity, Gpm
from gpuledger.errors import ReadError, Unavailable

MINIMUM_DRIVER = "libnvidia-ml.so.1"
# Return codes, from nvml.h (NVML_ERROR_*).
UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED = 1, 3, 4, 9
LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND, GPU_IS_LOST, RESET_REQUIRED = 12, 13, 15, 16
LIBRARY_MISMATCH, VERSION_MISMATCH, UNKNOWN = 18, 25, 999
NEVER = frozenset({NOT_SUPPORTED, FUNCTION_NOT_FOUND, VERSION_MISMATCH})
SESSION_OVER = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_MISMATCH})
MEMORY_V2 = 0x02000028
MEMORY_TEMPERATURE_FIELD = 82
GPU_SENSOR, SM_CLOCK, MEMORY_CLOCK = 0, 1, 2
# How the union of a field's value is read, by its valueType (nvmlValueType_t).
FIELD_TYPES = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


class Lost(ReadError):
    """One GPU that is lost or wants a reset; the others answer."""

    def __init__(self, code: int) -> None:
        super().__init__(REASONS.get(code, f"NVML error {code}"))
        self.code = code


class DriverGone(ReadError):
    """The driver was unloaded or replaced; NVML must be opened again."""


REASONS = {
    GPU_IS_LOST: "GPU is lost: it has fallen off the bus",
    RESET_REQUIRED: "GPU requires a reset",
    UNKNOWN: "GPU answers 'unknown error' to everything",
}


@dataclass(frozen=True)
class Identity:
    """Who a GPU is. `slot` is its minor number, else its index."""

    slot: int
    uuid: str = ""
    serial: str = ""
    model: str = ""
    memory_bytes: int | None = None


@dataclass(frozen=True)
class GpuProcess:
    """A compute process on a GPU, by the host's process id."""

    pid: int
    memory_bytes: int | None


@dataclass(frozen=True)
class Readings:
    """What one GPU says at one moment; all None when it says nothing."""

    utilization_ratio: float | None = None
    memory_utilization_ratio: float | None = None
    activity: Activity = NO_ACTIVITY
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    energy_joules: float | None = None
    temperature_celsius: float | None = None
    memory_temperature_celsius: float | None = None
    sm_clock_hertz: float | None = None
    memory_clock_hertz: float | None = None
    throttle_reasons: int | None = None
    processes: tuple[GpuProcess, ...] | None = None


class Device:
    """One GPU by its handle. What it can never answer is asked once; `refused` keeps the codes."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.refused: dict[tuple[Any, ...], int] = {}
        self._nvml = nvml
        self._handle = handle
        self._gpm = Gpm(nvml, handle, self._ask)

    def identity(self, index: int) -> Identity:
        """Who this is; Lost if it cannot say."""
        minor = self._ask("nvmlDeviceGetMinorNumber")
        return Identity(
            slot=index if minor is None else minor,
            uuid=self._ask("nvmlDeviceGetUUID") or "",
            serial=self._ask("nvmlDeviceGetSerial") or "",
            model=self._ask("nvmlDeviceGetName") or "",
            memory_bytes=self._memory()[1],
        )

    def readings(self) -> Readings:
        """Everything it says now; Lost if it is not there any more."""
        rates = self._ask("nvmlDeviceGetUtilizationRates")
        used, total = self._memory()
        return Readings(
            utilization_ratio=rates and rates.gpu / 100,
            memory_utilization_ratio=rates and rates.memory / 100,
            activity=self._gpm.read(),
            memory_used_bytes=used,
            memory_total_bytes=total,
            power_watts=_thousandths(self._ask("nvmlDeviceGetPowerUsage")),
            power_limit_watts=_thousandths(self._ask("nvmlDeviceGetEnforcedPowerLimit")),
            energy_joules=_thousandths(self._ask("nvmlDeviceGetTotalEnergyConsumption")),
            temperature_celsius=self._ask("nvmlDeviceGetTemperature", GPU_SENSOR),
            memory_temperature_celsius=self._field(MEMORY_TEMPERATURE_FIELD),
            sm_clock_hertz=_millions(self._ask("nvmlDeviceGetClockInfo", SM_CLOCK)),
            memory_clock_hertz=_millions(self._ask("nvmlDeviceGetClockInfo", MEMORY_CLOCK)),
            throttle_reasons=self._throttle_reasons(),
            processes=self._processes(),
        )

    def close(self) -> None:
        """Free what was allocated for this GPU."""
        self._gpm.close()

    def _memory(self) -> tuple[int | None, int | None]:
        """Bytes used and total; the older call counts the driver's reserve as used."""
        told = self._ask("nvmlDeviceGetMemoryInfo", MEMORY_V2) or self._ask(
            "nvmlDeviceGetMemoryInfo"
        )
        return (told.used, told.total) if told else (None, None)

    def _throttle_reasons(self) -> int | None:
        """Mask of clock event reasons; the call had another name before driver 535."""
        reasons: int | None = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if reasons is None:
            reasons = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return reasons

    def _processes(self) -> tuple[GpuProcess, ...] | None:
        found = self._ask("nvmlDeviceGetComputeRunningProcesses_v3")
        if found is None:
            return None
        return tuple(GpuProcess(p.pid, p.usedGpuMemory) for p in found)

    def _field(self, field: int) -> float | None:
        """The value of one field id, which has a return code and a type of its own."""
        values = self._ask("nvmlDeviceGetFieldValues", (field,))
        if not values or values[0].nvmlReturn or values[0].valueType >= len(FIELD_TYPES):
            return None
        return float(getattr(values[0].value, FIELD_TYPES[values[0].valueType]))

    def _ask(self, call: str, *arguments: Any) -> Any:
        """The answer of one NVML call on this GPU; None where it has none."""
        # Buffers do not make it another question, and ctypes' cannot be hashed.
        question = (call, *(a for a in arguments if isinstance(a, int | tuple)))
        if question in self.refused:
            return None
        try:
            return getattr(self._nvml, call)(self._handle, *arguments)
        except self._nvml.NVMLError as e:
            self._judge(question, e.value)
        return None

    def _judge(self, question: tuple[Any, ...], code: int) -> None:
        """Whether an error concerns this question, this GPU, or the whole driver."""
        if code in NEVER:
            self.refused[question] = code
        elif code in SESSION_OVER:
            raise DriverGone(f"the NVIDIA driver is gone or was replaced (NVML error {code})")
        elif code in {GPU_IS_LOST, RESET_REQUIRED} or (code == UNKNOWN and not self._answers()):
            raise Lost(code)

    def _answers(self) -> bool:
        """Whether it answers at all: one odd reading does not make a GPU lost."""
        try:
            self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
        except self._nvml.NVMLError as e:
            return e.value in NEVER
        return True


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

    def device(self, index: int) -> Device:
        """The GPU of that index. Lost if it is not there, DriverGone if nothing is."""
        try:
            return Device(self._nvml, self._nvml.nvmlDeviceGetHandleByIndex(index))
        except self._nvml.NVMLError as e:
            if e.value in SESSION_OVER:
                raise DriverGone(f"the NVIDIA driver is gone or was replaced: {e}") from None
            raise Lost(e.value) from None


def _opening_error(code: int, text: str) -> Unavailable | ReadError:
    if code == LIBRARY_NOT_FOUND:
        return Unavailable(f"no NVIDIA driver ({MINIMUM_DRIVER} not found)")
    if code == DRIVER_NOT_LOADED:
        return Unavailable("the NVIDIA driver is not loaded")
    return ReadError(f"NVML cannot be opened: {text}")


def _thousandths(value: int | None) -> float | None:
    return None if value is None else value / 1_000


def _millions(value: int | None) -> float | None:
    return None if value is None else value * 1e6
