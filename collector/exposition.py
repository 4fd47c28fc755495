"""Pages of metrics in Prometheus' text format or OpenMetrics, read within limits.

Lines of metrics that nobody asked for are only glanced at: an exporter tells a hundred things for
each that we keep. Types and help are passed over, since the mapping says what a metric is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from prometheus_client.parser import text_string_to_metric_families

from gpuledger.errors import ReadError
from gpuledger.mapping import Reading

MAX_SAMPLES = 200_000
# The parser's time grows with the square of a line's length.
MAX_LINE = 8_192
OPENMETRICS = "application/openmetrics-text"
LINE = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?"
    r"(?P<labels>\{(?:[^\"}]|\"(?:[^\"\\]|\\.)*+\")*+\})?[ \t]+"
    r"(?P<value>[-+]?(?:[0-9.][0-9a-fA-FxX.+_-]*|[iI]nf(?:inity)?|[nN]a[nN]))"
    r"(?:[ \t]+(?P<at>-?[0-9.]+(?:[eE][-+]?[0-9]+)?))?[ \t]*(?:# \{.*)?"
)
FAILURES = (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError)


class Interest(Enum):
    """What is to be done with a metric's lines."""

    READ = "read"
    SKIP = "skip"
    UNKNOWN = "unknown"


@dataclass
class Page:
    """What was read, how many samples there were, and names that nobody knows."""

    readings: list[Reading] = field(default_factory=list)
    samples: int = 0
    unknown: set[str] = field(default_factory=set)


def parse(body: bytes, interest: Callable[[str], Interest], *, openmetrics: bool = False) -> Page:
    """The samples of a page. ReadError where any line of it cannot be understood.

    A page counts as a whole or not at all: half of it would be taken for all there is. OpenMetrics
    tells times in seconds, the older format in milliseconds.
    """
    page = Page()
    per_unit = 1000.0 if openmetrics else 1.0
    cache: dict[str, Interest] = {}
    lines: list[str] = []
    times: list[int | None] = []
    for number, line in enumerate(_lines(body), 1):
        found = _match(line, number)
        page.samples += 1
        if page.samples > MAX_SAMPLES:
            raise ReadError(f"more than {MAX_SAMPLES} samples")
        # A name with other characters stands among the labels: the parser finds it.
        name = found["name"] or ""
        wanted = cache.get(name) or cache.setdefault(
            name, interest(name) if name else Interest.READ
        )
        if wanted is Interest.UNKNOWN:
            page.unknown.add(name)
        elif wanted is Interest.READ:
            lines.append(f"{name}{found['labels'] or ''} {found['value']}\n")
            times.append(_milliseconds(found["at"], per_unit))
    page.readings = list(_readings(lines, times))
    return page


def _lines(body: bytes) -> Iterator[str]:
    """Lines with samples; comments tell nothing that a mapping does not."""
    try:
        text = body.decode()
    except UnicodeDecodeError as e:
        raise ReadError(f"no UTF-8: {e.reason} at byte {e.start}") from None
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _match(line: str, number: int) -> re.Match[str]:
    if len(line) > MAX_LINE:
        raise ReadError(f"sample {number} has {len(line)} characters")
    found = LINE.fullmatch(line)
    if not found or not (found["name"] or found["labels"]):
        raise ReadError(f"sample {number} is none: {line[:80]!r}")
    return found


def _milliseconds(at: str | None, per_unit: float) -> int | None:
    if at is None:
        return None
    try:
        return round(float(at) * per_unit)
    except (ValueError, OverflowError):
        raise ReadError(f"{at[:40]!r} is no time") from None


def _readings(lines: list[str], times: list[int | None]) -> Iterator[Reading]:
    try:
        families = text_string_to_metric_families("".join(lines))
        samples = [sample for family in families for sample in family.samples]
    except FAILURES as e:
        raise ReadError(f"a sample cannot be understood: {str(e)[:200]}") from None
    if len(samples) != len(lines):
        raise ReadError(f"{len(lines)} samples were taken for {len(samples)}")
    for sample, at_ms in zip(samples, times, strict=True):
        yield Reading(sample.name, sample.labels, sample.value, at_ms)
