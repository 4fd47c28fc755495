"""Boards to files: what Grafana's provisioning reads."""

from __future__ import annotations

from pathlib import Path

from dashboards.panel import Board
from gpuledger.files import write_all
from gpuledger.plugins import discover

GENERATED = Path(__file__).parent / "generated"


def boards() -> dict[str, Board]:
    """Every board by the name of its module."""
    return discover("dashboards.boards", Board)


def build() -> dict[str, str]:
    """File name to JSON text of every board; the same bytes each time."""
    return {f"{name}.json": board.text() for name, board in boards().items()}


def write(directory: Path = GENERATED) -> list[Path]:
    """Write every board into the directory; the paths written."""
    return write_all(directory, build())
