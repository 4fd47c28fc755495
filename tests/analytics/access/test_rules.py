"""Every role at every route of both applications, and no route without a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from analytics.access.caller import Caller, Role
from analytics.access.rules import OPEN, RULES, WHOLE, Rules, rules
from analytics.app import create_app, create_relay_app
from analytics.service import Keeper, Service

NOBODY: Any = None
TEAM = ("research",)
# The least role opens the door, and so does each higher one; ingest tokens open theirs alone.
PASS = {
    Role.INGEST: {Role.INGEST, Role.ADMIN},
    Role.VIEWER: {Role.VIEWER, Role.TEAM_OWNER, Role.OPERATOR, Role.ADMIN},
    Role.TEAM_OWNER: {Role.TEAM_OWNER, Role.OPERATOR, Role.ADMIN},
    Role.OPERATOR: {Role.OPERATOR, Role.ADMIN},
    Role.ADMIN: {Role.ADMIN},
}


def routes(entries: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Method and path template of every route, those of routers inside routers too."""
    for entry in entries:
        included = getattr(entry, "original_router", None)
        if included:
            yield from routes(included.routes)
            continue
        for method in sorted(entry.methods):
            if method != "HEAD" or "GET" not in entry.methods:
                yield method, entry.path


def every_route() -> set[tuple[str, str]]:
    """Those of the service and of the relay."""
    service = Service(store=NOBODY, reader=NOBODY, runner=NOBODY, token="t")
    relay = create_relay_app(NOBODY, Keeper("t"))
    return {*routes(create_app(service).routes), *routes(relay.routes)}


def caller(role: Role) -> Caller:
    return Caller("somebody", role, teams=TEAM if role is Role.TEAM_OWNER else ())


def test_every_route_has_a_rule() -> None:
    assert every_route() - set(RULES) - OPEN == set(), "add them to RULES in access/rules.py"


def test_every_rule_has_a_route() -> None:
    assert (set(RULES) | WHOLE | OPEN) - every_route() - {("POST", "/login")} == set()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("route", sorted(RULES), ids=" ".join)
def test_each_role_passes_where_its_rank_is_enough(route: tuple[str, str], role: Role) -> None:
    method, path = route
    found = rules().find(method, path.replace("{table}", "gpu_samples"))
    shut = route in WHOLE and role is Role.TEAM_OWNER
    assert found.allows(caller(role)) is (role in PASS[RULES[route]] and not shut)


def test_a_route_without_a_rule_lets_nobody_pass() -> None:
    found = Rules({}).find("GET", "/v1/new")
    assert not found.is_open
    assert not any(found.allows(caller(role)) for role in Role)


def test_where_two_templates_fit_the_strictest_counts() -> None:
    table = Rules({("GET", "/a/{b}"): Role.ADMIN, ("GET", "/a/c"): Role.VIEWER})
    assert not table.find("GET", "/a/c").allows(caller(Role.VIEWER))
    assert table.find("GET", "/a/c").allows(caller(Role.ADMIN))


def test_what_is_open_beside_a_guarded_template_is_guarded() -> None:
    table = Rules({("GET", "/{page}"): Role.ADMIN}, open_to_all=frozenset({("GET", "/login")}))
    assert not table.find("GET", "/login").is_open
