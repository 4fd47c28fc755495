"""WriteRequests: the fast way reads what the slow way reads, and nothing breaks either."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.ingest import protobuf
from tests.analytics.ingest.site import NOW_MS, scrape

STALE = struct.unpack("<d", struct.pack("<Q", protobuf.STALE))[0]
LABELS = {"__name__": "m", "a": "1"}
MOST = 1_000

labels = st.dictionaries(st.text(max_size=6), st.text(max_size=30), max_size=4)
values = st.one_of(st.floats(), st.just(0.0), st.just(STALE))
times = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.just(NOW_MS))
requests = st.lists(st.tuples(labels, values, times), max_size=8)


def same(one: protobuf.Samples, other: protobuf.Samples) -> bool:
    told = [repr((s.heads, s.values, s.times_ms, s.empty)) for s in (one, other)]
    return told[0] == told[1]


@given(requests)
@settings(deadline=None)
def test_the_fast_way_reads_what_the_slow_way_reads(told: Any) -> None:
    body = protobuf.write(told)
    fast, slow = (protobuf.read(body, MOST, fast=way) for way in (True, False))
    assert same(fast, slow)
    assert [protobuf.labels_of(head) for head in fast.heads] == [t[0] for t in told]


def test_a_value_of_zero_an_end_and_no_number_are_told_apart() -> None:
    told = [(LABELS, v, NOW_MS) for v in (0.0, -0.0, STALE, math.nan, math.inf)]
    read = protobuf.read(protobuf.write(told), MOST).values
    assert read[:3] == [0.0, 0.0, None]
    assert math.isnan(read[3] or 0)
    assert read[4] == math.inf


def several() -> bytes:
    series = protobuf.TimeSeries.FromString(protobuf.head_of(LABELS))
    for value in (1.0, 2.0):
        series.samples.add(value=value, timestamp=NOW_MS + int(value))
    body: bytes = protobuf.WriteRequest(timeseries=[series.SerializeToString()]).SerializeToString()
    return body


def test_several_samples_of_one_series_are_read_the_slow_way() -> None:
    with pytest.raises(protobuf.ManySamples):
        protobuf.labels_of(protobuf.read(several(), MOST).heads[0])
    read = protobuf.read(several(), MOST, fast=False)
    assert list(zip(read.values, read.times_ms, strict=True)) == [
        *((1.0, NOW_MS + 1), (2.0, NOW_MS + 2)),
    ]
    assert [protobuf.labels_of(head) for head in read.heads] == [LABELS, LABELS]


def test_a_label_that_looks_like_a_sample_is_a_label() -> None:
    tail = b"\x12\x10\x09" + bytes(8) + b"\x10\x80\x80\x80\x80\x80\x20"
    value = "x" * 20 + tail.decode("latin-1")
    head = protobuf.head_of({"__name__": "m", "z": value})
    body = protobuf.WriteRequest(timeseries=[head]).SerializeToString()
    assert protobuf.read(body, MOST).heads == []


def test_metadata_and_what_is_not_known_is_passed_over() -> None:
    body = protobuf.write(scrape(NOW_MS))
    metadata = b"\x1a\x06\x08\x02\x12\x02ab"
    assert same(protobuf.read(body + metadata, MOST), protobuf.read(body, MOST))


def test_two_labels_of_one_name_are_an_error() -> None:
    head = protobuf.head_of({"a": "1"})
    with pytest.raises(ValueError, match="two labels of one name"):
        protobuf.labels_of(head + head)


@pytest.mark.parametrize("count", [MOST + 1, 3 << 20])
def test_more_series_than_allowed_are_refused_before_they_cost_memory(count: int) -> None:
    with pytest.raises(ValueError, match="at most 1000 series"):
        protobuf.read(b"\x0a\x00" * count, MOST)


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_a_damaged_request_is_an_error_or_a_request(data: st.DataObject) -> None:
    body = bytearray(protobuf.write(scrape(NOW_MS, gpus=2)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from("scd")):
            case "s":
                body[place] = data.draw(st.integers(0, 255))
            case "c":
                del body[place:]
                body = body or bytearray(b"\0")
            case _:
                body[place:place] = data.draw(st.binary(max_size=20))
    for fast in (True, False):
        with suppress(ValueError):
            for head in protobuf.read(bytes(body), MOST, fast=fast).heads:
                protobuf.labels_of(head)


@given(st.binary(max_size=200))
def test_garbage_is_an_error_or_a_request(body: bytes) -> None:
    with suppress(ValueError):
        protobuf.read(body, MOST)
