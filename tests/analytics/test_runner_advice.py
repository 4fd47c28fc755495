"""Advisors whose look costs more than a moment look seldom, and what they proposed stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from analytics.advice.proposal import Gain, proposal
from analytics.advisor import Advisor
from analytics.runner import Runner
from gpuledger import plugins
from gpuledger.catalogue import BookedHour, Finding, Recommendation
from gpuledger.config import Config, Settings
from gpuledger.store import Store
from tests.analytics.advice.fleets import NOW
from tests.analytics.world import at, write


def until(minute: int) -> BookedHour:
    """An hour that is booked so far, and nothing in it."""
    return BookedHour(
        hour=at(60),
        fingerprint=1,
        booked_until=at(minute),
        owned_seconds=0,
        booked_at=at(minute),
        version=minute,
    )


@pytest.mark.parametrize(("every_min", "looks"), [(0.0, [0, 9, 10]), (10.0, [0, 10])])
def test_between_two_looks_proposals_stand(
    store: Store, monkeypatch: pytest.MonkeyPatch, every_min: float, looks: list[int]
) -> None:
    looked: list[datetime] = []

    def advise(
        _store: Store, _settings: Settings, _findings: Sequence[Finding], now: datetime
    ) -> Iterator[Recommendation]:
        looked.append(now)
        yield proposal("repack", "x", NOW, Gain(NOW - NOW), subject="c", title="t", because="b")

    found = {"repack": Advisor("Looks seldom", Settings, advise, every_min=every_min)}

    def discover(_package: str, kind: type) -> dict[str, Any]:
        return found if kind is Advisor else {}

    monkeypatch.setattr(plugins, "discover", discover)
    runner = Runner(store, Config({"runner": {"settle_s": 0}}))
    for minute in (0, 9, 10):
        write(store, [until(60 + minute)])
        runner.tick(at(60 + minute))
        (told,) = store.select("SELECT status FROM recommendations FINAL")
        assert told["status"] == "proposed"
    assert [round((now - at(60)).total_seconds() / 60) for now in looked] == looks
