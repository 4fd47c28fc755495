"""How one try of a delivery ended."""

from __future__ import annotations

from dataclasses import dataclass

SENDING, SENT, FAILED, REFUSED, UNSURE = "sending", "sent", "failed", "refused", "unsure"
MAX_REASON = 300


@dataclass(frozen=True)
class Outcome:
    """`sent`; `failed`: not taken, worth another try; `refused`: never will be; or `unsure`.

    Unsure is what was handed over and not acknowledged: it may have arrived, so that only a person
    may send it again.
    """

    state: str
    reason: str = ""


def told(state: str, reason: object) -> Outcome:
    """An outcome with its reason in one line."""
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return Outcome(state, " ".join(text.split())[:MAX_REASON])
