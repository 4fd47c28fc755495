"""LDIF: unfolded, decoded, with the line of every value; what is none is refused by line."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import ldif
from gpuledger.errors import ConfigError


def entries(folder: Path, raw: bytes | str) -> list[ldif.Entry]:
    path = folder / "export.ldif"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return ldif.read(path)


def test_a_folded_line_is_one_value_and_later_lines_keep_their_numbers(tmp_path: Path) -> None:
    [entry] = entries(tmp_path, "version: 1\n\ndn: cn=a,dc=x\nmail: an\n a@x.\n org\nuid: ana\n")
    assert entry.text("mail") == "ana@x.org"
    assert [(v.name, v.line) for v in entry.values] == [("mail", 4), ("uid", 7)]


def test_base64_is_decoded(tmp_path: Path) -> None:
    told = base64.b64encode("Änne Müller".encode()).decode()
    [entry] = entries(tmp_path, f"dn:: {base64.b64encode(b'cn=a,dc=x').decode()}\ncn:: {told}\n")
    assert (entry.dn, entry.text("cn")) == ("cn=a,dc=x", "Änne Müller")


@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_other_systems_write_is_read_alike(tmp_path: Path, form: str, end: str) -> None:
    told = "dn: cn=a,dc=x\ncn: Änne\n Müller\n\ndn: cn=b,dc=x\ncn: b\n"
    found = entries(tmp_path, told.replace("\n", end).encode(form))
    assert [e.text("cn") for e in found] == ["ÄnneMüller", "b"]


def test_comments_and_what_a_search_says_of_itself_are_left_out(tmp_path: Path) -> None:
    told = (
        "# base\n  <dc=x>\ndn: cn=a,dc=x\n# why\n folded\ncn: a\n\nsearch: 2\nresult: 0 Success\n"
    )
    assert [(e.dn, len(e.values)) for e in entries(tmp_path, told)] == [("cn=a,dc=x", 1)]


def test_names_of_attributes_are_alike_in_any_case_and_with_options(tmp_path: Path) -> None:
    [entry] = entries(tmp_path, "dn: cn=a\nmemberUid: ana\nMEMBERUID;lang-de: ben\n")
    assert [v.text for v in entry.of("memberuid")] == ["ana", "ben"]


def test_nothing_is_fetched_for_a_value_that_is_elsewhere(tmp_path: Path) -> None:
    [entry] = entries(tmp_path, "dn: cn=a\ncn:< file:///etc/passwd\n")
    with pytest.raises(ValueError, match="in another file"):
        entry.text("cn")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        (b"", "has no entry"),
        (b"# nothing\n", "has no entry"),
        (b"user,team\nana,x\n", "line 1: no 'name: value'"),
        (b"dn: cn=a\n\ncn: b\n", "line 3: an entry begins with 'dn:', not with 'cn:'"),
        (b"dn: cn=a\nuid:: *no*\n", "line 2: uid is no base64"),
        (b"dn: cn=a\nchangetype: delete\n", "line 2: this is a list of changes"),
        (b"dn: cn=a\nuid: a\n\nresult: 4 Size limit exceeded\n", "line 4: the search ended early"),
        (b"dn: cn=\xff\n", "line 1: dn is not UTF-8"),
        (b"\xff\xfed", "is no LDIF"),
    ],
)
def test_what_is_no_whole_ldif_is_refused(tmp_path: Path, told: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=f"export.ldif.* ?{complaint}"):
        entries(tmp_path, told)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.ldif: No such file"):
        ldif.read(tmp_path / "none.ldif")


@pytest.mark.parametrize(
    ("dn", "first"),
    [
        ("uid=ana,dc=x", ("uid", "ana")),
        (r"CN=M\C3\BCller\, Anna,OU=x", ("cn", "Müller, Anna")),
        (r"cn=a\\,dc=x", ("cn", "a\\")),
        (" uid = ana , dc=x", ("uid", "ana")),
    ],
)
def test_a_distinguished_name_says_what_it_hides(dn: str, first: tuple[str, str]) -> None:
    assert ldif.parts(dn)[0][0] == first


def test_names_that_mean_the_same_are_the_same() -> None:
    one, other = r"cn=M\C3\BCller+uid=A, DC=x", "UID=a+CN=müller,dc=X"
    assert ldif.same_name(one) == ldif.same_name(other)
    assert ldif.same_name(r"cn=a\,b") != ldif.same_name("cn=a,b")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_name_that_is_escaped_is_found_again(name: str) -> None:
    escaped = "".join(f"\\{byte:02x}" for byte in name.encode())
    assert ldif.parts(f"uid={escaped},dc=x") == [[("uid", name)], [("dc", "x")]]


@given(st.binary(max_size=80))
def test_any_bytes_are_entries_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    assert "\n" not in said(tmp_path_factory.getbasetemp(), b"dn: cn=a\n" + raw)


def said(folder: Path, raw: bytes) -> str:
    """The complaint about a file; empty where there is none."""
    try:
        entries(folder, raw)
    except ConfigError as e:
        return str(e)
    return ""
