"""Pages of metrics: what is read of them, and that garbage is never more than a failed reading."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import exposition
from collector.exposition import Interest, Page, parse
from gpuledger.errors import ReadError

PAGE = b"""# HELP temp Temperature.
# TYPE temp counter
temp{gpu="0",name="a \\"b\\" {c}, \\\\ d"} 47.5 1800000000123

temp{gpu="1"} NaN
plain 3e2
"""


def read(body: bytes, *, openmetrics: bool = False) -> Page:
    return parse(body, lambda _: Interest.READ, openmetrics=openmetrics)


def test_samples_keep_their_names_labels_values_and_times() -> None:
    first, second, third = read(PAGE).readings
    assert (first.name, first.value, first.at_ms) == ("temp", 47.5, 1_800_000_000_123)
    assert first.labels == {"gpu": "0", "name": 'a "b" {c}, \\ d'}
    assert second.value != second.value
    assert (third.name, third.labels, third.value, third.at_ms) == ("plain", {}, 300.0, None)


def test_openmetrics_tells_seconds_exemplars_and_its_end() -> None:
    body = b'a_total{x="1"} 5 1800000000.5 # {trace="t"} 1 2\n# EOF\n'
    [reading] = read(body, openmetrics=True).readings
    assert (reading.name, reading.value, reading.at_ms) == ("a_total", 5, 1_800_000_000_500)


def test_a_name_with_other_characters_is_read() -> None:
    [reading] = read(b'{"gpu.use",gpu="0"} 1\n').readings
    assert (reading.name, reading.labels) == ("gpu.use", {"gpu": "0"})


def test_only_what_is_asked_for_is_read_and_the_unknown_is_named() -> None:
    wanted = {"temp": Interest.READ, "plain": Interest.SKIP}
    page = parse(PAGE + b"new 1\n", lambda name: wanted.get(name, Interest.UNKNOWN))
    assert [r.name for r in page.readings] == ["temp", "temp"]
    assert (page.samples, page.unknown) == (4, {"new"})


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>It works!</body></html>\n",
        b'{"status": "ok"}\n',
        b"Service Unavailable\n",
        b'temp{gpu="0" 1\n',
        b'temp{gpu="0",gpu="1"} 1\n',
        b"temp{gpu=0} 1\n",
        b'temp{gpu="0"}\n',
        b"temp 1 2 3\n",
        b"temp 0x1\n",
        b"temp 1_000\n",
        b"\xff\xfe temp 1\n",
        b'temp{gpu="\xe9"} 1\n',
        b"temp 1 1e999\n",
        b"temp " + b"9" * 20_000 + b"\n",
    ],
)
def test_a_page_with_one_bad_line_counts_for_nothing(body: bytes) -> None:
    with pytest.raises(ReadError):
        read(b"good 1\n" + body)


def test_a_page_has_no_more_samples_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MAX_SAMPLES", 2)
    with pytest.raises(ReadError, match="more than 2 samples"):
        read(PAGE)


def test_an_empty_page_has_no_samples() -> None:
    assert read(b"").samples == read(b"# nothing\n\n").samples == 0


lines = st.text('aZ_:{}=",\\# \t0123456789.eE+-InfNa\n', max_size=60)


@given(st.binary(max_size=200) | lines.map(str.encode), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_page_or_a_failed_reading(body: bytes, openmetrics: bool) -> None:
    with suppress(ReadError):
        read(body, openmetrics=openmetrics)


@given(
    st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True),
    st.dictionaries(
        st.from_regex(r"[a-z]{1,4}", fullmatch=True),
        st.text(st.characters(exclude_characters='"\\\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029')),
        max_size=4,
    ),
    st.floats(allow_nan=False),
)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_what_is_read(name: str, labels: dict[str, str], value: float) -> None:
    body = ",".join(f'{k}="{v}"' for k, v in labels.items())
    [reading] = read(f"{name}{{{body}}} {value}\n".encode()).readings
    assert (reading.name, reading.labels, reading.value) == (name, labels, value)
