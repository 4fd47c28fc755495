"""GPM: what the silicon really does, between two samples (Hopper and newer, driver 535)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from collector.nvml import MALFORMED, NOT_SUPPORTED, REFUSED, Asker

# Metric ids, from nvml.h (NVML_GPM_METRIC_*): percentages, 0 to 100.
RATIOS = {
    "graphics_active_ratio": 1,
    "sm_active_ratio": 2,
    "sm_occupancy_ratio": 3,
    "tensor_active_ratio": 5,
    "hmma_active_ratio": 7,
    "imma_active_ratio": 9,
    "dram_active_ratio": 10,
    "fp64_active_ratio": 11,
    "fp32_active_ratio": 12,
    "fp16_active_ratio": 13,
}
# MiB a second. Of NVLink, receive comes first: the other way round than PCIe.
RATES = {
    "pcie_transmit_bytes": 20,
    "pcie_receive_bytes": 21,
    "nvlink_receive_bytes": 60,
    "nvlink_transmit_bytes": 61,
}
# Cycles since reboot, of the newest drivers: exact over any window, for what they cover.
ELAPSED = 248
CYCLES = {
    "sm_active_ratio": 249,
    "tensor_active_ratio": 250,
    "hmma_active_ratio": 252,
    "imma_active_ratio": 253,
    "fp64_active_ratio": 258,
    "fp32_active_ratio": 259,
    "fp16_active_ratio": 260,
}
# What a slice of a card tells of itself: PCIe and NVLink belong to the card.
SLICE_RATIOS = ("sm_active_ratio", "sm_occupancy_ratio", "tensor_active_ratio", "dram_active_ratio")
VERSION = 1
MEBIBYTE = 1 << 20
# Samples that are closer together give no valid metric (nvml.h at nvmlGpmMetricsGet).
SHORTEST_S = 0.1
# Both ways measure the same window. Where they differ by more, the older one is believed.
AGREEMENT = 0.1
# nvmlGpmMetric_t: id, nvmlReturn, value and three texts.
_METRIC = struct.Struct("=IIdQQQ")


@dataclass
class Activity:
    """One window: ratios 0 to 1, rates in bytes a second, and its length; empty = no window yet."""

    ratios: dict[str, float | None] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    window_s: float = 0.0


class Gpm:
    """One GPU's (or slice's) samples; the previous one is kept, so that no time is lost between.

    With `instance` they are those of a GPU instance of the card that `asker` asks.
    """

    def __init__(
        self, asker: Asker, monotonic: Callable[[], float], instance: int | None = None
    ) -> None:
        self._asker = asker
        self._monotonic = monotonic
        self._instance = instance
        self._ratios = RATIOS if instance is None else {n: RATIOS[n] for n in SLICE_RATIOS}
        self._supported: bool | None = None
        self._previous: Any = None
        self._spare: Any = None
        self._taken_s = 0.0
        self._totals: dict[int, float] = {}
        self._codes: dict[int, int] = {}
        self._request: Any = None
        self._size = 0
        self._last = Activity()

    def read(self, why: dict[str, int]) -> Activity:
        """Activity since the previous call; `why` takes the code for each ratio that is missing.

        Nothing at the first call; the last window again where it is too early for a new one.
        """
        if self._supported is None:
            support = self._asker.ask("nvmlGpmQueryDeviceSupport")
            if support is None and self._asker.code not in REFUSED:
                return self._nothing(self._asker.code, why)
            self._supported = bool(support and support.isSupportedDevice)
        if not self._supported:
            return self._nothing(NOT_SUPPORTED, why)
        now = self._monotonic()
        if self._previous and now - self._taken_s < SHORTEST_S:
            return replace(self._last, window_s=0.0)
        sample = self._spare or self._asker.put("alloc", "nvmlGpmSampleAlloc")
        if sample is None or self._take(sample) is None:
            self._spare = sample
            return self._nothing(self._asker.code, why)
        self._spare, self._previous = self._previous, sample
        window_s, self._taken_s = now - self._taken_s, now
        if self._spare:
            self._last = self._between(self._spare, sample, window_s, why)
        return self._last

    def close(self) -> None:
        """Free the samples."""
        nvml = self._asker.nvml
        for sample in filter(None, (self._previous, self._spare)):
            try:
                nvml.nvmlGpmSampleFree(sample)
            except nvml.NVMLError:
                continue  # gone with the driver
        self._previous = self._spare = None

    def _take(self, sample: Any) -> Any:
        if self._instance is None:
            return self._asker.put("sample", "nvmlGpmSampleGet", self._asker.handle, sample)
        return self._asker.put(
            ("sample", self._instance),
            "nvmlGpmMigSampleGet",
            self._asker.handle,
            self._instance,
            sample,
        )

    def _nothing(self, code: int, why: dict[str, int]) -> Activity:
        why.update(dict.fromkeys(self._ratios, code))
        return Activity(dict.fromkeys(self._ratios))

    def _between(self, before: Any, after: Any, window_s: float, why: dict[str, int]) -> Activity:
        request = self._request = self._request or self._new_request()
        request.sample1, request.sample2 = before, after
        if self._asker.put("metrics", "nvmlGpmMetricsGet", request) is None:
            return self._nothing(self._asker.code, why)
        values = self._values(request)
        exact = self._exact(values)
        ratios: dict[str, float | None] = {
            name: _ratio(values.get(number)) for name, number in self._ratios.items()
        }
        for name, told in ratios.items():
            if name in exact and (told is None or abs(told - exact[name]) <= AGREEMENT):
                ratios[name] = exact[name]
            elif told is None:
                why[name] = self._codes.get(self._ratios[name], MALFORMED)
        rates = {name: values[n] * MEBIBYTE for name, n in RATES.items() if n in values}
        return Activity(ratios, rates, window_s)

    def _new_request(self) -> Any:
        """Every metric at first, afterwards those that were not refused for ever."""
        wanted = [*self._ratios.values(), ELAPSED]
        wanted += [number for name, number in CYCLES.items() if name in self._ratios]
        wanted += RATES.values() if self._instance is None else ()
        wanted = [number for number in wanted if self._codes.get(number) not in REFUSED]
        request = self._asker.nvml.c_nvmlGpmMetricsGet_t()
        request.version, request.numMetrics = VERSION, len(wanted)
        for i, number in enumerate(wanted):
            request.metrics[i].metricId = number
        self._size = type(request).metrics.offset + len(wanted) * _METRIC.size
        return request

    def _values(self, request: Any) -> dict[int, float]:
        """Metrics by id. Each has a return code: newer ones fail alone on older drivers."""
        values: dict[int, float] = {}
        answers = memoryview(request).cast("B")[type(request).metrics.offset : self._size]
        for number, code, value, *_ in _METRIC.iter_unpack(answers):
            if code == 0 and math.isfinite(value) and value >= 0:
                values[number] = value
                continue
            self._codes[number] = code or MALFORMED
            if code in REFUSED:
                self._request = None  # the next one is smaller
        return values

    def _exact(self, values: dict[int, float]) -> dict[str, float]:
        """Ratios of cycles: active since the previous sample over elapsed since then."""
        before = self._totals
        self._totals = {n: v for n, v in values.items() if n >= ELAPSED}
        elapsed = values.get(ELAPSED, 0.0) - before.get(ELAPSED, math.inf)
        if elapsed <= 0:
            return {}
        ratios = {
            name: (values[number] - before[number]) / elapsed
            for name, number in CYCLES.items()
            if number in values and number in before
        }
        return {name: min(ratio, 1.0) for name, ratio in ratios.items() if ratio >= 0}


def _ratio(percent: float | None) -> float | None:
    """A slice may read a little above 100 (NVIDIA/DCGM issue 152)."""
    return None if percent is None else min(percent / 100, 1.0)
