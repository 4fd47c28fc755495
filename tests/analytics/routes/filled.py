"""A store in which every list of the API has rows, and what is in them is hostile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics import job_teams
from gpuledger.batch import EPOCH
from gpuledger.catalogue import (
    AlertState,
    Change,
    Exemption,
    Forecast,
    NodeState,
    Notification,
    Outcome,
    Pool,
    PriceEntry,
    Quarantine,
    Quota,
    SourceRun,
    Team,
)
from gpuledger.config import Config
from gpuledger.rows import changed
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.web import idle_cluster, make_service
from tests.analytics.world import CLUSTER, HOSTILE, asset, at, job, write

NOW = datetime.now(UTC).replace(microsecond=0)
AN_HOUR = timedelta(hours=1)
LEAD = "owner"
STOPPED = 40


class Alerts:
    """Two alerts and a rule, as the other part would tell them."""

    def rules(self) -> list[dict[str, Any]]:
        """One rule."""
        names = ("severity", "holds_from", "for", "told", "hears", "measure", "help")
        return [{"rule": "Idle", **dict.fromkeys(names, "text")}]

    def status(
        self, reader: Any, *, rule: str = "", resolved: bool = False
    ) -> list[dict[str, Any]]:
        """What the table has."""
        told = reader.select(
            "SELECT rule, subject, state, 'high' AS severity, 'team' AS owner, since, fired,"
            " resolved, value, gpus, cost_per_hour, currency, '' AS told, '=summary' AS summary"
            " FROM v_alert_states WHERE {rule:String} IN ('', rule) ORDER BY rule",
            rule=rule,
        )
        return [r for r in told if resolved or r["state"] != "resolved"]


def filled(store: Store) -> Any:
    """The service over a store with rows in every list."""
    idle_cluster(store)
    write(store, _rows())
    job_teams.JobTeams(store).write(NOW)
    service = make_service(store)
    service.alerts = Alerts()
    service.configuration = Config({})
    return service


def _rows() -> Iterator[Row]:
    yield from (
        changed(job(str(100 + i), user=f"u{i % 7}", team="blue", started=at(i)), submitted=at(i))
        for i in range(STOPPED)
    )
    yield from (asset(0, f"m{i}") for i in range(5))
    yield NodeState(
        cluster=CLUSTER,
        node="m1",
        scheduler="slurm",
        state="drained",
        reason=HOSTILE,
        pools="p",
        gpus=1,
        memory_bytes=None,
        valid_from=at(0),
        valid_to=FOREVER,
        seen_at=at(0),
        version=1,
    )
    yield from _told()
    yield from _stated()


def _told() -> Iterator[Row]:
    ago = NOW - AN_HOUR
    for rule in ("Idle", "Sick"):
        yield AlertState(
            rule=rule,
            subject=HOSTILE,
            state="firing",
            since=ago,
            fired=ago,
            resolved=FOREVER,
            value=2.0,
            labels="{}",
            annotations="{}",
            version=1,
        )
        yield Notification(
            ts=ago, rule=rule, subject=HOSTILE, state="firing", channel="mail", outcome="accepted"
        )
    yield Quarantine(
        ts=ago,
        cluster=CLUSTER,
        node="n0",
        of="gpu_samples",
        reason="=late",
        rows=3,
        first=ago,
        last=ago,
        key="a/b/1",
        body="x",
    )
    for source in ("nvml", "host"):
        yield SourceRun(
            ts=ago,
            interval_seconds=10,
            cluster=CLUSTER,
            node="n0",
            source=source,
            runs=10,
            failures=1,
            rows=80,
            duration_seconds=0.01,
            reason=HOSTILE,
        )
    for kind in ("driver", "drain"):
        yield Change(ts=ago, cluster=CLUSTER, node="n0", kind=kind, before="1", after="=2")


def _stated() -> Iterator[Row]:
    for team in ("red", "blue", HOSTILE):
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
        yield Team(
            kind="account",
            name=team,
            team=team,
            lead=LEAD,
            valid_from=EPOCH,
            valid_to=FOREVER,
            version=1,
        )
    yield from _priced()
    yield from _foreseen()


def _priced() -> Iterator[Row]:
    yield Pool(
        cluster=CLUSTER,
        pool="p",
        scheduler="slurm",
        state="up",
        nodes="m[0-4]",
        priority=1,
        longest_seconds=3600,
        preemptible=0,
        seen_at=NOW,
        version=1,
    )
    yield PriceEntry(
        provider="",
        pool="p",
        model="",
        energy_price=None,
        pue=None,
        carbon_per_kwh=None,
        capacity_value=2.0,
        currency="EUR",
        source=HOSTILE,
        valid_from=EPOCH,
        valid_to=FOREVER,
        version=1,
    )
    yield Exemption(
        subject=f"{CLUSTER}/101",
        kinds="",
        reason=HOSTILE,
        owner="ada",
        approved_by="",
        valid_from=NOW,
        valid_to=NOW + 24 * AN_HOUR,
        version=1,
    )


def _foreseen() -> Iterator[Row]:
    yield Outcome(
        recommendation_id=7,
        kind="reclaim",
        subject=HOSTILE,
        team="blue",
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
    for day in range(3):
        yield Forecast(
            cluster=CLUSTER,
            pool="p",
            measure="demand",
            horizon_days=28,
            at=at(0) + timedelta(days=day),
            step_seconds=86400,
            low=1.0,
            expected=2.0,
            high=3.0,
            method="last week",
            error_ratio=0.1,
            naive_error_ratio=0.2,
            cover_ratio=0.8,
            origins=2,
            history_days=20,
            made=at(0),
            version=1,
        )
