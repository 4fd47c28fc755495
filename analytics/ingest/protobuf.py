"""Prometheus' WriteRequest (remote-write 1.0): its messages, and a fast way through a request.

A series is told apart by the bytes of its labels, its `head`: who knows the head need not look at
the labels again. Fields and numbers: https://prometheus.io/docs/specs/prw/remote_write_spec
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

PACKAGE = "gpuledger.prometheus"
Field = descriptor_pb2.FieldDescriptorProto

# How writers put the last sample of a series: field 2, its length, the value (left out where it
# is 0) as a double, and the time as a varint of six bytes, which spans the years 1971 to 2109.
WHOLE, ZERO = 18, 9
# The NaN that says that a series has ended (Prometheus' staleness markers), as a word.
STALE = 0x7FF0_0000_0000_0002

# Of a larger body series are counted before they are read.
LARGE_BODY = 2 << 20
TOO_MANY = "a request has at most {} series"


class ManySamples(ValueError):
    """A series has several samples: the request must be read the slow way."""


@dataclass(frozen=True)
class Samples:
    """Samples of a request, one after another: head, value and time (ms since 1970) of each.

    The value is None where the series has ended. `empty` series had no sample that we take.
    """

    heads: list[bytes]
    values: list[float | None]
    times_ms: list[int]
    empty: int = 0


def _message(name: str, *fields: tuple[str, int, Any, str]) -> descriptor_pb2.DescriptorProto:
    """A message of fields: name, number, type, and a message's name where it is repeated."""
    message = descriptor_pb2.DescriptorProto(name=name)
    for field, number, kind, inner in fields:
        added = message.field.add(name=field, number=number, type=kind)
        added.label = Field.LABEL_REPEATED if inner else Field.LABEL_OPTIONAL
        if kind == Field.TYPE_MESSAGE:
            added.type_name = f".{PACKAGE}.{inner}"
    return message


def _classes() -> list[Any]:
    """WriteRequest, whose series are left as bytes, TimeSeries, and google.rpc's Status."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE)
    file.syntax = "proto3"
    file.message_type.extend(
        [
            _message(
                "Label", ("name", 1, Field.TYPE_STRING, ""), ("value", 2, Field.TYPE_STRING, "")
            ),
            _message(
                "Sample",
                ("value", 1, Field.TYPE_DOUBLE, ""),
                ("timestamp", 2, Field.TYPE_INT64, ""),
            ),
            _message(
                "TimeSeries",
                ("labels", 1, Field.TYPE_MESSAGE, "Label"),
                ("samples", 2, Field.TYPE_MESSAGE, "Sample"),
            ),
            _message("WriteRequest", ("timeseries", 1, Field.TYPE_BYTES, "bytes")),
            _message(
                "Status", ("code", 1, Field.TYPE_INT32, ""), ("message", 2, Field.TYPE_STRING, "")
            ),
        ]
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = ("WriteRequest", "TimeSeries", "Status")
    found = (pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in names)
    return [message_factory.GetMessageClass(each) for each in found]


WriteRequest, TimeSeries, Status = _classes()


def read(body: bytes, most_series: int, *, fast: bool = True) -> Samples:
    """The samples of a request. ValueError where it is none, or has too many series.

    The fast way is right if `labels_of` takes every head; where it says ManySamples, read again.
    """
    if len(body) > LARGE_BODY:
        _check_number(body, most_series)
    try:
        found = WriteRequest.FromString(body).timeseries
    except DecodeError as e:
        raise ValueError(f"the body is no WriteRequest: {e}") from None
    if len(found) > most_series:
        raise ValueError(TOO_MANY.format(most_series))
    series: list[bytes] = list(found)
    if not fast:
        return _mixed(series, [0] * len(series), [], [])
    return _fast(series) if series else Samples([], [], [])


def _check_number(body: bytes, most_series: int) -> None:
    """ValueError for too many series: a message of two bytes costs memory for an object."""
    at = count = 0
    while at < len(body):
        if body[at] == 0x0A:
            count += 1
        if count > most_series:
            raise ValueError(TOO_MANY.format(most_series))
        if body[at] & 7 != 2:
            return  # no field of a WriteRequest: for the real reader to refuse
        size, shift, at = 0, 0, at + 1
        while at < len(body) and body[at] >= 0x80 and shift < 35:
            size |= (body[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
        at += 1 + (size | (body[at] & 0x7F) << shift if at < len(body) else 0)


def labels_of(head: bytes) -> dict[str, str]:
    """The labels of a head. ValueError where it is no list of labels, or one is there twice."""
    try:
        series = TimeSeries.FromString(head)
    except DecodeError as e:
        raise ValueError(f"a series cannot be read: {e}") from None
    if len(series.samples):
        raise ManySamples("a series has several samples")
    labels = {label.name: label.value for label in series.labels}
    if len(labels) != len(series.labels):
        raise ValueError("a series has two labels of one name")
    return labels


def head_of(labels: Mapping[str, str]) -> bytes:
    """The head of a series with these labels, in their order by name."""
    series = TimeSeries(labels=[{"name": n, "value": labels[n]} for n in sorted(labels)])
    head: bytes = series.SerializeToString()
    return head


def write(samples: Iterable[tuple[Mapping[str, str], float, int]]) -> bytes:
    """A request of samples: labels, value, and milliseconds since 1970 of each."""
    request = WriteRequest()
    for labels, value, at_ms in samples:
        series = TimeSeries.FromString(head_of(labels))
        series.samples.add(value=value, timestamp=at_ms)
        request.timeseries.append(series.SerializeToString())
    body: bytes = request.SerializeToString()
    return body


def _fast(series: list[bytes]) -> Samples:
    """All series whose only sample ends them, without a look at their labels; others one by one.

    That the head before such an end is whole, `labels_of` finds out when it first sees it: then
    the end is a field of its own, for there is one way only to read fields.
    """
    tails = np.frombuffer(b"".join(raw[-WHOLE:].rjust(WHOLE, b"\0") for raw in series), np.uint8)
    tails = tails.reshape(-1, WHOLE)
    timed = (tails[:, 11] == 0x10) & (tails[:, 12:17] >= 0x80).all(1) & (tails[:, 17] < 0x80)
    whole = timed & (tails[:, 0] == 0x12) & (tails[:, 1] == 0x10) & (tails[:, 2] == 0x09)
    zero = timed & ~whole & (tails[:, 9] == 0x12) & (tails[:, 10] == 0x07)
    words = np.ascontiguousarray(tails[:, 3:11]).view("<u8")[:, 0]
    values: list[float | None] = np.where(zero, 0.0, words.view("<f8")).tolist()
    for place in np.flatnonzero(whole & (words == STALE)).tolist():
        values[place] = None
    times = ((tails[:, 12:] & 0x7F).astype(np.int64) << (7 * np.arange(6))).sum(1)
    cut = np.where(whole, WHOLE, np.where(zero, ZERO, 0))
    if cut.all():
        heads = [raw[:-size] for raw, size in zip(series, cut.tolist(), strict=True)]
        return Samples(heads, values, times.tolist())
    return _mixed(series, cut.tolist(), values, times.tolist())


def _mixed(
    series: list[bytes], cut: list[int], values: list[float | None], times_ms: list[int]
) -> Samples:
    """What the fast way found, and the rest the slow way."""
    out: list[tuple[bytes, float | None, int]] = []
    empty = 0
    for place, (raw, size) in enumerate(zip(series, cut, strict=True)):
        if size:
            out.append((raw[:-size], values[place], times_ms[place]))
            continue
        told = _slow(raw)
        empty += not told
        out += told
    return Samples([h for h, _, _ in out], [v for _, v, _ in out], [t for _, _, t in out], empty)


def _slow(raw: bytes) -> list[tuple[bytes, float | None, int]]:
    """The samples of one series, whatever its shape."""
    try:
        series = TimeSeries.FromString(raw)
    except DecodeError as e:
        raise ValueError(f"a series cannot be read: {e}") from None
    samples = [(None if _is_stale(s.value) else s.value, s.timestamp) for s in series.samples]
    del series.samples[:]
    series.DiscardUnknownFields()
    head = series.SerializeToString()
    return [(head, value, at_ms) for value, at_ms in samples]


def _is_stale(value: float) -> bool:
    return math.isnan(value) and struct.unpack("<Q", struct.pack("<d", value))[0] == STALE
