"""A store with the work of two teams, in which everything of the one has a word of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from analytics import job_teams
from analytics.runner import Runner
from gpuledger.batch import EPOCH
from gpuledger.catalogue import AlertState, Exemption, Notification, Outcome, Quota, Team
from gpuledger.config import Config
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, at, card, given, job, price, samples, write

# Words that are nowhere but in what belongs to a team.
OWN, OTHER = "wombat", "quokka"
NUMBERS = {OWN: "4711", OTHER: "987654"}
NOW = datetime.now(UTC).replace(microsecond=0)


def fill(store: Store) -> None:
    """Three hours of a GPU for each team, idle in a job of its own, booked and advised on."""
    write(store, [card(0), card(1), price()])
    for slot, team in enumerate((OWN, OTHER)):
        write(store, _work(team, slot))
        write(store, _said(team))
    Runner(store, Config({"runner": {"settle_s": 0}})).tick(at(180))
    job_teams.JobTeams(store).write(NOW)


def _work(team: str, slot: int) -> Iterator[Row]:
    yield from samples(slot, 0, 180, active=0.0)
    number = NUMBERS[team]
    names = {"name": f"{team}-train", "user": f"{team}-ada", "team": team}
    yield job(number, started=at(0), **names)
    yield given(number, slot)


def _said(team: str) -> Iterator[Row]:
    subject = f"{CLUSTER}/{NUMBERS[team]}"
    yield from _lists(team)
    yield from _alerts(team, subject)
    yield from _decided(team, subject)


def _lists(team: str) -> Iterator[Row]:
    yield Team(
        kind="account",
        name=team,
        team=team,
        lead=f"{team}-lead",
        mail=f"{team}@example.com",
        valid_from=EPOCH,
        valid_to=FOREVER,
        version=1,
    )
    yield Quota(
        cluster=CLUSTER,
        scheduler="slurm",
        team=team,
        queue=team,
        gpu_model="",
        guaranteed_milli=4000,
        limit_milli=0,
        parent="",
        seen_at=NOW,
        version=1,
    )


def _alerts(team: str, subject: str) -> Iterator[Row]:
    ago = NOW - timedelta(hours=1)
    yield AlertState(
        rule="JobIdle",
        subject=subject,
        state="firing",
        since=ago,
        fired=ago,
        resolved=FOREVER,
        value=2.0,
        labels=f'{{"team": "{team}", "user": "{team}-ada", "job": "{subject}"}}',
        annotations="{}",
        version=1,
    )
    yield Notification(
        ts=ago,
        rule="JobIdle",
        subject=subject,
        state="firing",
        channel="mail",
        receiver=f"team/{team}",
        outcome="accepted",
    )


def _decided(team: str, subject: str) -> Iterator[Row]:
    yield Exemption(
        subject=subject,
        kinds="",
        reason=f"{team} wants it",
        owner=f"{team}-ada",
        approved_by="",
        valid_from=NOW,
        valid_to=NOW + timedelta(days=1),
        version=1,
    )
    yield Outcome(
        recommendation_id=len(team) + ord(team[0]),
        kind="reclaim",
        subject=subject,
        team=team,
        status="measured",
        reason="",
        method="",
        predicted_gpu_hours=4.0,
        measured_gpu_hours=3.0,
        low_gpu_hours=1.0,
        high_gpu_hours=5.0,
        treated_before=1,
        treated_after=1,
        matched_before=1,
        matched_after=1,
        accepted=at(0),
        applied=at(1),
        measured=at(2),
        version=1,
    )
