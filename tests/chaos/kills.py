"""Lives of a victim, each ended by kill -9 at a moment that is aimed at or left to chance."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.chaos.victim import Marks
from tests.components.process import Child

REPOSITORY = Path(__file__).parents[2]
LIVES_OF_A_DIRECTORY = 10
READY_S, POLL_S = 120.0, 0.0005
DEEP = 0.15  # s into what is aimed at


class Aim(StrEnum):
    """When the kill comes."""

    SCHEMA = "schema apply"
    ACKNOWLEDGED = "acknowledged, not stored"
    INSERT = "insert"
    MERGE = "merge"
    RANDOM = "any time"


# Of ten lives. The first of a directory dies while its tables are made.
AIMS = (
    *(Aim.INSERT, Aim.MERGE, Aim.ACKNOWLEDGED) * 2,
    *(Aim.MERGE, Aim.SCHEMA, Aim.RANDOM),
)


@dataclass(frozen=True)
class Kill:
    """One kill: what it was aimed at, and what it met, as the files tell that were left.

    `waiting` rows were acknowledged and in no block yet, `composed` ones in a block whose insert
    was not over; `merging` are the directories of merges that never came to their end.
    """

    aim: Aim
    schema: bool
    waiting: int
    composed: int
    inserting: int
    merging: int

    @property
    def counts(self) -> bool:
        """Whether it fell between acknowledgement and insert, or inside a merge."""
        return self.waiting > 0 or self.merging > 0


@dataclass
class Directory:
    """A store and a journal that live on from life to life."""

    path: Path
    chance: random.Random
    kills: list[Kill] = field(default_factory=list)

    def kill(self, aim: Aim) -> None:
        """Start a life, end it, and look at what it left."""
        self.path.mkdir(parents=True, exist_ok=True)
        marks = Marks(self.path / "marks")
        marks.clear()
        before = self._unmerged()
        child = self._child()
        child.start()
        try:
            _wait(child, marks, "schema" if aim is Aim.SCHEMA else "load")
            _await_moment(child, marks, aim, self.chance)
        finally:
            child.kill()
        self.kills.append(
            Kill(
                aim=aim,
                schema=marks["schema"] > 0,
                waiting=self._rows("block IS NULL"),
                composed=self._rows("block IS NOT NULL"),
                inserting=marks["inserts"],
                merging=len(self._unmerged() - before),
            )
        )

    def settle(self) -> dict[str, int]:
        """Let one life more find and check everything; what it found."""
        lives = len(self.lives())
        marks = Marks(self.path / "marks")
        marks.clear()
        child = self._child()
        child.start()
        try:
            _wait(child, marks, "load")
        finally:
            child.kill()
        assert len(self.lives()) == lives + 1, child.tail()
        return self.lives()[-1]

    def lives(self) -> list[dict[str, int]]:
        """What each life found that came so far."""
        path = self.path / "lives"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _child(self) -> Child:
        seed = str(self.chance.randrange(1 << 30))
        command = [sys.executable, "-m", "tests.chaos.victim", str(self.path), seed]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        return Child(command, self.path / "victim.log", env=environment)

    def _unmerged(self) -> set[Path]:
        return set((self.path / "store").rglob("tmp_merge_*"))

    def _rows(self, where: str) -> int:
        """Rows that the journal holds."""
        journal = self.path / "journal.db"
        if not journal.exists():
            return 0
        with closing(sqlite3.connect(journal)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'bundles'").fetchall():
                return 0
            found = db.execute(f"SELECT ifnull(sum(rows), 0) FROM bundles WHERE {where}").fetchall()
        return int(found[0][0])


def _wait(child: Child, marks: Marks, name: str, deadline_s: float = READY_S) -> None:
    """Until the number is not 0. AssertionError where the victim ends by itself, or is late."""
    ends_at = time.monotonic() + deadline_s
    while not marks[name]:
        assert child.running, f"the victim has ended by itself\n{child.tail()}"
        assert time.monotonic() < ends_at, f"no {name} within {deadline_s} s\n{child.tail()}"
        time.sleep(POLL_S)


def _await_moment(child: Child, marks: Marks, aim: Aim, chance: random.Random) -> None:
    """The moment of the kill."""
    if aim is Aim.SCHEMA:
        time.sleep(chance.uniform(0, 1.5))
        return
    time.sleep(chance.uniform(0.1, 1.5))
    match aim:
        case Aim.INSERT | Aim.MERGE:
            _wait(child, marks, "inserts" if aim is Aim.INSERT else "merges")
            time.sleep(chance.uniform(0, 0.03 if aim is Aim.INSERT else DEEP))
        case Aim.ACKNOWLEDGED:
            accepted = marks["accepted"]
            while marks["accepted"] == accepted and child.running:
                time.sleep(POLL_S)
    assert child.running, f"the victim has ended by itself\n{child.tail()}"


def aims(kills: int, chance: random.Random) -> Iterator[list[Aim]]:
    """The aims of each directory: many lives, or all where there are few."""
    for done in range(0, kills, LIVES_OF_A_DIRECTORY):
        rest = [*AIMS]
        chance.shuffle(rest)
        yield [Aim.SCHEMA, *rest][: min(LIVES_OF_A_DIRECTORY, kills - done)]


def tally(kills: list[Kill]) -> str:
    """What the kills met, for people."""
    met: Counter[str] = Counter()
    for kill in kills:
        met["rows acknowledged, their insert not begun"] += kill.waiting > 0
        met["rows acknowledged, their insert not over"] += kill.composed > 0
        met["inside an insert"] += kill.inserting > 0
        met["inside a merge"] += kill.merging > 0
        met["inside schema apply"] += kill.schema
        met["between acknowledgement and insert, or inside a merge"] += kill.counts
    lines = [f"{len(kills)} kills -9", *(f"  {n:3} {what}" for what, n in met.most_common())]
    aimed = Counter(str(k.aim) for k in kills)
    return "\n".join([*lines, f"  aimed at: {', '.join(f'{a} {n}' for a, n in aimed.items())}"])
