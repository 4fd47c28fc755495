"""Time to the first paint of the console's pages at 10,000 GPUs, beside the promise of a second.

The fleet is the book of `scale.py` with its jobs, and what `boards_rows.py` adds (findings, advice,
alerts). A headless Chromium opens each page several times, with nothing kept of it before; prints
the bytes of the page, and p50 and p95 of the first contents on the screen, from the request on.
`--quick` is 64 GPUs: its times prove only that every page works. `--keep DIR` leaves the database
there, or asks the one that an earlier run (of `scale.py` or `boards.py`, too) left.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page

from analytics.app import create_app
from analytics.runner import Runner
from analytics.service import Service
from benchmarks.boards_rows import fill_more
from benchmarks.scale_rows import Fleet, added_up, cells, facts, timed
from gpuledger.config import Config
from gpuledger.store import Address, Store
from tests.components.pages import chromium, first_paint_ms, opened, served

PROMISE_MS = 1000.0
QUICK = Fleet(64, 1, 7)
PAGES = (
    *("/", "/waste", "/fleet", "/fleet?by=rack", "/fragmentation", "/recommendations"),
    *("/nodes/c/n00001", "/search?q=u1", "/alerts", "/reports", "/quality", "/exemptions"),
)
TOKEN = "token-of-the-benchmark"


def fill(store: Store, fleet: Fleet) -> None:
    """The book and what was found in it; pages ask for next to no telemetry."""
    store.apply()
    with timed("jobs and book"):
        facts(store, fleet)
        cells(store, fleet)
        added_up(store, fleet)
    fill_more(store, fleet)
    store.command("OPTIMIZE TABLE allocations FINAL")


def log_in(page: Page) -> None:
    page.goto("/login")
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    page.wait_for_url("**/")


def measured(page: Page, path: str, times: int) -> tuple[int, list[float]]:
    """Bytes of the page, and its first paints in ms."""
    found, size = [], 0
    for _ in range(times):
        answer = page.goto(path)
        assert answer, path
        assert answer.ok, f"{path}: {answer.status}"
        found.append(first_paint_ms(page))
        size = len(answer.body())
    return size, sorted(found)


def compared(page: Page, times: int) -> int:
    """Print each page beside the promise; how many broke it."""
    print(f"{'page':<24}{'KiB':>8}{'p50 ms':>9}{'p95 ms':>9}{'ratio':>8}")
    broken = 0
    for path in PAGES:
        size, found = measured(page, path, times)
        p50, p95 = statistics.median(found), found[min(len(found) - 1, int(0.95 * len(found)))]
        ratio = p95 / PROMISE_MS
        broken += ratio >= 1
        word = "  BROKEN" if ratio >= 1 else ""
        print(f"{path:<24}{size / 1024:8.0f}{p50:9.0f}{p95:9.0f}{ratio:8.2f}{word}", flush=True)
    print(f"first paint promised under {PROMISE_MS:.0f} ms: {broken} broken")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 GPUs")
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--keep", type=Path, help="directory of the database, kept and used again")
    given = parser.parse_args()
    fleet = QUICK if given.quick else Fleet(given.gpus, 1, 35)
    with ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "store"
        made = home.exists()
        store = Store(Address(home))
        stack.callback(store.close)
        if not made:
            fill(store, fleet)
        service = Service(store, store.reader(), Runner(store, Config()), TOKEN)
        url = stack.enter_context(served(create_app(service)))
        page = stack.enter_context(opened(stack.enter_context(chromium()), url))
        log_in(page)
        print(f"{fleet.gpus:,} GPUs")
        with timed("the success metrics, once an hour"):
            page.goto("/success", timeout=600_000)
        broken = compared(page, 1 if given.quick else given.times)
    return 0 if given.quick else int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
