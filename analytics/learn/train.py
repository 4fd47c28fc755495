"""Training of the workload classes; the one place that needs scikit-learn.

    python -m analytics.learn.train labelled.json workload.json

The first file holds `rows` (features in their order, null = missing) and `works` (their classes).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from analytics.learn import features, model

SEED = 7
# Inverse strength of the ridge on the coefficients.
STRENGTH = 1.0
# Significant digits kept: more would only repeat noise, and differ between machines.
DIGITS = 6
PROFILING = tuple(
    features.NAMES.index(n)
    for n in (
        *("sm", "sm_at_work", "sm_spread", "sm_high", "occupancy"),
        *("tensor_per_sm", "dram_per_sm", "fp64_per_sm", "fp32_per_sm"),
    )
)
TOLD = tuple(features.NAMES.index(n) for n in ("interactive", "service"))

Matrix = npt.NDArray[np.float64]


class Labelled(msgspec.Struct):
    """Features of jobs and the classes that are true of them."""

    rows: list[list[float | None]]
    works: list[str]


def hidden(values: Matrix) -> Matrix:
    """The same jobs where nobody said that they are interactive or a service."""
    out = values.copy()
    out[:, TOLD] = 0.0
    return out


def unprofiled(values: Matrix) -> Matrix:
    """The same jobs on cards without profiling counters."""
    out = values.copy()
    out[:, PROFILING] = np.nan
    return out


def train(values: Matrix, works: Sequence[str], about: str) -> bytes:
    """The model's file; every job is shown four ways, so that telemetry tells what flags say."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only training needs it

    plain = [values, hidden(values)]
    shown = np.vstack([*plain, *(unprofiled(v) for v in plain)])
    mean, scale = np.nanmean(shown, axis=0), np.nanstd(shown, axis=0) + 1e-6
    mean, scale = _rounded(mean), _rounded(scale)
    fitted = LogisticRegression(C=STRENGTH, max_iter=3000, random_state=SEED).fit(
        model.inputs(shown, mean, scale), np.tile(np.asarray(works), 4)
    )
    return model.encode(
        {
            "format": model.FORMAT,
            "features_version": features.VERSION,
            "features": list(features.NAMES),
            "classes": [str(c) for c in fitted.classes_],
            "mean": mean.tolist(),
            "scale": scale.tolist(),
            "coefficients": _rounded(fitted.coef_).tolist(),
            "intercepts": _rounded(fitted.intercept_).tolist(),
            "made": {"method": "multinomial logistic regression", "seed": SEED, "from": about},
        }
    )


def _rounded(values: Matrix) -> Matrix:
    return np.array([float(f"{v:.{DIGITS}g}") for v in values.ravel()]).reshape(values.shape)


def main(source: str, target: str) -> None:
    """Train from one file into the other."""
    told = msgspec.json.decode(Path(source).read_bytes(), type=Labelled)
    body = train(np.array(told.rows, dtype=np.float64), told.works, f"{len(told.works)} jobs")
    Path(target).write_bytes(body)


if __name__ == "__main__":
    main(*sys.argv[1:3])
