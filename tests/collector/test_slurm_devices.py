"""From Slurm's ordinals to device files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.slurm_devices import Devices, devices, read_devices
from gpuledger.errors import ConfigError

SLICE = "Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap21"


def test_a_node_of_which_nothing_is_known_counts_as_they_come() -> None:
    assert [Devices().minor("n1", ordinal) for ordinal in (0, 7)] == [0, 7]


@pytest.mark.parametrize(
    ("text", "minors"),
    [
        ("NodeName=n[1-2] Name=gpu Type=h100 File=/dev/nvidia[0-3,5-7]", (0, 1, 2, 3, 5, 6, 7)),
        ("Name=gpu File=/dev/nvidia[3,0,1]", (3, 0, 1)),
        ("Name=gpu Type=a File=/dev/nvidia2\nName=gpu Type=b File=/dev/nvidia[0-1]", (2, 0, 1)),
        ("nodename=n1 name=GPU file=/dev/nvidia1 # spare\nNodeName=n9 Name=gpu Count=2", (1,)),
        ("Name=gpu \\\n  File=/dev/nvidia4", (4,)),
        ("AutoDetect=nvml\nName=gpu File=/dev/nvidia[3,0]", (0, 3)),
        ("AutoDetect=off\nName=gpu File=/dev/nvidia[3,0]", (3, 0)),
        ("\n".join([SLICE] * 2), (0, 0)),
        ("AutoDetect=nvml", None),
        ("Name=gpu Count=4", None),
        ("Name=gpu File=/dev/dri/card", None),
        ("Name=gpu File=/dev/nvidia[x-y]", None),
        ("", None),
    ],
)
def test_gres_conf_in_its_own_order(text: str, minors: tuple[int, ...] | None) -> None:
    assert devices(text).of("n1") == minors


def test_an_ordinal_behind_the_end_is_unknown() -> None:
    assert devices("Name=gpu File=/dev/nvidia3").minor("n1", 1) is None


def test_what_the_configuration_tells_stands_above_gres_conf() -> None:
    found = devices("Name=gpu File=/dev/nvidia[0-3]", ["n[1-2]=2-3,0-1", "n3=7"])
    assert [found.minor(n, 0) for n in ("n1", "n2", "n3", "n4")] == [2, 2, 7, 0]


@pytest.mark.parametrize("told", ["n1", "n1=x", "="])
def test_a_telling_that_cannot_be_read_is_a_wrong_setting(told: str) -> None:
    with pytest.raises(ConfigError, match="ordinals"):
        devices("", [told])


def test_nodes_that_cut_their_gpus() -> None:
    assert devices("Name=gpu File=/dev/nvidia0\nName=shard Count=4").shared
    assert not devices("Name=gpu File=/dev/nvidia0").shared


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert read_devices(tmp_path / "none") == Devices()


@given(st.text(max_size=80))
def test_no_text_makes_it_fail(text: str) -> None:
    devices(text)
    devices(f"NodeName=n{text} Name=gpu File=/dev/nvidia{text}")
