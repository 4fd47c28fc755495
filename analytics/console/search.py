"""The one search box: a job by its id or name, a node, a user."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from analytics.console.paper import pages, show
from analytics.routes.common import TheReader
from gpuledger.owners import job_owners
from gpuledger.service import Reader

router = pages()

MOST = 50
LONGEST = 200


@router.get("/search")
def page(
    request: Request,
    reader: TheReader,
    q: Annotated[str, Query(max_length=LONGEST, description="job, node or user")] = "",
) -> Response:
    """Whatever is named so, or begins so."""
    asked = q.strip()
    jobs = reader.select(_JOBS, q=asked, most=MOST) if asked else []
    nodes = reader.select(_NODES, q=asked, most=MOST) if asked else []
    users = _users(reader, asked) if asked else []
    return show(request, "search.html", q=asked, jobs=jobs, nodes=nodes, users=users, most=MOST)


def _users(reader: Reader, asked: str) -> list[dict[str, Any]]:
    """Users whose name begins so, each with the newest of their jobs."""
    return reader.select(_USERS, q=asked, most=MOST)


_JOBS = f"""
SELECT j.job_id AS job_id, j.name AS name, j.user AS user, o.team AS team,
  toString(j.state) AS state, j.submitted AS submitted
FROM (SELECT job_id, name, user, state, submitted FROM jobs FINAL
  WHERE startsWith(job_id, {{q:String}}) OR startsWith(splitByChar('/', job_id)[-1], {{q:String}})
    OR startsWith(lower(name), lower({{q:String}}))
  ORDER BY job_id = {{q:String}} DESC, submitted DESC, job_id LIMIT {{most:UInt32}}) AS j
LEFT JOIN ({job_owners()}) AS o ON o.job_id = j.job_id
ORDER BY j.submitted DESC, job_id
"""
_NODES = """
SELECT toString(cluster) AS cluster, toString(node) AS node, count() AS gpus FROM assets FINAL
WHERE startsWith(lower(node), lower({q:String}))
  OR startsWith(lower(concat(cluster, '/', node)), lower({q:String}))
GROUP BY cluster, node ORDER BY cluster, node LIMIT {most:UInt32}
"""
_USERS = """
SELECT toString(user) AS user, count() AS jobs, countIf(state = 'running') AS running,
  groupArraySorted(5)((-toUnixTimestamp(submitted), job_id, name)) AS newest
FROM jobs FINAL WHERE user != '' AND startsWith(lower(user), lower({q:String}))
GROUP BY user ORDER BY user LIMIT {most:UInt32}
"""
