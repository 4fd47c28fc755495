"""Secrets are random, private to their reader, kept, and nowhere in the tree."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, compose, services

SCRIPT = DEPLOY / "init-secrets.sh"
# Prose, and what the interpreter left beside our own scripts.
SKIPPED = {".md", ".pyc"}
PLAIN = re.compile(
    r"(?:passw(?:or)?d|secret|token|api_?key)[\w-]*[\"']?\s*[:=>]\s*[\"']?(?P<value>[^\s\"'<>{}]+)",
    re.IGNORECASE,
)
# What may stand behind such a word: a path, a variable, a list of names, the name of a Secret.
INDIRECT = re.compile(
    r"-?[./$%[…\\]|yes$|no$|true$|false$|gpuledger-[a-z]+$|/?token$|ingest_token$"
)


def run(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), str(directory)], check=False, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder that the script has filled; without root it must refuse, which is asserted here."""
    directory = tmp_path / "secrets"
    done = run(directory)
    if os.geteuid():
        assert done.returncode == 2
        assert "root" in done.stderr
        pytest.skip("only root can give files away")
    assert done.returncode == 0, done.stderr
    return directory


def test_every_secret_of_the_compose_file_is_made(secrets: Path) -> None:
    declared = {Path(s["file"]).name for s in compose()["secrets"].values()}
    assert {f.name for f in secrets.iterdir()} == declared


def test_each_belongs_to_the_one_user_that_reads_it(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    files = {name: secrets / Path(s["file"]).name for name, s in compose()["secrets"].items()}
    for service in services().values():
        for entry in service.get("secrets", []):
            name = entry["source"] if isinstance(entry, dict) else entry
            state = files[name].stat()
            assert state.st_mode & 0o777 == 0o600
            assert state.st_uid == int(service["user"].partition(":")[0])


def test_they_are_random_and_kept(secrets: Path) -> None:
    before = {f.name: f.read_text() for f in secrets.iterdir()}
    random = [v for name, v in before.items() if not name.endswith(".xml")]
    assert len(set(random)) == len(random)
    assert all(re.fullmatch(r"[0-9a-f]{64}", v) for v in random)
    assert run(secrets).returncode == 0
    assert {f.name: f.read_text() for f in secrets.iterdir()} == before


def test_a_deleted_secret_is_replaced_and_its_digest_follows(secrets: Path) -> None:
    old = (secrets / "store_password").read_text()
    (secrets / "store_password").unlink()
    assert run(secrets).returncode == 0
    new = (secrets / "store_password").read_text()
    assert new != old
    told = ET.parse(secrets / "clickhouse_passwords.xml")
    digest = told.findtext("users/gpuledger/password_sha256_hex")
    assert digest == hashlib.sha256(new.encode()).hexdigest()


def deploy_files() -> Iterator[Path]:
    for file in sorted(DEPLOY.rglob("*")):
        if file.is_file() and DEPLOY / "secrets" not in file.parents and file.suffix not in SKIPPED:
            yield file


def test_no_plain_secret_is_in_the_tree() -> None:
    found = [
        f"{file.relative_to(DEPLOY)}: {match[0]}"
        for file in deploy_files()
        for line in file.read_text().splitlines()
        if not line.lstrip().startswith(("#", "--"))
        for match in PLAIN.finditer(line)
        if not INDIRECT.match(match["value"])
    ]
    assert not found
