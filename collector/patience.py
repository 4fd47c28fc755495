"""Questions that may never be answered, asked on a thread that can be left behind."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Patience(Generic[T]):
    """Waits `timeout_s` for an answer, and leaves the thread behind that got none.

    Calls into a filesystem cannot be broken off: a disk that dies, a server that is gone. What
    hung is not asked again before it has come back, so there is one thread left behind for each
    thing that hangs, and no more.
    """

    def __init__(self, ask: Callable[[str], T], timeout_s: float) -> None:
        self._ask = ask
        self._timeout_s = timeout_s
        self._todo: SimpleQueue[tuple[str, Future[T]] | None] | None = None
        self._hanging: dict[str, Future[T]] = {}

    def __call__(self, what: str) -> T:
        """The answer. OSError as `ask` raises it, TimeoutError while it hangs."""
        hanging = self._hanging.get(what)
        if hanging and not hanging.done():
            raise TimeoutError(errno.ETIMEDOUT, "it still hangs")
        answer: Future[T] = Future()
        self._start().put((what, answer))
        try:
            return answer.result(self._timeout_s)
        except TimeoutError as e:
            if answer.done():
                raise
            self._hanging[what] = answer
            self.close()
            told = f"no answer in {self._timeout_s:g} s"
            raise TimeoutError(errno.ETIMEDOUT, told) from e

    def close(self) -> None:
        """Let the thread end as soon as it has its answer."""
        if self._todo:
            self._todo.put(None)
        self._todo = None

    def _start(self) -> SimpleQueue[tuple[str, Future[T]] | None]:
        """Where the thread that asks takes its questions from."""
        if self._todo is None:
            self._todo = SimpleQueue()
            Thread(target=self._work, args=(self._todo,), name="patience", daemon=True).start()
        return self._todo

    def _work(self, todo: SimpleQueue[tuple[str, Future[T]] | None]) -> None:
        while question := todo.get():
            what, answer = question
            try:
                answer.set_result(self._ask(what))
            except OSError as e:
                answer.set_exception(e)
            except ValueError as e:  # a path with a zero byte in it
                answer.set_exception(OSError(errno.EINVAL, str(e)))
