"""What one can choose above every board, and links between boards that keep it."""

from __future__ import annotations

from dashboards.words import Variable


def _of(table: str, name: str) -> str:
    said = f"SELECT DISTINCT toString({name}) AS {name} FROM {table}"
    return f"{said} WHERE {name} != '' ORDER BY {name}"


# More values than that cannot be chosen from a list; the newest come.
CHOICES = 2000

CLUSTER = Variable("cluster", _of("v_assets", "cluster"))
POOL = Variable("pool", _of("v_assets", "pool"))
# Who pays is in the book; the queue knows the account that a job named.
TEAM = Variable(
    "team",
    _of(
        "(SELECT team FROM v_jobs UNION ALL SELECT team FROM accounts_1d"
        " WHERE day >= toStartOfDay($__fromTime) AND day <= $__toTime)",
        "team",
    ),
)
USER = Variable("user", _of("v_jobs", "user"))
NODE = Variable("node", _of("v_assets", "node"))
JOB = Variable(
    "job",
    "SELECT job_id AS job FROM v_jobs WHERE started <= $__toTime AND ended >= $__fromTime"
    f" AND job_id != '' GROUP BY job ORDER BY max(started) DESC, job LIMIT {CHOICES}",
)
# What every board begins with, so that a link can hand it over to any other.
COMMON = (CLUSTER, POOL, TEAM)

TIME = "${__url_time_range}"


def board_link(uid: str, **chosen: str) -> str:
    """Address of another board at the same time and with the same choices.

    `chosen` names columns of the row that is clicked, by the variable that they set:
    `board_link("gpuledger-job", job="job")` is for cells (`Column.link`); without any it is for
    panels (`Text.link`).
    """
    if not chosen:
        return f"/d/{uid}?${{__all_variables}}&{TIME}"
    kept = ("ds", *(v.name for v in COMMON if v.name not in chosen))
    parts = [f"${{{name}:queryparam}}" for name in kept]
    parts += [f"var-{v}=${{__data.fields.{c}:percentencode}}" for v, c in chosen.items()]
    return f"/d/{uid}?{'&'.join((*parts, TIME))}"
