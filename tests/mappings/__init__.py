"""Exporters' whole lists of metrics as pages, one file each, and a small mapping for tests.

A page holds facts only: names, labels and units (`# UNIT name unit`) as the exporter's documents
give them; the values are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from gpuledger.mapping import Exporter
from gpuledger.mapping_load import parse as parse_mapping

# A mapping small enough to be wrong in one place.
SMALL: dict[str, Any] = {
    "exporter": "small",
    "facts": ["made up"],
    "seen_live": False,
    "rows": {
        "gpu": {"table": "gpu_samples", "columns": {"slot": {"label": "gpu"}, "uuid": "X-{gpu}"}}
    },
    "metrics": {"temp": {"to": "gpu.temperature_celsius", "unit": "celsius", "kind": "gauge"}},
}


def small(metrics: Mapping[str, Any], **more: Any) -> Exporter:
    """The small mapping with these metrics."""
    told = {**SMALL, "metrics": dict(metrics), **more}
    return parse_mapping(yaml.safe_dump(told, sort_keys=False), "small.yaml")


def feed(column: str, unit: str, kind: str = "gauge", **more: Any) -> dict[str, Any]:
    return {"to": f"gpu.{column}", "unit": unit, "kind": kind, **more}


TEMPERATURE = feed("temperature_celsius", "celsius")
