"""Which framework a GPU's process runs, by the libraries that it has mapped.

Of /proc/<pid>/maps nothing is kept but which of a few known libraries are among its files. Reading
it takes the same user or a capability (CAP_SYS_PTRACE; CAP_PERFMON from Linux 6.15 on); elsewhere
the framework is unknown. Never arguments, environment or memory.

File names: wheels of torch, tensorflow and jaxlib; openxla's plug-in as jax-ml/jax registers it.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

from gpuledger.schema import UNSET_TIME

# Of more than a whole address space (vm.max_map_count is 65530 lines) nothing is read.
MOST_BYTES = 8 << 20
CHUNK_BYTES = 1 << 16
LONGEST_BYTES = 4096 + 128  # of a line: a path and what stands before it
# A large process takes some milliseconds: those that start together are read in turn.
AT_ONCE = 1
# The first that is mapped says it. JAX loads its plug-in only when it takes a GPU, so that this
# outweighs what is merely imported. TensorFlow, and PyTorch built without CUDA, come last: others
# import them for input (tfds, loaders) and logs (TensorBoard).
LIBRARIES: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("jax", re.compile(rb"/(?:jax_plugins/[^\n]*|xla_cuda_plugin)\.so")),
    ("pytorch", re.compile(rb"/libtorch_cuda\w*\.so")),
    ("jax", re.compile(rb"/jaxlib/[^\n]*\.so")),
    ("tensorflow", re.compile(rb"/(?:lib)?(?:_pywrap_)?tensorflow(?:_\w+)?\.so")),
    ("pytorch", re.compile(rb"/libtorch(?:_cpu)?\.so")),
)


class Frameworks:
    """Frameworks by process, each looked at once as long as it is seen at every reading.

    `at_once`: new processes that are looked at in one reading; with 0 none ever is.
    """

    def __init__(self, root: Path, at_once: int = AT_ONCE) -> None:
        self._root = root
        self._at_once = at_once
        self._known: dict[tuple[int, datetime], str] = {}
        self._seen: set[tuple[int, datetime]] = set()
        self._looks = 0

    def of(self, pid: int, started: datetime) -> str:
        """pytorch, tensorflow, jax or empty; empty too until its turn to be looked at has come.

        A process whose start is not known is not in our namespace.
        """
        if started == UNSET_TIME:
            return ""
        process = pid, started
        self._seen.add(process)
        if process not in self._known and self._looks < self._at_once:
            self._looks += 1
            self._known[process] = self._look(pid)
        return self._known.get(process, "")

    def forget_unseen(self) -> None:
        """Forget processes not asked for since the last call, and look at new ones again."""
        self._known = {key: name for key, name in self._known.items() if key in self._seen}
        self._seen.clear()
        self._looks = 0

    def _look(self, pid: int) -> str:
        """What is mapped now; empty where that may not be read."""
        try:
            descriptor = os.open(self._root / f"proc/{pid}/maps", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return _framework(descriptor)
        except OSError:
            return ""
        finally:
            os.close(descriptor)


def _framework(descriptor: int) -> str:
    """The first of the libraries that any of the lines names."""
    best, told, rest = len(LIBRARIES), 0, b""
    while best and told < MOST_BYTES:
        piece = os.read(descriptor, CHUNK_BYTES)
        if not piece:
            break
        told += len(piece)
        text = rest + piece
        # A name may be cut in two: the last line is looked at again with the next piece.
        rest = text[text.rfind(b"\n") + 1 :][-LONGEST_BYTES:]
        best = next((i for i, (_, p) in enumerate(LIBRARIES[:best]) if p.search(text)), best)
    return LIBRARIES[best][0] if best < len(LIBRARIES) else ""
