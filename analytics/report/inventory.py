"""The asset list against what reports, and the evidence that the book rests on."""

from __future__ import annotations

from datetime import datetime

from analytics.asset_list import IMPORTED
from analytics.report.annex import Grade, Reconciled
from gpuledger.catalogue.work import version
from gpuledger.service import Reader

DIGITS = 6
LISTED = "on the asset list"
FOUND = "found by agents, on no list"
SILENT = "owned, but silent all the time"
STRANGE = "report, but owned by nobody"
ADVICE = {
    FOUND: "confirm them: gpuledger assets import",
    SILENT: "start the agent there, or say what became of them",
    STRANGE: "add them to the list; until then their time is outside the book",
}


def reconciled(reader: Reader, since: datetime, until: datetime) -> tuple[Reconciled, ...]:
    """GPUs and GPU-hours by whether the list and the telemetry know them; zero lines left out."""
    asked = {"since": since, "until": until}
    (owned,) = reader.select(_OWNED, trusted=version(IMPORTED, 0), **asked)
    (strange,) = reader.select(_STRANGE, **asked)
    lines = (
        (LISTED, owned["listed"], owned["listed_hours"]),
        (FOUND, owned["found"], owned["found_hours"]),
        (SILENT, owned["silent"], owned["silent_hours"]),
        (STRANGE, strange["gpus"], None),
    )
    return tuple(
        Reconciled(what, gpus, None if h is None else round(h, DIGITS), ADVICE.get(what, ""))
        for what, gpus, h in lines
        if gpus
    )


def grades(reader: Reader, since: datetime, until: datetime) -> tuple[Grade, ...]:
    """GPU-hours by evidence grade, the best first."""
    rows = reader.select(_GRADES, since=since, until=until)
    whole = sum(row["gpu_hours"] for row in rows)
    return tuple(
        Grade(
            row["grade"],
            round(row["gpu_hours"], DIGITS),
            round(row["gpu_hours"] / whole, DIGITS) if whole else 0.0,
        )
        for row in rows
    )


_OVERLAP = (
    "greatest(0, dateDiff('second', greatest(valid_from, {since:DateTime64(3, 'UTC')}),"
    " least(valid_to, {until:DateTime64(3, 'UTC')}))) / 3600"
)
_OWNED = f"""
SELECT countIf(version >= {{trusted:UInt64}}) AS listed,
  sumIf(hours, version >= {{trusted:UInt64}}) AS listed_hours,
  countIf(version < {{trusted:UInt64}}) AS found,
  sumIf(hours, version < {{trusted:UInt64}}) AS found_hours,
  countIf(dumb) AS silent, sumIf(hours, dumb) AS silent_hours
FROM (SELECT version, {_OVERLAP} AS hours, gpu_id NOT IN (SELECT gpu_id FROM gpu_samples_1h
    WHERE ts >= {{since:DateTime64(3, 'UTC')}} AND ts < {{until:DateTime64(3, 'UTC')}}) AS dumb
  FROM v_assets WHERE valid_from < {{until:DateTime64(3, 'UTC')}}
    AND valid_to > {{since:DateTime64(3, 'UTC')}})"""
_STRANGE = """
SELECT uniqExact(gpu_id) AS gpus FROM gpu_samples_1h
WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND gpu_id NOT IN (SELECT gpu_id FROM assets)"""
_GRADES = """
SELECT toString(grade) AS grade, sum(gpu_ms) / 3.6e6 AS gpu_hours FROM accounts_1h
WHERE hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}
GROUP BY grade HAVING gpu_hours > 0 ORDER BY grade"""
