"""GPM: what the silicon really does, between two samples (Hopper and newer, driver 535)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Metric ids, from nvml.h (NVML_GPM_METRIC_*): percentages, 0 to 100.
SM, ANY_TENSOR, DRAM = 2, 5, 10
METRICS = (SM, ANY_TENSOR, DRAM)
VERSION = 1

Ask = Callable[..., Any]


@dataclass(frozen=True)
class Activity:
    """Ratios over the time between two readings; None where the hardware does not tell."""

    sm_ratio: float | None = None
    tensor_ratio: float | None = None
    dram_ratio: float | None = None


NO_ACTIVITY = Activity()


class Gpm:
    """One GPU's samples: the previous one is kept, so that the window is exactly the period.

    `ask(call, *arguments)` puts a question to the GPU and gives None where it has no answer.
    """

    def __init__(self, nvml: Any, handle: Any, ask: Ask) -> None:
        self._nvml = nvml
        self._handle = handle
        self._ask = ask
        self._supported: bool | None = None
        self._previous: Any = None
        self._spare: Any = None
        self._request: Any = None

    def read(self) -> Activity:
        """Activity since the previous call; all None at the first."""
        if self._supported is None:
            support = self._ask("nvmlGpmQueryDeviceSupport")
            self._supported = bool(support and support.isSupportedDevice)
        if not self._supported:
            return NO_ACTIVITY
        sample = self._spare or self._nvml.nvmlGpmSampleAlloc()
        if self._ask("nvmlGpmSampleGet", sample) is None:
            self._spare = sample
            return NO_ACTIVITY
        self._spare, self._previous = self._previous, sample
        return self._between(self._spare, sample) if self._spare else NO_ACTIVITY

    def close(self) -> None:
        """Free the samples."""
        for sample in filter(None, (self._previous, self._spare)):
            try:
                self._nvml.nvmlGpmSampleFree(sample)
            except self._nvml.NVMLError:
                continue  # gone with the driver
        self._previous = self._spare = None

    def _between(self, before: Any, after: Any) -> Activity:
        request = self._request = self._request or self._new_request()
        request.sample1, request.sample2 = before, after
        try:
            self._nvml.nvmlGpmMetricsGet(request)
        except self._nvml.NVMLError:
            return NO_ACTIVITY
        return Activity(*(_ratio(request.metrics[i]) for i in range(len(METRICS))))

    def _new_request(self) -> Any:
        request = self._nvml.c_nvmlGpmMetricsGet_t()
        request.version, request.numMetrics = VERSION, len(METRICS)
        for i, metric in enumerate(METRICS):
            request.metrics[i].metricId = metric
        return request


def _ratio(metric: Any) -> float | None:
    """A metric has a return code of its own: newer ones fail alone on older drivers."""
    if metric.nvmlReturn or not math.isfinite(metric.value) or metric.value < 0:
        return None
    return float(min(metric.value / 100, 1.0))
