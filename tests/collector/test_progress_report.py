"""Which reports are taken, and that no bytes upset the parser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.progress_report import parse
from collector.training_hook import METRICS, Totals, payload

TOLD = Totals(7, 1.5, 0.5, 0.25, 1, 107, 1000.0)


def body(told: Totals = TOLD, rank: str = "3") -> bytes:
    return json.dumps(payload(told, rank, 1, 2)).encode()


def changed(what: str, to: Any) -> bytes:
    """A report in which the value of one metric's point is another."""
    told = payload(TOLD, "3", 1, 2)
    for metric in told["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]:
        if metric["name"] == f"gpuledger.training.{what}":
            points = (metric.get("sum") or metric["gauge"])["dataPoints"]
            points[0].pop("asDouble", None)
            points[0]["asInt" if isinstance(to, str) else "asDouble"] = to
    return json.dumps(told).encode()


BROKEN = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "no text": b'"\xff"',
    "none of ours": b'{"resourceMetrics": []}',
    "deep": b'{"x": ' + b"[" * 9000,
    "negative": changed("step.time", -1.0),
    "endless": changed("step.time", 1e300),
    "words": changed("steps", "many"),
    "huge": changed("steps", "9" * 19),
    "a rank of words": body(rank="first"),
    "a long rank": body(rank="1" * 8),
    "twice": json.dumps(
        {"resourceMetrics": payload(TOLD, "", 1, 2)["resourceMetrics"] * 2}
    ).encode(),
    "delta": body().replace(b'"aggregationTemporality": 2', b'"aggregationTemporality": 1'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_no_process_could_say_is_no_report(what: str) -> None:
    with pytest.raises(ValueError, match=r"request|report|training|rank|metrics"):
        parse(BROKEN[what])


def test_what_other_libraries_tell_besides_is_passed_over() -> None:
    told = json.loads(body())
    scopes = told["resourceMetrics"][0]["scopeMetrics"]
    other = {"name": "process.cpu.time", "histogram": {"dataPoints": [{"count": "3"}]}}
    scopes.append({"scope": {"name": "other", "version": "1"}, "metrics": [other]})
    assert parse(json.dumps(told).encode()) == parse(body())


def test_a_metric_that_is_not_told_is_missing() -> None:
    told = json.loads(body())
    scope = told["resourceMetrics"][0]["scopeMetrics"][0]
    scope["metrics"] = scope["metrics"][:1]
    report = parse(json.dumps(told).encode())
    assert (report.steps, report.step_s, report.checkpoints) == (7, None, None)


POINTS = st.fixed_dictionaries(
    {}, optional={"asInt": st.text() | st.integers(), "asDouble": st.floats() | st.text()}
)
METRIC = st.fixed_dictionaries(
    {"name": st.sampled_from([name for name, _, _ in METRICS.values()]) | st.text()},
    optional={
        kind: st.fixed_dictionaries(
            {"dataPoints": st.lists(POINTS, max_size=2)},
            optional={"aggregationTemporality": st.integers(0, 3)},
        )
        for kind in ("sum", "gauge")
    },
)


@given(st.binary() | st.lists(METRIC, max_size=4))
def test_no_bytes_upset_the_parser(told: bytes | list[dict[str, Any]]) -> None:
    request = {"resourceMetrics": [{"scopeMetrics": [{"metrics": told}]}]}
    try:
        report = parse(told if isinstance(told, bytes) else json.dumps(request).encode())
    except ValueError:
        return
    assert all(v is None or v >= 0 for v in (report.steps, report.step_s, report.last_step))
