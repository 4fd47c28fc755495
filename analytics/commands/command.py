"""A command as people get it: lines for a shell, lines that take it back, and what to know."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Callable
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
    """Lines to run, each only if those before it went well; lines to take them back; a note."""

    do: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    note: str = ""

    @property
    def text(self) -> str:
        """The lines as one list of a shell; empty where there are none."""
        return " &&\n".join(self.do)

    @property
    def undo_text(self) -> str:
        """The same of what takes it back."""
        return " &&\n".join(self.undo)


class Unspeakable(Exception):
    """A name that no command may carry; our own, and never leaves this package."""


def nothing(note: str) -> Command:
    """No command, and why."""
    return Command(note=note)


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
