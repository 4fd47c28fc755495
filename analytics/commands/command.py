"""A command as people get it: lines for a shell, lines that take it back, and what to know.

What to know stands above the lines as comments, so that whoever copies one has the other too.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")

# Control and format characters, halves of pairs: a terminal obeys or hides them, so that what is
# read is not what runs. A line break within quotes is harmless, and seen.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
SEEN = "\n\t"


@dataclass(frozen=True)
class Command:
    """Lines to run and lines to take them back, with what to know of both.

    Each line runs only if those before it went well, and a shell reads all of them before it runs
    the first: pasted as a whole, a question among them is answered by the person, not by the paste.
    """

    do: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    note: str = ""
    undo_note: str = ""

    @property
    def text(self) -> str:
        """Comments, then the lines as one list of a shell; without any line, why there is none."""
        if not self.do:
            return comment(f"no command: {self.note}" if self.note else "")
        return _listed(self.note, self.do)

    @property
    def undo_text(self) -> str:
        """What takes it back; empty where nothing does."""
        return _listed(self.undo_note, self.undo) if self.undo else ""


def _listed(note: str, lines: Sequence[str]) -> str:
    return "\n".join(filter(None, (comment(note), " &&\n".join(lines))))


class Unspeakable(Exception):
    """A name that no command may carry; our own, and never leaves this package."""


def nothing(note: str) -> Command:
    """No command, and why."""
    return Command(note=note)


def comment(text: str) -> str:
    """The text as comments of a shell, none of which a name can leave; empty for an empty one."""
    return "\n".join(f"# {_plain(told)}" for told in text.splitlines())


def named(name: str) -> str:
    """A name within a note: one line, and quoted for shells that know no comments."""
    return shlex.quote(_plain(name))


def _plain(text: str) -> str:
    return "".join(" " if unicodedata.category(char) in HIDDEN else char for char in text)


def line(*words: str) -> str:
    """A program with its arguments, quoted for any POSIX shell. Unspeakable."""
    return " ".join(shlex.quote(speakable(word)) for word in words)


def speakable(word: str) -> str:
    """The word, unless a terminal would obey or hide a part of it: Unspeakable."""
    for char in word:
        if char not in SEEN and unicodedata.category(char) in HIDDEN:
            raise Unspeakable(f"a name holds the character U+{ord(char):04X}: no command is safe")
    return word


def spoken(build: Callable[P, Command]) -> Callable[P, Command]:
    """The builder, which gives a note in place of commands with names that none may carry."""

    @wraps(build)
    def built(*args: P.args, **kwargs: P.kwargs) -> Command:
        try:
            return build(*args, **kwargs)
        except Unspeakable as e:
            return nothing(str(e))

    return built
