"""The image is built from pinned, hashed parts and runs as nobody in particular."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from tests.deploy.files import DEPLOY, ROOT

TEXT = (DEPLOY / "Dockerfile").read_text()
CODE = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")
INSTRUCTIONS = [line.split(None, 1) for line in CODE.splitlines() if line.strip()]
LOCK = ROOT / "requirements.lock"


def arguments(name: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == name]


def test_it_has_stages_on_one_pinned_base() -> None:
    images = [a.split()[0] for a in arguments("FROM")]
    assert len(images) == 2
    assert len(set(images)) == 1
    python = re.fullmatch(r"python:(\d\.\d+)-slim-\w+", images[0])
    assert python
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, python[1].split("."))) >= tuple(map(int, least[2:].split(".")))


def test_the_last_stage_does_not_run_as_root() -> None:
    last = CODE.rpartition("FROM ")[2]
    user = re.findall(r"^USER (\S+)", last, flags=re.MULTILINE)[-1]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


def test_nothing_is_fetched_beside_the_lock() -> None:
    assert not arguments("ADD")
    assert "://" not in TEXT
    assert not re.search(r"curl|wget|apt-get|--trusted-host|index-url", CODE)
    installs = re.findall(r"pip install[^&]*", CODE)
    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install, install


def test_it_starts_our_command_with_the_extra_that_was_asked_for() -> None:
    assert arguments("ENTRYPOINT") == ['["gpuledger"]']
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert "ARG EXTRA=server" in CODE
    assert {"collector", "kubernetes", "server"} <= set(extras)


def test_the_kubernetes_image_has_what_both_agents_there_need() -> None:
    assert "kubernetes) set -- --extra collector --extra kubernetes;;" in CODE


def test_the_lock_gives_uv_with_its_hashes(tmp_path: Path) -> None:
    program = re.search(r"awk '(.*?)'", CODE)
    assert program
    done = subprocess.run(
        ["awk", program[1], str(LOCK)], capture_output=True, text=True, check=True, timeout=10
    )
    first, *hashes = done.stdout.splitlines()
    assert re.match(r"uv==[\d.]+ \\$", first)
    assert hashes
    assert all(re.match(r"\s+--hash=sha256:[0-9a-f]{64}", h) for h in hashes)


def test_what_is_copied_is_let_into_the_build_and_nothing_else() -> None:
    let = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        word
        for copy in arguments("COPY")
        if not copy.startswith("--from")
        for word in copy.split()[:-1]
    }
    assert copied == let
    parts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {p.removesuffix("*") for p in parts["find"]["include"]} <= copied


def test_the_locked_versions_have_hashes() -> None:
    pinned = re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), flags=re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9-]+==)", LOCK.read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned)
    assert all("--hash=sha256:" in block for block in blocks)
