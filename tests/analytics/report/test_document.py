"""The numbers as JSON: complete, in order, with units, and the same bytes each time."""

from __future__ import annotations

import json
from dataclasses import fields

from analytics.report import document, weeks
from analytics.report.value import WeeklyReport
from analytics.report.weekly import collect
from gpuledger.store import Store
from tests.analytics.report.office import W47, book, desk
from tests.analytics.report.sample import build


def test_the_json_has_every_field_in_order_and_comes_back(store: Store) -> None:
    book(store)
    report = desk(timezone="Europe/Berlin").live(store, W47)
    text = document.to_json(report)
    assert list(json.loads(text)) == [field.name for field in fields(WeeklyReport)]
    assert document.from_json(text) == report
    assert document.to_json(document.from_json(text)) == text


def test_a_report_of_nothing_comes_back(store: Store) -> None:
    report = collect(store, *weeks.bounds(W47))
    assert document.from_json(document.to_json(report)) == report


def test_a_report_of_much_comes_back(store: Store) -> None:
    build(store, 8)
    report = desk().live(store, W47)
    assert document.from_json(document.to_json(report)) == report


def test_times_are_rfc_3339_in_utc_and_missing_is_null(store: Store) -> None:
    book(store)
    told = json.loads(document.to_json(desk().live(store, W47)))
    assert told["since"] == "2026-11-16T00:00:00Z"
    assert told["edition"] is None
    assert told["ledger"][0]["gpu_hours"] > 0


def test_fields_that_a_later_version_adds_are_passed_over(store: Store) -> None:
    book(store)
    report = desk().live(store, W47)
    told = json.loads(document.to_json(report)) | {"from_the_future": 1}
    assert document.from_json(json.dumps(told)) == report
