"""The model's file is believed only where it is the one we know, and whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.learn import features, model
from analytics.learn.classes import CLASSES
from gpuledger.errors import ConfigError

Told = dict[str, Any]


def changed(tmp_path: Path, change: Callable[[Told], object]) -> tuple[Path, str]:
    """A copy of the model that was changed by somebody who knows to tell its new hash."""
    told = json.loads(model.FILE.read_text())
    change(told)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(told))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_model_that_is_shipped_loads() -> None:
    known = model.load()
    assert set(known.classes) == set(CLASSES)
    assert known.version.startswith(f"{features.VERSION}-")


def test_a_file_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(model.FILE.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ConfigError, match="the model was changed"):
        model.load(path)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        model.load(tmp_path / "none.json")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(b"\x80\x04 no pickle either")
    with pytest.raises(ConfigError, match="this is no model"):
        model.load(path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.update(format=2), "another version"),
        (lambda told: told.update(features_version=0), "another version"),
        (lambda told: told["features"].reverse(), "other features"),
        (lambda told: told["coefficients"].pop(), "do not fit together"),
        (lambda told: told["mean"].pop(), "do not fit together"),
        (lambda told: told.update(more=1), "this is no model"),
        (lambda told: told.pop("scale"), "this is no model"),
        (lambda told: told["scale"].__setitem__(0, "wide"), "this is no model"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[Told], object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        model.load(*changed(tmp_path, change))


def test_probabilities_add_up_also_where_everything_is_missing() -> None:
    values = np.full((3, len(features.NAMES)), np.nan)
    values[1] = 0.5
    values[2] = 1e12
    shares = model.load().shares(values)
    assert shares.sum(axis=1) == pytest.approx([1.0] * 3)
    assert np.isfinite(shares).all()


def test_what_lacks_a_part_is_not_written() -> None:
    with pytest.raises(ConfigError, match="this is no model"):
        model.encode({"format": 1})
