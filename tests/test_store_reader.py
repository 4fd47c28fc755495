"""The embedded engine for people who only ask: nothing else gets through, whatever they write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuledger.errors import StoreError
from gpuledger.guard import AD_HOC
from gpuledger.store import Store
from tests.store_contract import sample, unique


@pytest.fixture(scope="module")
def reader(engine: Store) -> Iterator[Store]:
    opened = engine.reader()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "question",
    [
        "SELECT count() FROM gpu_samples WHERE node = {node:String}",
        "select count() from v_gpu_samples where node = {node:String} -- 'file",
        "WITH 1 AS one SELECT one",
        "(SELECT 1) UNION DISTINCT (SELECT 1)",
        "SELECT 1 WHERE 'INTO OUTFILE file(' != ''",
        "SELECT 1 AS `it's`",
    ],
)
def test_questions_are_answered(engine: Store, reader: Store, question: str) -> None:
    node = unique()
    engine.insert_rows([sample(node)])
    assert reader.value(question, node=node) == 1
    assert reader.select(question, node=node)
    assert reader.select_typed(question, node=node)[1] == [(1,)]


def test_tables_can_be_described(reader: Store) -> None:
    assert {"name": "jobs"} in reader.select("SHOW TABLES")
    assert reader.select("DESCRIBE TABLE jobs")[0]["name"] == "job_id"
    assert reader.select("EXPLAIN SELECT 1")


WRITES = [
    "INSERT INTO jobs (job_id) VALUES ('x')",
    "INSERT INTO jobs SELECT * FROM jobs",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE x (a Int8)",
    "CREATE FUNCTION f AS x -> x",
    "ALTER TABLE jobs DELETE WHERE 1",
    "TRUNCATE TABLE jobs",
    "DROP TABLE jobs",
    "DROP VIEW v_jobs",
    "DROP DATABASE gpuledger",
    "RENAME TABLE jobs TO x",
    "DETACH TABLE jobs",
    "OPTIMIZE TABLE jobs",
    "SELECT 1; DROP TABLE jobs",
]
SETTINGS = [
    "SET readonly = 0",
    "SET max_execution_time = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "USE system",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "GRANT ALL ON *.* TO x",
]
FILES = [
    "SELECT * FROM file('{secret}', LineAsString)",
    "SELECT file('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT \"file\"('{secret}')",
    "SELECT /* */ file /* */ ('{secret}')",
    "SELECT 'it\\'s', file('{secret}')",
    "SELECT `a'b`, file('{secret}') FROM (SELECT 1 AS `a'b`)",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', LineAsString)",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM executable('cat', TSV, 'a String')",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT 'said' INTO OUTFILE '{out}'",
    "select 'said' into/**/outfile '{out}' format TSV",
    "EXPLAIN SELECT 1 INTO OUTFILE '{out}'",
    "INSERT INTO FUNCTION file('{out}', TSV, 'a String') VALUES ('said')",
]


@pytest.mark.parametrize("statement", [*WRITES, *SETTINGS, *FILES])
def test_everything_else_is_refused(
    engine: Store, reader: Store, tmp_path: Path, statement: str
) -> None:
    secret, out = tmp_path / "secret", tmp_path / "out"
    secret.write_text("hush")
    before = engine.existing()
    sql = statement.replace("{secret}", str(secret)).replace("{out}", str(out))
    for ask in (reader.select, reader.value, reader.select_typed):
        with pytest.raises(StoreError) as caught:
            ask(sql)
        assert "hush" not in str(caught.value)
    with pytest.raises(StoreError):
        reader.command(sql)
    assert not out.exists()
    assert engine.existing() == before
    assert reader.value("SELECT currentDatabase()") == "gpuledger"


def test_batches_are_refused(engine: Store, reader: Store) -> None:
    node = unique()
    with pytest.raises(StoreError):
        reader.insert_rows([sample(node)])
    assert engine.value("SELECT count() FROM gpu_samples WHERE node = {n:String}", n=node) == 0


def test_questions_have_limits(reader: Store) -> None:
    for name, limit in AD_HOC.settings(embedded=True).items():
        assert reader.value(f"SELECT getSetting('{name}')") == limit
    with pytest.raises(StoreError, match="TOO_MANY_ROWS"):
        reader.select("SELECT * FROM numbers(3000000)")


def test_a_broken_answer_does_not_spill_into_the_next(engine: Store, reader: Store) -> None:
    for store in (engine, reader):
        for _ in range(3):
            with pytest.raises(StoreError):
                store.select("SELECT throwIf(number = 2900000) FROM numbers(3000000)")
            assert store.select("SELECT 'mine' AS whose") == [{"whose": "mine"}]


def test_the_stores_own_clients_keep_their_rights(engine: Store, reader: Store) -> None:
    assert reader.value("SELECT getSetting('readonly')") == 1
    assert engine.value("SELECT getSetting('readonly')") == 0
