"""People as a directory knows them: its groups as JSON or LDIF; a member's team is the group."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics import ldif
from analytics.ldif import Entry, Value
from analytics.lists import BadLines, check_plain
from gpuledger.batch import EPOCH
from gpuledger.catalogue import Person
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.schema import FOREVER

LDIF = (".ldif", ".ldf")
FORMS = (".json", *LDIF)
ONE_TEAM = "a person has one team: export only the groups that pay, or import a CSV of people"
USER = ("uid", "samaccountname")
FULL_NAME = ("displayname", "cn", "name")
# Active Directory gives groups and machines a sAMAccountName too.
NO_PERSON = {"group", "computer", "posixgroup", "groupofnames", "groupofuniquenames"}
MEMBERS = ("memberuid", "member", "uniquemember")
# Active Directory cuts a group at 1,500 members and says so in an option of the attribute.
CUT = re.compile(r"range=\d+-(\d+|\*)")
# RFC 4517: a name may carry an identifier that tells namesakes apart.
NAME_AND_BITS = re.compile(r"#'[01]*'B$")


def people(path: Path) -> list[Person]:
    """The people of an export, by user. ConfigError, BadLines where it says nothing certain."""
    found = _of_ldif(path) if path.suffix.lower() in LDIF else list(_of_json(path))
    for person in found:
        _check_plain(path, person)
    return sorted(found, key=lambda person: person.user)


def _check_plain(path: Path, person: Person) -> None:
    try:
        for name in ("user", "name", "mail", "team"):
            check_plain(name, person.__dict__[name])
    except ValueError as e:
        raise ConfigError(f"{path}: {e}") from None


def _of_json(path: Path) -> Iterator[Person]:
    """People of `{"group": ["user", …]}`, a list of groups, or the answer of a SCIM server."""
    try:
        told = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from None
    except RecursionError:
        raise ConfigError(f"{path}: neither groups with members nor a list of them") from None
    except ValueError as e:
        raise ConfigError(f"{path} is no JSON: {e}") from None
    team_of: dict[str, str] = {}
    for group, members in _groups(path, told):
        for user in members:
            if team_of.setdefault(user, group) != group:
                raise ConfigError(
                    f"{path}: {user} is in the groups {team_of[user]} and {group}; {ONE_TEAM}"
                )
    for user, team in team_of.items():
        yield _person(user, team)


def _person(user: str, team: str, name: str = "", mail: str = "") -> Person:
    return Person(
        user=user,
        name=name,
        mail=mail,
        team=team,
        valid_from=EPOCH,
        valid_to=FOREVER,
        version=0,
    )


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
        next((m[k] for k in ("userName", "username", "display") if m.get(k)), None)
        if isinstance(m, Mapping)
        else m
        for m in members
    ]
    if not all(isinstance(u, str) and u for u in users):
        raise ConfigError(f"{path}: group {name} has a member without a user name")
    return name, [u for u in users if isinstance(u, str)]


def _of_ldif(path: Path) -> list[Person]:
    """People of groups (memberUid, member, uniqueMember), with what their own entries tell."""
    entries = ldif.read(path)
    told = _Directory()
    for entry in entries:
        told.add(entry)
    for group in told.groups.values():
        told.join(group)
    if told.wrong:
        lines = [f"line {line}: {text}" for line, text in sorted(told.wrong.items())]
        raise BadLines(path, lines, len(entries), "entries")
    return told.people()


@dataclass
class _Directory:
    """The entries of an export by what they are, who is in which group, and what is wrong."""

    groups: dict[str, Entry] = field(default_factory=dict)
    persons: dict[str, Person] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    team_of: dict[str, str] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take an entry for what its attributes say: an export seldom has all its classes."""
        if entry.of(*MEMBERS):
            self.groups[ldif.same_name(entry.dn)] = entry
            return
        try:
            self._meet(entry)
        except ValueError as e:
            self.wrong[entry.line] = str(e)

    def _meet(self, entry: Entry) -> None:
        person = _somebody(entry)
        if person is None:
            return
        if person.user in self.persons:
            raise ValueError(f"{person.user} is also in line {self.lines[person.user]}")
        self.persons[person.user] = person
        self.lines[person.user] = entry.line
        self.users[ldif.same_name(entry.dn)] = person.user

    def join(self, group: Entry) -> None:
        """Give the members of a group its name as their team."""
        try:
            name = _name(group)
        except ValueError as e:
            self.wrong[group.line] = str(e)
            return
        for member in group.of(*MEMBERS):
            try:
                self._join(name, self._member(member))
            except ValueError as e:
                self.wrong[member.line] = f"group {name}: {e}"

    def _join(self, team: str, user: str) -> None:
        if user and self.team_of.setdefault(user, team) != team:
            raise ValueError(f"{user} is in the group {self.team_of[user]} too; {ONE_TEAM}")

    def _member(self, member: Value) -> str:
        """The user whom a group names; empty where its place is. ValueError: nobody can say."""
        dn = NAME_AND_BITS.sub("", member.text)
        if member.name == "memberuid" or not dn:
            return dn
        name = ldif.same_name(dn)
        if name in self.users:
            return self.users[name]
        if name in self.groups:
            raise ValueError(f"{dn} is a group: name its people in one group that pays")
        names = ldif.parts(dn)
        if names and (user := dict(names[0]).get("uid")):
            return user
        raise ValueError(f"who is {dn}? export the people's own entries too, with their uid")

    def people(self) -> list[Person]:
        """Everybody who is in a group or has an entry."""
        unseen = [_person(user, "") for user in self.team_of if user not in self.persons]
        everybody = [*self.persons.values(), *unseen]
        return [changed(p, team=self.team_of.get(p.user, "")) for p in everybody]


def _somebody(entry: Entry) -> Person | None:
    """The person of an entry; None for a machine, an empty group and all else. ValueError."""
    if NO_PERSON & {value.text.lower() for value in entry.of("objectclass")}:
        return None
    user = entry.text(*USER)
    return _person(user, "", entry.text(*FULL_NAME), entry.text("mail")) if user else None


def _name(group: Entry) -> str:
    """What a group is called. ValueError where it has no name, or not all of its members."""
    names = ldif.parts(group.dn)
    name = (dict(names[0]).get("cn") if names else "") or group.text("cn")
    if not name:
        raise ValueError("a group without a name (cn)")
    ranges = [cut[1] for v in group.of(*MEMBERS) if (cut := CUT.fullmatch(v.options))]
    if ranges and "*" not in ranges:
        last = max(map(int, ranges)) + 1
        raise ValueError(f"group {name} was cut at {last} members: export it in ranges")
    return name
