"""systemd accepts the units, and the agent on a node is well confined."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.process import program
from tests.deploy.files import DEPLOY

PROGRAM = "/opt/gpuledger/bin/gpuledger"
UNITS = [
    "gpuledger-cluster.service",
    "gpuledger-collector.service",
    "gpuledger-relay.service",
    "gpuledger.service",
]
NODE = UNITS[1]
FAULTS = "collector-faults.conf"
TRAINING = "collector-training.conf"
TLS = {"relay-tls.conf": "gpuledger-relay.service", "service-tls.conf": "gpuledger.service"}
# Exposure in tenths; docs/security.md has each unit's, and below 4 is OK or better.
THRESHOLD = 22


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy whose program exists on this machine."""
    name = str(request.param)
    text = (DEPLOY / "systemd" / name).read_text()
    assert f"ExecStart={PROGRAM} " in text
    copy = tmp_path / name
    copy.write_text(text.replace(PROGRAM, "/bin/true"))
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), "--no-pager", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def settings(text: str) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text, flags=re.MULTILINE):
        out.setdefault(key, []).append(value)
    return out


def test_there_are_no_other_units() -> None:
    there = sorted(f.name for f in (DEPLOY / "systemd").iterdir())
    assert there == sorted([FAULTS, TRAINING, *TLS, *UNITS])


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (FAULTS, "CapabilityBoundingSet", "CAP_SYSLOG"),
        (TRAINING, "RuntimeDirectory", "gpuledger-training"),
    ],
)
def test_systemd_accepts_the_drop_in(tmp_path: Path, name: str, key: str, value: str) -> None:
    text = (DEPLOY / "systemd" / NODE).read_text().replace(PROGRAM, "/bin/true")
    copy = tmp_path / NODE
    copy.write_text(text)
    folder = tmp_path / f"{NODE}.d"
    folder.mkdir()
    drop_in = (DEPLOY / "systemd" / name).read_text()
    (folder / name).write_text(drop_in)
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(copy))
    assert done.returncode == 0, done.stderr
    assert copy.name not in done.stderr
    assert settings(drop_in)[key] == [value]


@pytest.mark.parametrize(("drop_in", "unit"), TLS.items())
def test_tls_comes_as_a_credential_and_changes_nothing_else(
    tmp_path: Path, drop_in: str, unit: str
) -> None:
    text, more = ((DEPLOY / "systemd" / name).read_text() for name in (unit, drop_in))
    before, after = (settings(t)["ExecStart"][-1] for t in (text, more))
    options = " --tls-cert /run/credentials/%n/tls.crt --tls-key /run/credentials/%n/tls.key"
    assert after == before + options
    copy = tmp_path / unit
    copy.write_text(text.replace(PROGRAM, "/bin/true"))
    (tmp_path / f"{unit}.d").mkdir()
    (tmp_path / f"{unit}.d" / drop_in).write_text(more.replace(PROGRAM, "/bin/true"))
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(copy))
    assert done.returncode == 0, done.stderr
    assert unit not in done.stderr


@pytest.mark.parametrize("unit", TLS.values())
def test_without_tls_a_unit_listens_on_loopback(unit: str) -> None:
    told = settings((DEPLOY / "systemd" / unit).read_text())["Environment"]
    assert any(line.startswith("GPULEDGER_LISTEN=127.0.0.1:") for line in told)


def test_systemd_accepts_it(unit: Path) -> None:
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))
    assert done.returncode == 0, done.stderr
    # Unknown keys and bad values are warnings, with status 0.
    assert unit.name not in done.stderr


def test_verify_would_have_told_of_a_mistake(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("NoNewPrivileges=", "NoNewPriviledges="))
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))
    assert "NoNewPriviledges" in done.stderr


def test_its_exposure_is_low(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", str(unit))
    assert done.returncode == 0, done.stdout[-400:]


def test_wrong_configuration_does_not_restart_for_ever(unit: Path) -> None:
    told = settings(unit.read_text())
    assert told["Restart"] == ["always"]
    assert told["RestartPreventExitStatus"] == ["2"]
    assert told["DynamicUser"] == ["yes"]


def test_secrets_come_as_credentials(unit: Path) -> None:
    told = settings(unit.read_text())
    loaded = {c.partition(":")[0] for c in told["LoadCredential"]}
    named = {
        Path(value).name
        for line in told["Environment"]
        for key, _, value in [line.partition("=")]
        if key.endswith("_FILE")
    }
    assert named == loaded


def test_the_agent_sees_processes_and_mounts_of_everybody() -> None:
    # With these, GPUs would have no owner and /home no filesystem figures, without any error.
    told = settings((DEPLOY / "systemd" / NODE).read_text())
    assert not {"ProtectProc", "ProcSubset", "PrivateUsers", "PrivateDevices"} & set(told)
    assert told["ProtectHome"] == ["read-only"]
    assert told["DeviceAllow"] == ["char-nvidia* rw"]


def test_the_agent_cannot_disturb_a_job() -> None:
    told = settings((DEPLOY / "systemd" / NODE).read_text())
    assert told["MemoryMax"] == ["128M"]
    assert told["CPUQuota"] == ["10%"]
    assert told["CapabilityBoundingSet"] == [""]
    assert int(told["Nice"][0]) > 0


def test_the_agent_reads_as_the_unit_starts_it() -> None:
    # Without docstrings and assertions: nothing may rest on them.
    told = settings((DEPLOY / "systemd" / NODE).read_text())["Environment"]
    started = dict(line.split("=", 1) for line in told if line.startswith("PYTHON"))
    assert started == {"PYTHONOPTIMIZE": "2"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("gpuledger")), "collect", "--once"],
        env={**os.environ, **started},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "host_samples" in done.stdout
