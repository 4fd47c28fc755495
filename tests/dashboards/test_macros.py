from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.macros import expand, point_width
from gpuledger.errors import ConfigError

SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
FROM_S, TO_S = "toDateTime(1772323200)", "toDateTime(1772409600)"
TEAM = "$__conditionalAll(team IN (${team:singlequote}), $team)"


def test_every_macro_becomes_what_the_plugin_writes() -> None:
    cases = {
        "$__timeFilter(ts)": f"ts >= {FROM_S} AND ts <= {TO_S}",
        "$__timeFilter(toDateTime(ts))": f"toDateTime(ts) >= {FROM_S} AND toDateTime(ts) <= {TO_S}",
        "$__timeFilter_ms(ts)": "ts >= fromUnixTimestamp64Milli(1772323200000)"
        " AND ts <= fromUnixTimestamp64Milli(1772409600000)",
        "$__timeInterval(ts)": "toStartOfInterval(toDateTime(ts), INTERVAL 60 second)",
        "x / $__interval_s": "x / 60",
        "$__fromTime": FROM_S,
        "($__toTime)": f"({TO_S})",
        "f($__fromTime_ms, 1)": "f(fromUnixTimestamp64Milli(1772323200000), 1)",
    }
    for sql, expected in cases.items():
        assert expand(sql, SINCE, UNTIL, 60, {}) == expected


def test_an_interval_is_at_least_a_second() -> None:
    assert expand("$__interval_s", SINCE, UNTIL, 0, {}) == "1"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "1=1"),
        (["vision"], "team IN ('vision')"),
        (["vision", "speech"], "team IN ('vision','speech')"),
        (["o'hara"], "team IN ('o\\'hara')"),
    ],
)
def test_a_variable_filters_and_all_does_not(values: list[str], expected: str) -> None:
    assert expand(TEAM, SINCE, UNTIL, 60, {"team": values}) == expected


def test_a_conditional_may_hold_another() -> None:
    nested = "$__conditionalAll(a = 1 AND $__conditionalAll(b = 2, $pool), $team)"
    assert expand(nested, SINCE, UNTIL, 60, {"team": ["x"]}) == "a = 1 AND 1=1"
    assert expand(nested, SINCE, UNTIL, 60, {"pool": ["x"]}) == "1=1"


def test_bare_variables_are_put_in_as_they_are() -> None:
    assert expand("$n ${n}", SINCE, UNTIL, 60, {"n": ["7"]}) == "7 7"


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("$__timeFiltre(ts)", "did you mean 'timeFilter'"),
        ("${teem:singlequote}", "did you mean 'team'"),
        ("$__conditionalAll(a IN (1, $team)", "unbalanced"),
    ],
)
def test_what_the_plugin_would_refuse_is_refused(sql: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        expand(sql, SINCE, UNTIL, 60, {"team": []})


@pytest.mark.parametrize(
    ("days", "least_s", "expected"),
    [(1 / 96, 1, 1), (1 / 96, 60, 60), (7, 1, 900), (7, 3600, 3600), (395, 3600, 43_200)],
)
def test_a_point_is_as_wide_as_grafana_rounds_it(days: float, least_s: int, expected: int) -> None:
    assert point_width(UNTIL - timedelta(days=days), UNTIL, 800, least_s) == expected


def test_points_of_a_very_long_time_are_years() -> None:
    assert point_width(datetime(1900, 1, 1, tzinfo=UTC), UNTIL, 10, 1) == 31_536_000
