"""Who must hear what now: muted, repeated, lasting, ended; on the real engine."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.receivers import Receivers
from alerts.rules.gpu_lost import rule as lost_rule
from gpuledger.store import Store
from tests.alerts.telling import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    World,
    own,
    person,
)
from tests.alerts.world import alert


def test_the_same_cause_is_told_to_a_user_again_after_seven_days(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    world = World(store)
    world.tick(NOON, own(NOON, "alpha/1"), own(NOON, "alpha/2"))
    assert world.door.titles == [("user/ana", "[warning] 2 alerts: user/ana")]
    later = NOON + 6 * DAY
    assert world.tick(later, own(later, "alpha/3")) == [
        ("user/ana", "firing", "not repeated: told of this rule on 2026-03-02")
    ]
    assert world.tick(later + 2 * HOUR, own(later, "alpha/3")) == []
    week = NOON + 7 * DAY
    assert world.tick(week, own(week, "alpha/4")) == [("user/ana", "firing", "accepted")]


def test_what_was_not_repeated_is_told_when_the_days_are_over(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    world = World(store)
    world.tick(NOON, own(NOON, "alpha/1"))
    later, week = NOON + DAY, NOON + 7 * DAY
    second, third = own(later, "alpha/2"), own(later, "alpha/3")
    world.tick(later, second, third)
    over = own(later, "alpha/3", resolved=week - HOUR)  # type: ignore[arg-type]
    assert world.tick(week, second, over) == [("user/ana", "firing", "accepted")]
    assert world.door.titles[-1] == ("user/ana", "[warning] JobIdleGPU: alpha/2")


def test_what_lasts_is_told_again_after_days_at_the_hour_of_the_summary(store: Store) -> None:
    world = World(store, digest_at=time(8))
    lasting = [alert(NOON, "alpha/1"), alert(NOON + HOUR, "alpha/2")]
    world.tick(NOON + HOUR, *lasting)
    assert world.tick(NOON + 7 * DAY, *lasting) == []
    morning = datetime(2026, 3, 10, 8, tzinfo=UTC)
    assert world.tick(morning, *lasting) == [("platform", "firing", "summarised")] * 2
    assert world.tick(morning + DAY, *lasting) == []
    first, second = (m for _, m in world.door.sent)
    assert second.title == "gpuledger: 2 alerts still firing"
    assert "since 2026-03-02 12:00 UTC" in second.body
    assert first.number != second.number


def test_a_user_hears_again_of_what_lasts_and_of_one_rule_once_in_the_days(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    world = World(store, digest_at=time(8))
    first, second = own(NOON, "alpha/1"), own(NOON + DAY, "alpha/2")
    world.tick(NOON, first)
    for days, hours in ((1, 0), (7, 0), (7, 20), (8, 20), (13, 20), (14, 20), (15, 20)):
        world.tick(NOON + days * DAY + hours * HOUR, first, second)
    assert [title for _, title in world.door.titles] == [
        "[warning] JobIdleGPU: alpha/1",
        "[warning] JobIdleGPU: alpha/2",
        "gpuledger: 2 alerts still firing",
    ]


def test_an_end_without_mending_is_told_as_no_longer_seen(store: Store) -> None:
    world = World(store)
    month = timedelta(hours=lost_rule.fades_h)
    old = alert(NOON, "alpha/n1/0", rule="GPULost")
    gone = alert(NOON, "alpha/n9", rule="Removed")
    back = alert(NOON + month, "alpha/n1/1", rule="GPULost")
    world.tick(NOON, old, gone)
    world.tick(NOON + month, back)
    over = NOON + month + HOUR
    for standing in (old, gone, back):
        world.tick(over, alert(standing.fired, standing.subject, rule=standing.rule, resolved=over))
    assert [m.title for _, m in world.door.sent[3:]] == [
        "[no longer seen] GPULost: alpha/n1/0",
        "[no longer seen] Removed: alpha/n9",
        "[ended] GPULost: alpha/n1/1",
    ]
    whys = [m.body.splitlines()[0].rpartition(": ")[2] for _, m in world.door.sent[3:5]]
    assert whys == [
        "no longer seen for 30 days; nothing told that it was mended",
        "no longer looked at, its rule is off",
    ]


def test_another_cause_and_another_user_are_told_within_the_seven_days(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org"), person("bo", "bo@example.org")])
    world = World(store)
    world.tick(NOON, own(NOON, "alpha/1"))
    world.tick(NOON + HOUR, own(NOON, "alpha/2", user="bo"))
    other = own(NOON, "alpha/3")
    other.rule = "TelemetryStale"
    world.tick(NOON + HOUR, other)
    assert [key for key, _ in world.door.titles] == ["user/ana", "user/bo", "user/ana"]


def test_quiet_hours_hold_back_all_but_the_worst(store: Store) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    world = World(store, zone=berlin, quiet=(time(22), time(7)))
    night = datetime(2026, 3, 2, 23, tzinfo=berlin).astimezone(UTC)
    mild, bad = alert(night, "alpha/1"), alert(night, "alpha/2", severity="critical")
    assert world.tick(night, mild, bad) == [
        ("platform", "firing", "accepted"),
        ("platform", "firing", "waits: quiet hours, until 2026-03-03 07:00 CET"),
    ]
    assert world.door.titles == [("platform", "[critical] JobIdleGPU: alpha/2")]
    assert world.tick(night + MINUTE, mild, bad) == []
    morning = datetime(2026, 3, 3, 7, tzinfo=berlin).astimezone(UTC)
    assert world.tick(morning, mild, bad) == [("platform", "firing", "accepted")]


def test_a_summary_waits_for_the_end_of_quiet_hours(store: Store) -> None:
    world = World(store, quiet=(time(22), time(9)), digest_at=time(8))
    mild = alert(NOON, severity="info")
    morning = datetime(2026, 3, 3, 8, tzinfo=UTC)
    assert world.tick(morning, mild) == [
        ("platform", "firing", "waits: quiet hours, until 2026-03-03 09:00 UTC")
    ]
    assert world.tick(morning + HOUR, mild) == [("platform", "firing", "summarised")]


def test_a_silent_node_mutes_what_it_explains(store: Store) -> None:
    world = World(store)
    place = {"cluster": "alpha", "node": "n1"}
    silent = alert(NOON, "alpha/n1", rule="TelemetryStale", **place)
    gpu, other = alert(NOON, "alpha/n1/0", **place), alert(NOON, "alpha/n2", node="n2")
    assert ("platform", "firing", "muted: TelemetryStale of alpha/n1 explains it") in world.tick(
        NOON, silent, gpu, other
    )
    assert sorted(t for _, t in world.door.titles) == [
        "[high] JobIdleGPU: alpha/n2",
        "[high] TelemetryStale: alpha/n1",
    ]
    # The node is back, and the other thing is still wrong: now it is told.
    back = alert(NOON, "alpha/n1", rule="TelemetryStale", resolved=NOON + HOUR, **place)
    assert ("platform", "firing", "accepted") in world.tick(NOON + HOUR, back, gpu, other)


def test_a_silent_node_mutes_nothing_worse_nor_earlier_nor_of_who_was_not_told(
    store: Store,
) -> None:
    receivers = Receivers(platform=("json://platform",), hardware=("json://hardware",))
    world = World(store, receivers)
    place = {"cluster": "alpha", "node": "n1"}
    world.tick(
        NOON + MINUTE,
        alert(NOON, "alpha/n1", rule="TelemetryStale", **place),
        alert(NOON, "worse", severity="critical", **place),
        alert(NOON - MINUTE, "earlier", **place),
        alert(NOON, "of others", owner="hardware", **place),
        alert(NOON + MINUTE, "explained", **place),
    )
    told = store.select(
        "SELECT subject FROM v_notifications WHERE outcome = 'accepted' ORDER BY subject"
    )
    assert [r["subject"] for r in told] == ["alpha/n1", "earlier", "of others", "worse"]


def test_a_silent_node_that_could_not_be_told_mutes_nothing(store: Store) -> None:
    world = World(store)
    place = {"cluster": "alpha", "node": "n1"}
    both = (alert(NOON, "alpha/n1", rule="TelemetryStale", **place), alert(NOON, "x", **place))
    world.door.refuse = {"platform"}
    world.tick(NOON, *both)
    world.door.refuse = set()
    assert ("platform", "firing", "accepted") in world.tick(NOON + timedelta(seconds=30), *both)


def test_what_ended_with_the_silence_was_explained_by_it(store: Store) -> None:
    world = World(store)
    place = {"cluster": "alpha", "node": "n1", "resolved": NOON + HOUR}
    world.tick(
        NOON + HOUR,
        alert(NOON, "alpha/n1", rule="TelemetryStale", **place),  # type: ignore[arg-type]
        alert(NOON, "alpha/n1/0", **place),  # type: ignore[arg-type]
    )
    assert [t for _, t in world.door.titles] == ["[high] TelemetryStale: alpha/n1"]


@pytest.mark.parametrize("severity", ["critical", "odd"])
def test_the_worst_is_repeated_to_a_user_all_the_same(store: Store, severity: str) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    world = World(store)
    world.tick(NOON, own(NOON, "alpha/1", severity=severity))
    world.tick(NOON + HOUR, own(NOON + HOUR, "alpha/2", severity=severity))
    assert len(world.door.sent) == (2 if severity == "critical" else 1)
