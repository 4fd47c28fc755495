"""Times of questions about now: counted back from this moment, not from the book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analytics.book import Span, parse_since
from gpuledger.errors import ConfigError

DAY = timedelta(days=1)
# From the first row there is on.
ALWAYS = "1970-01-01T00:00Z"


def within(column: str) -> str:
    """A condition on a column, for the parameters `since` and `until`."""
    kind = "DateTime64(3, 'UTC')"
    return f"{column} >= {{since:{kind}}} AND {column} < {{until:{kind}}}"


def since_now(text: str) -> datetime:
    """The time that `7d` or an RFC 3339 time names. ConfigError."""
    return parse_since(text, datetime.now(UTC))


def span_now(since: str, until: str) -> Span:
    """From one time to another, where none is given until tomorrow. ConfigError."""
    began = since_now(since)
    ended = since_now(until) if until else datetime.now(UTC) + DAY
    if began >= ended:
        raise ConfigError(f"since {since} is not before {until or 'now'}")
    return Span(began, ended)
