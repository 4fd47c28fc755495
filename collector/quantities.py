"""Kubernetes quantities: `500m`, `16Gi`, `1e3` as exact numbers.

The grammar is that of the API's `resource.Quantity`: a decimal number, then a binary suffix, a
decimal suffix, or an exponent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
# The API server itself caps quantities at 2^63 - 1; longer texts only cost time.
LONGEST = 64
LARGEST_EXPONENT = 30
_SHAPE = re.compile(
    r"\+?(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)"
    r"(?:[eE](?P<exponent>[+-]?[0-9]{1,3})|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)


def quantity(told: str | float) -> Fraction:
    """The number, of at least 0. ValueError for what is no quantity (JSON may hold numbers)."""
    text = told if isinstance(told, str) else repr(told)
    found = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise ValueError(f"no quantity: {text[:LONGEST]!r}")
    number = Fraction(found["number"].rstrip("."))
    if found["exponent"]:
        exponent = int(found["exponent"])
        if abs(exponent) > LARGEST_EXPONENT:
            raise ValueError(f"quantity out of bounds: {text!r}")
        return number * Fraction(10) ** exponent
    suffix = found["suffix"] or ""
    if suffix in BINARY:
        return number * (1 << BINARY[suffix])
    return number * Fraction(10) ** DECIMAL[suffix]


def amounts(told: Mapping[str, str | float] | None) -> dict[str, Fraction]:
    """Every quantity of a resource list. ValueError where one is none."""
    return {name: quantity(text) for name, text in (told or {}).items()}
