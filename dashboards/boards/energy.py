"""Energy and cost: what was drawn, by whom and for what, what it cost, and what it emitted."""

from __future__ import annotations

from dashboards.ask import accounts, book, changes, drawn, fleet, picked, point, worst_jobs
from dashboards.choices import COMMON, board_link
from dashboards.panel import FINE, Board, Panel, area, bars, lines, stat, table
from dashboards.parts import BOOKED_UNTIL, CURRENCY_SQL
from dashboards.telemetry import on_pools
from dashboards.words import Column, Marks, Text, measured
from gpuledger.catalogue import GpuSample
from gpuledger.measures import (
    CAPACITY_VALUE,
    CARBON_KG,
    CASH_AVOIDABLE,
    CASH_BILLED,
    ENERGY_COST,
    ENERGY_KWH,
    GPU_HOURS,
    IDLE_KWH,
    KWH_PER_PRODUCTIVE,
    LOOSE_VALUE,
    PRICED,
    SITE_ENERGY_KWH,
    THEIRS,
)
from gpuledger.states import BY_NAME
from gpuledger.units import COUNT, CURRENCY, WATT

UID = "gpuledger-energy"
ROWS = 20
NO_READING = "no GPU told how much energy it drew in this range"
NO_PRICE = "nothing in this range has a price: set [prices] capacity_value and energy_price"
PER_PRODUCTIVE = measured(KWH_PER_PRODUCTIVE, "kWh per productive GPU-hour")
EXPLORER = board_link("gpuledger-explorer")
DRAWN = (ENERGY_KWH, IDLE_KWH)
KWH = (measured(ENERGY_KWH, "kWh"), measured(IDLE_KWH, "idle kWh"))
# Two views of all of it, and what was paid: none of them is a part of another.
MONEY = (CAPACITY_VALUE, LOOSE_VALUE, CASH_AVOIDABLE, ENERGY_COST, CASH_BILLED)
TITLES = ("worth", "worth that could be won back", "cash avoidable", "energy cost", "cloud bill")
MONEY_COLUMNS = tuple(measured(m, title) for m, title in zip(MONEY, TITLES, strict=True))


def _drawn() -> Panel:
    shown = (ENERGY_KWH, IDLE_KWH, KWH_PER_PRODUCTIVE, SITE_ENERGY_KWH)
    return stat(
        Text(
            "Energy",
            "Drawn by the GPUs in all, by those that did nothing (idle, stalled or free), for each"
            " productive GPU-hour, and with what the site needs for it where a PUE is told.",
            "Energy of idle GPUs ends with the jobs that hold them: the idle board names those.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-idle"),
            empty=NO_READING,
        ),
        f"SELECT {picked(*shown)}\n{book()}\nHAVING {ENERGY_KWH.name} IS NOT NULL",
        *KWH,
        PER_PRODUCTIVE,
        measured(SITE_ENERGY_KWH, "site kWh"),
        width=12,
    )


def _money() -> Panel:
    return stat(
        Text(
            "Money",
            "Worth of the GPU-hours, of those that could be won back, cash that would not be spent"
            " without them, energy at its price, and cloud bills. Each is a view of the whole:"
            " never add them.",
            "The table by team says whose; a dash is what has no price or bill.",
            link=board_link("gpuledger-executive"),
            empty=NO_PRICE,
        ),
        f"SELECT {picked(*MONEY)}, {CURRENCY_SQL} AS currency, {picked(PRICED)}\n{book()}\n"
        f"HAVING {PRICED.name} > 0",
        *MONEY_COLUMNS,
        Column("currency", "currency"),
        measured(PRICED, "GPU-hours with a price"),
        width=12,
    )


def _states() -> Panel:
    return bars(
        Text(
            "Energy by what the GPUs did",
            "kWh in each state; anything but productive is energy that earned nothing or little.",
            "Choose a team above to see where its energy went.",
            link=EXPLORER,
            empty=NO_READING,
        ),
        f"SELECT replaceAll(toString(state), '_', ' ') AS what, {picked(ENERGY_KWH)}\n{book()}\n"
        f"GROUP BY what HAVING {ENERGY_KWH.name} > 0 ORDER BY {ENERGY_KWH.name} DESC, what",
        KWH[0],
        width=8,
        height=10,
    )


def _power() -> Panel:
    # The book has each GPU once, whoever told of it; of limits a mean is enough.
    cells = (
        f"SELECT at, sum(energy_joules) AS joules, sum(gpu_seconds) AS gpu_seconds,\n"
        f"  dateDiff('second', at, least(at + toIntervalSecond(any(cell_seconds)), {BOOKED_UNTIL}))"
        f" AS seconds\n{drawn()}\nWHERE {on_pools()} GROUP BY at"
    )
    limits = (
        f"SELECT {point('at')} AS time,"
        " sum(power_limit_watts * covered_seconds) / sum(covered_seconds) AS watts\n"
        f"{fleet(GpuSample.table, 'power_limit_watts')}\n"
        f"WHERE {on_pools()} AND power_limit_watts IS NOT NULL GROUP BY time"
    )
    return lines(
        Text(
            "Power of all GPUs",
            "Drawn together, and the most that they may draw by their power limits.",
            "Nights and weekends near the days' level: look at what idles then.",
            link=board_link("gpuledger-idle"),
            empty="no agent told of power in this range",
        ),
        "SELECT c.time AS time, c.joules / c.seconds AS drawn_watts,"
        " l.watts * c.gpu_seconds / c.seconds AS limit_watts\n"
        f"FROM (SELECT {point('at')} AS time, sum(joules) AS joules,"
        " sum(gpu_seconds) AS gpu_seconds, sum(seconds) AS seconds\n"
        f"  FROM ({cells}) GROUP BY time HAVING joules > 0) AS c\n"
        f"LEFT JOIN ({limits}) AS l ON l.time = c.time ORDER BY time",
        Column("drawn_watts", "drawn", WATT),
        Column("limit_watts", "limit", WATT),
        width=16,
        height=10,
        interval=FINE,
    )


def _over_time() -> Panel:
    idle, busy = f"{IDLE_KWH.sql}", f"{ENERGY_KWH.sql} - ifNull({IDLE_KWH.sql}, 0)"
    return area(
        Text(
            "Energy over time",
            "kWh in each point of time: of GPUs that did nothing, and of all others.",
            "Compare before and after a change: changes are marked.",
            link=EXPLORER,
            empty=NO_READING,
        ),
        f"SELECT {point('at')} AS time, {busy} AS at_work_kwh, {idle} AS {IDLE_KWH.name}\n"
        f"{accounts()}\nGROUP BY time HAVING at_work_kwh IS NOT NULL ORDER BY time",
        Column("at_work_kwh", "all others", colour=BY_NAME["productive"].colour),
        Column(IDLE_KWH.name, "idle", colour=BY_NAME["alloc_idle"].colour),
        width=12,
    )


def _efficiency() -> Panel:
    return lines(
        Text(
            "Energy for each productive GPU-hour",
            "All energy drawn, idle too, for each hour of a GPU at work; less is better.",
            "A rise means more idle GPUs or slower work: compare with the executive board.",
            link=board_link("gpuledger-executive"),
            empty=NO_READING,
        ),
        f"SELECT {point('at')} AS time, {picked(KWH_PER_PRODUCTIVE)}\n{accounts()}\n"
        f"GROUP BY time HAVING {KWH_PER_PRODUCTIVE.name} IS NOT NULL ORDER BY time",
        PER_PRODUCTIVE,
        width=12,
    )


def _teams() -> Panel:
    shown = (GPU_HOURS, *DRAWN, KWH_PER_PRODUCTIVE, *MONEY, CARBON_KG)
    return table(
        Text(
            "By team",
            "Energy and money of each team's jobs. Worth, cash avoidable, energy cost and bill are"
            " views of the same hours and are never added up; what a fault held up is left out.",
            "Click a team: the explorer shows its users and jobs.",
            f"SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND team != '' AND {THEIRS}"
            " ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-queue"),
            empty="no job of a team had GPUs in this range",
        ),
        f"SELECT team, {picked(*shown)}, {CURRENCY_SQL} AS currency\n"
        f"{book()} AND team != '' AND {THEIRS}\n"
        f"GROUP BY team ORDER BY {GPU_HOURS.name} DESC, team LIMIT {ROWS}",
        Column("team", "team", link=board_link("gpuledger-explorer", team="team")),
        measured(GPU_HOURS, "GPU-hours"),
        *KWH,
        PER_PRODUCTIVE,
        *MONEY_COLUMNS,
        measured(CARBON_KG, "kg CO2"),
        width=24,
    )


def _pools() -> Panel:
    shown = (GPU_HOURS, *DRAWN, KWH_PER_PRODUCTIVE, *MONEY)
    return table(
        Text(
            "By pool",
            "The same for each pool, free time with it.",
            "Click a pool to choose it on this board.",
            link=board_link("gpuledger-fragmentation"),
            empty="nothing is booked in this range",
        ),
        f"SELECT pool, cluster, {picked(*shown)}, {CURRENCY_SQL} AS currency\n{book()}\n"
        f"GROUP BY pool, cluster ORDER BY {GPU_HOURS.name} DESC, cluster, pool LIMIT {ROWS}",
        Column("pool", "pool", link=board_link(UID, cluster="cluster", pool="pool")),
        measured(GPU_HOURS, "GPU-hours"),
        *KWH,
        PER_PRODUCTIVE,
        *MONEY_COLUMNS,
        width=24,
    )


def _jobs() -> Panel:
    shown = (*DRAWN, KWH_PER_PRODUCTIVE, GPU_HOURS, CAPACITY_VALUE, CASH_AVOIDABLE)
    return table(
        Text(
            "Jobs that drew most while idle",
            "Energy of each job's GPUs while they did nothing, of all that they drew.",
            "Click a job: its board says what to do about it.",
            link=board_link("gpuledger-idle"),
            empty="no job's GPU drew energy while idle in this range",
        ),
        f"SELECT job, job_name, user, team, cluster, {picked(*shown)}, {CURRENCY_SQL} AS currency\n"
        f"{book()} AND job != '' AND {THEIRS}\n"
        f"  AND {worst_jobs(IDLE_KWH, 10)}\nGROUP BY job, job_name, user, team, cluster\n"
        f"HAVING {IDLE_KWH.name} > 0 ORDER BY {IDLE_KWH.name} DESC, job LIMIT 10",
        Column("job", "job", link=board_link("gpuledger-job", job="job", cluster="cluster")),
        Column("job_name", "name"),
        *KWH,
        PER_PRODUCTIVE,
        measured(GPU_HOURS, "GPU-hours"),
        measured(CAPACITY_VALUE, "worth"),
        measured(CASH_AVOIDABLE, "cash avoidable"),
        width=24,
    )


def _carbon() -> Panel:
    return stat(
        Text(
            "CO2",
            "Emitted for that energy, by the carbon factor of its time; PUE included where told.",
            "Move work that can wait to hours with cleaner power.",
            link=EXPLORER,
            empty="no carbon factor: set [energy] carbon_kg_per_kwh and carbon_source",
        ),
        f"SELECT {picked(CARBON_KG)}, max(carbon_per_kwh) AS factor\n{book()}\n"
        f"HAVING {CARBON_KG.name} IS NOT NULL",
        measured(CARBON_KG, "kg CO2"),
        Column("factor", "kg for each kWh"),
        width=8,
        height=7,
    )


def _rates() -> Panel:
    return table(
        Text(
            "Prices and factors",
            "What the figures above rest on: the price book's entries and where each is from;"
            " prices told for a model alone have no source. Whole fleet, whatever is chosen"
            " above.",
            "Wrong or missing: set [prices] and [energy], or import a price book.",
            link=EXPLORER,
            empty=NO_PRICE,
        ),
        "SELECT * FROM (\n"
        "SELECT model, pool, provider, capacity_value, energy_price, pue, carbon_per_kwh, currency,"
        " source, valid_from FROM v_price_book WHERE valid_to > $__fromTime\nUNION ALL\n"
        "SELECT model, '' AS pool, '' AS provider, capacity_value, energy_price, NULL AS pue,"
        " NULL AS carbon_per_kwh, currency, 'prices by model' AS source,"
        " valid_from FROM v_prices)\n"
        "WHERE valid_from <= $__toTime\n"
        f"ORDER BY model, pool, valid_from DESC LIMIT {ROWS}",
        Column("capacity_value", "worth of a GPU-hour", CURRENCY),
        Column("energy_price", "price of a kWh", CURRENCY),
        Column("pue", "PUE", COUNT),
        Column("carbon_per_kwh", "kg CO2 for a kWh", COUNT),
        Column("valid_from", "holds from"),
        width=16,
        height=7,
    )


board = Board(
    uid=UID,
    title="gpuledger: energy and cost",
    help="What was drawn, by whom and for what, what it cost, and what it emitted.",
    variables=COMMON,
    kept=("team",),
    panels=(
        _drawn(),
        _money(),
        _states(),
        _power(),
        _over_time(),
        _efficiency(),
        _teams(),
        _pools(),
        _jobs(),
        _carbon(),
        _rates(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
