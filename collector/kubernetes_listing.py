"""Lists of the API server, object by object: one that cannot be understood leaves the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from collector.doubts import Doubts
from collector.kubernetes_api import ApiServer, Kind, Refused
from collector.kubernetes_objects import Metadata, Shape, identity, parse
from collector.missing import Reason
from gpuledger.batch import EPOCH
from gpuledger.schema import FOREVER, Row

# How long a kind that is absent or refused is not asked for.
ABSENT_S = 300.0
NOT_FOUND, FORBIDDEN = 404, 403

S = TypeVar("S", bound=Shape)
T = TypeVar("T")


@dataclass(frozen=True)
class Unclear:
    """An object that is not understood; None where not even its name is."""

    who: Metadata | None


@dataclass
class Understood(Generic[T]):
    """What was made of the objects; and, of those that are not understood, who they are.

    Where not even that is known of one, `nameless` is true.
    """

    made: list[T] = field(default_factory=list)
    unclear: list[Metadata] = field(default_factory=list)
    nameless: bool = False


class Listing:
    """What the cluster has; kinds that it lacks are remembered."""

    def __init__(self, api: ApiServer, doubts: Doubts, monotonic: Callable[[], float]) -> None:
        self._api = api
        self._doubts = doubts
        self._monotonic = monotonic
        self._absent_until: dict[Kind, float] = {}
        self._granted: set[Kind] = set()

    def required(self, kind: Kind, shape: type[S], make: Callable[[S], T | None]) -> Understood[T]:
        """What `make` makes of each object; where it makes nothing, the object is left out.

        ReadError where the answer is no list.
        """
        out: Understood[T] = Understood()
        for told in self._api.objects(kind, lambda raw: self._understand(kind, raw, shape, make)):
            if isinstance(told, Unclear):
                out.unclear += [told.who] if told.who else []
                out.nameless = out.nameless or told.who is None
            elif told is not None:
                out.made.append(told)
        return out

    def optional(self, kind: Kind, shape: type[S], make: Callable[[S], T | None]) -> Understood[T]:
        """The same; nothing where the cluster lacks the kind, or never let us list it.

        A right that was taken away is a ReadError: what was listed has not ended.
        """
        if self._absent_until.get(kind, 0.0) > self._monotonic():
            return Understood()
        try:
            found = self.required(kind, shape, make)
        except Refused as e:
            denied = e.status == FORBIDDEN
            if e.status != NOT_FOUND and not (denied and kind not in self._granted):
                raise
            if denied:
                self._doubts.lasting.note(kind.plural, "list", Reason.DENIED, str(e))
            self._absent_until[kind] = self._monotonic() + ABSENT_S
            return Understood()
        self._granted.add(kind)
        self._doubts.lasting.found(kind.plural, "list")
        return found

    def _understand(
        self, kind: Kind, raw: msgspec.Raw, shape: type[S], make: Callable[[S], T | None]
    ) -> T | Unclear | None:
        try:
            made = make(parse(raw, shape))
            _check_times(made)
        except (ValueError, OverflowError) as e:  # msgspec's errors are ValueErrors
            who = identity(raw)
            subject = f"{who.namespace}/{who.name}" if who else "nameless"
            self._doubts.note(subject, kind.plural, Reason.MALFORMED, str(e)[:200])
            return Unclear(who)
        return made


def _check_times(made: object) -> None:
    """Refuse a row, or several, with a time that no column can hold."""
    if isinstance(made, tuple):
        for part in made:
            _check_times(part)
    if not isinstance(made, Row):
        return
    values: dict[str, Any] = made.__dict__
    for column in made.table.columns:
        value = values[column.name]
        if hasattr(value, "tzinfo") and not EPOCH <= value <= FOREVER:
            raise ValueError(f"{column.name} is {value}")
