"""What the doors for foreign metrics share."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from analytics.ingest.assembly import Assembler
from analytics.ingest.intake import intake_of


def assembler_of(request: Request) -> Assembler:
    """What takes samples in the application that answers; HTTPException 503 where nothing does."""
    assembler = intake_of(request).assembler
    if assembler is None:
        raise HTTPException(503, "this service takes no samples", {"Retry-After": "60"})
    return assembler


async def received(request: Request, most_bytes: int) -> bytes:
    """The body as it came. HTTPException 413 where it is too large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise HTTPException(413, f"a request has at most {most_bytes} bytes; split it")
        chunks.append(chunk)
    return b"".join(chunks)
