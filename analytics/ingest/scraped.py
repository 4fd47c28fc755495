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
