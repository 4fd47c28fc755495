"""A part of the spool's memory as a mapping: what a source must know in its next life, too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping


class _Own(threading.local):
    """What this thread changed since it was last taken; None: forgotten."""

    def __init__(self) -> None:
        self.changes: dict[str, str | None] = {}


class Memory(MutableMapping[str, str]):
    """What `recall` finds under `prefix`, and what was changed since; it outlives the process.

    A change shows at once to the thread that made it, and to others when that thread has called
    `take`: a reading that was given up, and ends late, changes nothing for its successor. It is
    safe only when `Spool.put` has written it with the rows that it rests on: after a crash,
    memory is never ahead of the rows.
    """

    def __init__(self, prefix: str, recall: Callable[[str], dict[str, str]]) -> None:
        self._prefix = prefix
        self._recall = recall
        self._lock = threading.Lock()
        self._taken: dict[str, str] | None = None
        self._own = _Own()

    def take(self) -> dict[str, str | None]:
        """What this thread changed since its last call, as `Spool.put` wants it."""
        changes, self._own.changes = self._own.changes, {}
        if changes:
            seen = {**self._known(), **changes}
            with self._lock:
                self._taken = {key: value for key, value in seen.items() if value is not None}
        return {self._prefix + key: value for key, value in changes.items()}

    def __getitem__(self, key: str) -> str:
        own = self._own.changes
        value = own[key] if key in own else self._known()[key]
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: str) -> None:
        self._own.changes[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._own.changes[key] = None

    def __iter__(self) -> Iterator[str]:
        seen = {**self._known(), **self._own.changes}
        return iter([key for key, value in seen.items() if value is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _known(self) -> dict[str, str]:
        """What was taken so far; a dict that never changes."""
        with self._lock:
            if self._taken is None:
                self._taken = self._recall(self._prefix)
            return self._taken
