"""Comments above commands are told once."""

from __future__ import annotations

from gpuledger.cli.notes import once, undo

LINES = "# batch jobs alone\nscontrol requeue 2"


def test_a_comment_stands_where_it_comes_first() -> None:
    told: set[str] = set()
    assert once(LINES, told) == LINES
    assert once(LINES, told) == "scontrol requeue 2"


def test_why_there_is_no_command_is_told_each_time() -> None:
    told: set[str] = set()
    why = "# no command: no scheduler is known\n# at all"
    assert once(why, told) == once(why, told) == why


def test_a_name_that_looks_like_a_comment_stays_in_its_command() -> None:
    line = "scancel 'a\n# batch jobs alone'"
    assert once(line, {"# batch jobs alone"}) == line


def test_what_to_know_of_an_undo_is_told_once_beside_it() -> None:
    told: set[str] = set()
    assert undo(LINES, told) == "undo (batch jobs alone): scontrol requeue 2"
    assert undo(LINES, told) == "undo: scontrol requeue 2"
    assert undo("", told) == ""
