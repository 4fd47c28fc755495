"""Names of OpenTelemetry: each column has one, and no two columns have the same."""

from __future__ import annotations

from collector.conventions import HARDWARE, Shown, shown
from collector.latest import LEFT_OUT

ALL = list(shown(LEFT_OUT))


def series(one: Shown) -> tuple[object, ...]:
    """What tells a column's series from another's; `hw.type` stands for the table."""
    table = one.exposed.table.name
    kind = HARDWARE[table] if one.instrument.name.startswith("hw.") else table
    return one.instrument.name, kind, *sorted(one.attributes.items())


def test_no_two_columns_are_the_same_series() -> None:
    told = [series(one) for one in ALL]
    assert [t for t in told if told.count(t) > 1] == []


def test_a_name_has_one_unit_and_one_form() -> None:
    units: dict[str, set[tuple[str, str]]] = {}
    for one in ALL:
        instrument = one.instrument
        units.setdefault(instrument.name, set()).add((instrument.unit, instrument.form))
    assert {name: u for name, u in units.items() if len(u) > 1} == {}


def test_the_unit_stays_where_it_alone_tells_two_columns_apart() -> None:
    names = {one.instrument.name for one in ALL}
    assert {"gpuledger.block.read_bytes", "gpuledger.block.read_seconds"} <= names
    assert {"gpuledger.block.busy", "gpuledger.gpu.sm_active"} <= names
    assert "gpuledger.block.read" not in names
