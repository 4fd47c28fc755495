"""Which role may use which route: the one table of it.

A route that is added to an application is added here; a test walks over all routes of both
applications and fails for one without a rule. The guard knows no other doors than these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from starlette.routing import compile_path

from analytics.access.caller import Caller, Role

# Open to everybody: they tell nothing about the cluster, and change nothing but who is known.
OPEN: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("GET", "/static/{name}"),
    }
)

# The least role. `ingest` stands apart: only ingest tokens and admins send rows.
RULES: Mapping[tuple[str, str], Role] = {
    ("POST", "/v1/ingest"): Role.INGEST,
    ("POST", "/v1/ingest/{table}"): Role.INGEST,
    ("POST", "/v1/prometheus/write"): Role.INGEST,
    ("POST", "/v1/otlp/v1/metrics"): Role.INGEST,
    ("GET", "/"): Role.VIEWER,
    ("POST", "/logout"): Role.VIEWER,
    ("GET", "/success"): Role.VIEWER,
    ("GET", "/waste"): Role.VIEWER,
    ("GET", "/fleet"): Role.VIEWER,
    ("GET", "/fleet/details"): Role.VIEWER,
    ("GET", "/fragmentation"): Role.VIEWER,
    ("GET", "/recommendations"): Role.VIEWER,
    ("GET", "/recommendations/{identifier}"): Role.VIEWER,
    ("POST", "/recommendations/{identifier}"): Role.TEAM_OWNER,
    ("GET", "/jobs/{job:path}"): Role.VIEWER,
    ("GET", "/nodes/{node:path}"): Role.VIEWER,
    ("GET", "/alerts"): Role.VIEWER,
    ("GET", "/reports"): Role.VIEWER,
    ("GET", "/reports/{week}"): Role.VIEWER,
    ("GET", "/reports/{week}/read"): Role.VIEWER,
    ("GET", "/reports/{week}/team"): Role.VIEWER,
    ("POST", "/reports/{week}/remark"): Role.TEAM_OWNER,
    ("POST", "/reports/{week}/draft"): Role.OPERATOR,
    ("POST", "/reports/{week}/release"): Role.OPERATOR,
    ("GET", "/exemptions"): Role.VIEWER,
    ("POST", "/exemptions"): Role.VIEWER,
    ("POST", "/exemptions/decide"): Role.TEAM_OWNER,
    ("GET", "/quality"): Role.VIEWER,
    ("GET", "/search"): Role.VIEWER,
    ("GET", "/tokens"): Role.ADMIN,
    ("POST", "/tokens"): Role.ADMIN,
    ("POST", "/tokens/{identifier}/revoke"): Role.ADMIN,
    ("POST", "/tokens/{identifier}/rotate"): Role.ADMIN,
    ("GET", "/audit"): Role.ADMIN,
    ("GET", "/weekly-report.html"): Role.VIEWER,
    ("GET", "/metrics"): Role.VIEWER,
    ("GET", "/openapi.json"): Role.VIEWER,
    ("GET", "/v1/ledger"): Role.VIEWER,
    ("GET", "/v1/success"): Role.VIEWER,
    ("GET", "/v1/findings"): Role.VIEWER,
    ("GET", "/v1/findings/{finding_id}"): Role.VIEWER,
    ("GET", "/v1/recommendations"): Role.VIEWER,
    ("GET", "/v1/recommendations/{recommendation_id}"): Role.VIEWER,
    ("POST", "/v1/recommendations/{recommendation_id}/accept"): Role.TEAM_OWNER,
    ("POST", "/v1/recommendations/{recommendation_id}/applied"): Role.TEAM_OWNER,
    ("POST", "/v1/recommendations/{recommendation_id}/dismiss"): Role.TEAM_OWNER,
    ("POST", "/v1/recommendations/{recommendation_id}/snooze"): Role.TEAM_OWNER,
    ("GET", "/v1/outcomes"): Role.VIEWER,
    ("GET", "/v1/jobs"): Role.VIEWER,
    ("GET", "/v1/jobs/{job_id:path}"): Role.VIEWER,
    ("GET", "/v1/nodes"): Role.VIEWER,
    ("GET", "/v1/nodes/{node:path}"): Role.VIEWER,
    ("GET", "/v1/gpus"): Role.VIEWER,
    ("GET", "/v1/assets"): Role.VIEWER,
    ("GET", "/v1/pools"): Role.VIEWER,
    ("GET", "/v1/free"): Role.VIEWER,
    ("GET", "/v1/forecast"): Role.VIEWER,
    ("POST", "/v1/plans"): Role.VIEWER,
    ("GET", "/v1/changes"): Role.VIEWER,
    ("GET", "/v1/exemptions"): Role.VIEWER,
    ("POST", "/v1/exemptions"): Role.VIEWER,
    ("POST", "/v1/exemptions/approve"): Role.TEAM_OWNER,
    ("POST", "/v1/exemptions/end"): Role.TEAM_OWNER,
    ("GET", "/v1/reports"): Role.VIEWER,
    ("GET", "/v1/reports/{week}"): Role.VIEWER,
    ("GET", "/v1/reports/{week}/status"): Role.VIEWER,
    ("GET", "/v1/reports/{week}/teams/{team:path}"): Role.VIEWER,
    ("POST", "/v1/reports/{week}/draft"): Role.OPERATOR,
    ("POST", "/v1/reports/{week}/release"): Role.OPERATOR,
    ("POST", "/v1/reports/{week}/notes"): Role.TEAM_OWNER,
    ("GET", "/v1/alerts"): Role.VIEWER,
    ("GET", "/v1/alerts/rules"): Role.VIEWER,
    ("GET", "/v1/alerts/notifications"): Role.VIEWER,
    ("GET", "/v1/collection"): Role.VIEWER,
    ("GET", "/v1/collection/sources"): Role.VIEWER,
    ("GET", "/v1/collection/quarantine"): Role.VIEWER,
    ("GET", "/v1/quotas"): Role.VIEWER,
    ("GET", "/v1/teams"): Role.VIEWER,
    ("GET", "/v1/prices"): Role.VIEWER,
    ("POST", "/v1/sql"): Role.VIEWER,
    ("GET", "/v1/tokens"): Role.ADMIN,
    ("POST", "/v1/tokens"): Role.ADMIN,
    ("POST", "/v1/tokens/{token_id}/rotate"): Role.ADMIN,
    ("DELETE", "/v1/tokens/{token_id}"): Role.ADMIN,
    ("GET", "/v1/audit"): Role.ADMIN,
}

# Their answers are about everybody: callers who see some teams only are refused.
WHOLE: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/weekly-report.html"),
        ("GET", "/reports/{week}/read"),
        ("GET", "/success"),
        ("GET", "/quality"),
        ("GET", "/metrics"),
        ("GET", "/v1/reports"),
        ("GET", "/v1/reports/{week}"),
        ("GET", "/v1/reports/{week}/status"),
        ("POST", "/v1/reports/{week}/draft"),
        ("POST", "/v1/reports/{week}/release"),
        ("GET", "/v1/collection"),
        ("GET", "/v1/collection/sources"),
        ("GET", "/v1/collection/quarantine"),
    }
)


@dataclass(frozen=True)
class Rule:
    """What one route asks of callers."""

    method: str
    path: str
    role: Role | None
    whole: bool = False

    def allows(self, caller: Caller) -> bool:
        """Whether the caller may use the route."""
        if self.role is None:
            return True
        return caller.has(self.role) and not (self.whole and caller.teams)


@dataclass(frozen=True)
class Found:
    """The rules of the routes that a request may reach, and methods that the path has."""

    rules: tuple[Rule, ...]
    methods: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether nobody needs to be known."""
        return bool(self.rules) and all(rule.role is None for rule in self.rules)

    @property
    def sends(self) -> bool:
        """Whether it is a door for senders."""
        return any(rule.role is Role.INGEST for rule in self.rules)

    def allows(self, caller: Caller) -> bool:
        """Whether every route that it may reach allows the caller; none does where there is none.

        Where templates overlap, the application chooses one of them: the strictest counts.
        """
        return bool(self.rules) and all(rule.allows(caller) for rule in self.rules)


class Rules:
    """The tables, found by method and path."""

    def __init__(
        self,
        rules: Mapping[tuple[str, str], Role],
        whole: frozenset[tuple[str, str]] = frozenset(),
        open_to_all: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        every = [Rule(*key, role=None) for key in sorted(open_to_all)]
        every += [Rule(*key, role=role, whole=key in whole) for key, role in rules.items()]
        self._plain: dict[str, list[Rule]] = {}
        self._shaped: list[tuple[re.Pattern[str], Rule]] = []
        for rule in every:
            if "{" in rule.path:
                self._shaped.append((compile_path(rule.path)[0], rule))
            else:
                self._plain.setdefault(rule.path, []).append(rule)

    def find(self, method: str, path: str) -> Found:
        """The rules for a request; HEAD is a GET without a body."""
        asked = "GET" if method == "HEAD" else method
        here = [*self._plain.get(path, ()), *(r for p, r in self._shaped if p.match(path))]
        methods = tuple(sorted({rule.method for rule in here}))
        return Found(tuple(r for r in here if r.method == asked), methods)


@cache
def rules() -> Rules:
    """The tables above."""
    return Rules(RULES, WHOLE, OPEN)
