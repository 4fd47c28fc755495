"""Which framework a process runs, by what it has mapped."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import frameworks
from collector.frameworks import AT_ONCE, CHUNK_BYTES, Frameworks
from gpuledger.schema import UNSET_TIME
from tests.collector.support import tree

STARTED = datetime(2026, 3, 2, tzinfo=UTC)
SITE = "/opt/env/lib/python3.12/site-packages"
TORCH = f"{SITE}/torch/lib/libtorch_cuda.so"
TORCH_CPU = f"{SITE}/torch/lib/libtorch_cpu.so"
TENSORFLOW = f"{SITE}/tensorflow/libtensorflow_framework.so.2"
JAXLIB = f"{SITE}/jaxlib/libjax_common.so"
JAX_GPU = f"{SITE}/jax_plugins/xla_cuda13/xla_cuda_plugin.so"
OTHER = "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95"


def maps(*paths: str) -> str:
    """The text of /proc/<pid>/maps: an anonymous line, then one of each file."""
    lines = ["200000000-200200000 rw-p 00000000 00:00 0"]
    lines += [f"7f0000000000-7f0000001000 r-xp 00000000 fd:01 42    {path}" for path in paths]
    return "\n".join([*lines, ""])


def looked(root: Path, *paths: str) -> str:
    tree(root, {"proc/42/maps": maps(*paths)})
    return Frameworks(root).of(42, STARTED)


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        ([TORCH, TORCH_CPU], "pytorch"),
        ([f"{SITE}/torch/lib/libtorch_cuda_cu.so"], "pytorch"),
        ([TORCH_CPU], "pytorch"),
        ([TENSORFLOW], "tensorflow"),
        ([f"{SITE}/tensorflow/python/lib_pywrap_tensorflow_common.so"], "tensorflow"),
        ([f"{SITE}/tensorflow/python/_pywrap_tensorflow_internal.so (deleted)"], "tensorflow"),
        ([f"{SITE}/jaxlib/xla_extension.so"], "jax"),
        ([JAXLIB, JAX_GPU], "jax"),
        ([OTHER], ""),
        ([f"{SITE}/tflite/libtensorflowlite_c.so"], ""),
        ([f"/data/jaxlib.so-{OTHER}"], ""),
        ([], ""),
    ],
)
def test_a_framework_is_told_by_its_library(tmp_path: Path, mapped: list[str], said: str) -> None:
    assert looked(tmp_path, OTHER, *mapped) == said


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        ([TENSORFLOW, TORCH], "pytorch"),
        ([TENSORFLOW, JAXLIB], "jax"),
        ([TORCH, JAXLIB, JAX_GPU], "jax"),
        ([TORCH, JAXLIB], "pytorch"),
        ([TORCH_CPU, TENSORFLOW], "tensorflow"),
        ([TORCH_CPU, JAXLIB, TENSORFLOW], "jax"),
    ],
)
def test_what_computes_outweighs_what_is_merely_imported(
    tmp_path: Path, mapped: list[str], said: str
) -> None:
    assert {looked(tmp_path, *mapped), looked(tmp_path, *reversed(mapped))} == {said}


@given(st.integers(0, 200))
def test_a_name_that_is_read_in_two_pieces_is_found(before: int) -> None:
    filling = CHUNK_BYTES - len(maps(TORCH)) + before
    with TemporaryFile() as file:
        file.write(f"{'x' * filling}\n{maps(TORCH)}".encode())
        file.seek(0)
        assert frameworks._framework(file.fileno()) == "pytorch"


def test_nothing_but_the_list_of_mapped_files_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_ = os.open

    def spy(path: Path, *arguments: int) -> int:
        opened.append(Path(path).name)
        return open_(path, *arguments)

    monkeypatch.setattr("os.open", spy)
    tree(tmp_path, {"proc/42/environ": "SECRET=1", "proc/42/cmdline": "train --key=1"})
    assert looked(tmp_path, TORCH) == "pytorch"
    assert opened == ["maps"]


def test_a_process_is_looked_at_once(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/42/maps": maps(TORCH)})
    known = Frameworks(tmp_path)
    assert known.of(42, STARTED) == "pytorch"
    tree(tmp_path, {"proc/42/maps": maps(JAX_GPU)})
    known.forget_unseen()
    assert known.of(42, STARTED) == "pytorch"


def test_a_process_with_the_id_of_a_former_one_is_looked_at_anew(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/42/maps": maps(TORCH)})
    known = Frameworks(tmp_path)
    known.of(42, STARTED)
    tree(tmp_path, {"proc/42/maps": maps(JAX_GPU)})
    known.forget_unseen()
    assert known.of(42, STARTED.replace(hour=1)) == "jax"


def test_processes_that_start_together_are_looked_at_in_turn(tmp_path: Path) -> None:
    pids = range(40, 44)
    tree(tmp_path, {f"proc/{pid}/maps": maps(TORCH) for pid in pids})
    known = Frameworks(tmp_path)
    told = []
    for _ in pids:
        told.append(sum(known.of(pid, STARTED) == "pytorch" for pid in pids))
        known.forget_unseen()
    assert told == [AT_ONCE * (i + 1) for i in range(4)]


def test_no_process_is_looked_at_where_that_is_not_wanted(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/42/maps": maps(TORCH)})
    known = Frameworks(tmp_path, at_once=0)
    assert known.of(42, STARTED) == ""
    known.forget_unseen()
    assert known.of(42, STARTED) == ""


def test_who_may_not_look_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "proc/42/maps").mkdir(parents=True)
    known = Frameworks(tmp_path)
    assert known.of(42, STARTED) == ""
    known.forget_unseen()
    assert known.of(43, STARTED) == ""


def test_a_process_outside_our_namespace_is_not_mistaken_for_another(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/42/maps": maps(TORCH)})
    assert Frameworks(tmp_path).of(42, UNSET_TIME) == ""


def test_this_very_process_has_no_framework() -> None:
    assert Frameworks(Path("/")).of(os.getpid(), STARTED) == ""
