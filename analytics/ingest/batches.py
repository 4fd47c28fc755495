"""The door for collectors' own batches: ClickHouse Native blocks of one table."""

from __future__ import annotations

from typing import Annotated, Any

import lz4.frame
from backports import zstd
from fastapi import APIRouter, Header, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from analytics.routes.common import TheService
from analytics.service import Service
from gpuledger.batch import Batch
from gpuledger.catalogue import INGESTED
from gpuledger.schema import Table
from gpuledger.store import decode

router = APIRouter(prefix="/v1/ingest", tags=["ingest"])

MAX_BODY_BYTES = 64 << 20
TABLES = {t.name: t for t in INGESTED}
DECOMPRESSORS: dict[str, Any] = {
    "zstd": zstd.ZstdDecompressor,
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


@router.post("/{table}")
async def post_batch(
    request: Request,
    service: TheService,
    table: str,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=300)],
    content_encoding: Annotated[str, Header()] = "identity",
) -> dict[str, int]:
    """Rows accepted; answered only once they are safe on disk.

    400: not Native blocks of that table. 404: no such table. 413: too large, split and send again.
    503: the store does not take it now, send again with the same key.
    """
    if table not in TABLES:
        raise HTTPException(404, f"no table '{table}' takes batches")
    body = await _body(request)
    return await run_in_threadpool(
        _take, service, TABLES[table], body, content_encoding.lower(), idempotency_key
    )


async def _body(request: Request) -> bytes:
    """The body, never more of it than is allowed."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"a batch has at most {MAX_BODY_BYTES} bytes; split it")
        chunks.append(chunk)
    return b"".join(chunks)


def _plain(body: bytes, encoding: str) -> bytes:
    """The body decompressed; a bomb ends at the same limit as a plain body."""
    if encoding == "identity":
        return body
    if encoding not in DECOMPRESSORS:
        raise HTTPException(415, "Content-Encoding may be identity, zstd or lz4")
    decompressor = DECOMPRESSORS[encoding]()
    try:
        plain: bytes = decompressor.decompress(body, MAX_BODY_BYTES)
    except (zstd.ZstdError, RuntimeError) as e:
        raise HTTPException(400, f"body is not {encoding}: {e}") from e
    if len(plain) == MAX_BODY_BYTES:
        raise HTTPException(413, "the batch is too large when decompressed; split it")
    if not decompressor.eof:
        raise HTTPException(400, f"body is not {encoding}: it ends too early")
    if decompressor.unused_data:
        raise HTTPException(400, f"body is not one {encoding} frame: bytes follow it")
    return plain


def _take(service: Service, table: Table, body: bytes, encoding: str, key: str) -> dict[str, int]:
    try:
        batch, unknown = decode(table, _plain(body, encoding))
        _check(batch)
        service.store.insert(batch, token=key)
    except ValueError as e:
        raise HTTPException(400, str(e)) from e
    return {"accepted": len(batch), "quarantined": 0, "dropped_columns": len(unknown)}


def _check(batch: Batch) -> None:
    """ValueError where a batch has no rows or lacks what makes its rows."""
    if not len(batch):
        raise ValueError("the batch has no rows")
    keys = {f.stored for c in batch.table.keys for f in c.fields}
    needed = keys | ({"ts"} & {f.stored for f in batch.table.fields})
    missing = needed - set(batch.columns)
    if missing:
        raise ValueError(f"the batch lacks {', '.join(sorted(missing))}")
