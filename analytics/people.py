"""People, teams, services and exemptions: from lists and directories into their tables, in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from analytics import directory, lists
from analytics.lists import Merge, Taken
from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import Person, Service, Team
from gpuledger.contacts import is_address
from gpuledger.errors import ConfigError, nearest
from gpuledger.rows import changed
from gpuledger.schema import FOREVER, Row
from gpuledger.service import Reader
from gpuledger.store import Store

MOST_REPLICAS = 1_000_000
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
    """Take a list of people, or a directory's groups (JSON, LDIF): a member's team is the group."""
    stored = [Person(**r) for r in store.select("SELECT * FROM v_people")]
    if path.suffix.lower() in directory.FORMS:
        people = _filled(directory.people(path), stored)
    else:
        people = lists.read(path, PersonLine, _person)
        _once(path, people, ("user", "valid_from"))
    merge: Merge[Person] = Merge(("user",), now)
    return _write(store, people, merge.rows(stored, people, complete=complete), now)


def _filled(people: Sequence[Person], stored: Sequence[Person]) -> list[Person]:
    """What an export leaves open, as it was known: groups have no mail, people alone no team."""
    held = {p.user: p for p in stored if p.valid_to >= FOREVER}
    grouped = any(p.team for p in people)

    def full(person: Person) -> Person:
        if (known := held.get(person.user)) is None:
            return person
        team = person.team if grouped else known.team
        name, mail = person.name or known.name, person.mail or known.mail
        return changed(person, name=name, mail=mail, team=team)

    return [full(p) for p in people]


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
    """Write services; one row holds for each, the latest that was said.

    ConfigError where one cannot be; a note for a cluster of which no GPU is known.
    """
    for service in services:
        _check(service)
    stored = {
        (r["cluster"], r["service"]): Service(**r) for r in store.select("SELECT * FROM v_services")
    }
    rows = [r for s in services for r in _declared(s, stored.get((s.cluster, s.service)))]
    return replace(_write(store, services, rows, now), notes=tuple(_strange(store, services)))


def _check(service: Service) -> None:
    for name in ("cluster", "service", "jobs"):
        told = str(service.__dict__[name])
        if not told.strip():
            raise ConfigError(f"service '{service.service}': {name} must not be empty")
        try:
            lists.check_plain(name, told)
        except ValueError as e:
            raise ConfigError(str(e)) from None
    if not 0 <= service.least_replicas <= MOST_REPLICAS:
        raise ConfigError(
            f"service '{service.service}': least_replicas {service.least_replicas} is not"
            f" 0 to {MOST_REPLICAS:,}"
        )


def _strange(store: Reader, services: Sequence[Service]) -> Iterator[str]:
    """A word on each cluster that nobody has seen: most often it is misspelled."""
    known = {r["cluster"] for r in store.select("SELECT DISTINCT cluster FROM v_assets")}
    for cluster in sorted({s.cluster for s in services} - known):
        yield f"no GPU of a cluster '{cluster}' is known{nearest(cluster, known)}"


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


def _write(store: Store, told: Sequence[Row], rows: Sequence[Row], now: datetime) -> Taken:
    if rows:
        store.insert_rows(lists.stamped(rows, to_milliseconds(now)))
    return Taken(len(told), len(rows))


def _person(line: PersonLine) -> Iterable[Person]:
    since, until = lists.spanned(line.valid_from, line.valid_to)
    _check_mail(line.mail)
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
    _check_mail(line.mail)
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


def _check_mail(text: str) -> None:
    """ValueError where it is told and is no mail address: nobody would ever hear why."""
    if text and not is_address(text):
        raise ValueError(f"mail: '{text}' is no mail address")


def _service(line: ServiceLine) -> Iterable[Service]:
    if not 0 <= line.least_replicas <= MOST_REPLICAS:
        raise ValueError(f"least_replicas {line.least_replicas} is not 0 to {MOST_REPLICAS:,}")
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
