"""A shelf: a part of a source's memory, as a memory of its own."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping


class Shelf(MutableMapping[str, str]):
    """What `memory` holds under keys that begin with `prefix`, without it."""

    def __init__(self, memory: MutableMapping[str, str], prefix: str) -> None:
        self._memory = memory
        self._prefix = prefix

    def __getitem__(self, key: str) -> str:
        return self._memory[self._prefix + key]

    def __setitem__(self, key: str, value: str) -> None:
        self._memory[self._prefix + key] = value

    def __delitem__(self, key: str) -> None:
        del self._memory[self._prefix + key]

    def __iter__(self) -> Iterator[str]:
        size = len(self._prefix)
        return iter([key[size:] for key in self._memory if key.startswith(self._prefix)])

    def __len__(self) -> int:
        return sum(1 for _ in self)
