"""Pages of metrics in Prometheus' text format or OpenMetrics, read within limits.

Lines of metrics that nobody asked for are only glanced at: an exporter tells a hundred things for
each that we keep. Types and help are passed over, since the mapping says what a metric is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from io import BytesIO
from itertools import islice

from prometheus_client.parser import text_string_to_metric_families

from gpuledger.errors import ReadError
from gpuledger.mapping import Reading

MAX_SAMPLES = 50_000
# The parser has a price per call, and memory one per line.
AT_ONCE = 256
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


class Page:
    """One page, read as it is asked for: `samples` and `unknown` are whole at the readings' end."""

    def __init__(
        self,
        body: bytes,
        interest: Callable[[str], Interest],
        *,
        openmetrics: bool = False,
        most_samples: int = MAX_SAMPLES,
    ) -> None:
        self.samples = 0
        self.unknown: set[str] = set()
        self._body = body
        self._interest = interest
        self._per_unit = 1000.0 if openmetrics else 1.0
        self._most_samples = most_samples

    @property
    def readings(self) -> Iterator[Reading]:
        """The samples that are asked for. ReadError where any line cannot be understood.

        A page counts as a whole or not at all: half of it would be taken for all there is. So what
        was read before an error is to be thrown away. OpenMetrics tells times in seconds, the older
        format in milliseconds.
        """
        lines = self._wanted()
        while some := list(islice(lines, AT_ONCE)):
            yield from _readings([line for line, _ in some], [at for _, at in some])

    def _wanted(self) -> Iterator[tuple[str, int | None]]:
        """Lines to be read, without their times, and these in milliseconds."""
        cache: dict[str, Interest] = {}
        for line in _lines(self._body):
            self.samples += 1
            if self.samples > self._most_samples:
                raise ReadError(f"more than {self._most_samples} samples")
            found = _match(line, self.samples)
            # A name with other characters stands among the labels: the parser finds it.
            name = found["name"] or ""
            wanted = cache.get(name) or cache.setdefault(
                name, self._interest(name) if name else Interest.READ
            )
            if wanted is Interest.UNKNOWN:
                self.unknown.add(name)
            elif wanted is Interest.READ:
                at_ms = _milliseconds(found["at"], self._per_unit)
                yield f"{name}{found['labels'] or ''} {found['value']}\n", at_ms


def _lines(body: bytes) -> Iterator[str]:
    """Lines with samples; comments tell nothing that a mapping does not."""
    for number, raw in enumerate(BytesIO(body), 1):
        try:
            stripped = raw.decode().strip()
        except UnicodeDecodeError as e:
            raise ReadError(f"no UTF-8: {e.reason} in line {number}") from None
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
