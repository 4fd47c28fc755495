"""Values as Grafana prints them in each unit of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboards.preview.figures import UNITS, printed
from gpuledger import units
from gpuledger.units import BYTE, CELSIUS, COUNT, CURRENCY, HERTZ, RATIO, SECOND, WATT, Unit


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, COUNT, "0"),
        (256, COUNT, "256"),
        (0.0911, COUNT, "0.0911"),
        (19.087, COUNT, "19.1"),
        (999.6, COUNT, "1000"),
        (2543, COUNT, "2.54 K"),
        (-1500, COUNT, "−1.50 K"),
        (3.2e6, COUNT, "3.20 Mil"),
        (20542.2, CURRENCY, "20542"),
        (0.25, RATIO, "25%"),
        (0.5551, RATIO, "55.5%"),
        (0.000372, RATIO, "0.0372%"),
        (0.0004, SECOND, "400 µs"),
        (59, SECOND, "59 s"),
        (206, SECOND, "3.43 mins"),
        (8676, SECOND, "2.41 hours"),
        (172800, SECOND, "2 days"),
        (1_209_600, SECOND, "2 weeks"),
        (1536, BYTE, "1.50 KiB"),
        (1250, WATT, "1.25 kW"),
        (1.98e9, HERTZ, "1.98 GHz"),
        (35.0, CELSIUS, "35 °C"),
        (None, COUNT, "–"),
        (float("nan"), RATIO, "–"),
        ("alpha/1", COUNT, "alpha/1"),
        (datetime(2026, 3, 2, 10, 30, tzinfo=UTC), COUNT, "2026-03-02 10:30"),
    ],
)
def test_a_value_is_printed_as_grafana_does(value: Any, unit: Unit, expected: str) -> None:
    assert printed(value, unit) == expected


def test_every_unit_of_ours_can_be_printed() -> None:
    ours = {u.grafana for u in vars(units).values() if isinstance(u, Unit)}
    assert ours <= set(UNITS)
