"""Idleness that was agreed to: asked for by anyone, approved by the lead of the team that pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.book import parse_since
from analytics.lists import moment
from gpuledger import plugins
from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import Exemption
from gpuledger.errors import ConfigError, Unknown, nearest
from gpuledger.owners import job_owners
from gpuledger.rows import changed
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

SERVICE = "service/"


@dataclass(frozen=True)
class Request:
    """What somebody asks for."""

    subject: str
    reason: str
    until: datetime
    owner: str
    kinds: tuple[str, ...] = ()


def ask(store: Store, request: Request, now: datetime) -> Exemption:
    """Write the request; it counts once it is approved. ConfigError where it makes no sense."""
    known = plugins.names("analytics.detectors")
    for kind in request.kinds:
        if kind not in known:
            raise ConfigError(f"unknown kind of finding '{kind}'{nearest(kind, known)}")
    if not request.reason.strip():
        raise ConfigError("an exemption needs a reason")
    if request.until <= now:
        raise ConfigError(f"until {request.until:%Y-%m-%d %H:%M} UTC is not in the future")
    team_of(store, request.subject)
    row = Exemption(
        subject=request.subject,
        kinds=",".join(sorted(set(request.kinds))),
        reason=request.reason.strip(),
        owner=request.owner,
        valid_from=now,
        valid_to=request.until,
        version=to_milliseconds(now),
    )
    store.insert_rows([row])
    return row


def approve(
    store: Store, subject: str, by: str, now: datetime, *, proven: bool = False
) -> Exemption:
    """Approve the latest open request. ConfigError unless `by` leads the team that pays.

    `proven`: it is known already that `by` speaks for that team.
    """
    row = _open(store, subject, now)
    if proven:
        return _rewritten(store, row, now, approved_by=by)
    team = team_of(store, subject)
    leads = leads_of(store, team, now)
    if not leads:
        raise ConfigError(
            f"nobody is known to lead team {team}: name a lead in 'gpuledger teams import'"
        )
    if by not in leads:
        raise ConfigError(f"{by} does not lead team {team}: {' or '.join(leads)} may approve")
    return _rewritten(store, row, now, approved_by=by)


def end(store: Store, subject: str, now: datetime) -> Exemption:
    """End it now; the past stays as it was agreed."""
    return _rewritten(store, _open(store, subject, now), now, valid_to=now)


def ends(text: str, now: datetime, what: str = "an exemption") -> datetime:
    """`12h`, `7d`, `2w` from now on, or a date. ConfigError where it is neither."""
    if not text:
        raise ConfigError(f"{what} ends: give --until 7d or a date")
    try:
        until = _from_now(text, now) if text[-1] in "mhdw" else moment(text, now)
    except (ValueError, ConfigError):
        raise ConfigError(f"--until {text}: write 12h, 7d or 2026-11-16T00:00Z") from None
    if until >= FOREVER:
        raise ConfigError(f"--until {text}: {what} ends")
    return until


def _from_now(text: str, now: datetime) -> datetime:
    back = parse_since(text, now)
    return now + (now - back) if back > EPOCH else FOREVER


def state_of(row: Exemption, now: datetime) -> str:
    """`holds`, `waits for approval` or `ended`, as `listed` has it."""
    if row.valid_to <= now:
        return "ended"
    return "holds" if row.approved_by else "waits for approval"


def listed(reader: Reader, now: datetime, *, everything: bool = False) -> list[dict[str, Any]]:
    """Exemptions that hold or wait for approval, the next to end first; or all."""
    limit = "true" if everything else "valid_to > {now:DateTime64(3, 'UTC')}"
    return reader.select(
        "SELECT subject, kinds, reason, owner, approved_by, valid_from, valid_to,"
        " multiIf(valid_to <= {now:DateTime64(3, 'UTC')}, 'ended',"
        " approved_by = '', 'waits for approval', 'holds') AS state"
        f" FROM v_exemptions WHERE {limit} ORDER BY valid_to, subject",
        now=now,
    )


def team_of(reader: Reader, subject: str) -> str:
    """The team that pays for a job or service. ConfigError offers the nearest service."""
    if subject.startswith(SERVICE):
        return _team_of_service(reader, subject.removeprefix(SERVICE))
    rows = reader.select(
        f"SELECT job_id, team FROM ({job_owners()}) WHERE job_id = {{subject:String}}"
        " OR endsWith(job_id, concat('/', {subject:String})) LIMIT 2",
        subject=subject,
    )
    for row in rows:
        if row["job_id"] == subject:
            return str(row["team"])
    hint = f"; did you mean '{rows[0]['job_id']}'?" if rows else ""
    raise Unknown(f"there is no job '{subject}'{hint}")


def _team_of_service(reader: Reader, name: str) -> str:
    rows = reader.select("SELECT service, team FROM v_services")
    for row in rows:
        if row["service"] == name:
            return str(row["team"])
    raise Unknown(f"no service '{name}' is declared{nearest(name, [r['service'] for r in rows])}")


def leads_of(reader: Reader, team: str, now: datetime) -> Sequence[str]:
    """Who decides for a team now."""
    rows = reader.select(
        "SELECT DISTINCT lead FROM v_teams WHERE team = {team:String} AND lead != ''"
        " AND valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}"
        " ORDER BY lead",
        team=team,
        now=now,
    )
    return [r["lead"] for r in rows]


def _open(reader: Reader, subject: str, now: datetime) -> Exemption:
    rows = reader.select(
        "SELECT * FROM v_exemptions WHERE subject = {subject:String}"
        " AND valid_to > {now:DateTime64(3, 'UTC')} ORDER BY valid_from DESC LIMIT 1",
        subject=subject,
        now=now,
    )
    if not rows:
        raise Unknown(f"no exemption of '{subject}' is open: see 'gpuledger exempt'")
    return Exemption(**rows[0])


def _rewritten(store: Store, row: Exemption, now: datetime, **values: Any) -> Exemption:
    """The same exemption with other values; always younger than what it replaces."""
    version = max(to_milliseconds(now), row.version + 1)
    row = changed(row, version=version, **values)
    store.insert_rows([row])
    return row
