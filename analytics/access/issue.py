"""Making, listing, replacing and taking back tokens; each change is written to the audit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request

from analytics.access.audit import Audit
from analytics.access.caller import Caller, Role
from analytics.access.tokens import hashed, new_id, new_secret, shown
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import INGESTED, ApiToken
from gpuledger.errors import ConfigError, Conflict, Unknown, nearest
from gpuledger.schema import FOREVER, UNSET_TIME
from gpuledger.service import Reader
from gpuledger.store import Store

# No colon: names with one are of issuers' people (oidc:), pods (pod:) and the command line (cli:).
NAME = re.compile(r"[\w.@/+-]{1,100}")
TAKEN = {"owner", "collector"}
# How long the old token goes on when it is replaced, unless somebody says so.
GRACE = timedelta(days=1)
# The widest that a place in a message may be.
LONGEST = 200
_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Wanted:
    """What a new token shall be; `expires` is 90d, a date, or never."""

    name: str
    role: str
    expires: str
    teams: Sequence[str] = ()
    cluster: str = ""
    node: str = ""
    tables: Sequence[str] = ()


@dataclass(frozen=True)
class Issued:
    """A new token: what is kept of it, and the token itself, told this once."""

    told: Mapping[str, Any]
    token: str


class Office:
    """Where tokens are made and taken back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._audit = Audit(store)

    def create(self, by: Caller, wanted: Wanted, request: Request | None = None) -> Issued:
        """A new token. ConfigError for what makes no sense, Conflict for a name that is taken."""
        now = _now()
        name = wanted.name or "/".join(filter(None, (wanted.cluster, wanted.node)))
        row = _row(wanted, name, by.name, now)
        if any(t["name"] == name and t["state"] == "good" for t in listed(self._store, now)):
            raise Conflict(f"a token of the name {name} is good: rotate it, or choose another name")
        issued = self._issue(row)
        self._audit.record(by, "token.create", row.token_id, None, issued.told, request)
        return issued

    def rotate(
        self,
        by: Caller,
        token_id: str,
        request: Request | None = None,
        *,
        grace: str = "",
        expires: str = "",
    ) -> Issued:
        """A new token in place of a good one, which goes on for the grace time (a day unless told).

        Unless told, it lives as long as the old one did. Unknown, Conflict where it is over.
        """
        now = _now()
        before = self._good(token_id, now)
        lasts = before["expires_at"] - before["made_at"]
        ends = until(expires, now) if expires else _later(now, before["expires_at"], lasts)
        kept = {k: before[k] for k in ("name", "role", "teams", "cluster", "node", "tables")}
        fresh: dict[str, Any] = {
            "made_by": by.name,
            "made_at": now,
            "expires_at": ends,
            "replaces": token_id,
        }
        issued = self._issue(
            ApiToken(token_id=new_id(), secret_sha256="", version=0, **kept, **fresh)
        )
        old_ends = min(before["expires_at"], now + (span(grace) if grace else GRACE))
        self._change(token_id, f"toDateTime64('{_sql(old_ends)}', 3, 'UTC') AS expires_at", now)
        self._audit.record(by, "token.rotate", token_id, _told(before), issued.told, request)
        return issued

    def revoke(self, by: Caller, token_id: str, request: Request | None = None) -> None:
        """Take it back, for ever. Unknown, Conflict where it is over already."""
        now = _now()
        before = self._good(token_id, now)
        self._change(
            token_id,
            f"toDateTime64('{_sql(now)}', 3, 'UTC') AS revoked_at, {{by:String}} AS revoked_by",
            now,
            by=by.name,
        )
        after = {**_told(before), "revoked_by": by.name, "revoked_at": now}
        self._audit.record(by, "token.revoke", token_id, _told(before), after, request)

    def _issue(self, row: ApiToken) -> Issued:
        secret = new_secret()
        row.secret_sha256, row.version = hashed(secret), to_milliseconds(row.made_at)
        self._store.insert_rows([row])
        return Issued(_told(row.values()), shown(row.token_id, secret))

    def _good(self, token_id: str, now: datetime) -> dict[str, Any]:
        """The row of a token that opens doors."""
        rows = self._store.select(f"{_ROWS} WHERE token_id = {{id:String}}", id=token_id)
        if not rows:
            known = [t["token_id"] for t in listed(self._store, now)]
            hint = nearest(token_id[:LONGEST], known) or ": see 'gpuledger tokens list'"
            raise Unknown(f"there is no token '{token_id[:LONGEST]}'{hint}")
        (row,) = rows
        if (state := _state(row, now)) != "good":
            raise Conflict(f"token {token_id} is {state} already")
        return row

    def _change(self, token_id: str, replaced: str, now: datetime, **parameters: str) -> None:
        """Write the row again with something else; the version makes it the one that holds."""
        found = self._store.value(
            "SELECT max(version) FROM api_tokens WHERE token_id = {id:String}", id=token_id
        )
        (row,) = self._store.select(
            f"SELECT * REPLACE ({replaced}) FROM api_tokens FINAL WHERE token_id = {{id:String}}",
            id=token_id,
            **parameters,
        )
        row["version"] = max(to_milliseconds(now), found + 1)
        self._store.insert_rows([ApiToken(**row)])


def listed(reader: Reader, now: datetime, *, everything: bool = True) -> list[dict[str, Any]]:
    """Tokens by name, with when each was used last; never the hash. Only good ones, or all."""
    rows = [{**_told(row), "state": _state(row, now)} for row in reader.select(_LISTED)]
    return [row for row in rows if everything or row["state"] == "good"]


def until(text: str, now: datetime) -> datetime:
    """`90d` from now on, a date, or `never`. ConfigError where it is none, or past."""
    if text == "never":
        return FOREVER
    try:
        at = now + span(text) if _SPAN.fullmatch(text) else datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ConfigError(f"expires {text[:LONGEST]}: write 90d, 2027-01-31 or never") from None
    if not now < at <= FOREVER:
        raise ConfigError(f"expires {text[:LONGEST]}: a token ends later than now, before 2106")
    return at


def span(text: str) -> timedelta:
    """`0s`, `12h`, `7d`. ConfigError where it is none."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise ConfigError(f"{text[:LONGEST]}: write a time such as 0s, 12h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _row(wanted: Wanted, name: str, by: str, now: datetime) -> ApiToken:
    role = _role(wanted.role)
    _check_name(name)
    _check_bounds(wanted, role)
    return ApiToken(
        token_id=new_id(),
        name=name,
        role=role.value,
        teams=_json(wanted.teams),
        cluster=wanted.cluster,
        node=wanted.node,
        tables=_json(wanted.tables),
        secret_sha256="",
        made_by=by,
        made_at=now,
        expires_at=until(wanted.expires, now),
        version=0,
    )


def _role(name: str) -> Role:
    names = [role.value for role in Role]
    if name not in names:
        raise ConfigError(f"role {name[:LONGEST]}: there are {', '.join(names)}")
    return Role(name)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError("name: 1 to 100 letters, digits and . _ @ / + - say who has the token")
    if name in TAKEN:
        raise ConfigError(f"name {name}: it means the service's own token")


def _check_bounds(wanted: Wanted, role: Role) -> None:
    """ConfigError for bounds that the role does not have, or lacks."""
    if role is Role.INGEST:
        if not wanted.cluster:
            raise ConfigError("an ingest token is bound: say --cluster, and --node where it is one")
        known = [table.name for table in INGESTED]
        for table in wanted.tables:
            if table not in known:
                raise ConfigError(f"no table '{table[:LONGEST]}' takes rows{nearest(table, known)}")
    elif wanted.cluster or wanted.node or wanted.tables:
        raise ConfigError(f"cluster, node and tables bind ingest tokens, not role {role}")
    if wanted.teams and role not in {Role.VIEWER, Role.TEAM_OWNER}:
        raise ConfigError(f"role {role}: it has no team, only viewers and team owners are limited")
    if role is Role.TEAM_OWNER and not wanted.teams:
        raise ConfigError("a team owner needs a team: say --team")
    if not all(wanted.teams):
        raise ConfigError("a team has a name")


def _later(now: datetime, ends: datetime, lasts: timedelta) -> datetime:
    return FOREVER if ends >= FOREVER else min(now + lasts, FOREVER)


def _state(row: Mapping[str, Any], now: datetime) -> str:
    if row["revoked_at"] <= now:
        return "revoked"
    return "expired" if row["expires_at"] <= now else "good"


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What may be seen of a row: all but the hash, lists as lists, absent times as None."""
    told = {k: row[k] for k in _SEEN if k in row}
    for name in ("teams", "tables"):
        told[name] = msgspec.json.decode(told[name])
    for name in ("expires_at", "revoked_at", "used_at"):
        if told.get(name) in {FOREVER, UNSET_TIME}:
            told[name] = None
    return told


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(sorted(set(names))).decode()


def _sql(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


_SEEN = (
    *("token_id", "name", "role", "teams", "cluster", "node", "tables"),
    *("made_by", "made_at", "expires_at", "revoked_by", "revoked_at", "replaces"),
    *("used_at", "used_from"),
)
_KEPT = """token_id, name, toString(role) AS role, teams, toString(cluster) AS cluster,
  toString(node) AS node, tables, toString(made_by) AS made_by, made_at, expires_at,
  toString(revoked_by) AS revoked_by, revoked_at, replaces"""
_ROWS = f"SELECT {_KEPT} FROM api_tokens FINAL"
_LISTED = f"""
SELECT {_KEPT}, used_at, address AS used_from
FROM (SELECT * FROM api_tokens FINAL) AS t
LEFT JOIN (SELECT token_id, used_at, address FROM api_token_uses FINAL) AS u USING token_id
ORDER BY name, made_at, token_id
"""
