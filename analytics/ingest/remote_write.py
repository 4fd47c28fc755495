"""The door for Prometheus' remote-write 1.0.

Protocol: https://prometheus.io/docs/specs/prw/remote_write_spec. A sender throws away what is
answered with 4xx, so that is only for what is wrong for ever; one sample that cannot be used is
counted, and harms no other.
"""

from __future__ import annotations

from typing import Annotated

import cramjam
from fastapi import APIRouter, Header, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from analytics.ingest import protobuf
from analytics.ingest.assembly import Assembler
from analytics.ingest.bodies import received
from analytics.ingest.intake import intake_of
from analytics.ingest.limits import Sender
from analytics.ingest.scraped import assembler_of, not_taken, scraper_of

router = APIRouter(prefix="/v1/prometheus", tags=["ingest"])

VERSION_2 = "io.prometheus.write.v2.request"
# The first chunk of snappy's framed format, which remote-write does not use.
FRAMED = b"\xff\x06\x00\x00sNaPpY"
LONGEST_LENGTH = 5  # bytes that tell a length of at most 2^32 - 1


@router.post("/write", status_code=204)
async def post_write(
    request: Request,
    content_type: Annotated[str, Header()] = "application/x-protobuf",
    content_encoding: Annotated[str, Header()] = "snappy",
    x_prometheus_remote_write_version: Annotated[str, Header()] = "0.1.0",
) -> Response:
    """204 once every sample that can be used is safe on disk.

    400: no WriteRequest in snappy's block format. 403: a token of one node. 413: too large. 415:
    another format, such as remote-write 2.0. 422: all is safe but what the token may not send.
    429: its share is used up; 503: not now: send it again.
    """
    _check_format(content_type, content_encoding, x_prometheus_remote_write_version)
    assembler = assembler_of(request)
    sender = scraper_of(request)
    body = await received(request, min(assembler.settings.max_body_bytes, sender.most_bytes))
    counts = await run_in_threadpool(take, assembler, body, sender)
    intake_of(request).limits.charge(sender, sum(counts.values()))
    if refused := not_taken(counts):
        raise HTTPException(422, f"all other samples are safe, but not {refused}")
    return Response(status_code=204)


def take(assembler: Assembler, packed: bytes, sender: Sender) -> dict[str, int]:
    """Samples by what became of them. HTTPException 400 or 413 where they cannot be understood."""
    settings = assembler.settings
    body = unpacked(packed, settings.max_body_bytes)
    try:
        try:
            return assembler.take(protobuf.read(body, settings.max_request_series), sender)
        except protobuf.ManySamples:
            slowly = protobuf.read(body, settings.max_request_series, fast=False)
            return assembler.take(slowly, sender)
    except ValueError as e:
        raise HTTPException(400, str(e)) from e


def unpacked(packed: bytes, most_bytes: int) -> bytes:
    """A snappy block's content; its length is judged before any memory is given to it.

    HTTPException 400 where it is none, 413 where it is too large.
    """
    if packed.startswith(FRAMED):
        raise HTTPException(400, "the body is in snappy's framed format; it must be one block")
    if declared_length(packed) > most_bytes:
        raise HTTPException(413, f"a request has at most {most_bytes} bytes; send fewer samples")
    try:
        return bytes(cramjam.snappy.decompress_raw(packed))
    except cramjam.DecompressionError as e:
        raise HTTPException(400, f"the body is no snappy block: {e}") from e


def declared_length(packed: bytes) -> int:
    """What a snappy block says of the size of its content. HTTPException 400: no block."""
    length = 0
    for place, byte in enumerate(packed[:LONGEST_LENGTH]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return length
    raise HTTPException(400, "the body is no snappy block: it has no length")


def _check_format(content_type: str, encoding: str, version: str) -> None:
    """HTTPException 415 for what is not remote-write 1.0."""
    kind, _, parameters = content_type.lower().partition(";")
    if VERSION_2 in parameters or version.startswith("2"):
        raise HTTPException(415, "remote-write 2.0 is not taken: send prometheus.WriteRequest")
    if kind.strip() != "application/x-protobuf":
        raise HTTPException(415, "Content-Type must be application/x-protobuf")
    if encoding.lower() != "snappy":
        raise HTTPException(415, "Content-Encoding must be snappy")
