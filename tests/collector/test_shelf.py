"""A shelf of a memory."""

from __future__ import annotations

import pytest

from collector.shelf import Shelf


def test_a_shelf_is_a_memory_of_its_own() -> None:
    memory = {"cards": "x"}
    shelf = Shelf(memory, "use/")
    shelf["a"] = "1"
    assert memory == {"cards": "x", "use/a": "1"}
    assert dict(shelf) == {"a": "1"}
    assert len(shelf) == 1
    del shelf["a"]
    assert memory == {"cards": "x"}
    with pytest.raises(KeyError):
        shelf["cards"]
