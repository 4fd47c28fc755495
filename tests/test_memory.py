"""What sources remember: written with their rows, and never by a reading that was given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpuledger.spool import Block, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool").open()
    yield opened
    opened.close()


def elsewhere(task: Callable[[], object]) -> None:
    """Do it on another thread."""
    thread = threading.Thread(target=task)
    thread.start()
    thread.join()


def test_memory_is_a_mapping_with_a_prefix(spool: Spool) -> None:
    memory = spool.memory("source/slurm/")
    memory["seen"] = "1"
    memory["seen"] = "2"
    spool.memory("source/nvml/")["seen"] = "3"
    assert dict(memory) == {"seen": "2"}
    del memory["seen"]
    assert memory.pop("seen", None) is None
    assert len(memory) == 0


def test_memory_changes_on_disk_only_with_the_rows_it_is_put_with(spool: Spool) -> None:
    memory = spool.memory("source/slurm/")
    memory["seen"] = "1"
    assert spool.recall("source/") == {}
    spool.put([("jobs", [Block(1, b"x")])], memory.take())
    assert spool.recall("source/") == {"slurm/seen": "1"}
    assert memory.take() == {}


def test_what_memory_forgets_is_gone_from_the_disk_too(spool: Spool) -> None:
    memory = spool.memory("source/slurm/")
    memory.update({"a": "1", "b": "2"})
    spool.put([], memory.take())
    del memory["a"]
    spool.put([], memory.take())
    assert spool.recall("source/slurm/") == {"b": "2"}


def test_a_parts_memory_is_the_same_for_all_who_ask(spool: Spool) -> None:
    spool.memory("source/slurm/")["seen"] = "1"
    assert spool.memory("source/slurm/").take() == {"source/slurm/seen": "1"}


def test_a_thread_that_never_hands_over_changes_nothing_for_others(spool: Spool) -> None:
    memory = spool.memory("source/slurm/")
    memory["open"] = "1"
    memory.take()

    def late() -> None:
        memory["told"] = "yes"
        del memory["open"]
        assert dict(memory) == {"told": "yes"}

    elsewhere(late)
    assert dict(memory) == {"open": "1"}
    assert memory.take() == {}


def test_what_one_thread_handed_over_another_goes_on_with(spool: Spool) -> None:
    memory = spool.memory("source/slurm/")

    def first() -> None:
        memory.update({"a": "1", "b": "2"})
        del memory["b"]
        assert memory.take() == {"source/slurm/a": "1", "source/slurm/b": None}

    elsewhere(first)
    assert dict(memory) == {"a": "1"}


def test_what_was_forgotten_is_not_there(spool: Spool) -> None:
    memory = spool.memory("source/slurm/")
    memory["a"] = "1"
    memory.take()
    del memory["a"]
    with pytest.raises(KeyError):
        memory["a"]
    with pytest.raises(KeyError):
        del memory["a"]


def test_a_name_that_is_not_utf_8_is_remembered_as_it_is(spool: Spool) -> None:
    odd = "file-\udcff-\ud800"
    spool.put([], {f"source/x/{odd}": odd, "source/x/b": "2"})
    assert spool.recall("source/x/") == {odd: odd, "b": "2"}
    spool.put([], {f"source/x/{odd}": None})
    assert spool.recall("source/x/") == {"b": "2"}
