"""Pages of metrics: what is read of them, and that garbage is never more than a failed reading."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.exposition import Interest, Page
from gpuledger.errors import ReadError
from gpuledger.mapping import Reading

PAGE = b"""# HELP temp Temperature.
# TYPE temp counter
temp{gpu="0",name="a \\"b\\" {c}, \\\\ d"} 47.5 1800000000123

temp{gpu="1"} NaN
plain 3e2
"""


def read(body: bytes, *, openmetrics: bool = False) -> list[Reading]:
    return list(Page(body, lambda _: Interest.READ, openmetrics=openmetrics).readings)


def test_samples_keep_their_names_labels_values_and_times() -> None:
    first, second, third = read(PAGE)
    assert (first.name, first.value, first.at_ms) == ("temp", 47.5, 1_800_000_000_123)
    assert first.labels == {"gpu": "0", "name": 'a "b" {c}, \\ d'}
    assert second.value != second.value
    assert (third.name, third.labels, third.value, third.at_ms) == ("plain", {}, 300.0, None)


def test_openmetrics_tells_seconds_exemplars_and_its_end() -> None:
    body = b'a_total{x="1"} 5 1800000000.5 # {trace="t"} 1 2\n# EOF\n'
    [reading] = read(body, openmetrics=True)
    assert (reading.name, reading.value, reading.at_ms) == ("a_total", 5, 1_800_000_000_500)


def test_a_name_with_other_characters_is_read() -> None:
    [reading] = read(b'{"gpu.use",gpu="0"} 1\n')
    assert (reading.name, reading.labels) == ("gpu.use", {"gpu": "0"})


def test_only_what_is_asked_for_is_read_and_the_unknown_is_named() -> None:
    wanted = {"temp": Interest.READ, "plain": Interest.SKIP}
    page = Page(PAGE + b"new 1\n", lambda name: wanted.get(name, Interest.UNKNOWN))
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


def test_a_page_has_no_more_samples_than_the_limit() -> None:
    with pytest.raises(ReadError, match="more than 2 samples"):
        list(Page(PAGE, lambda _: Interest.READ, most_samples=2).readings)


def test_readings_are_handed_on_one_by_one() -> None:
    body = b"".join(b'temp{gpu="%d",name="%s"} 1\n' % (n, b"x" * 60) for n in range(20_000))
    page = Page(body, lambda _: Interest.READ)
    tracemalloc.start()
    count = sum(1 for _ in page.readings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, page.samples) == (20_000, 20_000)
    assert peak < len(body) / 2


def test_an_empty_page_has_no_samples() -> None:
    assert read(b"") == read(b"# nothing\n\n") == []


ENDS = '"\\\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029'
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
        st.text(st.characters(codec="utf-8", exclude_characters=ENDS)),
        max_size=4,
    ),
    st.floats(allow_nan=False),
)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_what_is_read(name: str, labels: dict[str, str], value: float) -> None:
    body = ",".join(f'{k}="{v}"' for k, v in labels.items())
    [reading] = read(f"{name}{{{body}}} {value}\n".encode())
    assert (reading.name, reading.labels, reading.value) == (name, labels, value)
