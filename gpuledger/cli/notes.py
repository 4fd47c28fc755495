"""What stands above printed commands as comments, told once where many are listed."""

from __future__ import annotations

from itertools import takewhile

MARK, NO_COMMAND = "# ", "# no command: "


def once(text: str, told: set[str]) -> str:
    """Lines of a shell without the comments above them that were `told`; the others are added.

    Why there is no command stays: it is all that there is.
    """
    if text.startswith(NO_COMMAND):
        return text
    above, lines = _parted(text)
    kept = [line for line in above if line not in told]
    told.update(above)
    return "\n".join([*kept, *lines])


def undo(text: str, told: set[str]) -> str:
    """`undo (what to know): lines`; what was `told` before is not told again."""
    above, lines = _parted(text)
    if not lines:
        return ""
    known = "; ".join(line.removeprefix(MARK) for line in above if line not in told)
    told.update(above)
    return "\n".join([f"undo{f' ({known})' if known else ''}: {lines[0]}", *lines[1:]])


def _parted(text: str) -> tuple[list[str], list[str]]:
    """Comments above, and the rest."""
    lines = text.splitlines()
    above = list(takewhile(lambda line: line.startswith(MARK), lines))
    return above, lines[len(above) :]
