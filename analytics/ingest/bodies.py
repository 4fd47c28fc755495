"""Bodies of requests: never more of one than is allowed, however small it was packed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lz4.frame
from backports import zstd
from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY_BYTES = 64 << 20
TOO_LARGE = "a request has at most {} bytes; split it"
# A frame of a few bytes may ask for a window of this power of two, and gets the memory at once.
WINDOW_LOG = 24
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "zstd": lambda: zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
    ),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


async def received(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body as it came; HTTPException 413 where it is too large."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most_bytes:
        raise HTTPException(413, TOO_LARGE.format(most_bytes))
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise HTTPException(413, TOO_LARGE.format(most_bytes))
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def plain(body: bytes, encoding: str, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body decompressed; a bomb ends at the same limit as a plain body.

    HTTPException 400 where it is not of that encoding, 413 too large, 415 an encoding not known.
    """
    if encoding == "identity":
        return body
    if encoding not in DECOMPRESSORS:
        raise HTTPException(415, "Content-Encoding may be identity, zstd or lz4")
    decompressor = DECOMPRESSORS[encoding]()
    try:
        out: bytes = decompressor.decompress(body, most_bytes)
    except (zstd.ZstdError, RuntimeError) as e:
        raise HTTPException(400, f"body is not {encoding}: {e}") from e
    if len(out) == most_bytes:
        raise HTTPException(413, "the batch is too large when decompressed; split it")
    if not decompressor.eof:
        raise HTTPException(400, f"body is not {encoding}: it ends too early")
    if decompressor.unused_data:
        raise HTTPException(400, f"body is not one {encoding} frame: bytes follow it")
    return out
