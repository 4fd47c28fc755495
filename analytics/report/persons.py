"""Persons whom a report for management must not name: the report names teams and roles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from analytics.report.words import plain
from gpuledger.service import Reader

OWNER = "owner"
# The parts of a name are written apart, together, or with anything but letters between.
_BETWEEN = r"[\W\d_]*"
# Digits are no letters: `bob2` is Bob's second run.
_BEFORE, _AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"
# An id that is a word or a number of any sentence is a person only as a part of a name: `run-a-2`.
_JOINED = r"(?:(?<=\w[-_@]){0}(?![^\W\d_])|(?<![^\W_]){0}(?=[-_@]\w)(?!-hour))"
# Words of two letters (and units), and those that our own sentences are made of.
_SMALL = """
a ad ai al am an as at be by do ed eg go he i id if ie in is it kg kw me mw my no of ok on or pm so
to tb gb mb ms up us vs we all and are end for gpu gpuledger gpus hour hours job jobs low new node
nodes not owner pool rack run runs team teams the time two use user users was week
"""
WORDS = frozenset(_SMALL.split())


class Persons:
    """Names to be taken out of texts, whatever their case; those of teams stay."""

    def __init__(self, names: Iterable[str], teams: Iterable[str] = ()) -> None:
        kept = {_folded(team) for team in teams}
        folded = {_folded(name) for name in names} - kept
        # The longest first: of `Bob Smith` nothing may be left when `bob` is taken out.
        self._names = [
            (name, _parts(name))
            for name in sorted(filter(None, folded), key=lambda name: (-len(name), name))
        ]

    def out_of(self, text: str, limit: int = 300) -> str:
        """The text in one visible line, with `owner` for every person."""
        line = unicodedata.normalize("NFC", plain(text, len(text) + 1))
        lower = line.lower()
        for name, parts in self._names:
            # There may be tens of thousands of persons, and a text names hardly one.
            if all(part in lower for part in parts):
                line = re.sub(_pattern(name, parts), OWNER, line, flags=re.IGNORECASE)
        return plain(line, limit)


def persons(reader: Reader) -> Persons:
    """Everybody known: users of jobs, the list of people, leads, who decided. StoreError."""
    rows = reader.select(_PERSONS)
    by_kind: dict[str, list[str]] = {"person": [], "team": []}
    for row in rows:
        by_kind[row["kind"]].append(row["name"])
    return Persons(by_kind["person"], by_kind["team"])


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", plain(name, len(name) + 1)).lower()


def _parts(name: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"[\s,]+", name)))


def _pattern(name: str, of: Sequence[str]) -> str:
    parts = [re.escape(part) for part in of]
    if len(name) < 2 or name.isdigit() or name in WORDS:
        return _JOINED.format(parts[0])
    orders = {_BETWEEN.join(parts), _BETWEEN.join((*parts[-1:], *parts[:-1]))}
    return f"{_BEFORE}(?:{'|'.join(sorted(orders))}){_AFTER}"


_PERSONS = """
SELECT 'person' AS kind, name FROM (
  SELECT DISTINCT toString(user) AS name FROM jobs
  UNION DISTINCT SELECT DISTINCT toString(lead) AS name FROM teams
  UNION DISTINCT SELECT DISTINCT toString(by) AS name FROM recommendation_events
  UNION DISTINCT SELECT arrayJoin([toString(user), toString(name)]) AS name FROM people)
WHERE name != ''
UNION ALL SELECT 'team' AS kind, name FROM (
  SELECT DISTINCT toString(team) AS name FROM jobs
  UNION DISTINCT SELECT DISTINCT toString(team) AS name FROM teams)
WHERE name != ''
"""
