"""People, teams, services and exemptions: from lists and directories into their tables, in time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from analytics import lists
from analytics.lists import Merge, Taken
from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import Person, Service, Team
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.schema import FOREVER, Row
from gpuledger.service import Reader
from gpuledger.store import Store

TEAM_KINDS = ("account", "namespace", "project", "mail")


class PersonLine(msgspec.Struct, kw_only=True):
    """A line of a list of people."""

    user: str
    name: str = ""
    mail: str = ""
    team: str = ""
    valid_from: str = ""
    valid_to: str = ""


class TeamLine(msgspec.Struct, kw_only=True):
    """A line of a list of teams."""

    kind: str
    name: str
    team: str
    lead: str = ""
    mail: str = ""
    department: str = ""
    valid_from: str = ""
    valid_to: str = ""


class ServiceLine(msgspec.Struct, kw_only=True):
    """A line of a list of inference services."""

    cluster: str
    service: str
    jobs: str
    team: str = ""
    least_replicas: int = 1
    valid_from: str = ""
    valid_to: str = ""


def import_people(store: Store, path: Path, now: datetime, *, complete: bool = False) -> Taken:
    """Take a list of people, or a directory's groups (JSON): a member's team is the group."""
    if path.suffix.lower() == ".json":
        return _merge_people(store, list(_members(path)), now, complete=complete)
    people = lists.read(path, PersonLine, _person)
    _once(path, people, ("user", "valid_from"))
    return _merge_people(store, people, now, complete=complete)


def import_teams(store: Store, path: Path, now: datetime, *, complete: bool = False) -> Taken:
    """Take a list of teams: to whom accounts, namespaces, projects and mail domains belong."""
    teams = lists.read(path, TeamLine, _team)
    _once(path, teams, ("kind", "name", "valid_from"))
    stored = [Team(**r) for r in store.select("SELECT * FROM v_teams")]
    merge: Merge[Team] = Merge(("kind", "name"), now)
    return _write(store, teams, merge.rows(stored, teams, complete=complete), now)


def import_services(store: Store, path: Path, now: datetime) -> Taken:
    """Take a list of inference services."""
    services = lists.read(path, ServiceLine, _service)
    _once(path, services, ("cluster", "service"))
    return declare(store, services, now)


def declare(store: Store, services: Sequence[Service], now: datetime) -> Taken:
    """Write services; one row holds for each, the latest that was said."""
    stored = {
        (r["cluster"], r["service"]): Service(**r) for r in store.select("SELECT * FROM v_services")
    }
    rows = [r for s in services for r in _declared(s, stored.get((s.cluster, s.service)))]
    return _write(store, services, rows, now)


def _declared(service: Service, before: Service | None) -> list[Service]:
    """The service, from when it began; nothing where that is known."""
    if before and service.valid_from == EPOCH:
        service = changed(service, valid_from=before.valid_from)
    return [] if before and lists.same(service, before) else [service]


def unmapped(reader: Reader, limit: int = 20) -> list[dict[str, Any]]:
    """Users whose GPU-hours nobody pays for, most first."""
    return reader.select(
        "SELECT cluster, user, sum(gpu_seconds) / 3600 AS gpu_hours FROM v_book_1h"
        " WHERE team = 'unmapped' GROUP BY cluster, user"
        " ORDER BY gpu_hours DESC, user LIMIT {limit:UInt32}",
        limit=limit,
    )


def _merge_people(
    store: Store, people: Sequence[Person], now: datetime, *, complete: bool
) -> Taken:
    stored = [Person(**r) for r in store.select("SELECT * FROM v_people")]
    merge: Merge[Person] = Merge(("user",), now)
    return _write(store, people, merge.rows(stored, people, complete=complete), now)


def _write(store: Store, told: Sequence[Row], rows: Sequence[Row], now: datetime) -> Taken:
    if rows:
        store.insert_rows(lists.stamped(rows, to_milliseconds(now)))
    return Taken(len(told), len(rows))


def _person(line: PersonLine) -> Iterable[Person]:
    since, until = lists.spanned(line.valid_from, line.valid_to)
    yield Person(
        user=line.user,
        name=line.name,
        mail=line.mail,
        team=line.team,
        valid_from=since or EPOCH,
        valid_to=until,
        version=0,
    )


def _team(line: TeamLine) -> Iterable[Team]:
    if line.kind not in TEAM_KINDS:
        raise ValueError(f"kind '{line.kind}' is none of {', '.join(TEAM_KINDS)}")
    since, until = lists.spanned(line.valid_from, line.valid_to)
    yield Team(
        kind=line.kind,
        name=line.name,
        team=line.team,
        lead=line.lead,
        mail=line.mail,
        department=line.department,
        valid_from=since or EPOCH,
        valid_to=until,
        version=0,
    )


def _service(line: ServiceLine) -> Iterable[Service]:
    if line.least_replicas < 0:
        raise ValueError(f"least_replicas {line.least_replicas} is below 0")
    since, until = lists.spanned(line.valid_from, line.valid_to)
    yield Service(
        cluster=line.cluster,
        service=line.service,
        team=line.team,
        jobs=line.jobs,
        least_replicas=line.least_replicas,
        valid_from=since or EPOCH,
        valid_to=until,
        version=0,
    )


def _once(path: Path, rows: Sequence[Row], key: tuple[str, ...]) -> None:
    """Refuse a list that says two things of one key and time."""
    seen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        of = tuple(row.__dict__[name] for name in key)
        if seen.setdefault(of, row) != row:
            named = " ".join(str(v) for v in of if v != EPOCH)
            raise ConfigError(f"{path}: two lines say different things of {named}")


def _members(path: Path) -> Iterator[Person]:
    """People of a directory's groups: `{"group": ["user", …]}`, a list of groups, or SCIM."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from None
    except ValueError as e:
        raise ConfigError(f"{path} is no JSON: {e}") from None
    team_of: dict[str, str] = {}
    for group, members in _groups(path, told):
        for user in members:
            if team_of.setdefault(user, group) != group:
                raise ConfigError(
                    f"{path}: {user} is in the groups {team_of[user]} and {group}; a person has"
                    " one team: export only the groups that pay, or import a CSV of people"
                )
    for user, team in sorted(team_of.items()):
        yield Person(user=user, team=team, valid_from=EPOCH, valid_to=FOREVER, version=0)


def _groups(path: Path, told: Any) -> Iterator[tuple[str, list[str]]]:
    if isinstance(told, Mapping):
        inner = told.get("Resources", told.get("groups"))
        if inner is None:
            inner = [{"name": name, "members": members} for name, members in told.items()]
        told = inner
    if not isinstance(told, list):
        raise ConfigError(f"{path}: neither groups with members nor a list of them")
    for i, group in enumerate(told, 1):
        yield _group(path, i, group)


def _group(path: Path, i: int, group: Any) -> tuple[str, list[str]]:
    """Name and members of one group; SCIM names members by `display`, LDAP by `memberUid`."""
    wrong = ConfigError(f"{path}: group {i} has no name or no list of members")
    if not isinstance(group, Mapping):
        raise wrong
    name = next((group[k] for k in ("name", "displayName", "cn") if group.get(k)), None)
    members = next((group[k] for k in ("members", "memberUid") if k in group), None)
    if not isinstance(name, str) or not isinstance(members, list):
        raise wrong
    users = [
        next((m[k] for k in ("display", "userName", "username") if m.get(k)), None)
        if isinstance(m, Mapping)
        else m
        for m in members
    ]
    if not all(isinstance(u, str) and u for u in users):
        raise ConfigError(f"{path}: group {name} has a member without a user name")
    return name, [u for u in users if isinstance(u, str)]
