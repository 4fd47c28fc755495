"""What a mapping file may not say, and that nothing it says breaks the loader."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.exposition import Interest, Page
from gpuledger.errors import ConfigError
from gpuledger.mapping import Place
from gpuledger.mapping_format import UNITS
from gpuledger.mapping_load import load
from gpuledger.mapping_load import parse as parse_mapping
from tests.mappings import SMALL, TEMPERATURE, feed, small


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (feed("temperature", "celsius"), "no column 'temperature'; did you mean"),
        (feed("utilization_ratio", "celsius"), "is in ratio, which no celsius can become"),
        (feed("energy_joules", "watt", "counter"), "is in joules, which no watt can become"),
        (feed("energy_joules", "joule"), "takes a counter, not a gauge"),
        (feed("power_watts", "watt", "counter"), "takes a gauge, not a counter"),
        (feed("power_watts", "wat"), "unknown unit 'wat'; did you mean 'watt'"),
        (feed("throttle_reasons", "count"), "a mask of flags"),
        (feed("active_seconds", "second"), "no metric can fill active_seconds"),
        (feed("uuid", "count"), "no metric can fill uuid"),
        ({**TEMPERATURE, "to": "card.temperature_celsius"}, "unknown row 'card'"),
        ({**TEMPERATURE, "factor": 2}, "unknown field `factor`"),
        ({**TEMPERATURE, "fold": "median"}, "Invalid enum value 'median'"),
        ({**TEMPERATURE, "where": {"x": "("}}, "is no regex"),
        ({**TEMPERATURE, "set": {"slot": "one"}}, "slot is a number, not 'one'"),
        ({**TEMPERATURE, "set": {"node": "n"}}, "node cannot come from labels"),
        ({**TEMPERATURE, "set": {"power_watts": 3}}, "power_watts cannot come from labels"),
    ],
)
def test_a_metric_that_contradicts_the_catalogue_is_refused(
    metric: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        small({"m": metric})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": {"gpu": {"table": "gpu_sample"}}}, "unknown table 'gpu_sample'; did you mean"),
        ({"rows": {"gpu": {"table": "gpu_samples"}}}, "nothing says the slot"),
        ({"rows": {**SMALL["rows"], "i": {"table": "gpus", "beside": "gpu"}}}, "says the slot"),
        ({"rows": {**SMALL["rows"], "i": {"table": "gpus", "beside": "x"}}}, "no row 'x'"),
        ({"ignored": [{"why": "", "names": ["a"]}]}, "no reason for a"),
        ({"ignored": [{"why": "x", "names": ["temp"]}]}, "temp is there twice"),
        ({"metrics": {"a": {**TEMPERATURE, "fold": "max"}, "b": TEMPERATURE}}, "fold differently"),
        ({"seen_live": "perhaps"}, "seen_live"),
        ({"surprise": 1}, "unknown field `surprise`"),
        ({"exporter": 3}, "exporter"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_mapping(yaml.safe_dump({**SMALL, **change}), "small.yaml")


def test_an_unknown_mapping_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'dcgm-exporter'"):
        load("dcgm-exporte")


def test_a_mapping_of_ones_own_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(SMALL))
    assert load(str(tmp_path / "own.yaml")).name == "small"
    with pytest.raises(ConfigError, match="cannot read mapping"):
        load(str(tmp_path / "none.yaml"))


def test_every_unit_converts_by_a_positive_factor() -> None:
    assert all(factor > 0 for _, factor in UNITS.values())


values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_mapping_or_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_mapping(text, "fuzz.yaml")


@given(st.sampled_from(["rows", "metrics", "ignored", "nodes", "supplement", "facts"]), values)
@settings(max_examples=200, deadline=None)
def test_any_value_in_any_place_is_taken_or_a_configuration_error(key: str, told: Any) -> None:
    with suppress(ConfigError):
        parse_mapping(yaml.safe_dump({**SMALL, key: told}), "fuzz.yaml")


@given(
    st.dictionaries(
        st.sampled_from(["to", "unit", "kind", "where", "fold", "set"]), values, max_size=6
    )
)
@settings(max_examples=200, deadline=None)
def test_any_metric_is_taken_or_a_configuration_error(told: dict[str, Any]) -> None:
    with suppress(ConfigError):
        small({"m": {**TEMPERATURE, **told}})


def test_a_prefix_that_an_exporter_was_told_to_use_changes_nothing() -> None:
    plain = (Path(__file__).parent / "mappings" / "amd-device-metrics-exporter.prom").read_bytes()
    prefixed = re.sub(rb"^(?=[a-z])", b"amd_", plain, flags=re.MULTILINE)
    exporter = load("amd-device-metrics-exporter")
    told = []
    for body in (plain, prefixed):
        page = Page(body, lambda _: Interest.READ)
        told.append(exporter.rows(page.readings, Place(interval_s=15.0)))
    assert prefixed.count(b"amd_gpu_") > 50
    assert told[1].unknown == set()
    assert told[1].rows == told[0].rows
