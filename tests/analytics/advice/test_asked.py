"""The sentences of findings as numbers."""

from __future__ import annotations

import pytest

from analytics.advice.asked import Less, read

ROOM = "what it did has room there."


@pytest.mark.parametrize(
    ("action", "less"),
    [
        (f"Ask for 2 GPUs the next time: {ROOM}", Less(gpus=2)),
        (f"Ask for one 1g slice the next time: {ROOM}", Less(gpus=1, size=1)),
        (f"Ask for 4 3g slices the next time: {ROOM}", Less(gpus=4, size=3)),
        (f"Ask for NVIDIA A30 the next time: {ROOM}", Less(model="NVIDIA A30")),
        ("Ask for 1 GPU next time, or let the program use all.", Less(gpus=1)),
        ("Start the program on every node of the job, or ask for 4 GPUs.", Less(gpus=4)),
        ("Ask for 16 processors on each node the next time: the job", Less(cpus=16)),
        ("Ask for 143 GiB of memory the next time: the job", Less(memory_gib=143)),
        (
            "Ask for 8 processors and 32 GiB of memory the next time: the job",
            Less(cpus=8, memory_gib=32),
        ),
        ("Look at the process of each idle GPU: it may have died.", Less()),
        ("", Less()),
    ],
)
def test_a_sentence_is_a_request(action: str, less: Less) -> None:
    assert read(action) == less
