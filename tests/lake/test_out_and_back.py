"""A store goes out to a lake and comes back equal: raw, rollups, book and facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuledger.catalogue import GpuSample
from gpuledger.errors import ConfigError, StoreError
from gpuledger.lake import manifest
from gpuledger.lake.back import Importer
from gpuledger.lake.files import Directory
from gpuledger.lake.layout import chosen
from gpuledger.lake.out import Exporter
from gpuledger.store import Store
from tests.conftest import empty
from tests.lake.world import bring, contents, export, filled, samples
from tests.store_contract import another_database, both_stores

OF_TOMORROW = (
    b'{"format": "gpuledger-lake", "version": 1, "tables": {"jobs": {"columns":'
    b' {"mood": {"type": "UInt8", "unit": "1", "step": "1", "help": ""}}}}}'
)
MOST = {"gpu_samples", "gpu_samples_1m", "gpu_samples_1h", "gpu_samples_1d", "jobs", "allocations"}
BOOK = {"ledger_1m", "ledger_1h", "booked_hours", "gpu_events", "assets"}


@pytest.fixture(scope="module", params=["embedded", "server"])
def source(request: pytest.FixtureRequest) -> Iterator[Store]:
    stores = both_stores(request)
    with another_database(next(stores)) as store:
        store.apply()
        filled(store)
        yield store
    next(stores, None)


@pytest.fixture(scope="module")
def other(source: Store) -> Iterator[Store]:
    with another_database(source) as store:
        store.apply()
        yield store


@pytest.fixture
def target(other: Store) -> Store:
    """A database with every table and no row."""
    empty(other)
    return other


@pytest.fixture(scope="module")
def lake(source: Store, tmp_path_factory: pytest.TempPathFactory) -> Directory:
    files = Directory(tmp_path_factory.mktemp("lake"))
    export(source, files)
    return files


def test_an_empty_store_becomes_the_one_that_was_exported(
    source: Store, target: Store, lake: Directory
) -> None:
    bring(target, lake)
    expected = contents(source)
    assert set(expected) >= MOST | BOOK
    assert contents(target) == expected


def test_an_import_adds_nothing_the_second_time(target: Store, lake: Directory) -> None:
    assert bring(target, lake) > 0
    before = contents(target)
    assert bring(target, lake) == 0
    assert contents(target) == before
    assert not [name for name in target.existing() if name.endswith(("_arrived", "_missing"))]


def test_an_import_that_was_stopped_half_way_goes_on(
    source: Store, target: Store, lake: Directory, tmp_path: Path
) -> None:
    damaged = Directory(tmp_path)
    for path in lake.sizes("."):
        body = lake.get(path)
        assert body
        damaged.put(path, body)
    last = max(p for p in lake.sizes("table=gpu_samples"))
    whole = lake.get(last)
    assert whole
    damaged.put(last, whole[:-1])
    with pytest.raises(StoreError, match="is not what was exported"):
        bring(target, damaged)
    assert target.value("SELECT count() FROM gpu_samples") > 0
    damaged.put(last, whole)
    bring(target, damaged)
    assert contents(target) == contents(source)


def test_rows_that_are_there_already_are_not_doubled(
    source: Store, target: Store, lake: Directory
) -> None:
    target.insert_rows(samples(range(3, 20)))
    bring(target, lake, "gpu_samples*")
    expected = {n: rows for n, rows in contents(source).items() if n.startswith("gpu_samples")}
    found = contents(target)
    assert found["gpu_samples"] == expected["gpu_samples"]
    assert found["gpu_samples_1m"] == expected["gpu_samples_1m"]


def test_rows_of_others_stay(target: Store, lake: Directory) -> None:
    target.insert_rows(samples(range(3, 20), node="n9"))
    mine = "SELECT count() FROM {} WHERE node = 'n9'"
    tables = ("gpu_samples", "gpu_samples_1m", "gpu_samples_1h")
    before = [target.value(mine.format(t)) for t in tables]
    bring(target, lake)
    assert [target.value(mine.format(t)) for t in tables] == before


def test_an_hour_that_differs_is_told_and_left_alone(target: Store, lake: Directory) -> None:
    target.insert_rows(samples(range(3, 4), power=999))
    run = Importer(target, lake).run(chosen("gpu_samples_1h"))
    assert [taken.differing for _, taken in run] == [2]
    most = target.value("SELECT max(power_mw_max) FROM gpu_samples_1h FINAL")
    assert most == 1_006_000


def test_samples_without_their_rollups_are_rolled_up_again(
    source: Store, target: Store, tmp_path: Path
) -> None:
    files = Directory(tmp_path)
    assert set(export(source, files, "gpu_samples")) == {"gpu_samples"}
    bring(target, files)
    assert bring(target, files) == 0
    rolled = {n: r for n, r in contents(source).items() if n.startswith("gpu_samples")}
    assert contents(target) == rolled


def test_rollups_older_than_any_sample_come_back(
    source: Store, target: Store, tmp_path: Path
) -> None:
    files = Directory(tmp_path)
    export(source, files, "gpu_samples_*")
    bring(target, files)
    expected = {n: r for n, r in contents(source).items() if n.startswith("gpu_samples_")}
    assert contents(target) == expected


def test_what_has_not_changed_is_not_written_again(source: Store, tmp_path: Path) -> None:
    files = Directory(tmp_path)
    export(source, files)
    dates = {p: (tmp_path / p).stat().st_mtime_ns for p in files.sizes("table=gpu_samples")}
    assert sum(done.files for done in export(source, files).values()) == 0
    assert {p: (tmp_path / p).stat().st_mtime_ns for p in dates} == dates


def test_a_date_with_late_rows_is_written_again_and_only_that(
    target: Store, tmp_path: Path
) -> None:
    files = Directory(tmp_path)
    target.insert_rows(samples(range(48)))
    export(target, files, "gpu_samples")
    target.insert_rows(samples(range(20, 21), node="late"))
    done = export(target, files, "gpu_samples")["gpu_samples"]
    assert (done.files, done.unchanged) == (1, 2)


def test_a_lake_keeps_what_the_store_has_forgotten(target: Store, tmp_path: Path) -> None:
    files = Directory(tmp_path)
    target.insert_rows(samples(range(48)))
    export(target, files, "gpu_samples")
    there = files.sizes("table=gpu_samples")
    target.command("ALTER TABLE gpu_samples DROP PARTITION ID '20260302'")
    target.command("DELETE FROM gpu_samples WHERE ts < '2026-03-03 12:00:00'")
    done = export(target, files, "gpu_samples")["gpu_samples"]
    assert (done.files, done.unchanged, done.kept) == (0, 1, 1)
    assert files.sizes("table=gpu_samples") == there


def test_a_large_date_becomes_several_files_that_cut_no_minute(
    source: Store, target: Store, tmp_path: Path
) -> None:
    files = Directory(tmp_path)
    done = export(source, files, file_rows=50)
    assert done["gpu_samples"].files > 6
    bring(target, files)
    assert contents(target) == contents(source)
    # Written again as larger files, the smaller ones are gone.
    many = set(files.sizes("table=gpu_samples"))
    files.delete(min(many))
    export(source, files)
    assert len(files.sizes("table=gpu_samples")) < len(many)
    assert {f.path for p in entry(files).parts.values() for f in p.files} == set(
        files.sizes("table=gpu_samples")
    )


def entry(files: Directory) -> manifest.TableEntry:
    return manifest.begun(files, "tables").tables["gpu_samples"]


def test_the_span_chooses_whole_dates(source: Store, tmp_path: Path) -> None:
    from datetime import timedelta

    from tests.analytics.world import START

    files = Directory(tmp_path)
    since = START + timedelta(hours=20)
    run = Exporter(source, files).run(chosen("gpu_samples"), since, since + timedelta(hours=1))
    assert [done.files for _, done in run] == [1]
    assert list(entry(files).parts) == ["date=2026-03-03"]
    assert entry(files).parts["date=2026-03-03"].rows == source.value(
        "SELECT count() FROM gpu_samples WHERE toDate(ts) = '2026-03-03'"
    )


def test_every_column_has_its_unit_in_the_manifest(lake: Directory) -> None:
    notes = entry(lake).columns
    assert set(notes) == {f.stored for f in GpuSample.table.fields}
    assert (notes["power_mw"].unit, notes["power_mw"].step) == ("W", "1/1000")
    minutes = manifest.begun(lake, "tables").tables["gpu_samples_1m"].columns
    assert minutes["power_mw_max"].help == "board power draw"
    assert minutes["power_mw_wsum"].unit == "W.ms"
    assert all(note.help for note in minutes.values())


def test_readable_files_are_in_base_units_and_do_not_return(
    source: Store, target: Store, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    files = Directory(tmp_path)
    export(source, files, "gpu_samples,gpu_samples_1m,jobs", readable=True)
    folder = tmp_path / "table=gpu_samples" / "date=2026-03-02"
    power = pq.read_table(folder, columns=["power_watts", "ts"])["power_watts"].to_pylist()
    assert max(p for p in power if p is not None) == pytest.approx(307)
    assert None in power
    with pytest.raises(ConfigError, match="--readable"):
        bring(target, files)
    with pytest.raises(ConfigError, match="readable"):
        export(source, files)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "no _manifest.json"),
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"format": "iceberg"}', "something else"),
        (b'{"format": "gpuledger-lake", "version": 2, "gpuledger": "9.1"}', "newer gpuledger.*9.1"),
        (b'{"format": "gpuledger-lake", "version": 1, "tables": []}', "cannot be read"),
        (
            OF_TOMORROW,
            "jobs has a column mood",
        ),
    ],
)
def test_what_is_no_lake_for_us_is_refused_in_one_line(
    target: Store, tmp_path: Path, body: bytes | None, words: str
) -> None:
    files = Directory(tmp_path)
    if body is not None:
        files.put(manifest.NAME, body)
    with pytest.raises(ConfigError, match=words) as caught:
        bring(target, files)
    assert "\n" not in str(caught.value)
    assert contents(target) == {}
