"""Lists that people keep: read whole or not at all, and merged so that the past stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import lists
from analytics.lists import BadLines, Merge
from analytics.people import PersonLine
from gpuledger.batch import EPOCH
from gpuledger.catalogue import Person
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def person(line: PersonLine) -> Iterator[str]:
    if line.team == "bad":
        raise ValueError("such a team there is not")
    yield line.user


def read(folder: Path, text: str) -> list[str]:
    path = folder / "list.csv"
    path.write_text(text)
    return lists.read(path, PersonLine, person)


def test_columns_may_stand_in_any_order_and_cells_may_be_empty(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffTeam,user\n,ana\nx,ben\n\n# no line\n") == ["ana", "ben"]


def test_every_bad_line_is_told_and_nothing_is_taken(tmp_path: Path) -> None:
    with pytest.raises(BadLines) as caught:
        read(tmp_path, "user,team\nana,x\n,y\nben\ncid,bad\n")
    assert caught.value.lines == (
        "line 3: user: nothing is said",
        "line 4: 1 cells, not 2",
        "line 5: such a team there is not",
    )
    assert "3 of 4 lines cannot be used; nothing was imported" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("usr,team\n", "unknown column 'usr'; did you mean 'user'"),
        ("team\nx\n", "lacks the column user"),
        ("user,team,user\na,x,b\n", "has the column user twice"),
        ('user,team\n"ana,x\n', "no CSV"),
    ],
)
def test_a_file_that_is_no_such_list_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read(tmp_path, text)


def test_a_date_without_a_zone_is_utc() -> None:
    assert lists.moment("2026-11-16", NOW) == datetime(2026, 11, 16, tzinfo=UTC)
    assert lists.moment("2026-11-16T01:30:59+01:00", NOW) == datetime(
        2026, 11, 16, 0, 30, tzinfo=UTC
    )
    assert lists.moment("", NOW) == NOW


# --- merging --------------------------------------------------------------------------------------


def row(team: str, since: datetime = EPOCH, until: datetime = FOREVER, user: str = "ana") -> Person:
    return Person(user=user, team=team, valid_from=since, valid_to=until, version=0)


def merged(stored: list[Person], wanted: list[Person], at: datetime = NOW) -> list[Person]:
    """What is stored after a merge: a row replaces the one of the same user and beginning."""
    rows = {(r.user, r.valid_from): r for r in stored}
    merge: Merge[Person] = Merge(("user",), at)
    rows.update({(r.user, r.valid_from): r for r in merge.rows(stored, wanted)})
    return list(rows.values())


def test_the_first_word_holds_for_the_past() -> None:
    assert merged([], [row("x")]) == [row("x")]


def test_news_end_the_old_word_now() -> None:
    assert merged([row("x")], [row("y")]) == [row("x", until=NOW), row("y", since=NOW)]


def test_a_date_ends_the_old_word_there() -> None:
    soon = NOW + timedelta(days=3)
    assert merged([row("x")], [row("y", since=soon)]) == [
        row("x", until=soon),
        row("y", since=soon),
    ]


def test_a_complete_list_ends_what_it_does_not_name() -> None:
    merge: Merge[Person] = Merge(("user",), NOW)
    stored = [row("x"), row("x", user="ben")]
    assert merge.rows(stored, [row("x")], complete=True) == [row("x", until=NOW, user="ben")]


words = st.lists(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")),
        max_size=2,
        unique_by=lambda w: w[0],
    ),
    max_size=5,
)


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(words)
def test_at_any_time_one_word_holds_at_most_and_the_last_one_holds_now(
    imports: list[list[tuple[str, str]]],
) -> None:
    stored: list[Person] = []
    said: dict[str, str] = {}
    for i, told in enumerate(imports):
        at = NOW + timedelta(hours=i)
        wanted = [row(team, user=user) for user, team in told]
        stored = merged(stored, wanted, at)
        assert merged(stored, wanted, at + timedelta(minutes=5)) == stored
        said.update(dict(told))
    for user, team in said.items():
        own = sorted((r for r in stored if r.user == user), key=lambda r: r.valid_from)
        assert [r.valid_to for r in own] == [*(r.valid_from for r in own[1:]), FOREVER]
        assert own[0].valid_from == EPOCH
        assert own[-1].team == team


@pytest.mark.parametrize("user", ["eve\nadam", "a\x00b", "a\u2028b"])
def test_a_name_with_a_line_end_or_a_control_character_is_refused(
    tmp_path: Path, user: str
) -> None:
    with pytest.raises(BadLines) as caught:
        read(tmp_path, f'user,team\n"{user}",x\n')
    [line] = caught.value.lines
    assert "has a line end or another control character" in line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("9999-12-31", FOREVER),
        ("1950-01-01", EPOCH),
        ("2026-11-16T08:00+01:00", datetime(2026, 11, 16, 7, tzinfo=UTC)),
    ],
)
def test_a_date_beyond_all_time_is_its_end_or_beginning(text: str, at: datetime) -> None:
    assert lists.moment(text, NOW) == at


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "0001-01-01T00:00+14:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no date; write"):
        lists.moment(text, NOW)


def test_a_complete_list_that_names_nothing_ends_nothing() -> None:
    """Regression: a file with nothing but its header ended everybody."""
    stored = [Person(user="ana", valid_from=EPOCH, version=1)]
    with pytest.raises(ConfigError, match="names nothing"):
        Merge[Person](("user",), NOW).rows(stored, [], complete=True)
