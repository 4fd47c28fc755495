"""Whether Grafana's own models of a dashboard know everything that a board of ours says.

Their loader drops unknown keys without a word, so what comes back is compared key by key.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SDK = "grafana_foundation_sdk"
# The models have the query of Grafana's own annotations only, not a plugin's.
BEYOND = re.compile(r"^annotations\.list\[\d+\]\.target\.")


def available() -> bool:
    """Whether the models are installed; they are needed to develop boards, not to use them."""
    return importlib.util.find_spec(SDK) is not None


def returned(model: Mapping[str, Any]) -> dict[str, Any]:
    """The dashboard once read into Grafana's models and written again."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415 - a tool of developers
    from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    register_default_plugins()
    read = Dashboard.from_json(json.loads(json.dumps(model)))
    return dict(json.loads(json.dumps(read, cls=JSONEncoder)))


def lost(model: Mapping[str, Any]) -> Iterator[str]:
    """Each place of a dashboard that the models drop or change; defaults they add are theirs."""
    for place, what in _differences(model, returned(model), ""):
        if not BEYOND.match(place):
            yield f"{place} {what}"


def _differences(ours: Any, theirs: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted(ours):
            below = f"{place}.{key}".removeprefix(".")
            if key in theirs:
                yield from _differences(ours[key], theirs[key], below)
            else:
                yield below, "is unknown to Grafana"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(mine, other, f"{place}[{number}]")
    elif ours != theirs:
        yield place, f"becomes {json.dumps(theirs)[:60]}"
