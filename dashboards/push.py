"""Folder, data source and boards to a Grafana through its HTTP API; the same push changes nothing.

What was pushed last is read from the message of a board's newest version, which names the digest
of our board: any other message means that somebody saved the board since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards.grafana import Answer, Grafana
from dashboards.panel import Board
from dashboards.words import PLUGIN
from gpuledger.errors import ConfigError, ReadError

MESSAGE = "gpuledger dashboards push "
MOST_FOLDERS = 1000


class Outcome(StrEnum):
    """What became of one thing that was pushed."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "left alone"


@dataclass(frozen=True)
class Pushed:
    """One folder, data source or board, what became of it, and why."""

    what: str
    outcome: Outcome
    why: str = ""

    def line(self, *, dry: bool) -> str:
        """It in words; of a dry run, what would have become of it."""
        would = "would be " if dry and self.outcome in {Outcome.CREATED, Outcome.UPDATED} else ""
        return f"{self.what}: {would}{self.outcome}{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True)
class Datasource:
    """ClickHouse as Grafana reaches it; see the plugin's provisioning for the names."""

    host: str
    port: int
    protocol: str
    secure: bool
    username: str
    password: str
    database: str
    uid: str

    def json_data(self) -> dict[str, Any]:
        """What Grafana shows of it."""
        return {
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            "secure": self.secure,
            "username": self.username,
            "defaultDatabase": self.database,
        }

    def body(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """What Grafana is told, on top of settings that others made."""
        return {
            "name": before.get("name", self.uid),
            "uid": self.uid,
            "type": PLUGIN,
            "access": "proxy",
            "jsonData": {**before.get("jsonData", {}), **self.json_data()},
            "secureJsonData": {"password": self.password},
        }


@dataclass(frozen=True)
class Push:
    """One run over a Grafana. A dry run only asks."""

    grafana: Grafana
    force: bool = False
    dry: bool = False

    def everything(
        self, boards: Mapping[str, Board], folder: str, source: Datasource | None
    ) -> Iterator[Pushed]:
        """What became of each thing, in order. ConfigError, ReadError end it."""
        if source:
            yield self.datasource(source)
        uid, done = self.folder(folder)
        yield done
        for name, board in boards.items():
            yield self.board(name, board, uid)

    def folder(self, title: str) -> tuple[str, Pushed]:
        """The folder's address ("" where a dry run would make it)."""
        what = f"folder {title}"
        listed = self._expect(self.grafana.ask("GET", f"/api/folders?limit={MOST_FOLDERS}"), what)
        for found in listed:
            if found["title"] == title:
                return str(found["uid"]), Pushed(what, Outcome.UNCHANGED)
        if self.dry:
            return "", Pushed(what, Outcome.CREATED)
        made = self._expect(self.grafana.ask("POST", "/api/folders", {"title": title}), what)
        return str(made["uid"]), Pushed(what, Outcome.CREATED)

    def datasource(self, source: Datasource) -> Pushed:
        """The data source, made or brought up to date; a password that works is not sent again."""
        what, path = f"data source {source.uid}", f"/api/datasources/uid/{source.uid}"
        found = self.grafana.ask("GET", path)
        if found.status == 404:
            self._order("POST", "/api/datasources", source.body({}), what)
            return Pushed(what, Outcome.CREATED)
        before = self._expect(found, what)
        if before["type"] != PLUGIN:
            raise ConfigError(f"{what} is there and of type {before['type']}: give another uid")
        told, wanted = before.get("jsonData", {}), source.json_data()
        differs = sorted(key for key in wanted if told.get(key) != wanted[key])
        if not differs and (sick := self._sick(path)):
            differs = ["password"] if source.password else []
            if not differs:
                return Pushed(what, Outcome.KEPT, f"Grafana's test of it fails: {sick}")
        if not differs:
            return Pushed(what, Outcome.UNCHANGED)
        if before.get("readOnly"):
            return Pushed(what, Outcome.KEPT, "it is provisioned from a file: change it there")
        self._order("PUT", path, source.body(before), what)
        return Pushed(what, Outcome.UPDATED, ", ".join(differs))

    def _sick(self, path: str) -> str:
        """Why Grafana's own test of a data source fails, or nothing."""
        found = self.grafana.ask("GET", f"{path}/health")
        well = found.status == 200 and found.body.get("status", "OK") == "OK"
        return "" if well else found.said or f"status {found.status}"

    def board(self, name: str, board: Board, folder: str) -> Pushed:
        """One board; one that a person saved since our last push is kept, but for `force`."""
        what = f"board {name}"
        found = self.grafana.ask("GET", f"/api/dashboards/uid/{board.uid}")
        message = MESSAGE + digest(board)
        body = {"folderUid": folder, "message": message, "overwrite": self.force}
        if found.status == 404:
            model = board.model() | {"id": None}
            return self._save(body | {"dashboard": model}, what, Outcome.CREATED)
        there = self._expect(found, what)
        if there["meta"].get("provisioned"):
            return Pushed(what, Outcome.KEPT, "it is provisioned from a file: change it there")
        last = self._last_message(board.uid, what)
        if last == message:
            return Pushed(what, Outcome.UNCHANGED)
        if not last.startswith(MESSAGE) and not self.force:
            return Pushed(what, Outcome.KEPT, "somebody saved it since: --force replaces it")
        model = board.model() | {key: there["dashboard"][key] for key in ("id", "version")}
        # Where somebody moved it, there it stays.
        body |= {"folderUid": there["meta"].get("folderUid", folder)}
        return self._save(body | {"dashboard": model}, what, Outcome.UPDATED)

    def _last_message(self, uid: str, what: str) -> str:
        """What was said when the board was saved last."""
        path = f"/api/dashboards/uid/{uid}/versions?limit=1"
        found = self._expect(self.grafana.ask("GET", path), what)
        # Grafana 11 wraps the list that versions before it gave.
        versions = found["versions"] if isinstance(found, Mapping) else found
        newest: Mapping[str, Any] = max(versions, key=lambda v: int(v["version"]), default={})
        return str(newest.get("message", ""))

    def _save(self, body: Mapping[str, Any], what: str, outcome: Outcome) -> Pushed:
        if self.dry:
            return Pushed(what, outcome)
        answer = self.grafana.ask("POST", "/api/dashboards/db", body)
        if answer.status == 412:
            return Pushed(what, Outcome.KEPT, _why_412(answer))
        self._expect(answer, what)
        return Pushed(what, outcome)

    def _order(self, method: str, path: str, body: object, what: str) -> None:
        if not self.dry:
            self._expect(self.grafana.ask(method, path, body), what)

    def _expect(self, answer: Answer, what: str) -> Any:
        """The body of what went well. ReadError with Grafana's words otherwise."""
        if answer.status == 200:
            return answer.body
        raise ReadError(f"{what}: Grafana refuses it ({answer.status}): {answer.said or 'no word'}")


def digest(board: Board) -> str:
    """Short digest of a board as we write it."""
    return hashlib.sha256(board.text().encode()).hexdigest()[:16]


def _why_412(answer: Answer) -> str:
    """Grafana's reasons for not saving, in words."""
    status = answer.body.get("status", "") if isinstance(answer.body, Mapping) else ""
    return {
        "version-mismatch": "somebody saved it in this moment: push again, or --force",
        "name-exists": "another board has its name in that folder: --force replaces it",
    }.get(status, answer.said or status or "Grafana answers 412")
