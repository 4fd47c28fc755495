"""A real ClickHouse server: the HTTP and TCP listeners of libchdb.so on loopback."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from tests.components.process import (
    Child,
    Component,
    ComponentError,
    ComponentMissingError,
    http_ok,
)

LIBRARY_VARIABLE = "GPULEDGER_LIBCHDB"
REPOSITORY = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("libchdb.py")
START_S = 30.0
MEMORY_LIMIT_BYTES = 4 * 1024**3

CONFIG = """<clickhouse>
  <logger>
    <level>warning</level>
    <log>{directory}/server.log</log>
    <errorlog>{directory}/server.err.log</errorlog>
  </logger>
  <users_config>{directory}/users.xml</users_config>
  <keep_alive_timeout>1</keep_alive_timeout>
  <max_server_memory_usage>{memory_limit_bytes}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <backups><allowed_path>{directory}/backups/</allowed_path></backups>
  <query_log><database>system</database><table>query_log</table></query_log>
  <part_log><database>system</database><table>part_log</table></part_log>
  {more}
</clickhouse>
"""

# The session itself logs in as `default` without a password, so that user must stay open.
USERS = """<clickhouse>
  <profiles>
    <default/>
    <reader><readonly>2</readonly></reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
        <query>GRANT READ ON FILE</query>
      </grants>
    </default>
    <{user}>
      <password>{password}</password>
      <networks><ip>127.0.0.1</ip></networks>
      <grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants>
    </{user}>
    <{reader}>
      <password>{password}</password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>reader</profile>
      <grants><query>GRANT SELECT ON *.*</query></grants>
    </{reader}>
  </users>
</clickhouse>
"""

# The last statement reads our pipe: closing it is what ends the server.
QUERY = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; "
    "SELECT getServerPort('http_port'), getServerPort('tcp_port') "
    "INTO OUTFILE '{ports}' TRUNCATE FORMAT TSV; "
    "SELECT count() FROM file('/dev/stdin', 'LineAsString') FORMAT Null"
)


class ClickHouse(Component):
    """One server on `directory`; started again, it has the same data and the same ports.

    `user` may do everything, `reader` may select and change settings; both have `password`.
    `more` is XML for its configuration, where `{directory}` is its own.
    """

    user = "gpuledger"
    reader = "gpuledger_reader"
    password = "ledger-of-the-tests"

    def __init__(
        self, directory: Path, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES, more: str = ""
    ) -> None:
        self.directory = directory
        self.more = more
        self.memory_limit_bytes = memory_limit_bytes
        self.host = "127.0.0.1"
        self.http_port = 0
        self.tcp_port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    def start(self) -> None:
        """Start on the data of `directory`, return when the server answers /ping."""
        self._write_files()
        self._ports_file.unlink(missing_ok=True)
        self.child = Child(self._command(), self.directory / "process.log", lifeline=True)
        self.child.start()
        self.child.wait_ready(self._answers, START_S)

    def stop(self) -> None:
        """End cleanly, all data on disk."""
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        """Kill -9, as a power cut would."""
        if self.child is not None:
            self.child.kill()

    def execute(self, sql: str, *, user: str | None = None) -> str:
        """The answer's text for one statement; ComponentError with the server's words."""
        token = b64encode(f"{user or self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            self.url, data=sql.encode(), headers={"Authorization": f"Basic {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            raise ComponentError(refusal.read().decode(errors="replace")) from refusal

    @property
    def _ports_file(self) -> Path:
        return self.directory / "ports"

    def _write_files(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        values = {
            "directory": self.directory,
            "memory_limit_bytes": self.memory_limit_bytes,
            "more": self.more.format(directory=self.directory),
            "user": self.user,
            "reader": self.reader,
            "password": self.password,
        }
        (self.directory / "config.xml").write_text(CONFIG.format_map(values))
        (self.directory / "users.xml").write_text(USERS.format_map(values))

    def _command(self) -> list[str]:
        return [
            sys.executable,
            str(RUNNER),
            str(find_library()),
            f"--config-file={self.directory / 'config.xml'}",
            f"--path={self.directory / 'data'}",
            f"--http_port={self.http_port}",
            f"--tcp_port={self.tcp_port}",
            f"--listen_host={self.host}",
            f"--query={QUERY.format(ports=self._ports_file)}",
        ]

    def _answers(self) -> bool:
        ports = self._ports_file.read_text().split() if self._ports_file.exists() else []
        if len(ports) != 2:
            return False
        self.http_port, self.tcp_port = map(int, ports)
        return http_ok(f"{self.url}/ping")


def remote_servers(name: str, tcp_ports: Sequence[int]) -> str:
    """Configuration of a cluster of shards on loopback, one server each."""
    shards = "".join(
        f"<shard><replica><host>127.0.0.1</host><port>{port}</port>"
        f"<user>{ClickHouse.user}</user><password>{ClickHouse.password}</password>"
        "</replica></shard>"
        for port in tcp_ports
    )
    return f"<remote_servers><{name}>{shards}</{name}></remote_servers>"


def find_library() -> Path:
    """libchdb.so of the environment or of the checkout, else ComponentMissingError."""
    fallback = REPOSITORY / ".components" / "libchdb.so"
    library = Path(os.environ.get(LIBRARY_VARIABLE) or fallback)
    if not library.exists():
        raise ComponentMissingError("libchdb.so is missing: run tests/components/install.sh")
    return library
