"""The read-only SQL door: what it answers, what it refuses, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.access.caller import Caller, Role
from analytics.app import create_app
from analytics.routes.common import _caller
from analytics.service import Service
from gpuledger.guard import AD_HOC
from gpuledger.service import RemoteStore
from gpuledger.store import Address, Store
from tests import two_teams
from tests.analytics.web import (
    BEARER,
    TOKEN,
    TestClient,
    booked_hour,
    client,
    is_problem,
    make_service,
)
from tests.analytics.world import HOSTILE, at, job, write


def ask(store: Store, sql: str, **parameters: Any) -> Any:
    """The door's answer."""
    body = {"sql": sql, "parameters": parameters}
    return client(make_service(store), **BEARER).post("/v1/sql", json=body)


def rows(store: Store, sql: str, **parameters: Any) -> list[list[Any]]:
    answer = ask(store, sql, **parameters)
    assert answer.status_code == 200, answer.text
    found: list[list[Any]] = answer.json()["rows"]
    return found


def test_a_question_is_answered_with_names_types_and_rows(store: Store) -> None:
    write(store, [job("1")])
    answer = ask(store, "SELECT job_id, nodes FROM jobs WHERE user = {user:String}", user="ana")
    assert answer.json() == {
        "columns": [{"name": "job_id", "type": "String"}, {"name": "nodes", "type": "UInt32"}],
        "rows": [["c/1", 1]],
    }


@pytest.mark.parametrize(
    "value", ["ana", HOSTILE, "it's", "a\tb\nc\\", "€ ü 日本", "' OR 1=1 --", ""]
)
def test_a_parameter_is_a_value_and_never_sql(store: Store, value: str) -> None:
    assert rows(store, "SELECT {value:String}", value=value) == [[value]]


WRITES = (
    "INSERT INTO jobs (job_id) VALUES ('x')",
    "DROP TABLE jobs",
    "TRUNCATE TABLE jobs",
    "ALTER TABLE jobs DELETE WHERE 1",
    "CREATE TABLE made (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE made (a Int8)",
    "OPTIMIZE TABLE jobs FINAL",
    "SYSTEM FLUSH LOGS",
    "KILL QUERY WHERE 1",
    "USE default",
    "SET readonly = 0",
    "SET max_execution_time = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "SELECT 1; DROP TABLE jobs",
    "SELECT 1; SELECT 2",
)
FILES = (
    "SELECT * FROM file('{file}', 'LineAsString')",
    "SELECT file('{file}')",
    "SELECT `file`('{file}')",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "SELECT * APPLY file FROM (SELECT '{file}' AS a)",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM sqlite('{file}', 'a')",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 /* a */ INTO -- b\n OUTFILE '{out}'",
    "WITH 1 AS a SELECT a INTO OUTFILE '{out}' TRUNCATE",
)


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_that_changes_anything_gets_through(store: Store, sql: str) -> None:
    write(store, [job("1")])
    assert is_problem(ask(store, sql), 400)
    assert store.value("SELECT count() FROM jobs") == 1
    assert "made" not in store.existing()


@pytest.mark.parametrize("sql", FILES)
def test_files_and_the_network_are_out_of_reach(store: Store, tmp_path: Path, sql: str) -> None:
    secret, out = tmp_path / "secret", tmp_path / "out"
    secret.write_text("the password")
    answer = ask(store, sql.format(file=secret, out=out))
    assert is_problem(answer, 400)
    assert "the password" not in answer.text
    assert not out.exists()


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("", {}),
        ("SELECT", {}),
        ("what is idle?", {}),
        ("SELECT nothing", {}),
        ("SELECT * FROM nowhere", {}),
        ("SELECT {a:UInt8}", {}),
        ("SELECT {a:UInt8}", {"a": "text"}),
        ("SELECT {a:UInt8}", {"a": {"b": 1}}),
        ("SELECT 1 %", {"a": 1}),
        ("SELECT '%s'", {"a": 1}),
        ("SELECT {sql:String}", {"sql": "x"}),
        ("SELECT {self:String}", {"self": "x"}),
    ],
)
def test_a_question_that_is_none_is_a_problem_of_the_one_who_asks(
    store: Store, sql: str, parameters: dict[str, Any]
) -> None:
    body = {"sql": sql, "parameters": parameters}
    answer = client(make_service(store), **BEARER).post("/v1/sql", json=body)
    assert is_problem(answer, 400)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"sql": 1}', b'{"parameters": {}}', b"\xff", b'{"sql": null}']
)
def test_a_body_that_is_no_question_is_refused(store: Store, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client(make_service(store), **BEARER).post("/v1/sql", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert is_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT nan, inf, -inf, 1.5", [None, None, None, 1.5]),
        ("SELECT [nan, 1], (inf, 2), map('a', nan)", [[None, 1], [None, 2], {"a": None}]),
        ("SELECT map((1, 2), 3)", [{"(1, 2)": 3}]),
        ("SELECT toFixedString('ab', 2), toFixedString(unhex('ff'), 1)", ["ab", "\ufffd"]),
        ("SELECT toUInt64(18446744073709551615)", [18446744073709551615]),
        ("SELECT NULL, true", [None, True]),
        ("SELECT toDateTime64('2026-03-02 10:00:00.5', 3, 'UTC')", ["2026-03-02T10:00:00.500000Z"]),
    ],
)
def test_every_value_has_a_form_in_json(store: Store, sql: str, row: list[Any]) -> None:
    assert rows(store, sql) == [row]
    assert "NaN" not in json.dumps(rows(store, sql), allow_nan=False)


def test_more_rows_than_anyone_reads_are_refused(store: Store) -> None:
    count = AD_HOC.rows + 1
    assert is_problem(ask(store, f"SELECT number FROM numbers({count})"), 400)
    assert rows(store, "SELECT 1") == [[1]]


def test_more_memory_than_there_is_for_questions_is_refused(store: Store) -> None:
    limit = AD_HOC.memory_bytes
    sql = f"SELECT length(range({limit // 8 + 1}))"
    assert is_problem(ask(store, sql), 400)


def test_the_store_beside_the_door_may_still_write(store: Store) -> None:
    assert rows(store, "SELECT getSetting('readonly')") == [[1]]
    write(store, [job("1")])
    assert store.value("SELECT count() FROM jobs") == 1


def test_a_server_is_asked_itself_because_the_service_has_more_rights_than_people() -> None:
    server = Store(Address(host="db.example", user="gpuledger"))
    nobody: Any = None
    service = Service(store=server, reader=server.reader(), runner=nobody, token=TOKEN)
    answer = client(service, **BEARER).post("/v1/sql", json={"sql": "SELECT 1"})
    assert is_problem(answer, 404)
    assert "http://gpuledger@db.example:8123/gpuledger" in answer.json()["detail"]


def test_what_a_command_asks_through_the_door_equals_what_it_asks_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics import book

    booked_hour(store)
    known = client(make_service(store), **BEARER)

    class _Wire:
        """Connections to the service, without a wire."""

        def request(self, method: str, url: str, **sent: Any) -> Any:
            answer = known.request(method, url, json=sent["json"], headers=sent["headers"])

            class Answer:
                status = answer.status_code
                data = answer.content

                def json(self) -> Any:
                    return answer.json()

            return Answer()

    monkeypatch.setattr("gpuledger.local.pool", lambda *_: _Wire())
    remote = RemoteStore("https://gpuledger.test", TOKEN)
    assert book.last_booked(remote) == at(60)
    for since in ("7d", "37m"):
        asked = [book.ledger(r, book.span(r, since), ["state", "job"]) for r in (remote, store)]
        assert asked[0] == asked[1]
        assert asked[0]


# --- who asks ---------------------------------------------------------------------------------


def asked(store: Store, caller: Caller, body: dict[str, Any]) -> Any:
    """What the door answers that caller."""
    service = make_service(store)
    app = create_app(service)
    app.dependency_overrides[_caller] = lambda: caller
    return TestClient(app, base_url="https://gpuledger.test", headers=BEARER).post(
        "/v1/sql", json=body
    )


@pytest.fixture
def two(store: Store) -> Store:
    two_teams.fill(store)
    return store


RED_OWNER = Caller("ada", Role.TEAM_OWNER, ("red",))


def test_a_team_gets_its_own_rows_in_every_form(two: Store) -> None:
    body = {"sql": "SELECT user, team FROM v_book_1h WHERE user != ''"}
    assert asked(two, RED_OWNER, body).json()["rows"] == [["red-user", "red"]]
    parquet = asked(two, RED_OWNER, {**body, "format": "parquet"})
    assert parquet.status_code == 200
    assert b"red-user" in parquet.content
    assert b"blue" not in parquet.content


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT user FROM merge('^jobs$')",
        "SELECT user FROM jobs SETTINGS additional_table_filters = {}",
        "SELECT * FROM system.processes",
        "SELECT * FROM api_tokens",
    ],
)
@pytest.mark.parametrize("caller", [RED_OWNER, Caller("eve", Role.VIEWER)], ids=lambda c: c.name)
def test_who_is_no_administrator_asks_about_tables_alone(
    two: Store, caller: Caller, sql: str
) -> None:
    answer = asked(two, caller, {"sql": sql})
    assert is_problem(answer, 400)
    assert "blue" not in answer.text


def test_who_has_no_team_and_is_no_administrator_sees_all_rows(two: Store) -> None:
    answer = asked(two, Caller("eve", Role.VIEWER), {"sql": "SELECT user FROM jobs ORDER BY user"})
    assert answer.json()["rows"] == [["blue-user"], ["red-user"]]
