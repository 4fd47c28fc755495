"""Bodies of requests: never more of one than is allowed, however small it was packed."""

from __future__ import annotations

from typing import Any

import lz4.frame
from backports import zstd
from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY_BYTES = 64 << 20
DECOMPRESSORS: dict[str, Any] = {
    "zstd": zstd.ZstdDecompressor,
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


async def received(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body as it came; HTTPException 413 where it is too large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise HTTPException(413, f"a request has at most {most_bytes} bytes; split it")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def plain(body: bytes, encoding: str) -> bytes:
    """The body decompressed; a bomb ends at the same limit as a plain body.

    HTTPException 400 where it is not of that encoding, 413 too large, 415 an encoding not known.
    """
    if encoding == "identity":
        return body
    if encoding not in DECOMPRESSORS:
        raise HTTPException(415, "Content-Encoding may be identity, zstd or lz4")
    decompressor = DECOMPRESSORS[encoding]()
    try:
        out: bytes = decompressor.decompress(body, MAX_BODY_BYTES)
    except (zstd.ZstdError, RuntimeError) as e:
        raise HTTPException(400, f"body is not {encoding}: {e}") from e
    if len(out) == MAX_BODY_BYTES:
        raise HTTPException(413, "the batch is too large when decompressed; split it")
    if not decompressor.eof:
        raise HTTPException(400, f"body is not {encoding}: it ends too early")
    if decompressor.unused_data:
        raise HTTPException(400, f"body is not one {encoding} frame: bytes follow it")
    return out
