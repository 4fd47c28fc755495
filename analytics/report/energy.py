"""Energy and CO2 of the period, with the factors and where they are from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from analytics.money.book import SITE
from analytics.report.annex import Energy, TeamEnergy
from analytics.report.book import steady
from analytics.report.words import plain
from gpuledger.measures import (
    CARBON_KG,
    ENERGY_KWH,
    KWH_PER_PRODUCTIVE,
    SITE_ENERGY_KWH,
    select,
)
from gpuledger.service import Reader

MOST_TEAMS = 5
NO_READING = "no GPU told how much energy it drew"
NO_FACTOR = "CO2 is not shown: set [energy] carbon_kg_per_kwh and carbon_source"
NO_PUE = "energy is that of the GPUs alone: set [energy] pue and pue_source for the site's"


def energy(reader: Reader, since: datetime, until: datetime) -> Energy:
    """What was drawn, by whom, and what it emitted. StoreError."""
    (row,) = (steady(r) for r in reader.select(_FLEET, since=since, until=until))
    teams = reader.select(_TEAMS, since=since, until=until)
    reasons = [] if row["energy_kwh"] else [NO_READING]
    if row["energy_kwh"]:
        reasons += [NO_FACTOR] if row["factor"] is None else []
        reasons += [NO_PUE] if row["pue_told"] is None else []
    return Energy(
        kwh=row["energy_kwh"],
        site_kwh=row["site_energy_kwh"] if row["pue_told"] is not None else None,
        unproductive_kwh=row["unproductive_kwh"],
        per_productive=row["kwh_per_productive_gpu_hour"],
        carbon_kg=row["carbon_kg"] if row["factor"] is not None else None,
        pue=row["pue_told"],
        carbon_factor=row["factor"],
        source=_source(reader, until),
        unread_ratio=row["unread"],
        teams=tuple(_team(steady(r)) for r in teams),
        not_shown="; ".join(reasons),
    )


def _source(reader: Reader, until: datetime) -> str:
    rows = reader.select(_SOURCE, site=SITE, until=until)
    return plain(rows[0]["source"]) if rows else ""


def _team(row: dict[str, Any]) -> TeamEnergy:
    return TeamEnergy(
        plain(row["team"]), row["energy_kwh"], row["unproductive_kwh"], row["carbon_kg"]
    )


_HOURS = "hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"
_UNPRODUCTIVE = "sumIf(energy_joules, state != 'productive') / 3.6e6 AS unproductive_kwh"
_FLEET = f"""
SELECT {select(ENERGY_KWH, SITE_ENERGY_KWH, KWH_PER_PRODUCTIVE, CARBON_KG)}, {_UNPRODUCTIVE},
  max(b.pue) AS pue_told, max(b.carbon_per_kwh) AS factor,
  sumIf(gpu_seconds, energy_joules IS NULL) / nullIf(sum(gpu_seconds), 0) AS unread
FROM v_book_1h AS b WHERE {_HOURS}"""
_TEAMS = f"""
SELECT toString(team) AS team, {select(ENERGY_KWH, CARBON_KG)}, {_UNPRODUCTIVE}
FROM v_book_1h WHERE {_HOURS} AND team != '' GROUP BY team HAVING energy_kwh > 0
ORDER BY energy_kwh DESC, team LIMIT {MOST_TEAMS}"""
_SOURCE = """
SELECT source FROM v_price_book WHERE model = {site:String}
  AND valid_from < {until:DateTime64(3, 'UTC')} ORDER BY valid_from DESC LIMIT 1"""
