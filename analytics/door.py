"""Where questions wait: few at once, in threads of their own, ended when nobody listens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from gpuledger.errors import GpuledgerError
from gpuledger.guard import QueryClass

T = TypeVar("T")

# A question that has not begun by then would be late for whoever asks.
WAIT_S = 20.0


class Busy(GpuledgerError):
    """Too many questions go on; the same one may be asked again later."""


class Door:
    """Lets `limits.at_once` questions through; the others wait without holding a thread."""

    def __init__(self, limits: QueryClass, wait_s: float = WAIT_S) -> None:
        self.limits = limits
        self._wait_s = wait_s
        self._places = anyio.CapacityLimiter(limits.at_once)

    async def answer(
        self, ask: Callable[[], T], gone: Callable[[], Awaitable[Any]], cancel: Callable[[], None]
    ) -> T:
        """What `ask` returns or raises, in a thread.

        When `gone` returns first, `cancel` is called in another thread. Busy where no place was
        free in time.
        """
        place = object()
        try:
            with anyio.fail_after(self._wait_s):
                await self._places.acquire_on_behalf_of(place)
        except TimeoutError:
            raise Busy(
                f"{self.limits.at_once} {self.limits.name} questions already go on: ask again later"
            ) from None
        try:
            return await _watched(ask, gone, cancel)
        finally:
            self._places.release_on_behalf_of(place)


async def _watched(
    ask: Callable[[], T], gone: Callable[[], Awaitable[Any]], cancel: Callable[[], None]
) -> T:
    """The answer, while somebody is there to hear it."""
    answers: list[T] = []
    errors: list[Exception] = []

    async def watch() -> None:
        await gone()
        await anyio.to_thread.run_sync(cancel)

    def asked() -> None:
        try:
            answers.append(ask())
        except Exception as e:  # noqa: BLE001 - raised again below, outside of the task group
            errors.append(e)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        # A limiter of its own: the threads of ingestion are not for questions.
        await anyio.to_thread.run_sync(asked, limiter=anyio.CapacityLimiter(1))
        tasks.cancel_scope.cancel()
    if errors:
        raise errors[0]
    return answers[0]
