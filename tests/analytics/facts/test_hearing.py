"""Only what goes unnamed while its exporter is heard has ended."""

from __future__ import annotations

from analytics.facts.hearing import Hearing, patience_ms

MINUTE = 60_000


def heard(*minutes: float) -> Hearing:
    """An exporter that was heard at those minutes."""
    hearing = Hearing(5 * MINUTE)
    for minute in minutes:
        hearing.heard(round(minute * MINUTE))
    return hearing


def test_what_is_unnamed_for_longer_than_patience_is_missed() -> None:
    hearing = heard(*range(1, 20))
    assert hearing.missed(13 * MINUTE)
    assert not hearing.missed(14 * MINUTE)


def test_time_in_which_nobody_was_heard_does_not_count() -> None:
    assert not heard(1, 2, 3, 100, 104).missed(3 * MINUTE)
    assert heard(1, 2, 3, 100, 104, 106).missed(3 * MINUTE)


def test_nothing_is_missed_by_who_was_never_heard() -> None:
    assert not heard().missed(0)


def test_readings_in_any_order_are_heard_alike() -> None:
    assert heard(1, 4, 2, 6, 3) == heard(1, 2, 3, 4, 6)


def test_something_is_due_once_in_its_time() -> None:
    hearing = heard(1)
    assert hearing.due(MINUTE)
    assert not hearing.due(MINUTE)
    hearing.heard(2 * MINUTE)
    assert hearing.due(MINUTE)


def test_patience_is_some_scrapes_but_never_less_than_prometheus_has() -> None:
    assert patience_ms(15) == 300_000
    assert patience_ms(600) == 1_500_000
