"""Asking Slurm: through its commands, or through slurmrestd over HTTP or a unix socket.

Both give the same lists of mappings, in the spelling of Slurm's version; `slurm_json` reads them.
Unavailable where this machine has no Slurm; ReadError where it does not answer or answers nonsense.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from gpuledger.errors import ConfigError, ReadError, Unavailable

JOBS = ("squeue", "--json", "--all", "--states=all")
NODES = ("scontrol", "show", "nodes", "--json")
NODES_2205 = ("sinfo", "--json", "--all")  # scontrol learned --json in 23.02
# Their text has been the same since long before 22.05, where they know no --json.
PARTITIONS = ("scontrol", "--oneliner", "--all", "show", "partitions")
RESERVATIONS = ("scontrol", "--oneliner", "show", "reservations")
TOPOLOGY = ("scontrol", "--oneliner", "show", "topology")
ENDED = ("sacct", "--json", "--allusers", "--duplicates", "--endtime=now")
# Times in texts are UTC, whatever this machine or its administrator prefers.
PLAIN = {"LC_ALL": "C", "TZ": "UTC", "SLURM_TIME_FORMAT": "standard"}
NO_ACCOUNTING = "accounting storage is disabled"
LONGEST_BYTES = 1 << 30
FIELD = re.compile(r"(\w[\w/]*)=(.*?)(?=\s+\w[\w/]*=|\s*$)")
VERSION = re.compile(r'"\\?/slurm\\?/v(\d+\.\d+\.\d+)\\?/jobs')

Told = list[Mapping[str, Any]]
Run = Callable[[tuple[str, ...]], bytes]
Get = Callable[[str], tuple[int, bytes]]


class Ask(Protocol):
    """What one can ask Slurm."""

    def jobs(self) -> Told:
        """Jobs that wait, run, or ended a moment ago."""

    def nodes(self) -> Told:
        """Nodes with their state."""

    def partitions(self) -> Told:
        """Partitions."""

    def reservations(self) -> Told:
        """Reservations."""

    def topology(self) -> Told:
        """Switches or blocks; nothing where Slurm knows none."""

    def ended(self, since: datetime) -> Told:
        """Jobs that accounting knows to have run or ended since then.

        Unavailable where this Slurm is known to keep none.
        """


class Commands:
    """Slurm's own commands; `run` gives what one prints."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._nodes: tuple[str, ...] = NODES

    def jobs(self) -> Told:
        """Jobs of `squeue`."""
        return self._json(JOBS, "jobs")

    def nodes(self) -> Told:
        """Nodes of `scontrol`, or of `sinfo` where scontrol knows no JSON."""
        try:
            return self._json(self._nodes, "nodes")
        except ReadError as e:
            if "--json" not in str(e) or self._nodes == NODES_2205:
                raise
        self._nodes = NODES_2205
        return self._json(self._nodes, "nodes")

    def partitions(self) -> Told:
        """Partitions of `scontrol`, as fields of its text."""
        return self._text(PARTITIONS, "PartitionName")

    def reservations(self) -> Told:
        """Reservations of `scontrol`, as fields of its text."""
        return self._text(RESERVATIONS, "ReservationName", "No reservations")

    def topology(self) -> Told:
        """Switches or blocks of `scontrol`, as fields of its text."""
        said = self._run(TOPOLOGY).decode(errors="replace")
        return [f for f in map(fields, said.splitlines()) if {"SwitchName", "BlockName"} & f.keys()]

    def ended(self, since: datetime) -> Told:
        """Jobs of `sacct`."""
        try:
            return self._json((*ENDED, f"--starttime={since:%Y-%m-%dT%H:%M:%S}"), "jobs")
        except ReadError as e:
            if NO_ACCOUNTING in str(e):
                raise Unavailable(str(e)) from None
            raise

    def _json(self, command: tuple[str, ...], key: str) -> Told:
        return listed(self._run(command), command[0], key)

    def _text(self, command: tuple[str, ...], key: str, nothing: str = "") -> Told:
        said = self._run(command).decode(errors="replace")
        lines = [line for line in said.splitlines() if line.strip()]
        if nothing and lines and lines[0].startswith(nothing):
            return []
        found = [fields(line) for line in lines]
        if not found or not all(key in f for f in found):
            raise ReadError(f"{command[0]} {command[-1]}: no {key} in what it prints")
        return list(found)


class Rest:
    """slurmrestd; `get` gives status and body of a path. The newest version it offers is used."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._version = ""

    def jobs(self) -> Told:
        """Jobs of slurmctld."""
        return self._list("slurm", "jobs")

    def nodes(self) -> Told:
        """Nodes of slurmctld."""
        return self._list("slurm", "nodes")

    def partitions(self) -> Told:
        """Partitions of slurmctld."""
        return self._list("slurm", "partitions")

    def reservations(self) -> Told:
        """Reservations of slurmctld."""
        return self._list("slurm", "reservations")

    def topology(self) -> Told:
        """Nothing: slurmrestd does not tell it."""
        return []

    def ended(self, since: datetime) -> Told:
        """Jobs of slurmdbd."""
        # Slurm reads `uts` and seconds as a time of no time zone; 22.05 reads no bare number.
        return self._list("slurmdb", "jobs", start_time=f"uts{int(since.timestamp())}")

    def _list(self, part: str, key: str, **query: str) -> Told:
        if not self._version:
            self._version = self._discover()
        asked = f"?{urlencode(query)}" if query else ""
        status, body = self._get(f"/{part}/v{self._version}/{key}{asked}")
        if status != http.HTTPStatus.OK:
            self._version = ""  # after an upgrade this one may be gone
            raise ReadError(f"slurmrestd answers {status} for {part}/{key}")
        return listed(body, "slurmrestd", key)

    def _discover(self) -> str:
        """The newest version of its paths, told by its own description."""
        status, body = self._get("/openapi/v3")
        if status != http.HTTPStatus.OK:
            raise ReadError(f"slurmrestd answers {status} for its description")
        found = set(VERSION.findall(body.decode(errors="replace")))
        if not found:
            raise ReadError("slurmrestd describes no /slurm/v…/jobs")
        return str(max(found, key=lambda v: tuple(map(int, v.split(".")))))


def listed(said: bytes, who: str, key: str) -> Told:
    """The list under `key` of an answer in JSON. ReadError where there is none."""
    try:
        told = _decoded(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ReadError(f"{who} prints no JSON: {e}") from None
    if not isinstance(told, dict) or not isinstance(told.get(key), list):
        raise ReadError(f"{who} tells of no {key}")
    if told.get("errors"):
        raise ReadError(f"{who}: {str(told['errors'])[:300]}")
    found: Told = told[key]
    return found


def _decoded(said: bytes) -> Any:
    """The value of a text in JSON; a byte that is no UTF-8 spoils its own word only.

    Slurm passes on whatever bytes a user gave as the name of a job.
    """
    try:
        return msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        readable = said.decode(errors="replace").encode()
        if readable == said:
            raise
        return msgspec.json.decode(readable)


def fields(line: str) -> dict[str, str]:
    """`Key=value` pairs of one line of scontrol; a value may hold spaces."""
    return {key: value.strip() for key, value in FIELD.findall(line)}


def command_runner(folder: str, conf: str, timeout_s: float) -> Run:
    """Runs programs of `folder` (empty: as PATH says) with that slurm.conf."""
    changes = {**PLAIN, **({"SLURM_CONF": conf} if conf else {})}

    def run(command: tuple[str, ...]) -> bytes:
        program = str(Path(folder) / command[0])
        try:
            done = subprocess.run(  # noqa: S603 - fixed commands of the configured folder
                [program, *command[1:]],
                env={**os.environ, **changes},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable(f"no {program} on this machine") from None
        except subprocess.TimeoutExpired:
            raise ReadError(f"{command[0]}: no answer in {timeout_s:g} s") from None
        except OSError as e:
            raise ReadError(f"{command[0]}: {e.strerror}") from None
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise ReadError(f"{command[0]} ended with {done.returncode}: {said[:300]}")
        return done.stdout

    return run


def http_getter(address: str, user: str, token_file: str, timeout_s: float) -> Get:
    """Asks slurmrestd at `http(s)://host:port` or `unix:///path`. ConfigError for another address.

    The token is read anew each time: it expires, and whoever renews it writes the file.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https", "unix"} or not (parts.netloc or parts.path):
        raise ConfigError(f"[slurm] rest: '{address}' is no http://, https:// or unix:// address")

    def get(path: str) -> tuple[int, bytes]:
        connection = _connection(address, timeout_s)
        try:
            connection.request("GET", path, headers=_headers(user, token_file))
            answer = connection.getresponse()
            body = answer.read(LONGEST_BYTES + 1)
        except (OSError, http.client.HTTPException) as e:
            raise ReadError(f"slurmrestd at {address}: {e or type(e).__name__}") from None
        finally:
            connection.close()
        if len(body) > LONGEST_BYTES:
            raise ReadError("slurmrestd: an answer without end")
        return answer.status, body

    return get


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path, timeout_s)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.netloc, timeout=timeout_s)
    return http.client.HTTPConnection(parts.netloc, timeout=timeout_s)


def _headers(user: str, token_file: str) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    if user:
        headers["X-SLURM-USER-NAME"] = user
    if token_file:
        try:
            headers["X-SLURM-USER-TOKEN"] = Path(token_file).read_text().strip()
        except OSError as e:
            raise ReadError(f"cannot read the token in {token_file}: {e.strerror}") from None
    return headers
