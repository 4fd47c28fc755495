"""Identifiers are the same wherever they are computed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger.identity import HASH64_SQL, alloc_id, asset_id, gpu_id, hash64, job_id
from gpuledger.store import Store

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=20)


@settings(max_examples=30, derandomize=True, deadline=None, database=None)
@given(TEXTS)
def test_the_engine_hashes_as_we_do(engine: Store, texts: list[str]) -> None:
    sql = f"SELECT {HASH64_SQL.format(text='t')} AS h FROM (SELECT {{a:Array(String)}} AS all)"
    found = engine.select(f"{sql} ARRAY JOIN all AS t", a=texts)
    assert [r["h"] for r in found] == [hash64(t) for t in texts]


def test_a_hash_never_changes() -> None:
    assert hash64("") == 1449310910991872227
    assert hash64("c/n/0") == gpu_id("c", "n", 0) == 7835073324659820661


def test_an_asset_is_its_place() -> None:
    assert asset_id("c", "n", 3) == "c/n/3"
    assert job_id("c", 17) == job_id("c", "17") == "c/17"


def test_runs_and_gpus_of_a_job_have_allocations_of_their_own() -> None:
    ids = {alloc_id(f"c/{j}", r, g) for j in range(5) for r in range(5) for g in range(5)}
    assert len(ids) == 125
