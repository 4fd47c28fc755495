"""Which NVML questions fill which column, and the one batched call that asks most of them.

Field ids are those of nvml.h (NVML_FI_DEV_*). A column has several ways, the best first; one that
a GPU refuses for ever is dropped, so that the batch holds only what is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from collector.nvml import NOT_SUPPORTED, REFUSED, Answer, Asker
from collector.nvml_counts import COUNTERS, Counts

ALL_LINKS = 0xFFFFFFFF
MEGA, KIBI = 1e6, 1024.0
PERCENT, MILLI, NANO = 1e-2, 1e-3, 1e-9
GPU_SENSOR, SM_CLOCK, MEMORY_CLOCK = 0, 1, 2
CORRECTED, UNCORRECTED, VOLATILE, AGGREGATE = 0, 1, 0, 1
UNKNOWN_STATE = 32  # NVML_PSTATE_UNKNOWN


@dataclass(frozen=True)
class Fields:
    """The sum of field values, each an id and a scope, times a factor."""

    parts: tuple[tuple[int, int], ...]
    factor: float = 1


@dataclass(frozen=True)
class Links:
    """One field summed over the links; a link that says nothing keeps what it had counted."""

    id: int
    factor: float = 1


@dataclass(frozen=True)
class Call:
    """A call of its own, for what has no field or where the driver is too old for it."""

    name: str
    arguments: tuple[int, ...] = ()
    factor: float = 1
    pick: Callable[[Any], float | None] = float


Way = Fields | Links | Call


@cache
def name_of(way: Way) -> str:
    """What a way is called where it is remembered."""
    match way:
        case Fields():
            return "+".join(f"{number}.{scope}" for number, scope in way.parts)
        case Links():
            return f"links {way.id}"
    return " ".join(map(str, (way.name, *way.arguments)))


@dataclass(frozen=True)
class Reading:
    """One column and the ways to fill it."""

    column: str
    ways: tuple[Way, ...]


def _field(column: str, number: int, *others: Way, factor: float = 1, scope: int = 0) -> Reading:
    return Reading(column, (Fields(((number, scope),), factor), *others))


def _violation(policy: int) -> Call:
    """Nanoseconds under one limit, before fields told it (nvmlPerfPolicyType_t)."""
    return Call("nvmlDeviceGetViolationStatus", (policy,), NANO, lambda v: float(v.violationTime))


def _ecc(kind: int, counter: int) -> Call:
    return Call("nvmlDeviceGetTotalEccErrors", (kind, counter))


def _remapped(place: int) -> Call:
    return Call("nvmlDeviceGetRemappedRows", pick=lambda rows: float(rows[place]))


def _state(value: int) -> float | None:
    return None if value == UNKNOWN_STATE else float(value)


def _first(pair: tuple[int, int]) -> float:
    return float(pair[0])


# What every reading asks. Power and energy are the GPU's own (scope 0): the module's (scope 1)
# holds a Grace processor too. PCIe and NVLink traffic comes from the driver's own counters: nothing
# here blocks, as nvmlDeviceGetPcieThroughput would (20 ms for each direction).
SAMPLE = (
    _field(
        "energy_joules",
        83,
        Fields(((191, 0),), MILLI),
        Call("nvmlDeviceGetTotalEnergyConsumption", (), MILLI),
        factor=MILLI,
    ),
    _field(
        "power_watts",
        186,
        Fields(((185, 0),), MILLI),
        Call("nvmlDeviceGetPowerUsage", (), MILLI),
        factor=MILLI,
    ),
    _field(
        "power_limit_watts", 190, Call("nvmlDeviceGetEnforcedPowerLimit", (), MILLI), factor=MILLI
    ),
    Reading(
        "temperature_celsius",
        (
            Call("nvmlDeviceGetTemperatureV", (GPU_SENSOR,)),
            Call("nvmlDeviceGetTemperature", (GPU_SENSOR,)),
        ),
    ),
    _field("memory_temperature_celsius", 82),
    Reading("sm_clock_hertz", (Call("nvmlDeviceGetClockInfo", (SM_CLOCK,), MEGA),)),
    Reading("memory_clock_hertz", (Call("nvmlDeviceGetClockInfo", (MEMORY_CLOCK,), MEGA),)),
    Reading("encoder_ratio", (Call("nvmlDeviceGetEncoderUtilization", (), PERCENT, _first),)),
    Reading("decoder_ratio", (Call("nvmlDeviceGetDecoderUtilization", (), PERCENT, _first),)),
    Reading(
        "throttle_reasons",
        (
            Call("nvmlDeviceGetCurrentClocksEventReasons", pick=int),
            Call("nvmlDeviceGetCurrentClocksThrottleReasons", pick=int),
        ),
    ),
    _field("power_throttle_seconds", 74, _violation(0), factor=NANO),
    _field(
        "thermal_throttle_seconds",
        75,
        Fields(((269, 0), (270, 0)), NANO),
        _violation(1),
        factor=NANO,
    ),
    _field("brake_throttle_seconds", 271, factor=NANO),
    _field("pcie_transmit_bytes", 197),
    _field("pcie_receive_bytes", 198),
    _field(
        "nvlink_transmit_bytes",
        138,
        Fields(((202, ALL_LINKS),)),
        Links(202),
        factor=KIBI,
        scope=ALL_LINKS,
    ),
    _field(
        "nvlink_receive_bytes",
        139,
        Fields(((204, ALL_LINKS),)),
        Links(204),
        factor=KIBI,
        scope=ALL_LINKS,
    ),
)

# What changes seldom: asked every ten seconds.
HEALTH = (
    _field("ecc_corrected_errors", 3, _ecc(CORRECTED, VOLATILE)),
    _field("ecc_uncorrected_errors", 4, _ecc(UNCORRECTED, VOLATILE)),
    _field("ecc_corrected_lifetime", 5, _ecc(CORRECTED, AGGREGATE)),
    _field("ecc_uncorrected_lifetime", 6, _ecc(UNCORRECTED, AGGREGATE)),
    _field("remapped_rows_corrected", 142, _remapped(0)),
    _field("remapped_rows_uncorrected", 143, _remapped(1)),
    _field("remap_pending", 144, _remapped(2)),
    _field("remap_failed", 145, _remapped(3)),
    Reading("retired_pages", (Fields(((29, 0), (30, 0))),)),
    _field("recovery_action", 230),
    Reading("pcie_generation", (Call("nvmlDeviceGetCurrPcieLinkGeneration"),)),
    Reading("pcie_generation_max", (Call("nvmlDeviceGetMaxPcieLinkGeneration"),)),
    Reading("pcie_width", (Call("nvmlDeviceGetCurrPcieLinkWidth"),)),
    Reading("pcie_width_max", (Call("nvmlDeviceGetMaxPcieLinkWidth"),)),
    _field("pcie_replays", 94, Call("nvmlDeviceGetPcieReplayCounter")),
    _field("pcie_correctable_errors", 173),
    _field("pcie_nonfatal_errors", 179),
    _field("pcie_fatal_errors", 180),
    Reading("nvlink_replays", (Links(161),)),
    Reading("nvlink_recoveries", (Links(162), Links(215))),
    Reading("nvlink_crc_errors", (Links(163),)),
    Reading("nvlink_symbol_errors", (Links(221),)),
    _field("sync_throttle_seconds", 76, _violation(2), factor=NANO),
    _field("board_throttle_seconds", 77, _violation(3), factor=NANO),
    _field("low_utilization_seconds", 78, _violation(4), factor=NANO),
    _field("reliability_throttle_seconds", 79, _violation(5), factor=NANO),
    Reading("fan_ratio", (Call("nvmlDeviceGetFanSpeed", (), PERCENT),)),
    Reading("performance_state", (Call("nvmlDeviceGetPerformanceState", pick=_state),)),
    Reading("persistence_mode", (Call("nvmlDeviceGetPersistenceMode"),)),
)


class Batch:
    """The readings of one GPU. `links` is how many NVLinks it has."""

    def __init__(
        self, asker: Asker, readings: Iterable[Reading], links: int, counts: Counts | None = None
    ) -> None:
        self._asker = asker
        self._readings = tuple(readings)
        self._left: dict[str, list[Way]] = {}
        self._links = links
        self._codes: dict[str, int] = {}
        self._counts = counts or Counts()
        self._request: list[tuple[int, int]] = []
        self._asked: list[tuple[str, Fields | Links, str, int, int]] = []
        self._called: list[tuple[str, Call, str]] = []
        self.renew()

    def renew(self) -> None:
        """Ask everything again, also what was refused."""
        self._left = {r.column: list(r.ways) for r in self._readings}
        self._plan()

    def read(self, why: dict[str, int]) -> dict[str, float | None]:
        """Value by column; `why` takes the return code for each that is missing."""
        while True:
            values: dict[str, float | None] = {}
            refused = self._ask_fields(values) + self._ask_calls(values)
            if not refused:
                break
            for column in refused:
                self._left[column].pop(0)
            self._plan()
        for column, value in values.items():
            if value is None:
                why[column] = self._codes[column]
        return values

    def is_over(self, column: str) -> bool:
        """Whether nothing is left that could ever fill the column."""
        return not self._left[column]

    def _plan(self) -> None:
        """Lay out the request anew from the ways in use."""
        self._request, self._asked, self._called = [], [], []
        for column, ways in self._left.items():
            match ways[0] if ways else None:
                case None:
                    self._codes.setdefault(column, NOT_SUPPORTED)
                case Call() as call:
                    self._called.append((column, call, _counter(column, call)))
                case Fields() | Links() as way:
                    start = len(self._request)
                    self._request += self._parts(way)
                    self._asked.append(
                        (column, way, _counter(column, way), start, len(self._request))
                    )

    def _parts(self, way: Fields | Links) -> Iterable[tuple[int, int]]:
        if isinstance(way, Fields):
            return way.parts
        return [(way.id, link) for link in range(self._links)]

    def _ask_fields(self, values: dict[str, float | None]) -> list[str]:
        """Fill in what fields tell; the columns whose way is refused for ever come back."""
        values.update(dict.fromkeys(self._left))
        answers = self._asker.fields(self._request) if self._request else []
        refused = []
        for column, way, counter, start, end in self._asked:
            if end == start + 1 and type(way) is Fields:
                code, value = answers[start]
                if value is not None:
                    value *= way.factor
                    values[column] = self._counts.one(column, counter, value) if counter else value
                    continue
            else:
                code, value = self._sum(column, way, counter, answers[start:end])
                if value is not None:
                    values[column] = value
                    continue
            self._codes[column] = code
            if code in REFUSED:
                refused.append(column)
        return refused

    def _sum(self, column: str, way: Fields | Links, counter: str, answers: list[Answer]) -> Answer:
        """Parts added up. Of links, what was counted before a link fell silent still counts."""
        for part, (code, _) in enumerate(answers):
            if code and not (type(way) is Links and self._may_lack(column, counter, part, code)):
                return code, None
        parts = [value for _, value in answers]
        if counter and (type(way) is Fields or self._speaks(column, counter, parts)):
            return 0, self._counts.sum(column, counter, parts, way.factor)
        known = [value for value in parts if value is not None]
        return (0, sum(known) * way.factor) if known else (NOT_SUPPORTED, None)

    def _may_lack(self, column: str, counter: str, part: int, code: int) -> bool:
        """A link that is not there, or not any more."""
        return code in REFUSED or self._counts.heard(column, counter, part)

    def _speaks(self, column: str, counter: str, parts: list[float | None]) -> bool:
        """Whether any link says something, or ever did."""
        return any(
            value is not None or self._counts.heard(column, counter, part)
            for part, value in enumerate(parts)
        )

    def _ask_calls(self, values: dict[str, float | None]) -> list[str]:
        refused = []
        for column, call, counter in self._called:
            answer = self._asker.ask(call.name, *call.arguments)
            if answer is not None:
                value = call.pick(answer)
                if value is not None:
                    value = value if call.factor == 1 else value * call.factor
                    values[column] = self._counts.one(column, counter, value) if counter else value
                    continue
            self._codes[column] = self._asker.code
            if self._asker.code in REFUSED:
                refused.append(column)
        return refused


def _counter(column: str, way: Way) -> str:
    """The way's name where it fills a counter, which every sum over links is; else empty."""
    return name_of(way) if column in COUNTERS or isinstance(way, Links) else ""
