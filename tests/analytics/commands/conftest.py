"""A shell for printed commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analytics.commands.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """One in an empty directory."""
    return Shell(tmp_path)
