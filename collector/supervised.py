"""An isolated source: it reads in a child process that may hang or die; the agent goes on.

A call into a driver can block for ever, and a thread in such a call cannot be stopped. See
docs/adr/0010-nvml-in-a-child-process.md.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from collector.child import Answer, Birth, Channel, Order
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue import ROWS
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row

STUCK_PERIODS = 10
STUCK_AT_LEAST_S = 10.0
# Without persistence mode the driver sets up every GPU when it is opened: seconds for each.
OPENING_S = 120.0
LONGEST_BACK_OFF_S = 60.0
END_WITHIN_S = 1.0
KILL_WITHIN_S = 0.2
# Ctrl-C reaches the whole group, also a child that is still loading: its parent ends it.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    " from collector.child import main; main()"
)
ROW_OF = {row.table.name: row for row in ROWS}
NAMES = {"nvml": "gpu reader"}


class Child:
    """One child process as its parent sees it. `asked` while it owes an answer."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self.process = process
        self.asked = False
        self.answered = False
        self._channel = channel
        self._asked_at = 0.0

    @property
    def waited_s(self) -> float:
        """How long it owes its answer."""
        return time.monotonic() - self._asked_at if self.asked else 0.0

    @property
    def exists(self) -> bool:
        """Whether the process is still there; a process that waits in a driver cannot be killed."""
        return self.process.poll() is None

    def tell(self, message: object) -> None:
        """Send what it is to know. OSError if it is gone."""
        self._channel.send(message)

    def ask(self, order: Order) -> None:
        """Have it read, unless it still owes the last answer."""
        if not self.asked:
            self._asked_at, self.asked = time.monotonic(), True
            self._channel.send(order)

    def answer(self, timeout_s: float) -> Answer:
        """What it read. TimeoutError if it does not say, EOFError or OSError if it is gone."""
        frame = self._channel.receive(timeout_s)
        self.asked, self.answered = False, True
        return msgspec.msgpack.decode(frame, type=Answer)

    def end(self) -> None:
        """Let it close its source and end; kill it where that takes too long."""
        self._channel.close()
        if self.asked or not self._gone_within(END_WITHIN_S):
            self.kill()

    def kill(self) -> None:
        """End it now, if that can be done."""
        self._channel.close()
        self.process.kill()
        self._gone_within(KILL_WITHIN_S)

    def _gone_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class Supervised(Source):
    """The source `name`, read by a child process that is started anew when it hangs or dies."""

    def __init__(
        self,
        name: str,
        kind: SourceKind,
        settings: Settings,
        context: Context,
        *,
        period_s: float,
        limit_s: float | None = None,
        opening_s: float = OPENING_S,
        start: Callable[[Birth], Child] | None = None,
    ) -> None:
        self.period_s = period_s
        self._name = name
        self._kind = kind
        self._settings = settings
        self._context = context
        self._limit_s = limit_s or max(STUCK_AT_LEAST_S, STUCK_PERIODS * period_s)
        self._opening_s = opening_s
        self._spawn = start or spawn
        self._child: Child | None = None
        self._left: Child | None = None
        self._columns: dict[str, list[str]] = {}
        self._worked = False
        self._failures = 0
        self._not_before = 0.0
        self._because = ""

    def read(self) -> Iterator[Row]:
        """What the child reads. ReadError while it hangs, is gone, or waits to be replaced."""
        answer = self._answer()
        for level, line in answer.lines:
            self._context.log.log(level, "%s", line)
        self._check(answer)
        self._remember(answer)
        yield from self._rows(answer)
        self._judge(answer)

    def close(self) -> None:
        """End the child, within a second or so."""
        if self._child:
            self._child.end()
            self._leave(self._child)
        if self._left and not self._left.exists:
            self._left = None

    def _answer(self) -> Answer:
        child = self._child or self._start()
        clock = self._context.clock
        try:
            child.ask(Order(clock.wall(), clock.monotonic()))
            return child.answer(self._limit_s)
        except TimeoutError:
            raise self._stuck(child) from None
        except (EOFError, OSError, msgspec.MsgspecError):
            raise self._died(child) from None

    def _start(self) -> Child:
        """A new child. ReadError while the one before still exists, or it is too early."""
        if self._left and self._left.exists:
            raise ReadError(f"{self._because}; its process cannot be killed")
        self._left = None
        if self._context.clock.monotonic() < self._not_before:
            raise ReadError(self._because)
        try:
            child = self._child = self._spawn(self._birth())
        except OSError as e:
            raise self._fail(f"{self._reader} cannot be started: {e.strerror}") from None
        self._columns = {}
        return child

    def _birth(self) -> Birth:
        context = self._context
        return Birth(
            make=_reference(self._kind.make),
            settings_type=_reference(self._kind.settings),
            settings=msgspec.msgpack.encode(self._settings),
            cluster=context.cluster,
            node=context.node,
            root=str(context.root),
            memory=dict(context.memory),
            log_level=context.log.getEffectiveLevel(),
            parent=os.getpid(),
        )

    def _stuck(self, child: Child) -> ReadError:
        """Say that it hangs; replace it, unless it is still opening its device."""
        text = f"{self._reader} stuck: {self._name} did not answer for {child.waited_s:.0f} s"
        if not child.answered and child.waited_s < self._opening_s:
            return ReadError(text)
        child.kill()
        self._leave(child)
        return self._fail(text)

    def _died(self, child: Child) -> ReadError:
        child.end()
        status = child.process.returncode
        self._leave(child)
        how = f"by signal {-status}" if status is not None and status < 0 else f"with {status}"
        return self._fail(f"{self._reader} ended {how}")

    def _judge(self, answer: Answer) -> None:
        """Raise what the child met; it ends with that, and a fresh one is started."""
        if answer.error is None:
            self._worked, self._failures = True, 0
            return
        kind, text = answer.error
        self.close()
        # What worked once is being replaced, a driver for one: it will be back within minutes.
        if kind == "unavailable" and not self._worked:
            raise Unavailable(text)
        raise self._fail(text)

    def _fail(self, text: str) -> ReadError:
        """Not before 1, 2, 4 … 60 s from now another child is started."""
        wait_s = min(LONGEST_BACK_OFF_S, 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._not_before = self._context.clock.monotonic() + wait_s
        self._because = text
        return ReadError(text)

    def _leave(self, child: Child) -> None:
        """Forget it; one that cannot be killed is remembered, so that no second one waits."""
        self._child = None
        self._left = child if child.exists else None

    def _remember(self, answer: Answer) -> None:
        for key, value in answer.memory.items():
            if value is None:
                self._context.memory.pop(key, None)
            else:
                self._context.memory[key] = value

    def _check(self, answer: Answer) -> None:
        """ReadError where the child is of another version: nothing it says can be taken."""
        for table, told in answer.columns.items():
            if table not in ROW_OF or told != [c.name for c in ROW_OF[table].table.columns]:
                self.close()
                raise self._fail(f"{self._reader} is of another version: restart the agent")

    def _rows(self, answer: Answer) -> Iterator[Row]:
        self._columns |= answer.columns
        for table, values in answer.rows:
            row = ROW_OF[table].__new__(ROW_OF[table])
            row.__dict__.update(zip(self._columns[table], values, strict=True))
            yield row

    @property
    def _reader(self) -> str:
        return NAMES.get(self._name, f"{self._name} reader")


def spawn(birth: Birth) -> Child:
    """Start a child process and tell it what to read. OSError where that is impossible."""
    ours, theirs = socket.socketpair()
    with theirs:
        # Without `site`: its path is given, and the rest of it would only cost memory.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-S", "-c", START, str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_path())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
        )
    child = Child(process, Channel(ours))
    try:
        child.tell(birth)
    except OSError:
        child.kill()
        raise
    return child


def _path() -> list[str]:
    """Where this process finds modules, ours first."""
    ours = str(Path(__file__).parents[1])
    return list(dict.fromkeys([ours, *(entry or str(Path.cwd()) for entry in sys.path)]))


def _reference(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"
