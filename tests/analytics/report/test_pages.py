"""Pages of teams: frozen with the draft, the same for whoever gets them again."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from analytics.report import pages, release, teams, weeks
from analytics.report.pages import BUDGET_S
from analytics.report.send.papers import Papers
from analytics.report.snapshot import Snapshot
from analytics.report.teams import TeamReport
from gpuledger.store import Store
from tests.analytics.report.office import DRAFTED, LEADS, W47, accounts, quick, staff

LATER = DRAFTED + timedelta(hours=30)


def drafted(store: Store) -> Snapshot:
    accounts(store)
    return release.draft(store, quick(), W47, "ada", DRAFTED)


def rebook(store: Store) -> None:
    """Late data: what was idle was productive."""
    store.command("TRUNCATE TABLE accounts_1h")
    accounts(store, idle=False)


def live(store: Store, team: str) -> TeamReport:
    return teams.collect(store, team, *weeks.bounds(W47, quick().zone), quick().zone)


def page(store: Store, frozen: Snapshot, team: str = "vision") -> TeamReport:
    return pages.page(store, frozen, team, quick().zone, LATER)


def test_a_page_stays_as_it_was_drafted_to_the_byte(store: Store) -> None:
    frozen = drafted(store)
    first = Papers(page(store, frozen))
    assert first.report == live(store, "vision")
    rebook(store)
    again = Papers(page(store, frozen))
    assert (again.html, again.markdown, again.json) == (first.html, first.markdown, first.json)
    assert live(store, "vision").utilization_ratio != again.report.utilization_ratio


def test_a_release_keeps_the_pages_of_its_draft(store: Store) -> None:
    before = page(store, drafted(store))
    rebook(store)
    done = release.release(store, quick(), W47, "ada", LATER)
    assert page(store, done) == before


def test_another_draft_has_pages_of_its_own(store: Store) -> None:
    before = page(store, drafted(store))
    rebook(store)
    again = release.draft(store, quick(), W47, "ada", LATER)
    assert page(store, again) == live(store, "vision") != before


def test_what_a_draft_had_no_time_for_is_frozen_when_it_is_first_asked_for(store: Store) -> None:
    frozen = drafted(store)
    store.command("TRUNCATE TABLE report_pages")
    slow = count(0.0, 0.8 * BUDGET_S)
    assert pages.freeze(store, frozen, quick().zone, clock=lambda: next(slow)) == 1
    there = [pages.kept(store, frozen, team) is not None for team in sorted(LEADS)]
    assert there == [True, False]
    first = page(store, frozen)
    rebook(store)
    assert page(store, frozen) == first


def test_who_looks_at_a_frozen_page_sees_the_remark_of_now(store: Store) -> None:
    frozen = drafted(store)
    staff(store)
    release.annotate(store, W47, "vision", "The sweep ended", "vera", LATER)
    shown = pages.shown(store, frozen, "vision")
    assert shown is not None
    assert shown.note == "The sweep ended"
    assert pages.shown(store, frozen, "nobody") is None
