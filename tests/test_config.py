"""Configuration says what it does not understand, where, and what was probably meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.agent import AgentSettings
from gpuledger.config import RESERVED, Config, Settings, load
from gpuledger.errors import ConfigError

EXAMPLES = settings(max_examples=100, derandomize=True, deadline=None, database=None)


class Pump(Settings):
    """Made for these tests."""

    period_s: Annotated[float, "seconds between strokes"] = 1.5
    strokes: Annotated[int, "strokes per run"] = 3
    name: Annotated[str, "what people call it"] = "pump"
    enabled: Annotated[bool, "whether it runs"] = True
    valves: Annotated[tuple[str, ...], "valves to open"] = ()
    flush_s: Annotated[float, "seconds between flushes; 0 = never"] = 0.0
    rest_s: Annotated[float, "seconds without strokes"] = 1.0
    longest_bytes: Annotated[int, "room for its log"] = 100
    power: Annotated[float, "watts"] = 3.0


def written(path: Path, text: str) -> Path:
    file = path / "ledger.toml"
    file.write_text(text)
    return file


def pump(config: Config) -> Pump:
    return config.section("pump", Pump)


def complaint(config: Config) -> str:
    with pytest.raises(ConfigError) as caught:
        pump(config)
    return str(caught.value)


values = st.fixed_dictionaries(
    {},
    optional={
        "period_s": st.floats(0.001, 1e9),
        "strokes": st.integers(-(2**63), 2**63 - 1),
        "name": st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12),
        "enabled": st.booleans(),
        "valves": st.lists(st.text("abc '\\", max_size=5), max_size=3),
    },
)


def as_toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def in_full(given_values: dict[str, Any]) -> Pump:
    return Pump(**{k: tuple(v) if k == "valves" else v for k, v in given_values.items()})


@EXAMPLES
@given(values)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, given_values: dict[str, Any]
) -> None:
    lines = [f"{k} = {as_toml(v)}" for k, v in given_values.items()]
    path = written(tmp_path_factory.getbasetemp(), "\n".join(["[pump]", *lines]))
    assert pump(load(path, {})) == in_full(given_values)


@EXAMPLES
@given(values.filter(lambda v: not v.get("name", "").lstrip().startswith(tuple("'\"[{"))))
def test_the_environment_says_the_same_as_a_file(given_values: dict[str, Any]) -> None:
    said = {k: v if isinstance(v, str) else as_toml(v) for k, v in given_values.items()}
    environ = {f"GPULEDGER_PUMP_{k.upper()}": v for k, v in said.items()}
    assert pump(load(None, environ)) == in_full(given_values)


@pytest.mark.parametrize("name", ["007", "1e3", "true", "2026-01-01", "nan", "", " x "])
def test_a_name_that_looks_like_something_else_stays_a_name(name: str) -> None:
    assert pump(load(None, {"GPULEDGER_PUMP_NAME": name})).name == name


def test_nothing_said_is_the_defaults() -> None:
    config = load(None, {})
    assert config.origin == "defaults"
    assert pump(config) == Pump()


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[pump]\nstrokes = 7\nname = 'file'\n")
    config = load(path, {"GPULEDGER_PUMP_STROKES": "8"})
    assert (pump(config).strokes, pump(config).name) == (8, "file")


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[pump]\nstrokes = 7\n")
    config = load(None, {"GPULEDGER_CONFIG": str(path)})
    assert pump(config).strokes == 7
    assert config.origin == str(path)


def test_a_section_of_two_words_can_be_overridden_where_the_file_has_it(tmp_path: Path) -> None:
    path = written(tmp_path, "[water_pump]\n[water]\n")
    config = load(path, {"GPULEDGER_WATER_PUMP_STROKES": "8"})
    assert config.section("water_pump", Pump).strokes == 8


def test_words_of_the_environment_that_are_no_settings_are_left_alone() -> None:
    said = {f"GPULEDGER_{word.upper()}": "x" for word in RESERVED - {"config"}}
    assert load(None, said).sections == {}


def test_other_programs_variables_are_left_alone() -> None:
    assert load(None, {"PATH": "x", "GPULEDGERX_A_B": "1", "MY_GPULEDGER_A_B": "1"}).sections == {}


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, "[pump]\nperiods = 7\n")
    text = complaint(load(path, {}))
    assert text == f"{path}: unknown key 'periods' in [pump]; did you mean 'period_s'?"


def test_an_unknown_key_like_no_other_is_refused_without_a_guess() -> None:
    assert complaint(Config({"pump": {"zzz": 1}})) == "defaults: unknown key 'zzz' in [pump]"


def test_an_unknown_section_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown section \[pumps\]; did you mean 'pump'\?"):
        Config({"pumps": {}}).check(["pump", "store"])
    Config({"pump": {}}).check(["pump", "store"])


@pytest.mark.parametrize(
    ("key", "value"),
    [("strokes", "many"), ("strokes", 1.5), ("enabled", "perhaps"), ("valves", 3), ("name", [])],
)
def test_a_value_of_another_type_names_its_key(key: str, value: Any) -> None:
    text = complaint(Config({"pump": {key: value}}, "here.toml"))
    assert text.startswith(f"here.toml: [pump] {key}: ")
    assert "\n" not in text


def test_a_wrong_value_in_the_environment_names_its_key() -> None:
    assert "[pump] strokes: " in complaint(load(None, {"GPULEDGER_PUMP_STROKES": "many"}))


def test_a_value_in_place_of_a_section_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "pump = 3\n")
    for environ in ({}, {"GPULEDGER_PUMP_STROKES": "8"}):
        assert "[pump] must be a section" in complaint(load(path, environ))


@pytest.mark.parametrize("text", ["[pump", "pump: 1", "<html>", "\0"])
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        load(path, {})
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(path, {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*absent.toml: No such file"):
        load(tmp_path / "absent.toml", {})
    with pytest.raises(ConfigError, match="cannot read configuration"):
        load(tmp_path, {})


def test_defaults_of_a_command_give_way_to_what_was_said() -> None:
    config = Config({"pump": {"strokes": 7}}, "here.toml")
    merged = config.with_defaults({"pump": {"strokes": 1, "name": "ours"}, "store": {"a": 1}})
    assert (pump(merged).strokes, pump(merged).name) == (7, "ours")
    assert merged.sections["store"] == {"a": 1}
    assert merged.origin == "here.toml"
    assert config.sections == {"pump": {"strokes": 7}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("period_s", v) for v in (0, -1.0, 1e-9, 1e10, float("nan"), float("inf"))),
        *(("flush_s", v) for v in (-1.0, 1e-300, float("inf"))),
        *(("rest_s", v) for v in (-1.0, 1e12)),
        *(("longest_bytes", v) for v in (0, -1)),
        *(("power", v) for v in (float("nan"), float("-inf"))),
    ],
)
def test_a_number_that_nothing_can_work_with_is_refused(key: str, value: float) -> None:
    text = complaint(Config({"pump": {key: value}}, "here.toml"))
    assert text.startswith(f"here.toml: [pump] {key}: ")


@pytest.mark.parametrize(("key", "value"), [("flush_s", 0), ("rest_s", 0), ("power", -2.5)])
def test_zero_and_less_are_taken_where_they_mean_something(key: str, value: float) -> None:
    assert getattr(pump(Config({"pump": {key: value}})), key) == value


def test_what_the_environment_said_wrong_is_named_by_its_variable(tmp_path: Path) -> None:
    path = written(tmp_path, "[pump]\nstrokes = 7\n")
    text = complaint(load(path, {"GPULEDGER_PUMP_PERIOD_S": "0"}))
    assert text.startswith("GPULEDGER_PUMP_PERIOD_S: [pump] period_s: ")


def test_a_word_that_is_none_of_several_names_them() -> None:
    with pytest.raises(ConfigError, match=r"\[agent\] profile: 'edgy' is none of standard, fine"):
        Config({"agent": {"profile": "edgy"}}).section("agent", AgentSettings)


def test_a_text_where_a_list_is_wanted_shows_how_a_list_is_written() -> None:
    with pytest.raises(ConfigError, match=r'sources: write a list, e.g. \["one", "two"\]'):
        Config({"agent": {"sources": "nvml"}}).section("agent", AgentSettings)
