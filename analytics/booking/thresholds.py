"""Thresholds as SQL: a number where all pools agree, else a column that follows the pool."""

from __future__ import annotations

from gpuledger.states import BY_POOL, LedgerSettings

# How the columns of thresholds begin.
PER_POOL = "set_"


class Thresholds:
    """What `[ledger]` and its pools say, for queries whose rows know their `pool`."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._settings = settings
        self._pools = settings.by_pool()

    def __getitem__(self, key: str) -> str:
        """The threshold itself, or the column of that name that `columns` computes."""
        return f"{PER_POOL}{key}" if self._differs(key) else repr(getattr(self._settings, key))

    def columns(self, pool: str = "pool") -> str:
        """`, … AS set_key` for each threshold that some pool has of its own, else nothing."""
        return "".join(
            f", {self.inline(key, pool)} AS {PER_POOL}{key}"
            for key in BY_POOL
            if self._differs(key)
        )

    def inline(self, key: str, pool: str = "pool") -> str:
        """The threshold where `pool` is at hand."""
        common = repr(getattr(self._settings, key))
        if not self._differs(key):
            return common
        values = [getattr(s, key) for s in self._pools.values()]
        names = ", ".join(f"'{quoted(name)}'" for name in self._pools)
        return f"transform(toString({pool}), [{names}], {values}, {common})"

    def most(self, key: str) -> float:
        """The highest value that any pool has."""
        return max(self._every(key))

    def least(self, key: str) -> float:
        """The lowest value that any pool has."""
        return min(self._every(key))

    def _every(self, key: str) -> list[float]:
        return [float(getattr(s, key)) for s in (self._settings, *self._pools.values())]

    def _differs(self, key: str) -> bool:
        common = getattr(self._settings, key)
        return any(getattr(s, key) != common for s in self._pools.values())


def quoted(text: str) -> str:
    """A text as it may stand between quotes in SQL."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
