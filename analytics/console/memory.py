"""What takes seconds to find out and seldom changes: found out once at a time, and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any


class Memory:
    """The last answer with what it is about; of several who ask at once only one works."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[Hashable, Any] | None = None

    def at_hand(self, about: Hashable) -> Any:
        """The answer if it is known, else None."""
        kept = self._kept
        return kept[1] if kept and kept[0] == about else None

    def of(self, about: Hashable, find_out: Callable[[], Any]) -> Any:
        """The answer, found out where it is not known."""
        with self._lock:
            if self._kept is None or self._kept[0] != about:
                self._kept = about, find_out()
            return self._kept[1]
