"""Whoever is limited to a team asks about its rows, and finds no way around that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gpuledger.errors import StoreError
from gpuledger.narrow import Door
from gpuledger.store import Store
from tests import two_teams
from tests.conftest import empty
from tests.two_teams import RED

DOOR = Door("gpuledger")


@pytest.fixture(scope="module")
def reader(engine: Store) -> Iterator[Store]:
    """Red's own reader, with rows of both teams in every table."""
    empty(engine)
    two_teams.fill(engine)
    opened = engine.only((RED,)).reader()
    yield opened
    opened.close()
    empty(engine)


def ask(reader: Store, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    """What the SQL door does."""
    DOOR.check(reader.select, sql, parameters)
    return reader.select(sql, **parameters)


ANSWERED = [
    "SELECT count() FROM jobs WHERE user = {user:String}",
    "SELECT toUInt64(count()) FROM gpuledger.jobs AS j FINAL WHERE j.user = {user:String}",
    "WITH mine AS (SELECT user FROM jobs) SELECT count() FROM mine WHERE user = {user:String}",
    "SELECT count() FROM v_jobs WHERE user = {user:String} AND user IN (SELECT user FROM v_runs)",
    "SELECT countIf(user = {user:String}) FROM jobs LEFT JOIN allocations USING job_id",
    "SELECT DISTINCT length(user) - 7 FROM jobs WHERE user = {user:String} ORDER BY 1 LIMIT 1",
    "SELECT toUInt64(1) FROM numbers(3) WHERE {user:String} != '' LIMIT 1",
    "SELECT count() FROM jobs WHERE job_id IN allocations_of AND user = {user:String}",
    "SELECT * FROM (SELECT 1 UNION ALL SELECT 1) WHERE {user:String} = 'red-user' LIMIT 1",
]


@pytest.mark.parametrize("sql", ANSWERED)
def test_questions_about_tables_are_answered(reader: Store, sql: str) -> None:
    sql = sql.replace("allocations_of", "(SELECT job_id FROM allocations)")
    rows = ask(reader, sql, user="red-user")
    assert [list(row.values()) for row in rows] in ([[1]], [[2]])


OUT = [
    # Another way to the rows.
    "SELECT user FROM merge('gpuledger', '^jobs$')",
    "SELECT user FROM merge('')",
    "SELECT user FROM cluster('default', gpuledger.jobs)",
    "SELECT user FROM clusterAllReplicas('default', gpuledger, jobs)",
    "SELECT user FROM remote('127.0.0.1', gpuledger.jobs)",
    "SELECT user FROM remoteSecure('127.0.0.1', gpuledger.jobs)",
    "SELECT * FROM view(SELECT user FROM jobs)",
    "SELECT * FROM viewIfPermitted(SELECT user FROM jobs ELSE null('user String'))",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT user FROM jobs))",
    "SELECT * FROM loop(jobs) LIMIT 5",
    "SELECT * FROM mergeTreeIndex(gpuledger, jobs)",
    "SELECT * FROM mergeTreeProjection(gpuledger, jobs, a)",
    "SELECT * FROM mergeTreeAnalyzeIndexes(gpuledger, jobs)",
    "SELECT * FROM dictionary('jobs')",
    "SELECT * FROM eval('SELECT user FROM jobs')",
    "SELECT * FROM input('a String')",
    "SELECT * FROM python('x')",
    "SELECT * FROM null('a String')",
    "SELECT joinGet('jobs', 'user', 'c/blue-1')",
    "SELECT joinGetOrNull('jobs', 'user', 'c/blue-1')",
    "SELECT dictGet('jobs', 'user', 'c/blue-1')",
    "SELECT dictGetOrDefault('jobs', 'user', 'c/blue-1', '')",
    "SELECT hasColumnInTable('gpuledger', 'api_tokens', 'secret_sha256')",
    "SELECT aiGenerate('x')",
    # Names that hide rows, taken by others.
    "SELECT user FROM jobs AS `gpuledger.accounts_1h`",
    'SELECT user FROM jobs AS "gpuledger.job_teams"',
    "SELECT user FROM jobs `gpuledger\\x2eaccounts_1h`",
    "WITH `gpuledger.jobs` AS (SELECT 1) SELECT `gpuledger.jobs`.a FROM jobs AS `gpuledger.teams`",
    "SELECT user AS `gpuledger.jobs` FROM jobs",
    "WITH jobs AS (SELECT 1 AS a) SELECT * FROM jobs",
    "SELECT 1 FROM (WITH ledger_1m_staging AS (SELECT 1) SELECT 1), ledger_1m_staging",
    # Settings.
    "SELECT user FROM jobs SETTINGS additional_table_filters = {}",
    "SELECT user FROM jobs FINAL SETTINGS additional_table_filters = {'a':'1'}",
    "SELECT * FROM (SELECT user FROM jobs SETTINGS additional_table_filters = {})",
    "SELECT (SELECT max(user) FROM jobs SETTINGS additional_table_filters = {})",
    "SELECT user FROM jobs /* */ settings /**/ max_threads = 1",
    "SET additional_table_filters = {}",
    "SELECT getSetting('additional_table_filters')",
    # Tried before rows are hidden.
    "SELECT count() FROM jobs PREWHERE throwIf(user = 'blue-user')",
    "SELECT count() FROM (SELECT * FROM jobs prewhere intDiv(1, user != 'blue-user'))",
    # The engine's own tables, other databases, what is private.
    "SELECT query FROM system.query_log",
    "SELECT query FROM system.processes",
    "SELECT * FROM system.parts",
    "SELECT * FROM system.columns",
    "SELECT * FROM system.tables",
    "SELECT * FROM system.settings",
    "SELECT * FROM system.one",
    "SELECT * FROM `system`.`one`",
    'SELECT * FROM "\\x73ystem".one',
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM INFORMATION_SCHEMA.COLUMNS",
    "SELECT * FROM default.x",
    "SELECT * FROM api_tokens",
    "SELECT * FROM v_api_tokens",
    "SELECT * FROM gpuledger.v_audit_log",
    "SELECT * FROM `\\x61udit_log`",
    "SELECT 1 WHERE 'x' IN api_tokens",
    "SELECT 1 WHERE 'x' IN (gpuledger.api_tokens)",
    "SELECT in('x', system.query_log)",
    "SELECT notIn('x', api_tokens), globalIn('x', api_tokens)",
    "SELECT 1 WHERE 'x' GLOBAL NOT IN audit_log",
    "SELECT arrayMap(x -> x IN api_tokens, ['a'])",
    "SELECT * FROM gpu_samples_1m_mv",
    "SELECT * FROM ledger_1m_staging",
    "SELECT * FROM jobs, system.numbers",
    "SELECT * FROM jobs WHERE EXISTS(SELECT 1 FROM api_tokens)",
    "SELECT 1 LIMIT (SELECT count() FROM api_tokens)",
    "SELECT sum(1) OVER (ORDER BY (SELECT count() FROM api_tokens))",
    "WITH a AS (SELECT * FROM audit_log) SELECT 1",
    "SELECT 1 UNION ALL SELECT count() FROM audit_log",
    "(SELECT 1) EXCEPT (SELECT count() FROM audit_log)",
    "SELECT * EXCEPT(a) REPLACE((SELECT count() FROM audit_log) AS user) FROM jobs",
    # Files, hosts and what tells of the machine.
    "SELECT file('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
    "SELECT * FROM s3('http://127.0.0.1:1/b', LineAsString)",
    "SELECT * FROM jobs APPLY(file)",
    "SELECT * APPLY(file) FROM jobs",
    "SELECT * APPLY(x -> file(x)) FROM jobs",
    "SELECT 1 INTO OUTFILE '/tmp/out'",
    "SELECT 1 FORMAT CSV",
    "SELECT getServerSetting('path')",
    "SELECT getMacro('x')",
    "SELECT hostName(), FQDN()",
    "SELECT __scalarSubqueryResult(1)",
    "SELECT sleep(1)",
    # What is no question, or tells how one is answered.
    "EXPLAIN SELECT user FROM jobs",
    "EXPLAIN indexes = 1 SELECT user FROM jobs",
    "EXPLAIN ESTIMATE SELECT user FROM jobs",
    "EXPLAIN TABLE OVERRIDE jobs",
    "DESCRIBE TABLE api_tokens",
    "DESCRIBE (SELECT * FROM system.one)",
    "SHOW TABLES FROM system",
    "SHOW CREATE TABLE jobs",
    "SHOW PROCESSLIST",
    "EXISTS TABLE api_tokens",
    "CHECK TABLE jobs",
    "INSERT INTO jobs (job_id) VALUES ('x')",
    "SELECT 1; SELECT user FROM system.users",
    "DROP TABLE jobs",
    "KILL QUERY WHERE 1",
    "SYSTEM FLUSH LOGS",
    "USE system",
    "",
    "nonsense",
]


@pytest.mark.parametrize("sql", OUT)
def test_there_is_no_way_around(reader: Store, sql: str) -> None:
    with pytest.raises(StoreError) as refused:
        ask(reader, sql)
    assert "blue" not in str(refused.value).replace(sql, "")


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT user FROM {t:Identifier}", {"t": "api_tokens"}),
        ("SELECT user FROM {d:Identifier}.one", {"d": "system"}),
        ("SELECT {c:Identifier} FROM jobs", {"c": "user"}),
        ("SELECT user FROM jobs WHERE user = %(u)s", {"u": "x"}),
        ("SELECT user FROM jobs WHERE user = '%s'", {"u": "x"}),
        ("SELECT user FROM jobs WHERE 1 $x$", {"$x$": "SETTINGS max_threads = 1"}),
        ("SELECT {a:String} $x$", {"a": "1", "$x$": "FROM api_tokens"}),
        ("SELECT '{a:String}'", {"a": "1"}),
    ],
)
def test_a_parameter_is_a_value(reader: Store, sql: str, parameters: dict[str, str]) -> None:
    with pytest.raises(StoreError):
        ask(reader, sql, **parameters)


ORACLES = [
    "intDiv(1, toUInt8(user != 'blue-user')) = 1",
    "throwIf(user = 'blue-user') = 0",
    "length(user) > 0 AND toUInt8(if(user = 'blue-user', 'x', '1')) = 1",
]


@pytest.mark.parametrize("condition", ORACLES)
@pytest.mark.parametrize("table", ["jobs", "v_jobs", "accounts_1h", "v_book_1h", "findings"])
def test_no_condition_is_tried_on_hidden_rows(reader: Store, table: str, condition: str) -> None:
    # A failure would tell that there is such a row.
    rows = ask(reader, f"SELECT DISTINCT user FROM {table} WHERE {condition} AND user != ''")
    assert rows == [{"user": "red-user"}]
    assert ask(reader, f"SELECT sum({condition}) FROM {table}")
    assert ask(reader, f"SELECT count() FROM {table} GROUP BY {condition}")
    joined = f"SELECT count() FROM {table} AS a JOIN jobs AS b ON a.user = b.user AND {condition}"
    assert ask(reader, joined.replace("(user", "(a.user").replace("if(user", "if(a.user"))


def test_the_limit_is_set_once_and_for_all(reader: Store) -> None:
    for sql in (
        "SET additional_table_filters = {}",
        "SELECT user FROM jobs SETTINGS additional_table_filters = {}",
    ):
        with pytest.raises(StoreError):
            reader.select(sql)
    assert reader.select("SELECT user FROM jobs") == [{"user": "red-user"}]


def test_without_a_team_private_tables_stay_closed(engine: Store) -> None:
    with pytest.raises(StoreError, match="no table 'api_tokens'"):
        DOOR.check(engine.select, "SELECT * FROM api_tokens", {})
    DOOR.check(engine.select, "SELECT * FROM jobs", {})
