"""Lists of the API: in pages, in every form, filtered, known already, and hostile."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from gpuledger.store import Store
from tests.analytics.routes.asked import lists, next_of, parameters, walked
from tests.analytics.routes.filled import STOPPED
from tests.analytics.web import is_problem
from tests.analytics.world import HOSTILE, job, write

LISTS = [path for path in lists() if path not in {"/v1/tokens", "/v1/audit"}]
EMPTY = {"/v1/reports"}
FORMS = ("application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet")
# All at once: a question that one of them breaks is broken by their sum.
BROKEN = (
    "' OR 1=1 --\"; DROP TABLE jobs; --\\ {x:String} `) UNION ALL SELECT 1 --\n{{7*7}}" + "é" * 250,
    "'%00%F0%28=cmd()",
)


def rows_of(api: Any, path: str, form: str) -> list[dict[str, Any]]:
    answer = api.get(path, headers={"Accept": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(form)
    if form == FORMS[0]:
        return list(answer.json())
    if form == FORMS[1]:
        return [json.loads(line) for line in answer.text.splitlines()]
    if form == FORMS[2]:
        return list(csv.DictReader(io.StringIO(answer.text)))
    return list(pq.read_table(io.BytesIO(answer.content)).to_pylist())


@pytest.mark.parametrize("path", LISTS)
def test_every_form_has_the_same_rows_and_fields(api: Any, path: str) -> None:
    found = [rows_of(api, path, form) for form in FORMS]
    assert {len(rows) for rows in found} == {len(found[0])}
    assert bool(found[0]) is (path not in EMPTY)
    assert all([*rows[0]] == [*found[0][0]] for rows in found if rows)


@pytest.mark.parametrize("path", LISTS)
def test_pages_are_the_whole_in_its_order(api: Any, path: str) -> None:
    whole = rows_of(api, path, FORMS[0])
    paged = walked(api, f"{path}?limit={max(1, len(whole) // 3)}")
    volatile = {"age_seconds"}
    assert [{k: v for k, v in r.items() if k not in volatile} for r in paged] == [
        {k: v for k, v in r.items() if k not in volatile} for r in whole
    ]


def test_a_row_that_comes_in_between_moves_no_page(engine: Store, api: Any) -> None:
    before = [row["job_id"] for row in walked(api, "/v1/jobs?team=blue")]
    first = api.get("/v1/jobs?team=blue&limit=10")
    write(engine, [job("1", team="other")])
    rest = walked(api, next_of(first))
    assert [row["job_id"] for row in [*first.json(), *rest]] == before
    assert len(before) == STOPPED


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", ["a", "%00", "é", "AAAA" * 40, "'", "W10", "x" * 9000])
def test_a_cursor_that_is_none_is_refused(api: Any, path: str, cursor: str) -> None:
    answer = api.get(f"{path}?cursor={cursor}")
    assert is_problem(answer, 422 if len(cursor) > 8000 else 400)


def test_a_cursor_serves_its_own_question_alone(api: Any) -> None:
    path = next_of(api.get("/v1/jobs?team=blue&limit=3"))
    cursor = path.partition("cursor=")[2]
    assert api.get(path).status_code == 200
    other = cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]
    for wrong in (
        f"/v1/jobs?team=blue&cursor={other}",
        f"/v1/jobs?team=red&cursor={cursor}",
        f"/v1/jobs?cursor={cursor}",
        f"/v1/nodes?cursor={cursor}",
        f"/v1/success?cursor={cursor}",
    ):
        assert is_problem(api.get(wrong), 400), wrong


@pytest.mark.parametrize(("path", "name"), parameters())
def test_no_parameter_is_sql(api: Any, path: str, name: str) -> None:
    for value in BROKEN:
        given = value if "%" in value else quote(value)
        answer = api.get(f"{path}?{name}={given}")
        assert answer.status_code in {200, 400, 404, 422}, (value, answer.text)
        if answer.status_code == 200 and name in {"team", "user", "cluster", "pool", "job"}:
            assert answer.json() == [], value


def test_nothing_that_was_tried_changed_anything(engine: Store) -> None:
    assert engine.value("SELECT count() FROM jobs FINAL") == STOPPED + 2


@pytest.mark.parametrize(
    ("query", "has"),
    [
        ("/v1/jobs?user=u1", lambda r: r["user"] == "u1"),
        ("/v1/jobs?since=2026-03-02T10:05Z&until=2026-03-02T10:09Z&team=blue", bool),
        ("/v1/nodes?state=drained", lambda r: r["node"] == "m1"),
        ("/v1/findings?kind=idle", lambda r: r["kind"] == "idle"),
        ("/v1/changes?kind=drain", lambda r: r["kind"] == "drain"),
        ("/v1/teams?team=red", lambda r: r["name"] == "red"),
        ("/v1/ledger?by=user&state=alloc_idle", lambda r: r["user"] == HOSTILE),
        ("/v1/alerts?rule=Sick", lambda r: r["rule"] == "Sick"),
        ("/v1/free?cluster=c", lambda r: r["cluster"] == "c"),
    ],
)
def test_a_filter_keeps_what_it_names(api: Any, query: str, has: Any) -> None:
    rows = api.get(query).json()
    assert rows
    assert all(has(row) for row in rows)
    assert len(rows) <= len(api.get(query.partition("?")[0]).json())


@pytest.mark.parametrize(
    "query",
    [
        "/v1/ledger?since=2100-01-01",
        "/v1/jobs?since=2100-01-01",
        "/v1/ledger?since=1d&until=2d",
        "/v1/collection?since=2100-01-01",
        "/v1/success?since=soon",
        "/v1/success?baseline=2026-01-02/2026-01-01",
        "/v1/changes?since=soon",
        "/v1/changes?kind=drian",
        "/v1/recommendations?status=new",
        "/v1/jobs?tema=blue",
        "/v1/free?model=abacus",
    ],
)
def test_what_makes_no_sense_is_refused(api: Any, query: str) -> None:
    assert is_problem(api.get(query), 400)


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/v1/jobs", "image/png", 406),
        ("/v1/jobs", "text/csv;q=0, application/json;q=0", 406),
        ("/v1/jobs", "text/*", 200),
        ("/v1/jobs", "nonsense", 406),
        ("/v1/collection", "text/csv", 406),
        ("/v1/reports/2026-W10", "text/csv", 406),
    ],
)
def test_a_form_that_there_is_not_is_406(api: Any, path: str, accept: str, status: int) -> None:
    answer = api.get(path, headers={"Accept": accept})
    assert answer.status_code == status
    assert status == 200 or is_problem(answer, 406)


def test_the_form_that_is_liked_best_is_taken(api: Any) -> None:
    accept = "application/json;q=0.5, text/csv, */*;q=0.1"
    assert api.get("/v1/jobs", headers={"Accept": accept}).text.startswith("job_id,cluster")


@pytest.mark.parametrize("path", ["/v1/ledger", "/v1/success", "/v1/free", "/v1/forecast"])
def test_what_is_known_is_not_asked_of_the_book(
    service: Any, api: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = api.get(path).headers["etag"]
    asked: list[str] = []
    select = Store.select
    monkeypatch.setattr(Store, "_query", watched(Store._query, asked))
    answer = api.get(path, headers={"If-None-Match": f'"old", {etag}'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag
    assert not [sql for sql in asked if "ledger" in sql or "v_book" in sql or "accounts" in sql]
    assert Store.select is select


def watched(ask: Any, asked: list[str]) -> Any:
    def query(self: Store, sql: str, parameters: Any) -> Any:
        asked.append(sql)
        return ask(self, sql, parameters)

    return query


def test_another_question_is_another_etag(api: Any) -> None:
    etags = [
        api.get(path, headers={"Accept": form}).headers["etag"]
        for path in ("/v1/ledger", "/v1/ledger?by=team", "/v1/ledger?limit=2")
        for form in FORMS[:2]
    ]
    assert len({*etags}) == len(etags)


def test_csv_holds_no_formula(api: Any) -> None:
    for path in LISTS:
        for row in rows_of(api, path, "text/csv"):
            assert not [v for v in row.values() if v and v[0] in "=+@\t\r" and not number(v)], path
    assert b"'=late" in api.get("/v1/collection/quarantine", headers={"Accept": "text/csv"}).content


def number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_only_so_many_answers_are_streamed_at_once(service: Any, api: Any) -> None:
    while service.streams.acquire(blocking=False):
        pass
    answer = api.get("/v1/jobs", headers={"Accept": "text/csv"})
    assert is_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert api.get("/v1/jobs").status_code == 200
    for _ in range(2):
        service.streams.release()
    assert api.get("/v1/jobs", headers={"Accept": "text/csv"}).status_code == 200
