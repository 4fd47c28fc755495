"""Forgetting a person: another name in every row that has the person's, closed cells included.

The catalogue says which columns hold persons (`holds=`). What stands there instead is one random
pseudonym, so that what belonged together still does and sums stay what they were. People come last,
since their row is what tells the other names: an interrupted run goes on when it is started again.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import TABLES, Forgotten, Person, ReportSnapshot, Team
from gpuledger.errors import ConfigError, StoreError
from gpuledger.policies import quoted
from gpuledger.schema import Column, Holds, Table
from gpuledger.service import Reader
from gpuledger.store import Store

# Slow enough that a list of all names of a site takes minutes, not milliseconds (about 40 ms).
SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}
LAST = (Team.table.name, Person.table.name)
# Where names come in again after the person was forgotten.
COMING = ("jobs", "people", "process_samples", "progress_samples")
EVERY = timedelta(days=1)
# What ends a name in a text: anything but letters, digits and _.
EDGE = r"[^\p{L}\p{N}_]"


WAIT_S = 0.02
_PENDING = """
SELECT table, latest_fail_reason AS reason FROM system.mutations
WHERE database = {database:String} AND NOT is_done AND NOT is_killed
"""


@dataclass(frozen=True)
class Found:
    """Rows of one table that name the person."""

    table: str
    rows: int
    columns: str


@dataclass(frozen=True)
class Names:
    """How a person is called, longest first, and what each becomes."""

    new: tuple[tuple[str, str], ...]

    def replaced(self, column: Column[str]) -> str:
        """The column's value with other names, as SQL."""
        out = f"toString({column.name})"
        for old, new in self.new:
            found = _pattern(column, old)
            text = quoted(rf"\1{new}\2")
            # Twice: two names beside each other share the edge between them.
            for _ in range(1 if column.holds is Holds.NAME else 2):
                out = f"replaceRegexpAll({out}, {quoted(found)}, {text})"
        return out

    def named(self, columns: Sequence[Column[str]]) -> str:
        """The condition that one of the columns has one of the names."""
        told = (
            f"match(toString({c.name}), {quoted(_pattern(c, old))})"
            for c in columns
            for old, _ in self.new
        )
        return f"({' OR '.join(told)})"


def _pattern(column: Column[str], name: str) -> str:
    """What is looked for, in RE2's language; addresses are the same in any case."""
    plain = "".join(c if c.isalnum() and c.isascii() else f"\\x{{{ord(c):x}}}" for c in name)
    plain = f"(?i:{plain})" if "@" in name else plain
    match column.holds:
        case Holds.NAMES:
            return f"(^|,){plain}(,|$)"
        case Holds.WORDS:
            return f"(^|{EDGE}){plain}($|{EDGE})"
        case _:
            # Who decided is told apart by where: cli:ann, oidc:ann.
            return f"^([a-z]+:)?{plain}($)"


def holding(table: Table) -> list[Column[str]]:
    """The columns of a table that hold persons."""
    return [c for c in table.columns if c.holds]


def tables() -> list[Table]:
    """Every table that holds persons, in the order in which they are gone through."""
    first = [t for t in TABLES.values() if holding(t) and t.name not in LAST]
    return [*first, *(TABLES[name] for name in LAST)]


class Forgetting:
    """One person to be forgotten. ConfigError for no name, or for what is a pseudonym already."""

    def __init__(self, store: Store, user: str) -> None:
        if not user.strip():
            raise ConfigError("people forget: give the user name that schedulers know")
        self._store = store
        self._user = user
        known = store.select("SELECT * FROM v_forgotten ORDER BY forgotten_at")
        if any(user == row["pseudonym"] for row in known):
            raise ConfigError(f"people forget: {user} is a pseudonym already")
        self._salt = known[0]["salt"] if known else secrets.token_hex(16)
        digest = digest_of(user, self._salt)
        before = next((row for row in known if row["digest"] == digest), None)
        self.pseudonym: str = before["pseudonym"] if before else f"gone-{secrets.token_hex(4)}"
        self._since: datetime | None = before["forgotten_at"] if before else None
        self._names = self._called()

    def plan(self) -> list[Found]:
        """The rows that name the person, by table."""
        found = (self._found(table) for table in tables())
        return [f for f in found if f.rows]

    def carry_out(self, now: datetime) -> list[Found]:
        """Replace the person's names everywhere; what was found. May be run any number of times."""
        told = self.plan()
        self._store.insert_rows(
            [
                Forgotten(
                    pseudonym=self.pseudonym,
                    salt=self._salt,
                    digest=digest_of(self._user, self._salt),
                    forgotten_at=self._since or now,
                    version=to_milliseconds(now),
                )
            ]
        )
        named = [table for table in tables() if any(f.table == table.name for f in told)]
        for table in (t for t in named if t.name not in LAST):
            self._rewrite(table)
        self._wait()
        for table in (t for t in named if t.name in LAST):
            self._rewrite(table)
        self._wait()
        return told

    def _called(self) -> Names:
        """User name, full names and addresses; an address keeps its domain, which tells the team.

        Full names of one word are left: other people have them, too.
        """
        rows = self._store.select(
            "SELECT DISTINCT name, mail FROM people WHERE user = {user:String}", user=self._user
        )
        new = {self._user: self.pseudonym}
        for row in rows:
            if " " in row["name"].strip():
                new[row["name"]] = self.pseudonym
            if row["mail"]:
                new[row["mail"]] = f"{self.pseudonym}@{row['mail'].rpartition('@')[2]}"
        return Names(tuple(sorted(new.items(), key=lambda pair: -len(pair[0]))))

    def _found(self, table: Table) -> Found:
        columns = holding(table)
        rows = self._store.value(
            f"SELECT count() FROM {table.name} WHERE {self._names.named(columns)}"
        )
        return Found(table.name, int(rows), ", ".join(c.name for c in columns))

    def _rewrite(self, table: Table) -> None:
        keys = [c for c in holding(table) if c.name in table.layout.key]
        rest = [c for c in holding(table) if c not in keys]
        if rest:
            self._update(table, rest)
        if keys:
            self._move(table, keys)

    def _update(self, table: Table, columns: Sequence[Column[str]]) -> None:
        told = {c.name: self._names.replaced(c) for c in columns}
        if table is ReportSnapshot.table:
            told["sha256"] = f"lower(hex(SHA256({told['value']})))"
        changes = ", ".join(f"{name} = {value}" for name, value in told.items())
        where = self._names.named(columns)
        # A table after the other would wait for the engine's clock each time.
        self._store.everywhere(f"ALTER TABLE {table.name} UPDATE {changes} WHERE {where}")

    def _move(self, table: Table, keys: Sequence[Column[str]]) -> None:
        """Rows whose key changes are written anew before the old ones go."""
        where = self._names.named(keys)
        told = ", ".join(f"{self._names.replaced(c)} AS {c.name}" for c in keys)
        # The same rows, written by a run that was interrupted, are not written again.
        rows = self._store.value(f"SELECT sum(cityHash64(*)) FROM {table.name} WHERE {where}")
        names = ", ".join(f.stored for f in table.fields)
        source = f"SELECT * FROM {table.name} WHERE {where}"
        self._store.command(
            f"INSERT INTO {table.name} ({names}) SELECT * REPLACE ({told}) FROM ({source})",
            insert_deduplication_token=f"forget/{self.pseudonym}/{table.name}/{rows}",
        )
        self._store.everywhere(f"ALTER TABLE {table.name} DELETE WHERE {where}")

    def _wait(self) -> None:
        """Until nothing is being rewritten any more. StoreError with the engine's reason."""
        for server, place in self._store.places():
            while pending := server.select(_PENDING, database=place):
                if failed := [p["reason"] for p in pending if p["reason"]]:
                    raise StoreError(f"{server.address}: {failed[0][:300]}; run it again")
                time.sleep(WAIT_S)


def digest_of(user: str, salt: str) -> str:
    """What a forgotten name is known again by; slow on purpose."""
    return hashlib.scrypt(user.encode(), salt=bytes.fromhex(salt), dklen=32, **SCRYPT).hex()


class Again:
    """Once a day: whoever was forgotten and is named by rows that came since, is so again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked: datetime | None = None
        self._digests: dict[str, str] = {}

    def step(self, now: datetime) -> None:
        """Look, where a day has gone by and anybody was ever forgotten."""
        if self._looked and now - self._looked < EVERY:
            return
        for user in list(self._named_again()):
            Forgetting(self._store, user).carry_out(now)
        self._looked = now

    def _named_again(self) -> Iterator[str]:
        known = {r["digest"]: r for r in self._store.select("SELECT * FROM v_forgotten")}
        if not known:
            return
        salt = next(iter(known.values()))["salt"]
        pseudonyms = {r["pseudonym"] for r in known.values()}
        for user in sorted(coming(self._store) - pseudonyms):
            if user not in self._digests:
                self._digests[user] = digest_of(user, salt)
            if self._digests[user] in known:
                yield user


def coming(reader: Reader) -> set[str]:
    """Every user that the tables name in which names come in."""
    told = " UNION DISTINCT ".join(f"SELECT toString(user) AS user FROM {t}" for t in COMING)
    return {row["user"] for row in reader.select(told) if row["user"]}
