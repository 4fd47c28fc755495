"""Who asks: a name, a role, and what it is bound to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER


class Role(StrEnum):
    """What a caller may do; each of the last four may all that the one before it may."""

    INGEST = "ingest"
    VIEWER = "viewer"
    TEAM_OWNER = "team-owner"
    OPERATOR = "operator"
    ADMIN = "admin"


RANKS: Mapping[Role, int] = {
    Role.VIEWER: 1,
    Role.TEAM_OWNER: 2,
    Role.OPERATOR: 3,
    Role.ADMIN: 4,
}


@dataclass(frozen=True)
class Caller:
    """Somebody whom the guard knows.

    `teams` are those whose rows are seen and decided on, none = all. `cluster`, `node` and `tables`
    are what an ingest token is bound to, empty = any. `token_id` is the token of ours that it came
    with, if it did, and `ends_at` when that is over. ConfigError for a team owner without a team:
    it would be the owner of all.
    """

    name: str
    role: Role
    teams: tuple[str, ...] = ()
    cluster: str = ""
    node: str = ""
    tables: tuple[str, ...] = ()
    token_id: str = ""
    ends_at: datetime = FOREVER

    def __post_init__(self) -> None:
        """ConfigError for a team owner without a team."""
        if self.role is Role.TEAM_OWNER and not any(self.teams):
            raise ConfigError(f"{self.name}: a team owner needs a team")

    def has(self, least: Role) -> bool:
        """Whether the role is this one or a higher one; `ingest` stands apart, below an admin."""
        if least is Role.INGEST:
            return self.role in {Role.INGEST, Role.ADMIN}
        return RANKS.get(self.role, 0) >= RANKS[least]


class NotKnown(Exception):
    """What was given opens no door; the message says why in one line."""


# Whoever has the service's own tokens: GPULEDGER_TOKEN and GPULEDGER_INGEST_TOKEN.
OWNER = Caller("owner", Role.ADMIN)
COLLECTOR = Caller("collector", Role.INGEST)


def may_decide(caller: Caller, row: Mapping[str, Any]) -> bool:
    """Whether the caller may decide on what belongs to the row's `team`.

    Operators and admins decide on everything; a team owner on what is its own team's alone, so not
    on what belongs to nobody.
    """
    if caller.has(Role.OPERATOR):
        return not caller.teams or row.get("team") in caller.teams
    return caller.role is Role.TEAM_OWNER and row.get("team") in caller.teams


def owns(caller: Caller) -> bool:
    """Whether the caller speaks for its teams, whatever lists of leads call it."""
    return caller.role is Role.TEAM_OWNER
