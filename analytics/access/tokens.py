"""Tokens of our own, `gpl_<id>_<secret>`: how they are made, and the one that is looked up.

The secret is 256 random bits. A hash for passwords, slow by design, protects what people choose
and others can guess; nobody guesses 256 random bits, so SHA-256 keeps the secret as safe and costs
a request nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from analytics.access.caller import Caller, Role

PREFIX = "gpl"
ID_BYTES, SECRET_BYTES = 6, 32
# Compared with where nobody has that id, so that it takes as long as where somebody has.
NOBODY = "0" * 64


def new_id() -> str:
    """An id that nobody has."""
    return secrets.token_hex(ID_BYTES)


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(SECRET_BYTES)


def shown(token_id: str, secret: str) -> str:
    """The token as it is given to who uses it; the only time that the secret is seen."""
    return f"{PREFIX}_{token_id}_{secret}"


def parted(given: str) -> tuple[str, str] | None:
    """Id and secret of a token of ours; None where it looks like none."""
    prefix, _, rest = given.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX and token_id and secret else None


def hashed(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class Held:
    """A token as the store has it."""

    caller: Caller
    secret_sha256: str
    revoked_at: datetime

    def opens(self, now: datetime) -> bool:
        """Whether it is good at that time."""
        return now < self.caller.ends_at and now < self.revoked_at


class TokenSet:
    """All tokens of the store at one time."""

    def __init__(self, held: Iterable[Held] = ()) -> None:
        self._held = {h.caller.token_id: h for h in held}

    def __contains__(self, token_id: str) -> bool:
        """Whether there is a token of that id, good or not."""
        return token_id in self._held

    def open(self, token_id: str, secret: str, now: datetime) -> Caller | None:
        """Whose token it is; None where id, secret or time is wrong. Takes as long in each case."""
        held = self._held.get(token_id)
        expected = held.secret_sha256 if held else NOBODY
        same = hmac.compare_digest(hashed(secret), expected)
        return held.caller if held and same and held.opens(now) else None

    def is_good(self, token_id: str, now: datetime) -> bool:
        """Whether the token of that id still opens doors."""
        held = self._held.get(token_id)
        return held is not None and held.opens(now)


def held(row: Mapping[str, Any]) -> Held:
    """A row of `api_tokens`."""
    caller = Caller(
        name=row["name"],
        role=Role(row["role"]),
        teams=_names(row["teams"]),
        cluster=row["cluster"],
        node=row["node"],
        tables=_names(row["tables"]),
        token_id=row["token_id"],
        ends_at=row["expires_at"],
    )
    return Held(caller, row["secret_sha256"], row["revoked_at"])


def _names(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])
