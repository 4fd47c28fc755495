"""Answers of lists: filtered, in pages or streamed, in the form asked for, and 304 where known."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from fastapi import Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from analytics.routes import formats
from analytics.routes.common import TheCaller, TheReader, TheService
from analytics.routes.formats import JSON, LISTS
from analytics.routes.paging import Cursors, Key, Question, rows_after
from analytics.service import Service
from gpuledger.guard import EXPORT
from gpuledger.store import Store
from gpuledger.tabular import Rows

PAGE_ROWS, MOST_ROWS = 1000, 10_000
RETRY_AFTER_S = 5
# What an ETag rests on, for each table: whatever is written anew has a version of its own, also
# where it is of an hour long past. Merges change it too, and then an answer is sent once more.
_VERSION = "SELECT toString((max(version), sum(version))) FROM {table}"

Limit = Annotated[
    int | None,
    Query(ge=1, le=MOST_ROWS, description="rows at most; JSON: 1000 unless told, others: all"),
]
Cursor = Annotated[
    str, Query(max_length=8000, description="where the page begins: as Link's `next` has it")
]


@dataclass(frozen=True)
class Ask:
    """What one request asks of a list, and how it is answered."""

    request: Request
    service: Service
    store: Store
    teams: tuple[str, ...]
    limit: int | None
    cursor: str

    def rows(
        self,
        model: type[BaseModel],
        keys: Sequence[Key],
        make: Callable[[list[Any]], Question],
        *,
        rests_on: Sequence[str] = (),
        names: Sequence[str] = (),
        pinned: type = list,
    ) -> Response:
        """Rows of a question, which `make` makes of what the first page pinned (empty = first).

        With the tables that it `rests_on`, with an ETag. `names` are the fields that it has, none =
        all of the model. ConfigError, StoreError; HTTPException 406.
        """
        media, headers = self.begun(LISTS, rests_on)
        if self.knows(headers):
            return Response(status_code=304, headers=headers)
        kinds = formats.kinds_of(model)
        asked = _Form(media, {n: kinds[n] for n in names or kinds}, headers)
        after, kept = self._place(keys, pinned)
        question = make(kept)
        if media == JSON:
            return self._page(asked, question, after)
        return self._streamed(asked, question, after)

    def table(
        self,
        model: type[BaseModel],
        sql: str,
        keys: Sequence[Key],
        equal: Mapping[str, str],
        *where: str,
        **parameters: Any,
    ) -> Response:
        """Rows of `sql` with the model's fields, of which those in `equal` are so, as `rows`."""
        kept = [*(f"{name} = {{of_{name}:String}}" for name in equal), *where]
        question = Question(
            sql,
            keys,
            {**{f"of_{name}": value for name, value in equal.items()}, **parameters},
            kept,
            tidy=formats.told,
            columns=[*model.model_fields],
        )
        return self.rows(model, keys, lambda _: question)

    def held(
        self,
        model: type[BaseModel],
        keys: Sequence[Key],
        rows: Callable[[], Rows],
        *,
        rests_on: Sequence[str] = (),
    ) -> Response:
        """Rows that a function has, which are few: as `rows`."""
        media, headers = self.begun(LISTS, rests_on)
        if self.knows(headers):
            return Response(status_code=304, headers=headers)
        after, _ = self._place(keys, list)
        found = rows_after(rows(), keys, after)
        most = self.limit or (PAGE_ROWS if media == JSON else len(found))
        if len(found) > most:
            headers["Link"] = self._next([found[most - 1][key.name] for key in keys], [])
        kinds = formats.kinds_of(model)
        told = _fields(map(formats.told, found[:most]), kinds)
        return Response(b"".join(formats.body(media, kinds, [told])), 200, headers, media)

    def one(self, value: Callable[[], Any], rests_on: Sequence[str] = ()) -> Response:
        """What a function has, one object as JSON; as `rows`."""
        _, headers = self.begun([JSON], rests_on)
        if self.knows(headers):
            return Response(status_code=304, headers=headers)
        return Response(encoded(value()), 200, headers, JSON)

    def begun(
        self, offered: Sequence[str], rests_on: Sequence[str], more: Sequence[str] = ()
    ) -> tuple[str, dict[str, str]]:
        """The form of the answer, and its headers; it rests on these tables, and on `more`."""
        media = formats.chosen(self.request.headers.get("accept", "*/*"), offered)
        headers = {"Vary": "Accept, Authorization, Cookie"}
        if rests_on:
            headers["ETag"] = self.etag(media, rests_on, more)
            headers["Cache-Control"] = "private, no-cache"
        return media, headers

    def etag(self, media: str, rests_on: Sequence[str], more: Sequence[str] = ()) -> str:
        """A weak validator: the question, whose rows, and how far the tables are."""
        versions = [self.store.value(_VERSION.format(table=table)) for table in rests_on]
        asked = (media, self._asked(), self.limit, self.cursor, sorted(self.teams), versions, more)
        digest = hashlib.blake2b(msgspec.json.encode(asked), digest_size=12)
        return f'W/"{digest.hexdigest()}"'

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether the caller has the answer with these headers (RFC 9110, 13.1.2)."""
        etag = headers.get("ETag")
        told = self.request.headers.get("if-none-match", "")
        known = {part.strip() for part in told.split(",")}
        return etag is not None and bool(known & {etag, "*"})

    def _asked(self) -> str:
        """The route and its parameters, but for which page of how many rows."""
        parameters = sorted(
            (name, value)
            for name, value in parse_qsl(self.request.url.query, keep_blank_values=True)
            if name not in {"cursor", "limit"}
        )
        return f"{self.request.url.path}?{urlencode(parameters)}"

    def _cursors(self) -> Cursors:
        return Cursors(self.service.token, self._asked())

    def _place(self, keys: Sequence[Key], pinned: type) -> tuple[list[Any], Any]:
        if not self.cursor:
            return [], []
        return self._cursors().read(self.cursor, keys, pinned)

    def _next(self, key: Sequence[Any], pinned: Sequence[Any]) -> str:
        url = self.request.url
        parameters = [
            (name, value)
            for name, value in parse_qsl(url.query, keep_blank_values=True)
            if name != "cursor"
        ]
        cursor = self._cursors().write(key, pinned)
        return f'<{url.path}?{urlencode([*parameters, ("cursor", cursor)])}>; rel="next"'

    def _page(self, form: _Form, question: Question, after: Sequence[Any]) -> Response:
        most = self.limit or PAGE_ROWS
        sql, parameters = question.page(after, most + 1)
        found = self.store.select(sql, **parameters)
        if len(found) > most:
            key = question.key_of(found[most - 1])
            form.headers["Link"] = self._next(key, question.pinned)
        told = _fields(map(question.tidy, found[:most]), form.kinds)
        return Response(b"".join(form.body([told])), 200, form.headers, form.media)

    def _streamed(self, form: _Form, question: Question, after: Sequence[Any]) -> Response:
        sql, parameters = question.page(after, self.limit)
        blocks = self._blocks(sql, parameters)
        # The first block is asked before anything is said: what is wrong becomes a problem.
        head = list(itertools.islice(blocks, 1))
        told = (
            _fields(map(question.tidy, rows), form.kinds) for rows in itertools.chain(head, blocks)
        )
        return StreamingResponse(form.body(told), 200, form.headers, form.media)

    def _blocks(self, sql: str, parameters: Mapping[str, Any]) -> Iterator[Rows]:
        """Rows as the engine finds them; HTTPException 503 where others stream already."""
        if not self.service.streams.acquire(blocking=False):
            busy = {"Retry-After": str(RETRY_AFTER_S)}
            raise HTTPException(503, "other answers are streamed already: ask again later", busy)
        try:
            with self.store.within(EXPORT).stream(sql, **parameters) as found:
                yield from found
        finally:
            self.service.streams.release()


@dataclass(frozen=True)
class _Form:
    """The form of an answer."""

    media: str
    kinds: Mapping[str, str]
    headers: dict[str, str]

    def body(self, blocks: Iterable[Rows]) -> Iterator[bytes]:
        return formats.body(self.media, self.kinds, blocks)


def _fields(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """Rows with the fields of the model alone, in its order."""
    ordered = [*names]
    return [{name: row[name] for name in ordered} for row in rows]


def encoded(value: Any) -> bytes:
    """A value as JSON; absent is null."""
    return msgspec.json.encode(formats.plain(value))


def _ask(
    request: Request,
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    limit: Limit = None,
    cursor: Cursor = "",
) -> Ask:
    return Ask(request, service, reader, caller.teams, limit, cursor)


def _single(request: Request, service: TheService, reader: TheReader, caller: TheCaller) -> Ask:
    return Ask(request, service, reader, caller.teams, None, "")


TheAsk = Annotated[Ask, Depends(_ask)]
# Of routes without pages.
TheOne = Annotated[Ask, Depends(_single)]
