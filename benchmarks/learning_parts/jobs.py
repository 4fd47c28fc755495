"""Labelled jobs: their features out of a real engine, and the class that is true of each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analytics.learn import features
from analytics.learn.features import Features
from gpuledger.store import Address, Store
from tests.conftest import empty
from tests.labelled import scenario
from tests.labelled.site import Variant

# What is no training: science and graphs compute on FP64 and integers, video is turned into data.
WORK = {
    **dict.fromkeys(("decode", "serving", "low_traffic", "warm"), "inference"),
    **dict.fromkeys(("science", "graph"), "science"),
    **dict.fromkeys(("never", "blips"), "idle"),
    "notebook": "notebook",
    "video": "preparation",
}
LEAST_MINUTES = 30


@contextmanager
def engine() -> Iterator[Store]:
    """An empty store of our own."""
    with tempfile.TemporaryDirectory() as home:
        store = Store(Address(directory=Path(home) / "store"))
        store.apply()
        yield store
        store.close()


def labelled(
    store: Store, site: str | Variant, seed: int, *, hours: float = 6.0
) -> tuple[Features, list[str]]:
    """Features of the jobs of a labelled site, and their true classes."""
    empty(store)
    built = scenario.build(site, seed, hours=hours)
    built.write(store)
    kinds = {f"{built.cluster}/{job.number}": job.kind for job in built.facts.jobs}
    found = features.of_jobs(store, sorted(kinds), built.until)
    kept = found.minutes >= LEAST_MINUTES
    jobs = tuple(j for j, k in zip(found.jobs, kept, strict=True) if k)
    told = tuple(k for k, keep in zip(found.kinds, kept, strict=True) if keep)
    works = [WORK.get(kinds[job], "training") for job in jobs]
    return Features(jobs, found.values[kept], found.minutes[kept], told), works


def joined(parts: Sequence[tuple[Features, list[str]]]) -> tuple[Features, list[str]]:
    """Several sites as one."""
    found = [features for features, _ in parts]
    return (
        Features(
            tuple(j for f in found for j in f.jobs),
            np.vstack([f.values for f in found]),
            np.concatenate([f.minutes for f in found]),
            tuple(k for f in found for k in f.kinds),
        ),
        [work for _, works in parts for work in works],
    )


def as_json(values: npt.NDArray[np.float64], works: Sequence[str]) -> bytes:
    """What `analytics.learn.train` reads."""
    rows = [[None if np.isnan(v) else float(v) for v in row] for row in values]
    return json.dumps({"rows": rows, "works": list(works)}).encode()
