"""The cards of a node: which there are, each in its own place, also those that do not answer."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import msgspec

from collector.cards import Card
from collector.files import boot_id
from collector.nvml import Denied, Lost, Nvml, Vanished
from collector.nvml_identity import Identity
from collector.source import Context

KEY = "cards"
Places = tuple[tuple[int | None, Identity], ...]


class Kept(msgspec.Struct):
    """What is remembered: how many the driver counted, and by index (None: not counted) who."""

    boot: str
    count: int
    cards: Places


class Cards:
    """Every card ever counted since this boot: one that left the count is still missed.

    `longest_s` is how much of a gap a card's rates may speak for.
    """

    def __init__(self, context: Context, nvml: Nvml, longest_s: float) -> None:
        self._context = context
        self._nvml = nvml
        self._longest_s = longest_s
        self._cards: list[Card] = []
        self._counted = 0
        self._arranged = False
        self._kept: Places = ()
        self._boot = ""

    def __iter__(self) -> Iterator[Card]:
        """All of them but those that a card with a better claim to their slot stands for."""
        held = {card.identity.slot for card in self._cards if not card.identity.guessed}
        for card in self._cards:
            if not card.identity.guessed or card.identity.slot not in held:
                yield card

    def __bool__(self) -> bool:
        return bool(self._cards)

    def look(self) -> None:
        """Find out who is there. DriverGone if nothing answers any more."""
        count = self._nvml.count()
        if not self._arranged or count != self._counted:
            self._arrange(count)
        for card in self._cards:
            if card.identity.guessed:
                card.meet(self._nvml)
        self._keep()

    def close(self) -> None:
        """Let go of every handle; the driver may count otherwise in its next session."""
        self._arranged = False
        for card in self._cards:
            card.close()

    def _arrange(self, count: int) -> None:
        """Give each index its card, by UUID; a card that does not tell it keeps its index."""
        if not self._cards:
            self._recall()
        old = self._cards
        uuids = [self._uuid(index) for index in range(count)]
        known = {card.identity.uuid: card for card in old if card.identity.uuid}
        spare = {card.index: card for card in old if card.identity.guessed}
        if count == self._counted:
            spare |= {c.index: c for u, c in known.items() if u not in uuids}
        self._cards = []
        for index, uuid in enumerate(uuids):
            card = known.get(uuid) or spare.get(index)
            if card is None or (uuid and card.identity.uuid not in {"", uuid}):
                card = self._card(index)
            card.index = index
            self._cards.append(card)
        for card in self._cards:
            card.close()
            card.meet(self._nvml)
        self._cards += self._left(old)
        self._counted, self._arranged = count, True

    def _left(self, old: list[Card]) -> Iterator[Card]:
        """Cards that are not counted any more, unless another sits in their place."""
        held = {card.identity.slot for card in self._cards if not card.identity.guessed}
        for card in old:
            if card in self._cards:
                continue
            card.close()
            card.index = None
            if not card.identity.guessed and card.identity.slot not in held:
                yield card

    def _uuid(self, index: int) -> str:
        """Empty where that card does not answer."""
        try:
            return str(self._nvml.asker(index).ask("nvmlDeviceGetUUID") or "")
        except (Lost, Denied, Vanished):
            return ""

    def _card(self, index: int | None, identity: Identity | None = None) -> Card:
        return Card(index, self._context, self._boot, self._longest_s, identity)

    def _recall(self) -> None:
        """The cards that were known before this process began; minor numbers last for one boot."""
        self._boot = boot_id(self._context.root)
        try:
            kept = msgspec.json.decode(self._memory.get(KEY, ""), type=Kept)
        except msgspec.MsgspecError:
            return
        if kept.boot == self._boot:
            self._kept, self._counted = kept.cards, kept.count
            self._cards = [self._card(index, identity) for index, identity in kept.cards]

    def _keep(self) -> None:
        cards = tuple((c.index, c.identity) for c in self._cards if not c.identity.guessed)
        if cards != self._kept:
            self._kept = cards
            kept = Kept(self._boot, self._counted, cards)
            self._memory[KEY] = msgspec.json.encode(kept).decode()

    @property
    def _memory(self) -> MutableMapping[str, str]:
        return self._context.memory
