"""The audit log: who decided and changed what, when, and from where."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from analytics.console.paper import pages, show
from analytics.routes.common import TheReader

router = pages()

MOST = 200


@router.get("/audit")
def page(
    request: Request,
    reader: TheReader,
    who: Annotated[str, Query(max_length=200, description="only by this caller")] = "",
    action: Annotated[str, Query(max_length=200, description="only what begins so")] = "",
) -> Response:
    """The last entries, the newest first."""
    rows = reader.select(_ENTRIES, who=who, action=action, most=MOST)
    return show(request, "audit.html", rows=rows, who=who, action=action, most=MOST)


_ENTRIES = """
SELECT ts, who, role, action, subject, address, before, after, request_id FROM v_audit_log
WHERE ({who:String} = '' OR who = {who:String}) AND startsWith(action, {action:String})
ORDER BY ts DESC, action, subject LIMIT {most:UInt32}
"""
