"""What Slurm runs on a node: scripts that any POSIX shell reads, installed as the README says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from collector.sources.slurm import SlurmSettings
from collector.sources.slurm_hook import SlurmHookSettings
from tests.deploy.files import DEPLOY

SLURM = DEPLOY / "slurm"
SCRIPTS = sorted(SLURM.glob("*.sh"))
README = (SLURM / "README.md").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_a_script_is_executable_and_any_posix_shell_reads_it(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["/bin/sh", "-n", str(script)], check=True, capture_output=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_a_script_ends_well_whatever_happens(script: Path) -> None:
    lines = script.read_text().splitlines()
    assert lines[-1] == "exit 0"
    assert not {"set", "curl", "nc", "scontrol", "sleep", "wait"} & {
        line.split()[0] for line in lines if line.split()
    }


def test_the_readme_names_the_scripts_that_there_are() -> None:
    named = re.findall(r"deploy/slurm/(gpuledger-\w+\.sh)", README)
    assert sorted(named) == [p.name for p in SCRIPTS]


def test_the_readme_names_settings_and_folders_that_there_are() -> None:
    known = {*SlurmSettings.__struct_fields__, *SlurmHookSettings.__struct_fields__}
    assert set(re.findall(r"^    #? ?(\w+) = ", README, flags=re.MULTILINE)) <= known
    assert SlurmHookSettings().folder in README
    assert all(SlurmHookSettings().folder in p.read_text() for p in SCRIPTS)
