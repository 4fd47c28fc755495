"""Text files that come, go, and have odd names."""

from __future__ import annotations

import os
from pathlib import Path

from collector.sources.scrape import Scrape
from gpuledger.batch import by_table
from tests.collector.support import FakeClock, tree
from tests.collector.test_scrape import PAGE, missing, read, samples, scrape


def write(folder: Path, clock: FakeClock, name: str, text: str = PAGE.decode()) -> Path:
    tree(folder, {name: text})
    os.utime(folder / name, (clock.wall_s,) * 2)
    return folder / name


def names(source: Scrape) -> list[str]:
    return [Path(name).name for name in source._feeds]


def test_a_file_that_is_deleted_is_read_no_more(tmp_path: Path) -> None:
    clock = FakeClock()
    source = scrape(clock=clock, textfile=str(tmp_path))
    for number in range(4):
        path = write(tmp_path, clock, f"dcgm-exporter.{number}.prom")
        assert sorted(samples(read(source))) == [0, 1]
        assert names(source) == [path.name]
        path.unlink()
        clock.pass_s(61)


def test_what_a_deleted_file_lacked_is_missing_no_more(tmp_path: Path) -> None:
    clock = FakeClock()
    source = scrape(clock=clock, textfile=str(tmp_path))
    page = 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="G"} NaN\n'
    paths = [
        write(tmp_path, clock, f"dcgm-exporter.{n}.prom", t) for n, t in enumerate((page, "<"))
    ]
    paths.append(write(tmp_path, clock, "nobody.prom", "x 1\n"))
    lacks = missing(read(source))
    assert sorted(lacks.values()) == ["malformed", "malformed", "unsupported"]
    for path in paths:
        path.unlink()
    clock.pass_s(61)
    assert missing(read(source)) == dict.fromkeys(lacks, "")


def test_a_file_with_an_odd_name_makes_rows_that_can_be_stored(tmp_path: Path) -> None:
    clock = FakeClock()
    for name in (b"dcgm-exporter.\xff.prom", b"no\xffbody.prom"):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(PAGE)
        os.utime(path, (clock.wall_s,) * 2)
    rows = read(scrape(clock=clock, textfile=str(tmp_path)))
    assert sorted(samples(rows)) == [0, 1]
    for row in rows:
        str(row.__dict__).encode()
    by_table(rows)
