"""Rows for other programs: CSV that no spreadsheet runs, and Parquet in pieces."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from gpuledger.tabular import csv_blocks, kinds_of, parquet_blocks

ROW: dict[str, Any] = {
    "text": "=cmd()",
    "share": 0.5,
    "gpus": 8,
    "open": True,
    "at": datetime(2026, 3, 2, tzinfo=UTC),
    "grades": {"A": 1.0},
    "nothing": None,
}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_a_spreadsheet_would_run_begins_with_a_quote(start: str) -> None:
    _, line = csv_blocks(["a", "b"], [[{"a": f"{start}cmd()", "b": -1.5}]])
    assert next(csv.reader(io.StringIO(line.decode(), newline=""))) == [f"'{start}cmd()", "-1.5"]


def test_parquet_keeps_types_and_a_group_of_rows_for_each_block() -> None:
    body = b"".join(parquet_blocks(kinds_of([ROW]), [[ROW], [ROW, ROW]]))
    file = pq.ParquetFile(io.BytesIO(body))
    assert file.num_row_groups == 2
    assert file.read().slice(2).to_pylist() == [{**ROW, "grades": '{"A": 1.0}'}]


def test_no_rows_are_a_file_all_the_same() -> None:
    body = b"".join(parquet_blocks({"a": "int64"}, []))
    assert pq.read_table(io.BytesIO(body)).schema.names == ["a"]
