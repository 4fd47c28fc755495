"""The door for collectors' own batches: Native blocks of one table, or an envelope of several."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from analytics.ingest import bodies
from analytics.ingest.bound import Foreign
from analytics.ingest.intake import Intake, intake_of, sender_of
from analytics.ingest.journal import Busy, Parcel
from analytics.ingest.limits import Sender
from analytics.ingest.structure import read
from gpuledger import __version__, envelope
from gpuledger.catalogue import INGESTED, Quarantine
from gpuledger.envelope import LONGEST_KEY, Part

log = logging.getLogger(__name__)

router = APIRouter(tags=["ingest"])

TABLES = {t.name: t for t in INGESTED}
# A body so small is judged faster than a thread is found for it.
INLINE_BYTES = 128 << 10
VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,3}")

T = TypeVar("T")


async def post_batch(request: Request) -> JSONResponse:
    """Rows accepted; answered only once they are safe on disk.

    400: not Native blocks of that table. 403: rows that are not the sender's to tell. 404: no such
    table. 413: too large, split and send again. 422: no key. 429: the sender's share is used up;
    503: there is no room: later, with the same key.
    """
    table = request.path_params["table"]
    if table not in TABLES:
        raise HTTPException(404, f"no table '{table}' takes batches")
    key = request.headers.get("idempotency-key", "")
    if not 0 < len(key) <= LONGEST_KEY:
        raise HTTPException(422, f"Idempotency-Key: it has 1 to {LONGEST_KEY} characters")
    schema = request.headers.get("x-gpuledger-schema", "")
    sender = sender_of(request)
    body = await _body(request, sender)
    taken = _Taken(intake_of(request), sender)
    await _worked(len(body), lambda: taken.judge([Part(table, key, schema, body)]))
    await taken.keep()
    (answer,) = taken.answers
    if (status := answer.pop("status")) != 200:
        raise HTTPException(status, answer["detail"], taken.headers)
    return JSONResponse(answer)


async def post_envelope(request: Request) -> JSONResponse:
    """An answer for each part, as if it had been sent alone, once all that is taken is safe."""
    sender = sender_of(request)
    body = await _body(request, sender)
    taken = _Taken(intake_of(request), sender)

    def judge() -> None:
        try:
            taken.judge(envelope.unseal(body))
        except ValueError as e:
            raise HTTPException(400, str(e)) from e

    await _worked(len(body), judge)
    await taken.keep()
    return JSONResponse({"parts": taken.answers}, headers=taken.headers)


# Plain routes: a thousand requests a second have no time for what FastAPI finds out about each.
router.add_route(envelope.PATH, post_envelope, methods=["POST"])
router.add_route(f"{envelope.PATH}/{{table}}", post_batch, methods=["POST"])


async def _body(request: Request, sender: Sender) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").lower()
    body = await bodies.received(request, sender.most_bytes)
    return await _worked(len(body), lambda: bodies.plain(body, encoding, sender.most_bytes))


async def _worked(size: int, work: Callable[[], T]) -> T:
    """The work's result; in a thread where it is much."""
    return work() if size <= INLINE_BYTES else await run_in_threadpool(work)


class _Taken:
    """Parts of one request on their way into the journal, and what is answered to each."""

    def __init__(self, intake: Intake, sender: Sender) -> None:
        self.answers: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self._intake = intake
        self._sender = sender
        self._parcels: list[Parcel] = []

    def judge(self, parts: list[Part]) -> None:
        """Find out which parts can be taken."""
        for part in parts:
            self._intake.told.schemas[_age(part.schema)] += 1
            self.answers.append(self._judged(part))

    async def keep(self) -> None:
        """Wait until what can be taken is safe on disk. Busy where there is no room for it."""
        if self._parcels:
            await asyncio.wrap_future(self._intake.journal.submit(self._parcels))

    def _judged(self, part: Part) -> dict[str, Any]:
        table, told = TABLES.get(part.table), self._intake.told
        if table is None:
            return _refusal(404, f"no table '{part.table}' takes batches")
        sender = self._sender
        key = f"{sender.prefix}/{part.key}"
        try:
            sender.bound.check_table(part.table)
            self._intake.journal.check_table(part.table)
            judged = self._intake.gate.judge(
                table, part.body, self._intake.clock(), key=key, bound=sender.bound
            )
        except Foreign as e:
            told.foreign[part.table] += 1
            if not sender.was_foreign:
                # Once: it tries again for as long as somebody leaves it so.
                sender.was_foreign = True
                log.warning("rows that are not their sender's are refused: %s", e)
            return _refusal(403, str(e))
        except Busy as e:
            self.headers["Retry-After"] = f"{e.retry_after_s:.0f}"
            return _refusal(503, str(e))
        except ValueError as e:
            told.rejected[part.table] += 1
            return _refusal(400, str(e))
        self._intake.limits.charge(sender, judged.rows + judged.quarantined)
        if judged.rows:
            self._parcels.append(Parcel(part.table, key, judged.rows, judged.body))
        if judged.quarantine:
            rows = sum(b.rows for b in read(Quarantine.table, judged.quarantine))
            aside = Parcel(Quarantine.table.name, f"{key} aside", rows, judged.quarantine)
            self._parcels.append(aside)
            told.quarantined[part.table] += judged.quarantined
        told.dropped_columns[part.table] += len(judged.dropped_columns)
        return {
            "status": 200,
            "accepted": judged.rows,
            "quarantined": judged.quarantined,
            "dropped_columns": len(judged.dropped_columns),
        }


def _refusal(status: int, detail: str) -> dict[str, Any]:
    return {"status": status, "detail": detail}


def _age(schema: str) -> str:
    """How the sender's version stands to ours; all are taken."""
    if schema == __version__:
        return "same"
    if not VERSION.fullmatch(schema):
        return "unknown"
    return "older" if _numbers(schema) < _numbers(__version__) else "newer"


def _numbers(version: str) -> tuple[int, ...]:
    found = VERSION.match(version)
    return tuple(map(int, found[0].split("."))) if found else ()
