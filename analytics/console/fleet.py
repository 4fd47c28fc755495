"""The fleet map: every GPU a cell in the colour of its state, by rack, pool or cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any

from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from analytics import book
from analytics.console.paper import OTHERS, pages, show, spoken, state_of
from analytics.report import words
from analytics.routes.common import TheCaller, TheReader
from gpuledger.errors import ConfigError, nearest
from gpuledger.owners import job_owners
from gpuledger.states import STATES

router = pages()

GROUPS = {"node": "cluster", "rack": "rack", "pool": "pool"}
MINUTE = timedelta(minutes=1)
# How far back we look for the beginning of what a GPU does now.
LOOK_BACK = timedelta(days=7)
# Above that many GPUs cells are small.
FEW_GPUS = 1024
COLUMNS = ("GPU", "state", "job", "owner", "since", "evidence")
UNKNOWN = "unalloc_unknown"
Row = dict[str, Any]


@router.get("/fleet")
def page(
    request: Request,
    reader: TheReader,
    caller: TheCaller,
    by: Annotated[str, Query(description="node, rack or pool")] = "pool",
    state: Annotated[str, Query(description="only GPUs in this state stand out")] = "",
) -> Response:
    """The map in the last booked minute; what each GPU does is told when it is asked for."""
    if by not in GROUPS:
        raise ConfigError(f"by {by}: node, rack or pool{nearest(by, GROUPS)}")
    at = book.last_booked(reader)
    # What others hold is not told to who sees some teams only: nothing is known of those GPUs.
    unseen = OTHERS.name if caller.teams else UNKNOWN
    question = _GPUS.format(group=GROUPS[by])
    gpus = reader.select(question, at=at, minute=at - MINUTE, unseen=unseen) if at else []
    counts = Counter(gpu["state"] for gpu in gpus)
    return show(
        request,
        "fleet.html",
        at=at,
        by=by,
        ways=tuple(GROUPS),
        state=state,
        counts=[(s, counts[s.name]) for s in (*STATES, OTHERS) if counts[s.name]],
        total=len(gpus),
        few=len(gpus) <= FEW_GPUS,
        groups=_grouped(gpus),
    )


def _grouped(gpus: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Groups in order, each with its nodes, each with the states of its GPUs by slot."""
    out = []
    for name, members in groupby(gpus, key=lambda g: g["part"]):
        nodes = [
            {"cluster": place[0], "node": place[1], "states": [g["state"] for g in found]}
            for place, found in groupby(members, key=lambda g: (g["cluster"], g["node"]))
        ]
        for node in nodes:
            node["told"] = _told(node["states"])
        out.append({"name": name, "nodes": nodes, "gpus": sum(len(n["states"]) for n in nodes)})
    return out


def _told(states: list[str]) -> str:
    """`6 productive, 2 alloc idle`."""
    return ", ".join(f"{n} {state_of(s).title}" for s, n in Counter(states).most_common())


@router.get("/fleet/details")
def details(reader: TheReader, node: Annotated[str, Query(description="cluster/node")]) -> Response:
    """What each GPU of a node does, for whom, since when, and on which evidence, for the card."""
    at = book.last_booked(reader)
    cluster, _, name = node.partition("/")
    rows = []
    if at:
        since = at - LOOK_BACK
        rows = reader.select(_DETAILS, cluster=cluster, node=name, at=at, since=since)
    if not rows:
        raise HTTPException(404, f"there is no node {node}")
    told = [_detail(row, at) for row in rows if at]
    return JSONResponse(
        {"columns": COLUMNS, "rows": told}, headers={"Cache-Control": "private, max-age=30"}
    )


def _detail(row: Mapping[str, Any], at: datetime) -> list[str]:
    """The cells of a line of the card."""
    state = state_of(row["state"] or UNKNOWN)
    marks = [spoken(m) for m in (row["cause"], row["flags"]) if m]
    job = f"{row['job_name']} {row['job']}".strip() if row["job"] else words.NOTHING
    return [
        str(row["slot"]),
        ", ".join([state.title, *marks]),
        job,
        ", ".join(filter(None, (row["user"], row["team"]))) or words.NOTHING,
        _since(row["since"], at),
        f"grade {row['grade']}" if row["grade"] else "not seen",
    ]


def _since(since: datetime | None, at: datetime) -> str:
    if since is None:
        return words.NOTHING
    long = "more than " if since <= at - LOOK_BACK else ""
    return f"{since:%m-%d %H:%M} UTC ({long}{words.duration((at - since).total_seconds())})"


_OWNED = """(SELECT * FROM assets FINAL WHERE valid_from <= {at:DateTime64(3, 'UTC')}
  AND valid_to > {at:DateTime64(3, 'UTC')})"""
_GPUS = f"""
SELECT toString(a.cluster) AS cluster, toString(a.node) AS node, a.slot AS slot,
  toString(a.pool) AS pool, r.rack AS rack, {{group}} AS part,
  if(c.state = '', {{{{unseen:String}}}}, c.state) AS state
FROM {_OWNED.replace("{", "{{").replace("}", "}}")} AS a
LEFT JOIN (SELECT gpu_id, argMax(toString(state), gpu_ms) AS state FROM ledger_1m
  WHERE minute = {{{{minute:DateTime64(3, 'UTC')}}}} GROUP BY gpu_id) AS c ON c.gpu_id = a.gpu_id
LEFT JOIN (SELECT gpu_id, max(toString(rack)) AS rack FROM gpus FINAL WHERE parent = ''
  GROUP BY gpu_id) AS r ON r.gpu_id = a.gpu_id
ORDER BY part, cluster, node, slot
"""
_SLICE = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {at:DateTime64(3, 'UTC')}"
_DETAILS = f"""
WITH mine AS (SELECT gpu_id, slot FROM {_OWNED}
  WHERE cluster = {{cluster:String}} AND node = {{node:String}})
SELECT m.slot AS slot, n.state AS state, n.cause AS cause, n.flags AS flags, n.grade AS grade,
  l.job_id AS job, j.name AS job_name, j.user AS user, j.team AS team, n.since AS since
FROM mine AS m
LEFT JOIN (
  SELECT c.gpu_id AS gpu_id, argMax((toString(c.state), toString(c.cause), toString(c.flags),
      toString(c.grade), c.alloc_id), (c.minute, c.gpu_ms)) AS last,
    last.1 AS state, last.2 AS cause, last.3 AS flags, last.4 AS grade, last.5 AS alloc_id,
    arraySort(groupArray((c.minute, c.alloc_id, toString(c.state)))) AS line,
    arrayLastIndex(x -> x.3 != last.1 OR x.2 != last.5, line) AS other,
    tupleElement(line[other + 1], 1) AS since
  FROM (SELECT gpu_id, minute, state, cause, flags, grade, alloc_id, gpu_ms FROM ledger_1m
    WHERE gpu_id IN (SELECT gpu_id FROM mine) AND {_SLICE}) AS c
  GROUP BY gpu_id) AS n ON n.gpu_id = m.gpu_id
LEFT JOIN (SELECT gpu_id, alloc_id, job_id FROM allocations FINAL
  WHERE gpu_id IN (SELECT gpu_id FROM mine)) AS l
  ON l.gpu_id = m.gpu_id AND l.alloc_id = n.alloc_id
LEFT JOIN ({job_owners()}) AS j ON j.job_id = l.job_id
ORDER BY slot
"""
