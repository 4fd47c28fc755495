"""Training: reproducible, and without flags or profiling counters it still learns."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from analytics.learn import features, model, train
from analytics.learn.train import Matrix

WORKS = ("idle", "notebook", "training")


@pytest.fixture(scope="module")
def jobs() -> tuple[Matrix, list[str]]:
    """Sixty jobs whose active share tells what they are, and a flag that says so too."""
    rng = np.random.default_rng(3)
    works = [WORKS[i % 3] for i in range(60)]
    values = rng.uniform(0.0, 0.1, (60, len(features.NAMES)))
    values[:, features.NAMES.index("active")] += [0.4 * WORKS.index(w) for w in works]
    values[:, features.NAMES.index("interactive")] = [w == "notebook" for w in works]
    return values, works


@pytest.fixture(scope="module")
def body(jobs: tuple[Matrix, list[str]]) -> bytes:
    return train.train(*jobs, "a test")


def loaded(body: bytes, path: Path) -> model.Model:
    path.write_bytes(body)
    return model.load(path, hashlib.sha256(body).hexdigest())


def test_twice_the_same(body: bytes, jobs: tuple[Matrix, list[str]]) -> None:
    assert train.train(*jobs, "a test") == body


def test_it_learns_without_flags(
    body: bytes, jobs: tuple[Matrix, list[str]], tmp_path: Path
) -> None:
    known = loaded(body, tmp_path / "model.json")
    values, works = jobs
    for seen in (values, train.hidden(values), train.unprofiled(values)):
        judged = [known.classes[i] for i in known.shares(seen).argmax(axis=1)]
        assert np.mean([a == b for a, b in zip(judged, works, strict=True)]) >= 0.95


def test_from_file_to_file(body: bytes, jobs: tuple[Matrix, list[str]], tmp_path: Path) -> None:
    values, works = jobs
    source = tmp_path / "labelled.json"
    source.write_text(json.dumps({"rows": values.tolist(), "works": works}))
    train.main(str(source), str(tmp_path / "model.json"))
    written = json.loads((tmp_path / "model.json").read_text())
    assert written["made"]["from"] == "60 jobs"
    assert written["coefficients"] == json.loads(body)["coefficients"]
