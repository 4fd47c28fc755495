"""Bash and sh on programs that only tell how they were called."""

from __future__ import annotations

import subprocess
from pathlib import Path

UID = "0a1b2c3d"
# Each program appends its name and arguments; kubectl also answers who a pod is.
STUB = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" >> "$TOLD"; printf '\\n\\0' >> "$TOLD"
[[ $1 == get ]] && echo "$UID_OF_POD-9f00-4c1b-a111-000000000000"
[[ $2 == --raw=* ]] && { printf 'body\\0'; cat; printf '\\0\\n\\0'; } >> "$TOLD"
exit 0
"""
PROGRAMS = ("scancel", "scontrol", "sacctmgr", "kubectl", "nvidia-smi", "rm", "touch")


class Shell:
    """Bash in an empty directory, with nothing on its path but stubs, grep and cat."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._told = directory, directory / "told"
        self._programs = directory / "programs"
        self._programs.mkdir()
        for name in PROGRAMS:
            (self._programs / name).write_text(STUB)
            (self._programs / name).chmod(0o755)
        for name in ("grep", "cat"):
            (self._programs / name).symlink_to(f"/bin/{name}")

    def pasted(self, *texts: str) -> list[list[str]]:
        """The calls where all of it comes by the standard input, as a terminal hands on a paste."""
        self._told.write_text("")
        done = subprocess.run(
            ["/bin/bash"],
            env=self._environment(UID),
            cwd=self._directory,
            input="\n".join((*texts, "")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return self._calls()

    def run(
        self, text: str, program: str = "bash", uid: str = UID, answers: str = "yes\n" * 99
    ) -> list[list[str]]:
        """The calls, each with its arguments; nothing else may have happened."""
        self._told.write_text("")
        done = subprocess.run(
            [f"/bin/{program}", "-c", text],
            env=self._environment(uid),
            cwd=self._directory,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert {p.name for p in self._directory.iterdir()} == {"programs", "told"}
        return self._calls()

    def _environment(self, uid: str) -> dict[str, str]:
        return {"PATH": str(self._programs), "TOLD": str(self._told), "UID_OF_POD": uid}

    def _calls(self) -> list[list[str]]:
        return [c.split("\0")[:-1] for c in self._told.read_text().split("\n\0") if c]
