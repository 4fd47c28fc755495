"""Who decided and changed what: one row each in `audit_log`, which nobody changes or sends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request

from analytics.access.caller import Caller
from gpuledger import logs
from gpuledger.catalogue import AuditEntry
from gpuledger.errors import StoreError
from gpuledger.store import Store

log = logging.getLogger("gpuledger.audit")

Told = Mapping[str, Any] | None


class Audit:
    """Writes what a caller did."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(
        self,
        caller: Caller,
        action: str,
        subject: str,
        before: Told = None,
        after: Told = None,
        request: Request | None = None,
    ) -> None:
        """Add one row: `action` is `noun.verb`, `before` and `after` are what it changed.

        Call it right after the change; without a request it came from the command line. StoreError
        where the row is not kept, and then it is told to the log, so that it is not lost.
        """
        entry = AuditEntry(
            ts=datetime.now(UTC),
            who=caller.name,
            role=caller.role.value,
            action=action,
            subject=subject,
            address=address(request),
            before=_json(before),
            after=_json(after),
            request_id=logs.request_id(),
        )
        try:
            self._store.insert_rows([entry])
        except StoreError:
            log.error("audit: not kept: %s", _json(vars(entry)))
            raise


def address(request: Request | None) -> str:
    """Where a request came from; empty for the command line and a unix socket."""
    return request.client.host if request and request.client else ""


def _json(told: Told) -> str:
    return msgspec.json.encode(told, order="sorted").decode()
