"""People told without Alertmanager, on the real engine, with a clock that only the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, time
from itertools import count

from alerts.direct import BUDGET_S, NOBODY, Direct
from alerts.receivers import Receivers
from gpuledger.catalogue import Team
from gpuledger.measures import PAGES
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.alerts.telling import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    RECEIVERS,
    RULES,
    World,
    own,
    person,
)
from tests.alerts.world import alert


def test_the_platform_hears_at_once_and_once(store: Store) -> None:
    world = World(store)
    assert world.tick(NOON, alert(NOON)) == [("platform", "firing", "accepted")]
    assert world.tick(NOON + MINUTE, alert(NOON)) == []
    assert world.door.titles == [("platform", "[high] JobIdleGPU: alpha/1")]


def test_a_user_is_told_at_the_address_of_the_list_of_people(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    world = World(store)
    assert world.tick(NOON, own(NOON, "alpha/7")) == [("user/ana", "firing", "accepted")]
    row = store.select("SELECT channel, receiver FROM v_notifications")[0]
    assert row == {"channel": "mailto", "receiver": "user/ana"}


def test_an_unknown_user_is_told_through_the_team_and_then_the_platform(store: Store) -> None:
    world = World(store)
    assert world.tick(NOON, own(NOON, "alpha/7"))[0][0] == "platform"
    team = Team(
        kind="account", name="v", team="vision", lead="max", valid_from=NOON - DAY, version=1
    )
    store.insert_rows([team])
    store.insert_rows([person("max", "max@example.org")])
    assert world.tick(NOON, own(NOON, "alpha/8"))[0][0] == "team/vision"


def test_with_no_receiver_at_all_it_is_written_down(store: Store) -> None:
    world = World(store, Receivers())
    assert world.tick(NOON, alert(NOON)) == [("", "firing", NOBODY)]


def test_users_are_not_told_that_it_is_over_and_the_platform_is(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    world = World(store)
    world.tick(NOON, own(NOON, "alpha/1"), alert(NOON, "alpha/n1"))
    over = NOON + HOUR
    noted = world.tick(
        over, own(NOON, "alpha/1", resolved=over), alert(NOON, "alpha/n1", resolved=over)
    )
    assert noted == [("platform", "resolved", "accepted")]
    assert world.door.titles[-1] == ("platform", "[ended] JobIdleGPU: alpha/n1")


def test_what_was_over_before_anybody_could_be_told_is_told_once_and_says_so(
    store: Store,
) -> None:
    world = World(store)
    world.door.refuse = {"platform"}
    world.tick(NOON, alert(NOON))
    world.door.refuse = set()
    over = alert(NOON, resolved=NOON + 5 * MINUTE)
    assert world.tick(NOON + 10 * MINUTE, over) == [
        ("platform", "firing", "accepted"),
        ("platform", "resolved", "accepted"),
    ]
    assert "over since 2026-03-02 12:05 UTC" in world.door.sent[0][1].body
    assert world.tick(NOON + 11 * MINUTE, over) == []


def test_one_of_three_recipients_refuses_and_alone_is_tried_again(store: Store) -> None:
    mails = tuple(f"mailto:{name}@example.org" for name in ("a", "b", "c"))
    world = World(store, Receivers(platform=mails, mail="mailtos://u:p@mail.example.org"))
    world.door.refuse = {"platform/b@example.org"}
    assert world.tick(NOON, alert(NOON)) == [
        ("platform/a@example.org", "firing", "accepted"),
        ("platform/b@example.org", "firing", "not taken: 550 no such user"),
        ("platform/c@example.org", "firing", "accepted"),
    ]
    world.door.refuse = set()
    assert world.tick(NOON + MINUTE, alert(NOON)) == [
        ("platform/b@example.org", "firing", "accepted")
    ]
    # Three got it, and it was one page.
    assert len(world.door.sent) == 3
    assert store.value(f"SELECT {PAGES.sql} FROM v_notifications") == 1


def test_failures_are_tried_again_after_one_two_four_minutes_up_to_an_hour(store: Store) -> None:
    world = World(store)
    world.door.refuse = {"platform"}
    minutes = (0, 1, 2, 3, 6, 7, 14, 15, 30, 31, 62, 63, 122, 123, 183)
    tried = [n for n in minutes if world.tick(NOON + n * MINUTE, alert(NOON))]
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_mild_alerts_come_in_a_daily_summary(store: Store) -> None:
    world = World(store, digest_at=time(8))
    mild = [alert(NOON, f"alpha/{n}", severity="info") for n in range(3)]
    assert {o for _, _, o in world.tick(NOON, *mild)} == {
        "waits: summary, until 2026-03-03 08:00 UTC"
    }
    morning = datetime(2026, 3, 3, 8, tzinfo=UTC)
    new = alert(morning, "alpha/new", severity="info")
    noted = world.tick(morning, *mild, new)
    assert [o for _, _, o in noted] == ["summarised"] * 3 + [
        "waits: summary, until 2026-03-04 08:00 UTC"
    ]
    assert world.door.titles == [("platform", "gpuledger: 3 alerts since the last summary")]
    assert world.tick(morning + MINUTE, *mild, new) == []
    assert store.value(f"SELECT {PAGES.sql} FROM v_notifications") == 0


def test_a_summary_that_was_missed_is_made_up_once(store: Store) -> None:
    world = World(store, digest_at=time(8))
    mild = alert(NOON, severity="info")
    late = datetime(2026, 3, 3, 15, tzinfo=UTC)
    assert world.tick(late, mild) == [("platform", "firing", "summarised")]
    assert world.tick(late + DAY, mild) == []


def test_in_digest_mode_even_the_worst_comes_in_the_summary(store: Store) -> None:
    world = World(store, only_summaries=True, digest_at=time(8))
    bad = alert(NOON, severity="critical")
    assert world.tick(NOON, bad)[0][2].startswith("waits: summary")
    assert world.tick(NOON + DAY, bad)[0][2] == "summarised"


def test_alerts_of_one_job_are_one_message_and_a_storm_is_another(store: Store) -> None:
    world = World(store)
    both = [alert(NOON, f"alpha/7/{n}", job="alpha/7") for n in range(2)]
    nodes = [alert(NOON, f"beta/n{n}", rule="TelemetryStale", cluster=f"c{n}") for n in range(6)]
    world.tick(NOON, *both, *nodes)
    assert sorted(t for _, t in world.door.titles) == [
        "[high] 2 alerts: job alpha/7",
        "[high] 6 × TelemetryStale",
    ]
    storm = next(m for _, m in world.door.sent if "×" in m.title)
    assert storm.body.count("- idle") == 6


def test_a_storm_that_goes_on_at_the_next_tick_is_folded_too(store: Store) -> None:
    world = World(store)
    first = [alert(NOON, f"n{n}", cluster=f"c{n}", job=f"j{n}") for n in range(3)]
    second = [alert(NOON + MINUTE, f"m{n}", job=f"k{n}") for n in range(3)]
    world.tick(NOON, *first)
    world.tick(NOON + MINUTE, *first, *second)
    assert [t for _, t in world.door.titles][3:] == ["[high] 3 × JobIdleGPU"]


def test_killed_between_telling_and_writing_tells_again_with_the_same_number(
    store: Store,
) -> None:
    world = World(store)
    store.insert_rows([alert(NOON)])
    next(world.teller().tell([alert(NOON)], NOON))  # killed here: nothing was written
    world.tick(NOON + MINUTE, alert(NOON))
    assert len(world.door.sent) == 2
    assert len({m.reference for _, m in world.door.sent}) == 1
    assert world.tick(NOON + 2 * MINUTE, alert(NOON)) == []


def test_slow_receivers_do_not_hold_up_the_next_tick(store: Store) -> None:
    world = World(store)
    clock = count(step=BUDGET_S)
    told = [alert(NOON, f"alpha/{n}", job=f"alpha/{n}") for n in range(5)]
    store.insert_rows(told)
    slow = Direct(store, RULES, RECEIVERS, world.door, world.timing, lambda: float(next(clock)))
    for notes in slow.tell(told, NOON):
        store.insert_rows(notes)
    assert len(world.door.sent) == 1
    world.tick(NOON + MINUTE, *told)
    assert len(world.door.sent) == 5


def test_what_is_only_pending_is_told_to_nobody(store: Store) -> None:
    waiting = alert(NOON)
    waiting.state, waiting.fired = "pending", FOREVER
    assert World(store).tick(NOON, waiting) == []
