"""The envelope: what was sealed comes out again, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger.envelope import MOST_PARTS, Part, seal, unseal

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
PARTS = st.builds(Part, PRINTABLE, PRINTABLE, PRINTABLE, st.binary(max_size=50))


def sealed(told: Any, body: bytes = b"") -> bytes:
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    return len(text).to_bytes(4, "little") + text + body


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=6))
def test_what_was_sealed_comes_out_again(parts: list[Part]) -> None:
    assert unseal(seal(parts)) == parts


BAD: dict[str, bytes] = {
    "empty": b"",
    "short": b"\x05\x00",
    "list too long": b"\xff\xff\xff\xff[]",
    "no json": sealed(b"{["),
    "deep json": sealed(b"[" * 100_000),
    "no utf-8": sealed(b'["\xff"]'),
    "no list": sealed({"parts": []}),
    "no parts": sealed([]),
    "too many parts": sealed([["t", "k", "1", 0]] * (MOST_PARTS + 1)),
    "no line": sealed([7]),
    "short line": sealed([["t", "k", "1"]]),
    "negative size": sealed([["t", "k", "1", -1]]),
    "size of a float": sealed([["t", "k", "1", 1.0]], b"x"),
    "size of a bool": sealed([["t", "k", "1", True]], b"x"),
    "no key": sealed([["t", "", "1", 0]]),
    "long key": sealed([["t", "k" * 301, "1", 0]]),
    "key with a line end": sealed([["t", "a\nb", "1", 0]]),
    "key with half a character": sealed(b'[["t", "\\ud800", "1", 0]]'),
    "body too short": sealed([["t", "k", "1", 2]], b"x"),
    "body too long": sealed([["t", "k", "1", 1]], b"xy"),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"envelope|key"):
        unseal(body)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_whatever_break_it(body: bytes) -> None:
    for tried in (body, sealed(body)):
        try:
            parts = unseal(tried)
        except ValueError:
            continue
        assert seal(parts)
