"""Sums of counters that never go back, whatever becomes of one of the counters."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, MutableMapping

from gpuledger.tally import Account

BOOT = "boot"
# Counters come and go with pods and users: those that left longest ago are known by sum only.
MOST_ABSENT = 1_000


class Tally:
    """Sums over counters that begin again, go away, and come back with or without their history.

    A counter that is missing keeps what it had: without that a sum that falls looks like one that
    began again at 0, and one that comes back like new work. All is kept in `memory`, below
    `prefix`. `boot` names the boot of the machine whose counters these are, so that after another
    one all begin anew; empty where they outlive it.
    """

    def __init__(
        self, memory: MutableMapping[str, str], boot: str = "", prefix: str = "sum/"
    ) -> None:
        self._memory = memory
        self._boot = boot
        self._prefix = prefix
        self._accounts: dict[str, Account] | None = None

    def add(self, key: str, target: str, value: float) -> None:
        """What the counter `target` of the sum `key` says now."""
        self._known().setdefault(key, Account()).add(target, value)

    def sum(self, key: str, targets: Collection[str]) -> float | None:
        """The sum over these counters and all before them; None until each was read once."""
        account = self._known().setdefault(key, Account())
        if any(target not in account.last for target in targets):
            return None
        account.fold(targets, MOST_ABSENT)
        if account.changed:
            self._memory[self._prefix + key] = json.dumps([account.base, account.last])
            account.changed = False
        return account.total()

    def total(self, key: str, values: Mapping[str, float]) -> float:
        """The sum after these counters said these values; others keep theirs."""
        for target, value in values.items():
            self.add(key, target, value)
        return self.sum(key, values.keys()) or 0

    def forget(self, present: Callable[[str], bool]) -> None:
        """Forget sums whose key is not `present` any more."""
        for key in [k for k in self._known() if not present(k)]:
            del self._known()[key]
            self._memory.pop(self._prefix + key, None)

    def _known(self) -> dict[str, Account]:
        if self._accounts is None:
            self._accounts = self._restored()
        return self._accounts

    def _restored(self) -> dict[str, Account]:
        """What earlier lives kept, if the machine still runs as it did then."""
        boot_key = self._prefix + BOOT
        kept = {k: v for k, v in self._memory.items() if k.startswith(self._prefix)}
        told = kept.pop(boot_key, self._boot)
        if self._boot and told != self._boot:
            for key in kept:
                del self._memory[key]
            kept = {}
        if self._boot and self._memory.get(boot_key) != self._boot:
            self._memory[boot_key] = self._boot
        return {k.removeprefix(self._prefix): _account(text) for k, text in kept.items()}


def _account(text: str) -> Account:
    base, last = json.loads(text)
    return Account(base, last)
