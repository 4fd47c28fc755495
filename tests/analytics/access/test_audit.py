"""The audit: every entry is kept as it was told, or at least said."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.access import history
from analytics.access.audit import Audit
from analytics.access.caller import Caller, Role
from gpuledger.catalogue import INGESTED, AuditEntry
from gpuledger.ddl import create_table
from gpuledger.errors import StoreError
from gpuledger.schema import Events
from gpuledger.store import Store

LEA = Caller("lea", Role.TEAM_OWNER, ("red",))
HOSTILE = "';DROP TABLE audit_log;--\n\x1b[31m<script>=1"


class Full(Store):
    """A store that keeps nothing."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    def insert_rows(self, *_: Any) -> None:
        raise StoreError("the disk is full")


def test_an_entry_says_who_did_what_to_what_and_how_it_was(store: Store) -> None:
    began = datetime.now(UTC)
    Audit(store).record(LEA, "exemption.ask", HOSTILE, {"a": 1}, {"a": [HOSTILE, None, began]})
    (entry,) = history.read(store, began - timedelta(seconds=1))
    assert entry["at"] - began < timedelta(minutes=1)
    assert (entry["who"], entry["role"], entry["action"]) == ("lea", "team-owner", "exemption.ask")
    assert (entry["subject"], entry["address"]) == (HOSTILE, "")
    assert entry["before"] == {"a": 1}
    assert entry["after"]["a"][:2] == [HOSTILE, None]


def test_equal_entries_are_two(store: Store) -> None:
    for _ in range(2):
        Audit(store).record(LEA, "report.note", "2026-W47")
    assert len(history.read(store, datetime.now(UTC) - timedelta(hours=1))) == 2


def test_an_entry_that_is_not_kept_is_in_the_log_and_told_to_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(StoreError, match="the disk is full"):
        Audit(Full()).record(LEA, "report.release", "2026-W47", None, {"edition": 1})
    (line,) = (r.getMessage() for r in caplog.records)
    told = json.loads(line.removeprefix("audit: not kept: "))
    assert (told["who"], told["action"], told["subject"]) == ("lea", "report.release", "2026-W47")


def test_nobody_may_send_rows_about_the_service_itself() -> None:
    sent = {table.name for table in INGESTED}
    assert not sent & {"audit_log", "api_tokens", "api_token_uses", "leases", "notifications"}


def test_entries_are_only_added_and_stay_as_long_as_the_book() -> None:
    assert "ENGINE = MergeTree " in create_table(AuditEntry.table)
    assert AuditEntry.table.layout == Events(key=("action", "subject"), retention="ledger")
