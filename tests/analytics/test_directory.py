"""A directory's export: groups are teams, their members people, with what their entries tell."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics import directory, people
from analytics.lists import BadLines
from gpuledger.catalogue import Person
from gpuledger.errors import ConfigError
from gpuledger.store import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
POSIX = """
dn: cn=vision,ou=Groups,dc=x
objectClass: posixGroup
cn: vision
gidNumber: 500
memberUid: ana
memberUid: ben

dn: cn=empty,ou=Groups,dc=x
objectClass: posixGroup
cn: empty
"""
NAMES = """
dn: cn=vision,ou=Groups,dc=x
objectClass: groupOfNames
cn: vision
member: uid=ana,ou=People,dc=x
member: UID=Ben, OU=people, DC=x

dn: cn=nlp,ou=Groups,dc=x
uniqueMember: uid=cid,ou=People,dc=x#'0101'B
uniqueMember:

dn: uid=ben,ou=People,dc=x
objectClass: inetOrgPerson
uid: ben
cn: Ben Ode
mail: ben@x.org

dn: uid=eve,ou=People,dc=x
uid: eve
"""
ACTIVE = r"""
dn: CN=Müller\, Anna,OU=Staff,DC=corp
changetype: add
objectClass: user
cn: Müller, Anna
sAMAccountName: amueller
displayName: Anna Müller
mail: anna@corp

dn: CN=gpu01,OU=Machines,DC=corp
objectClass: user
objectClass: computer
sAMAccountName: gpu01$

dn: CN=vision,OU=Groups,DC=corp
objectClass: group
sAMAccountName: vision
member;range=0-0: CN=M\C3\BCller\, Anna,OU=Staff,DC=corp
member;range=1-*: uid=ben,DC=corp
"""


def export(folder: Path, text: str, name: str = "groups.ldif") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def told(path: Path) -> dict[str, tuple[str, str, str]]:
    return {p.user: (p.team, p.name, p.mail) for p in directory.people(path)}


def test_members_of_posix_groups_have_them_as_teams(tmp_path: Path) -> None:
    assert told(export(tmp_path, POSIX)) == {"ana": ("vision", "", ""), "ben": ("vision", "", "")}


def test_members_by_distinguished_name_meet_their_own_entries(tmp_path: Path) -> None:
    assert told(export(tmp_path, NAMES)) == {
        "ana": ("vision", "", ""),
        "ben": ("vision", "Ben Ode", "ben@x.org"),
        "cid": ("nlp", "", ""),
        "eve": ("", "", ""),
    }


def test_an_active_directory_names_users_by_their_accounts(tmp_path: Path) -> None:
    assert told(export(tmp_path, ACTIVE)) == {
        "amueller": ("vision", "Anna Müller", "anna@corp"),
        "ben": ("vision", "", ""),
    }


def test_names_in_base64_are_names(tmp_path: Path) -> None:
    name = base64.b64encode("Änne Çelik".encode()).decode()
    text = f"dn: uid=a,dc=x\r\nuid: a\r\ncn:: {name[:6]}\r\n {name[6:]}\r\n"
    assert told(export(tmp_path, text))["a"] == ("", "Änne Çelik", "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "dn: cn=a,dc=x\nmemberUid: ana\n\ndn: cn=b,dc=x\nmemberUid: ana\n",
            "line 5: group b: ana is in the group a too; a person has one team",
        ),
        ("dn: cn=a,dc=x\nmember: cn=Anna,dc=x\n", "line 2: group a: who is cn=Anna,dc=x?"),
        ("dn: cn=a,dc=x\nmember: ,\n", "line 2: group a: who is ,?"),
        (
            "dn: cn=a,dc=x\nmember: cn=b,dc=x\n\ndn: cn=b,dc=x\nmember: uid=c\n",
            "line 2: group a: cn=b,dc=x is a group",
        ),
        ("dn: ou=a\nmemberUid: ana\n", "line 1: a group without a name"),
        ("dn: cn=a\nmember;range=0-1499: uid=b\n", "line 1: group a was cut at 1500 members"),
        ("dn: uid=a,dc=x\nuid: a\n\ndn: uid=a,dc=y\nuid: a\n", "line 4: a is also in line 1"),
        ("dn: cn=a\nmemberUid:< file:///etc/passwd\n", "line 2: group a: memberuid is in another"),
        ("dn: uid=a\nuid:: /w==\n", "line 1: uid is not UTF-8"),
    ],
)
def test_what_is_not_certain_is_refused_by_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadLines) as caught:
        directory.people(export(tmp_path, text))
    [line] = caught.value.lines
    assert line.startswith(complaint)


def test_a_file_with_a_byte_order_mark_is_json(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text('{"vision": ["ana"]}', encoding="utf-8-sig")
    assert told(path) == {"ana": ("vision", "", "")}


def test_json_without_an_end_of_brackets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither groups"):
        directory.people(export(tmp_path, "[" * 200_000 + "]" * 200_000, "groups.json"))


def test_an_export_is_taken_once_and_ends_what_it_contradicts(store: Store, tmp_path: Path) -> None:
    path = export(tmp_path, POSIX)
    assert people.import_people(store, path, NOW).written == 2
    assert people.import_people(store, path, NOW).written == 0
    moved = POSIX.replace("memberUid: ben\n", "").replace("cn: empty\n", "memberUid: ben\n")
    people.import_people(store, export(tmp_path, moved), NOW)
    assert teams_of(store) == {"ana": "vision", "ben": "empty"}


def test_groups_leave_the_names_that_are_known(store: Store, tmp_path: Path) -> None:
    listed = export(tmp_path, "user,name,mail,team\nana,Ana,ana@x.org,nlp\n", "people.csv")
    people.import_people(store, listed, NOW)
    people.import_people(store, export(tmp_path, POSIX), NOW)
    held = "SELECT name, mail, team FROM v_people WHERE user = 'ana' AND valid_to > now64(3)"
    [ana] = store.select(held)
    assert ana == {"name": "Ana", "mail": "ana@x.org", "team": "vision"}


def test_people_without_groups_leave_the_teams_that_are_known(store: Store, tmp_path: Path) -> None:
    people.import_people(store, export(tmp_path, POSIX), NOW)
    alone = "dn: uid=ana,dc=x\nuid: ana\ncn: Ana\n"
    people.import_people(store, export(tmp_path, alone), NOW)
    assert teams_of(store) == {"ana": "vision", "ben": "vision"}


def test_nothing_of_a_refused_export_is_written(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadLines):
        people.import_people(store, export(tmp_path, f"{POSIX}\ndn: ou=a\nmemberUid: z\n"), NOW)
    assert store.value("SELECT count() FROM people") == 0


def teams_of(store: Store) -> dict[str, str]:
    rows = [Person(**r) for r in store.select("SELECT * FROM v_people WHERE valid_to > now64(3)")]
    return {p.user: p.team for p in rows}
