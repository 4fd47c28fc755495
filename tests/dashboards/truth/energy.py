"""The energy board against the demo's truth."""

from __future__ import annotations

from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import (
    CARBON,
    FREE,
    HOURS,
    IDLE,
    KWH_PRICE,
    POOL,
    PRICE,
    PUE,
    Pairs,
    Rows,
    Told,
)

BOARD = "energy"
NOTHING = (*IDLE, "unalloc_unknown", *FREE)
POWER_LIMIT_WATTS = 700.0


def _counted(told: Told) -> float:
    """Energy by the cards' own counters, in kWh; what they drew while unheard is in it."""
    first_to_last = (
        "SELECT max(energy_mj) - min(energy_mj) AS mj FROM gpu_samples"
        " WHERE energy_mj IS NOT NULL GROUP BY gpu_id"
    )
    return sum(float(row["mj"]) for row in told.store.select(first_to_last)) / 3.6e9


@about(BOARD, "Energy")
def drawn(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "by the counters", row["energy_kwh"], near(_counted(told), 0.02)
    yield "idle", row["idle_kwh"], near(told.kwh(*NOTHING))
    yield "with the site", row["site_energy_kwh"], near(told.kwh() * PUE)
    each = told.kwh() / told.hours("productive")
    yield "for a productive hour", row["kwh_per_productive_gpu_hour"], near(each)


@about(BOARD, "Money")
def money(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "worth", row["capacity_value"], near(told.owned * PRICE)
    yield "to win back", row["loose_value"], near(told.loose() * PRICE)
    yield "energy", row["energy_cost"], near(told.kwh() * PUE * KWH_PRICE)
    yield "no bill", row["cash_billed"], None


@about(BOARD, "Energy by what the GPUs did")
def states(told: Told, rows: Rows) -> Pairs:
    for state in ("productive", "alloc_idle", "free_surplus"):
        shown = one(rows, what=state.replace("_", " "))["energy_kwh"]
        yield state, shown, near(told.kwh(state))


@about(BOARD, "Power of all GPUs")
def power(told: Told, rows: Rows) -> Pairs:
    # Hours of this world are as wide as its points: mean watts of an hour are its energy.
    kwh = total(rows, "drawn_watts") / 1000
    yield "drawn", kwh, near(told.kwh(), 0.05)
    limits = [r["limit_watts"] for r in rows]
    yield "limit", max(limits), near(len(told.world.places) * POWER_LIMIT_WATTS)


@about(BOARD, "Energy over time")
def over_time(told: Told, rows: Rows) -> Pairs:
    yield "points", len(rows), HOURS
    yield "idle", total(rows, "idle_kwh"), near(told.kwh(*NOTHING))
    yield "others", total(rows, "at_work_kwh"), near(told.kwh() - told.kwh(*NOTHING))


@about(BOARD, "Energy for each productive GPU-hour")
def efficiency(told: Told, rows: Rows) -> Pairs:
    for row in (rows[0], rows[-1]):
        cells = [c for c in told.cells if c.hour == row["time"]]
        work = sum(c.hours for c in cells if c.state == "productive")
        each = sum(c.kwh for c in cells) / work
        yield f"{row['time']:%d %H}", row["kwh_per_productive_gpu_hour"], near(each)


@about(BOARD, "By team")
def teams(told: Told, rows: Rows) -> Pairs:
    team, hours = told.best("team", told.hours)
    yield "largest", rows[0]["team"], team
    row = one(rows, team="vision")
    theirs = sum(c.hours for c in told.cells if c.team and c.is_theirs)
    yield "hours of all", total(rows, "gpu_hours"), near(theirs)
    yield "hours", rows[0]["gpu_hours"], near(hours)
    yield "energy", row["energy_kwh"], near(told.kwh(team="vision"))
    yield "carbon", row["carbon_kg"], near(told.kwh(team="vision") * PUE * CARBON)


@about(BOARD, "By pool")
def pools(told: Told, rows: Rows) -> Pairs:
    row = one(rows, pool=POOL)
    yield "hours", row["gpu_hours"], near(told.owned)
    yield "energy", row["energy_kwh"], near(told.kwh())
    yield "cost", row["energy_cost"], near(told.kwh() * PUE * KWH_PRICE)


@about(BOARD, "Jobs that drew most while idle")
def jobs(told: Told, rows: Rows) -> Pairs:
    def idle(job: str) -> float:
        return told.kwh(*NOTHING, job=job)

    job, kwh = told.best("job", idle)
    yield "first", rows[0]["job"], job
    yield "idle energy", rows[0]["idle_kwh"], near(kwh)
    yield "hours", rows[0]["gpu_hours"], near(told.hours(job=job))
    yield "user", rows[0]["user"], told.job(job).plan.user


@about(BOARD, "CO2")
def carbon(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "emitted", row["carbon_kg"], near(told.kwh() * PUE * CARBON)
    yield "factor", row["factor"], near(CARBON)


@about(BOARD, "Prices and factors")
def rates(told: Told, rows: Rows) -> Pairs:
    model = one(rows, model="NVIDIA H100 80GB HBM3")
    yield "worth of an hour", model["capacity_value"], near(PRICE)
    yield "price of a kWh", model["energy_price"], near(KWH_PRICE)
    yield "PUE", one(rows, model="*")["pue"], near(PUE)
    yield "CO2", one(rows, model="*")["carbon_per_kwh"], near(CARBON)
