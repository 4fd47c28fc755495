"""Facts out of what is written here: who holds which GPU, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpuledger.batch import Batch
from gpuledger.catalogue import Gpu
from gpuledger.errors import StoreError
from gpuledger.identity import gpu_id
from gpuledger.store import Store
from tests.analytics.ingest.site import NOW_MS, PERIOD_MS, POWER, UTIL, Site, card

POD = {f"exported_{n}": v for n, v in (("pod", "train-0"), ("namespace", "team-a"))}

ENOUGH = 25  # scrapes until a pod of which only labels tell is believed


@pytest.fixture
def site(tmp_path: Path, store: Store) -> Iterator[Site]:
    with Site(tmp_path / "journal", store=store) as one:
        yield one


def told(site: Site, scrapes: int, first: int = 0) -> None:
    for step in range(first, first + scrapes):
        at_ms = NOW_MS + step * PERIOD_MS
        site.send([card(name, 50, at_ms, **POD) for name in (POWER, UTIL)])
        site.assembler.meet_clusters()
        site.step()


def test_a_pod_in_a_cards_labels_becomes_an_allocation(site: Site) -> None:
    told(site, ENOUGH)
    found = site.rows("allocations")
    assert {row["gpu_id"] for row in found} == {gpu_id("c", "node-7", 0)}
    assert all("train-0" in row["job_id"] for row in found)


def test_facts_wait_until_the_store_has_what_an_earlier_life_told(site: Site) -> None:
    told(site, 2, first=-2)
    site.crash()
    told(site, 2)
    assert site.assembler.counts.samples["facts_missed"] == 4
    site.journal.ask(lambda db: db.execute("DELETE FROM bundles"))
    told(site, 2, first=2)
    assert site.assembler.counts.samples["facts_missed"] == 4


def test_where_an_agent_says_that_a_card_is_facts_are_told_of(site: Site, store: Store) -> None:
    here = Gpu(
        cluster="c", node="n1", slot=3, uuid="GPU-0", memory_bytes=None, version=4 << 48, gpu_id=9
    )
    store.insert(Batch.of_rows([here]), token="agent")
    site.assembler.ask_homes()
    told(site, ENOUGH)
    assert {row["gpu_id"] for row in site.rows("allocations")} == {gpu_id("c", "n1", 3)}
    assert {(r["node"], r["slot"]) for r in site.rows()} == {("n1", 3)}


def test_while_the_store_is_away_rows_are_made_and_facts_are_counted_as_missed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> list[dict[str, Any]]:
        raise StoreError("away")

    monkeypatch.setattr(Store, "select", away)
    for step in range(2):
        site.send([card(POWER, 5, NOW_MS + step * PERIOD_MS), card(UTIL, 5, NOW_MS)])
    with pytest.raises(StoreError):
        site.assembler.meet_clusters()
    site.wait(1000)
    assert site.rows()
    assert site.assembler.counts.samples["facts_missed"] > 0
