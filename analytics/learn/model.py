"""The model of workload classes: plain numbers in a JSON file that is checked before it is used.

Multinomial logistic regression: softmax(W·z + b), z = (features - mean) / scale, where a missing
feature counts as the mean. No pickle: reading the file can run nothing. Its SHA-256 is part of the
program, its version of the features must be ours.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from analytics.learn import features
from gpuledger.errors import ConfigError

FORMAT = 1
FILE = Path(__file__).with_name("workload.json")
SHA256 = "1c9de20c3fa8e6012119e64337c1542325a9b76e44979d2770a6617195f2acdb"


class Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the file holds; everything about how it was made is for people."""

    format: int
    features_version: int
    features: list[str]
    classes: list[str]
    mean: list[float]
    scale: list[float]
    coefficients: list[list[float]]
    intercepts: list[float]
    made: dict[str, str | int | float]


@dataclass(frozen=True)
class Model:
    """A checked model; `version` names it and its features."""

    classes: tuple[str, ...]
    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    coefficients: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]
    version: str

    def shares(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probability of each class for each row of features, in their order; rows add up to 1."""
        logits = inputs(values, self.mean, self.scale) @ self.coefficients.T + self.intercepts
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def inputs(
    values: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Features as the model sees them, and whether the card has profiling counters at all."""
    standard = np.where(np.isnan(values), 0.0, (values - mean) / scale)
    unprofiled = np.isnan(values[:, [features.NAMES.index("sm")]]).astype(np.float64)
    return np.hstack([np.clip(standard, -5.0, 5.0), unprofiled])


def load(path: Path = FILE, sha256: str = SHA256) -> Model:
    """The model of that file. ConfigError where it is not the one we know, or not what we need."""
    try:
        body = path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{path}: the model cannot be read: {e.strerror}") from e
    found = hashlib.sha256(body).hexdigest()
    if found != sha256:
        raise ConfigError(f"{path}: the model was changed: SHA-256 {found[:16]}…, install it again")
    try:
        told = msgspec.json.decode(body, type=Document)
    except msgspec.DecodeError as e:
        raise ConfigError(f"{path}: this is no model: {e}") from e
    return _checked(told, path, found)


def _checked(told: Document, path: Path, sha256: str) -> Model:
    if (told.format, told.features_version) != (FORMAT, features.VERSION):
        raise ConfigError(f"{path}: the model is of another version: train it again")
    if tuple(told.features) != features.NAMES:
        raise ConfigError(f"{path}: the model has other features: train it again")
    size = len(told.features)
    mean, scale, coefficients, intercepts = arrays = [
        np.array(v, dtype=np.float64)
        for v in (told.mean, told.scale, told.coefficients, told.intercepts)
    ]
    shapes = [(size,), (size,), (len(told.classes), size + 1), (len(told.classes),)]
    if [a.shape for a in arrays] != shapes or not all(np.isfinite(a).all() for a in arrays):
        raise ConfigError(f"{path}: the model's numbers do not fit together")
    version = f"{told.features_version}-{sha256[:8]}"
    return Model(tuple(told.classes), mean, scale, coefficients, intercepts, version)


def encode(told: dict[str, Any]) -> bytes:
    """A document as the file has it; ConfigError where something is missing."""
    try:
        msgspec.convert(told, type=Document)
    except msgspec.ValidationError as e:
        raise ConfigError(f"this is no model: {e}") from e
    return (json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
