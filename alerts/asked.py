"""What rules ask in common: open findings, devices as they stand, the book of the last minutes.

Joins are between subqueries alone, so that a question runs on distributed tables and as it is in
Grafana.
"""

from __future__ import annotations

from alerts.rule import NOW
from gpuledger.catalogue import GpuHealth, GpuSample
from gpuledger.rollups import gauges, mean
from gpuledger.schema import Counter, Gauge
from gpuledger.states import EXCLUDED, group_of, in_list

# How long an episode has gone on as far as it was booked: while nothing is booked, nothing grows.
AGE = "dateDiff('second', since, until)"
# GPUs that the episode lost on average.
LOST = f"gpu_ms / 1000 / greatest({AGE}, 1) AS lost"
OF_JOB = ("subject AS job", "user", "team", "pool")
OF_CARD = tuple(
    f"splitByChar('/', subject)[{n}] AS {name}"
    for n, name in enumerate(("cluster", "node", "slot"), 1)
)
# What other owners answer for (hardware, or whoever was granted an exemption) is not the job's.
BY_JOB = "owner = 'job owner'"


def newest(some: str) -> str:
    """SELECT of findings, as stored, some version of which is as `some` says.

    FINAL reads every finding of all time: at 10,000 GPUs those of a year are three millions, of
    which a rule needs a few hundred.
    """
    return f"""
SELECT * FROM findings WHERE finding_id IN (SELECT finding_id FROM findings WHERE {some})
ORDER BY version DESC LIMIT 1 BY finding_id"""


def finding(kind: str, *columns: str, where: str = "true", value: str = AGE) -> str:
    """SELECT of open findings of that kind, one row per subject, the largest value of each.

    Beside `columns`: gpus, grade, cause, `said` (its sentence) and `lost` (GPUs, on average).
    """
    return f"""
SELECT subject, toFloat64(greatest({value}, 0)) AS value, {", ".join(columns)},
  gpus, grade, cause, summary AS said, {LOST}
FROM ({newest(f"kind = '{kind}' AND open = 1")})
WHERE open = 1 AND {where}
ORDER BY subject, value DESC
LIMIT 1 BY subject
""".strip()


def racked(devices: str) -> str:
    """The rows of a SELECT with cluster and node, and their `rack`; empty where nobody knows it."""
    return f"""
SELECT device.*, place.name AS rack
FROM ({devices}) AS device
LEFT JOIN (
  SELECT cluster, node, toString(max(rack)) AS name FROM gpus WHERE rack != ''
  GROUP BY cluster, node
) AS place ON place.cluster = device.cluster AND place.node = device.node
ORDER BY subject
""".strip()


CARD = "concat(cluster, '/', node, '/', toString(slot)) AS subject, cluster, node, slot"


def has(gauge: Gauge) -> str:
    """Whether a row `s` of the health rollup has a value of that gauge."""
    return f"bitTest(s.known, {gauges(GpuHealth.table).index(gauge.fields[0])})"


def standing(value: str, *known: Gauge, minutes: int = 15) -> str:
    """SELECT of cards whose newest minute of health has a `value` (over a row `s`) above 0.

    A reading that stays until it is mended stands for as long as the card tells it; a card that
    tells nothing for `minutes` tells nothing.
    """
    told = " AND ".join(map(has, known))
    return racked(f"""
SELECT {CARD}, value, toUInt8(1) AS gpus FROM (
  SELECT s.cluster AS cluster, s.node AS node, s.slot AS slot,
    toFloat64(argMax({value}, s.ts)) AS value
  FROM gpu_health_samples_1m AS s
  WHERE s.ts > {NOW} - INTERVAL {minutes} MINUTE AND s.ts <= {NOW} AND {told}
  GROUP BY cluster, node, slot
  HAVING value > 0)""")


# What an event told stands until something tells that it is mended, or for a month at most: events
# are rare, and a card that was forgotten for longer is on the list of assets.
FADES_H = 720
# How long a card may be silent and still count as it was heard last.
HEARD_H = 24


def counted(counter: Counter) -> str:
    """SELECT of cards whose `counter` of health grew and stands since: by how much, as `value`.

    Counters begin anew with a reset, a reboot or another card: what grew before is mended then.
    Growth of the last month counts, of cards heard within a day: more would be read each minute.
    """
    name = counter.fields[0].stored
    card = "s.cluster AS cluster, s.node AS node, s.slot AS slot"
    standing = f"""
SELECT cluster, node, slot FROM (
  SELECT {card}, argMax(s.{name}_max, (s.ts, s.epoch)) AS newest
  FROM gpu_health_samples_1h AS s
  WHERE s.ts > {NOW} - INTERVAL {HEARD_H} HOUR AND s.ts <= {NOW}
  GROUP BY cluster, node, slot
  HAVING newest > 0)"""
    return f"""
SELECT cluster, node, toString(slot) AS slot, toFloat64(argMax(grown, heard)) AS value FROM (
  SELECT {card}, (max(s.ts), s.epoch) AS heard, ifNull(max(s.{name}_max) - min(s.{name}_min), 0)
    AS grown
  FROM gpu_health_samples_1h AS s
  WHERE s.ts > {NOW} - INTERVAL {FADES_H} HOUR AND s.ts <= {NOW}
    AND (s.cluster, s.node, s.slot) IN ({standing})
  GROUP BY cluster, node, slot, s.epoch, s.uuid, s.source)
GROUP BY cluster, node, slot HAVING value > 0"""


# A fault is over when the card is back or its driver asks for nothing more (docs/ledger.md);
# XID 154 tells what the driver asks for.
MENDED = (
    "(kind = 'recovered' OR recovery = 'none' AND (kind = 'recovery' OR kind = 'xid'"
    " AND code = 154))"
)


def happened(condition: str, hours: int = FADES_H) -> str:
    """SELECT of cards of which events were told that nothing has mended since.

    `value` counts them, `codes` names them, `at` is the last one, `last` the same as text. Slot
    `all` is what no single card told: a switch, or a card that nobody could name.
    """
    return racked(f"""
SELECT concat(cluster, '/', node, '/', slot) AS subject, cluster, node, slot,
  toFloat64(arraySum(e -> e.3, told)) AS value, if(slot = 'all', NULL, 1) AS gpus,
  arrayStringConcat(arraySort(arrayDistinct(arrayMap(e -> toString(e.2), told))), ', ') AS codes,
  formatDateTime(arrayMax(e -> e.1, told), '%Y-%m-%d %H:%i') AS last,
  arrayMax(e -> e.1, told) AS at
FROM (
  SELECT cluster, node, if(slot = 65535, 'all', toString(slot)) AS slot,
    maxIf(ts, {MENDED}) AS mended,
    arrayFilter(e -> e.1 > mended, groupArrayIf((ts, code, count), {condition})) AS told
  FROM gpu_events
  WHERE ts > {NOW} - INTERVAL {hours} HOUR AND ts <= {NOW}
  GROUP BY cluster, node, slot
  HAVING notEmpty(told))""")


# A pool as people name it; that of a cluster without any is called after the cluster already.
POOL = "if(startsWith(pool, concat(cluster, '/')), toString(pool), concat(cluster, '/', pool))"


def share(condition: str, minutes: int, *beside: str) -> str:
    """SELECT of pools: the share of their time in service of which the condition on cells holds.

    Of the last `minutes`; `gpus` are as many GPUs on average. States `beside` are left out.
    """
    out = in_list((*group_of(EXCLUDED), *beside))
    return f"""
SELECT {POOL} AS subject, cluster, pool,
  ifNull(held / nullIf(in_service, 0), 0) AS share,
  toUInt32(round(held / (60000 * minutes))) AS gpus
FROM (
  SELECT p.cluster AS cluster, p.pool AS pool, sum(c.held) AS held,
    sum(c.in_service) AS in_service, max(c.minutes) AS minutes
  FROM (
    SELECT gpu_id, sumIf(gpu_ms, {condition}) AS held,
      sumIf(gpu_ms, state NOT IN {out}) AS in_service, uniqExact(minute) AS minutes
    FROM ledger_1m
    WHERE minute >= {NOW} - INTERVAL {minutes} MINUTE AND minute <= {NOW}
    GROUP BY gpu_id
  ) AS c
  INNER JOIN (SELECT gpu_id, cluster, pool FROM v_assets) AS p ON p.gpu_id = c.gpu_id
  GROUP BY cluster, pool)"""


# Below this no site calls a GPU hot; whoever lowers a threshold further must say so here.
WARM_CELSIUS = 60


def hot(*, minutes: int, margin: int) -> str:
    """SELECT of cards: their mean temperature of the last `minutes`, as `value`.

    A card that tells of more than `margin` degrees to its slowdown is not hot, whatever it has.
    """
    celsius = mean(GpuSample.temperature_celsius.fields[0], GpuSample.table)
    left = mean(GpuHealth.slowdown_margin_celsius.fields[0], GpuHealth.table)
    card = "s.cluster AS cluster, s.node AS node, s.slot AS slot"
    return racked(f"""
SELECT concat(t.cluster, '/', t.node, '/', toString(t.slot)) AS subject, t.cluster AS cluster,
  t.node AS node, t.slot AS slot,
  if(m.known = 1 AND m.left > {margin}, 0, round(t.celsius, 1)) AS value,
  if(m.known = 1, concat(toString(round(m.left)), ' °C from its slowdown'),
    'how far from its slowdown, it does not tell') AS margin
FROM (
  SELECT {card}, toFloat64(ifNull({celsius}, 0)) AS celsius
  FROM gpu_samples_1m AS s
  WHERE s.ts > {NOW} - INTERVAL {minutes + 1} MINUTE AND s.ts <= {NOW}
  GROUP BY cluster, node, slot HAVING celsius >= {WARM_CELSIUS}
) AS t
LEFT JOIN (
  SELECT {card}, toFloat64(ifNull({left}, 0)) AS left, toUInt8(1) AS known
  FROM gpu_health_samples_1m AS s
  WHERE s.ts > {NOW} - INTERVAL {minutes + 1} MINUTE AND s.ts <= {NOW}
    AND {has(GpuHealth.slowdown_margin_celsius)}
  GROUP BY cluster, node, slot
) AS m ON m.cluster = t.cluster AND m.node = t.node AND m.slot = t.slot
WHERE value > 0""")
