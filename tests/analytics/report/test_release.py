"""Frozen weeks: what is drafted, annotated, released and corrected, and what never changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.report import document, release, snapshot
from analytics.report.render import render_html
from analytics.report.snapshot import DRAFT, RELEASED, Snapshot
from gpuledger.errors import ConfigError, StoreError
from gpuledger.store import Store
from tests.analytics.report import office
from tests.analytics.report.build import HOUR
from tests.analytics.report.office import DRAFTED, W47, accounts, book, desk, quick, staff

LATER = DRAFTED + timedelta(hours=1)


def rebook(store: Store, hours: int = 192) -> None:
    """Late data: what was idle was productive."""
    store.command("TRUNCATE TABLE accounts_1h")
    accounts(store, hours, idle=False)


def test_a_draft_keeps_the_numbers_of_the_book(store: Store) -> None:
    book(store)
    made = release.draft(store, desk(), W47, "ada", DRAFTED)
    assert (made.edition, made.state, made.settled) == (1, DRAFT, True)
    live = desk().live(store, W47)
    frozen = release.report(store, desk(), W47)
    assert replace(frozen, edition=None) == live
    assert frozen.edition
    assert (frozen.edition.snapshot_id, frozen.edition.state) == (made.name, DRAFT)


def test_a_released_report_does_not_change_with_the_book(store: Store) -> None:
    accounts(store)
    release.draft(store, quick(), W47, "ada", DRAFTED)
    release.release(store, quick(), W47, "ada", LATER)
    before = release.report(store, quick(), W47)
    page = render_html(before)
    rebook(store)
    after = release.report(store, quick(), W47)
    assert after == before
    assert render_html(after) == page
    live = release.report(store, quick(), W47, live=True)
    assert live.gpu_hours != before.gpu_hours
    assert live.edition is None


def test_a_provisional_draft_is_released_with_the_settled_numbers(store: Store) -> None:
    accounts(store, hours=168)
    drafted = release.draft(store, quick(), W47, "ada", DRAFTED)
    assert not drafted.settled
    with pytest.raises(ConfigError, match=r"settles at 2026-11-24 00:00 UTC"):
        release.release(store, quick(), W47, "ada", LATER)
    rebook(store, hours=192)
    done = release.release(store, quick(), W47, "ada", office.RELEASED)
    assert done.settled
    assert snapshot.loaded(store, drafted).report().gpu_hours == 168
    assert release.report(store, quick(), W47).gpu_hours == 384


def test_an_early_release_keeps_the_numbers_of_its_draft(store: Store) -> None:
    accounts(store, hours=168)
    drafted = snapshot.loaded(store, release.draft(store, quick(), W47, "ada", DRAFTED))
    done = release.release(store, quick(), W47, "ada", LATER, early=True)
    assert (done.state, done.settled) == (RELEASED, False)
    assert replace(done.report(), edition=None) == replace(drafted.report(), edition=None)


def test_remarks_of_leads_are_frozen_with_the_release(store: Store) -> None:
    accounts(store)
    staff(store)
    release.draft(store, quick(), W47, "ada", DRAFTED)
    release.annotate(store, W47, "vision", "The sweep <b>ended</b>", "vera", DRAFTED)
    release.annotate(store, W47, "vision", "The sweep of Vera ended", "vera", LATER)
    (draft,) = release.report(store, quick(), W47).lead_notes
    assert (draft.team, draft.text) == ("vision", "The sweep of owner ended")
    release.release(store, quick(), W47, "ada", LATER)
    with pytest.raises(ConfigError, match="draft it again with a --reason"):
        release.annotate(store, W47, "vision", "too late", "vera", LATER)
    assert release.report(store, quick(), W47).lead_notes == (draft,)


def test_an_empty_remark_takes_the_last_one_back(store: Store) -> None:
    accounts(store)
    staff(store)
    release.annotate(store, W47, "vision", "Something", "vera", DRAFTED)
    release.annotate(store, W47, "vision", "", "vera", LATER)
    assert release.report(store, quick(), W47).lead_notes == ()


@pytest.mark.parametrize(
    ("team", "text", "told"),
    [("visio", "x", "did you mean 'vision'"), ("vision", "x" * 601, "600 characters")],
)
def test_a_remark_of_nobody_or_without_end_is_refused(
    store: Store, team: str, text: str, told: str
) -> None:
    accounts(store)
    staff(store)
    with pytest.raises(ConfigError, match=told):
        release.annotate(store, W47, team, text, "vera", DRAFTED)


def test_a_correction_is_a_new_edition_that_says_why(store: Store) -> None:
    accounts(store)
    release.draft(store, quick(), W47, "ada", DRAFTED)
    release.release(store, quick(), W47, "ada", LATER)
    first = release.report(store, quick(), W47)
    rebook(store)
    with pytest.raises(ConfigError, match="needs a --reason"):
        release.draft(store, quick(), W47, "ada", LATER)
    drafted = release.draft(store, quick(), W47, "ada", LATER, "late data of alpha")
    assert (drafted.edition, drafted.corrects) == (2, "late data of alpha")
    assert release.report(store, quick(), W47) == first
    release.release(store, quick(), W47, "ada", LATER)
    second = release.report(store, quick(), W47)
    assert second.edition
    assert (second.edition.version, second.edition.corrects) == (2, "late data of alpha")
    assert second.gpu_hours != first.gpu_hours
    assert release.report(store, quick(), W47, edition=1) == first
    assert "late data of alpha" in render_html(second)


def test_a_draft_that_is_made_again_takes_the_newest_numbers(store: Store) -> None:
    accounts(store)
    first = release.draft(store, quick(), W47, "ada", DRAFTED)
    rebook(store)
    second = release.draft(store, quick(), W47, "ada", LATER)
    assert (second.step, second.edition) == (2, 1)
    assert second.snapshot_id != first.snapshot_id


def test_of_two_who_release_one_wins(store: Store) -> None:
    accounts(store)
    drafted = snapshot.loaded(store, release.draft(store, quick(), W47, "ada", DRAFTED))
    mine = replace(drafted, state=RELEASED, by="ada", at=LATER)
    snapshot.take(store, drafted, mine, drafted.report())
    theirs = replace(mine, by="bob", at=LATER + HOUR)
    with pytest.raises(ConfigError, match="ada was first, it is released"):
        snapshot.take(store, drafted, theirs, drafted.report())
    assert [s.by for s in snapshot.steps(store, W47)] == ["ada", "ada"]


def test_a_week_that_is_not_over_is_not_drafted(store: Store) -> None:
    accounts(store, hours=100)
    with pytest.raises(ConfigError, match="not booked to its end"):
        release.draft(store, quick(), W47, "ada", DRAFTED)


def test_nothing_is_released_without_a_draft_or_twice(store: Store) -> None:
    accounts(store)
    with pytest.raises(ConfigError, match="has no draft"):
        release.release(store, quick(), W47, "ada", DRAFTED)
    release.draft(store, quick(), W47, "ada", DRAFTED)
    release.release(store, quick(), W47, "ada", LATER)
    with pytest.raises(ConfigError, match="edition 1, released"):
        release.release(store, quick(), W47, "ada", LATER)


def test_a_week_of_which_nothing_is_booked_is_refused(store: Store) -> None:
    accounts(store)
    with pytest.raises(ConfigError, match="nothing is booked of week 2026-W40: the book is"):
        release.report(store, desk(), "2026-W40")


def test_the_last_whole_week_is_one_of_the_zone(store: Store) -> None:
    accounts(store, hours=168)
    assert quick().last_whole(store) == W47
    # In New York the week lasts five hours more.
    assert quick(timezone="America/New_York").last_whole(store) == "2026-W46"


def test_a_report_of_a_zone_has_its_days_and_says_so(store: Store) -> None:
    book(store)
    report = desk(timezone="Europe/Berlin").live(store, W47)
    assert (report.week, report.timezone, report.expected_hours) == (W47, "Europe/Berlin", 168)
    # The book begins an hour after the week does there.
    assert report.booked_hours == 167
    assert "Europe/Berlin" in render_html(report)


def test_a_snapshot_of_another_version_is_not_guessed_at() -> None:
    kept = Snapshot(W47, 1, 1, 1, DRAFT, "", settled=True, by="ada", at=DRAFTED, value="{}")
    with pytest.raises(StoreError, match="another version"):
        kept.report()
    with pytest.raises(StoreError, match="another version"):
        document.from_json("{}", form=99)
