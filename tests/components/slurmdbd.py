"""Slurm's accounting: slurmdbd on a MariaDB of its own, in one directory, without a network."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.components.process import Child, Component, free_port, program, wait_until

START_S = 30.0
CONF = """AuthType=auth/munge
AuthInfo=socket={munge}
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=accounting
LogFile={directory}/slurmdbd.log
PidFile={directory}/slurmdbd.pid
"""


class Accounting(Component):
    """The database, and slurmdbd once a Slurm says who authenticates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.children: list[Child] = []
        self.socket_directory = Path()

    def start(self) -> None:
        """Return when the database listens on its socket."""
        program("slurmdbd")
        data = self.directory / "mysql"
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.socket_directory = Path(tempfile.mkdtemp(prefix="mariadb-"))
        # Without privilege tables nothing has to be installed; only its socket leads to it.
        command = [program("mariadbd"), "--no-defaults", f"--user={getpass.getuser()}"]
        command += [f"--datadir={data}", f"--socket={self._socket}", "--skip-networking"]
        command += ["--skip-grant-tables", "--innodb-buffer-pool-size=32M"]
        self._child(command, "mariadb.out", {}).wait_ready(self._socket.exists, START_S)

    def serve(self, munge: Path, env: Mapping[str, str], cluster: str) -> None:
        """Start slurmdbd and make the cluster known to it."""
        conf = self.directory / "slurmdbd.conf"
        host = socket.gethostname().split(".")[0]
        conf.write_text(
            CONF.format(
                munge=munge,
                host=host,
                port=self.port,
                user=getpass.getuser(),
                directory=self.directory,
            )
        )
        conf.chmod(0o600)
        known = {**env, "MYSQL_UNIX_PORT": str(self._socket)}
        self._child([program("slurmdbd"), "-D"], "slurmdbd.out", known)
        add = [program("sacctmgr"), "--immediate", "add", "cluster", cluster]
        wait_until(lambda: _succeeds(add, env), START_S, "slurmdbd")

    def stop(self) -> None:
        """End slurmdbd, then the database."""
        while self.children:
            self.children.pop().stop()
        shutil.rmtree(self.socket_directory, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        return self.socket_directory / "socket"

    def _child(self, command: list[str], log: str, env: Mapping[str, str]) -> Child:
        child = Child(command, self.directory / log, env=env or None)
        self.children.append(child)
        child.start()
        return child


def _succeeds(command: list[str], env: Mapping[str, str]) -> bool:
    done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=START_S)
    return done.returncode == 0
