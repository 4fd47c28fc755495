"""A Grafana as small as its documented routes of folders, data sources and dashboards allow."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "glsa_0123456789abcdef"
Reply = tuple[int, Any]


class FakeGrafana:
    """What it keeps in memory, and every request that it got."""

    def __init__(self) -> None:
        self.url = ""
        self.folders: list[dict[str, Any]] = []
        self.sources: dict[str, dict[str, Any]] = {}
        self.passwords: dict[str, str] = {}
        self.boards: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.provisioned: set[str] = set()
        self.right_password = "right"
        self.asked: list[tuple[str, str, Any]] = []
        # Answers that come before any other, once each.
        self.next: list[Reply] = []

    def answer(self, method: str, path: str, token: str, body: Any) -> Reply:
        """As the routes are documented."""
        self.asked.append((method, path, body))
        if self.next:
            return self.next.pop(0)
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        for (wanted, pattern), route in self._routes().items():
            found = re.fullmatch(pattern, path)
            if found and wanted == method:
                return route(body, *found.groups())
        return 404, {"message": "Not found"}

    def _routes(self) -> dict[tuple[str, str], Callable[..., Reply]]:
        uid = r"([\w-]+)"
        return {
            ("GET", "/api/folders"): lambda _: (200, self.folders),
            ("POST", "/api/folders"): self._make_folder,
            ("GET", f"/api/datasources/uid/{uid}"): self._source,
            ("GET", f"/api/datasources/uid/{uid}/health"): self._health,
            ("POST", "/api/datasources"): self._make_source,
            ("PUT", f"/api/datasources/uid/{uid}"): self._change_source,
            ("GET", f"/api/dashboards/uid/{uid}"): self._board,
            ("GET", f"/api/dashboards/uid/{uid}/versions"): self._versions,
            ("POST", "/api/dashboards/db"): self._save,
        }

    def _make_folder(self, body: Any) -> Reply:
        if any(f["title"] == body["title"] for f in self.folders):
            return 409, {"message": "a folder with the same name already exists"}
        made = {"id": len(self.folders) + 1, "uid": f"f{len(self.folders)}", "title": body["title"]}
        self.folders.append(made)
        return 200, made

    def _source(self, _: Any, uid: str) -> Reply:
        if uid not in self.sources:
            return 404, {"message": "Data source not found"}
        return 200, self.sources[uid]

    def _health(self, _: Any, uid: str) -> Reply:
        if self.passwords.get(uid) != self.right_password:
            return 400, {"status": "ERROR", "message": "authentication failed"}
        return 200, {"status": "OK", "message": "Data source is working"}

    def _make_source(self, body: Any) -> Reply:
        if any(s["name"] == body["name"] for s in self.sources.values()):
            return 409, {"message": "data source with the same name already exists"}
        self._keep_source(body)
        return 200, {"datasource": self.sources[body["uid"]], "message": "Datasource added"}

    def _change_source(self, body: Any, uid: str) -> Reply:
        if self.sources[uid].get("readOnly"):
            return 403, {"message": "Cannot update read-only data source"}
        self._keep_source(body)
        return 200, {"datasource": self.sources[uid], "message": "Datasource updated"}

    def _keep_source(self, body: Any) -> None:
        secret = body.pop("secureJsonData", {})
        self.passwords |= {body["uid"]: secret["password"]} if "password" in secret else {}
        self.sources[body["uid"]] = {**body, "readOnly": False, "secureJsonFields": {}}

    def _board(self, _: Any, uid: str) -> Reply:
        if uid not in self.boards:
            return 404, {"message": "Dashboard not found"}
        meta = {"provisioned": uid in self.provisioned, "folderUid": self.boards[uid]["folder"]}
        return 200, {"dashboard": self.boards[uid]["model"], "meta": meta}

    def _versions(self, _: Any, uid: str) -> Reply:
        return 200, {"continueToken": "", "versions": self.versions[uid][::-1][:1]}

    def _save(self, body: Any) -> Reply:
        model = body["dashboard"]
        uid, there = model["uid"], self.boards.get(model["uid"])
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if there and not body["overwrite"] and model.get("version") != there["model"]["version"]:
            return 412, {"status": "version-mismatch", "message": "changed by someone else"}
        return 200, self.save(model, body["folderUid"], body["message"])

    def save(self, model: dict[str, Any], folder: str, message: str) -> dict[str, Any]:
        """A new version of a board, by the API or by hand."""
        told = self.versions.setdefault(model["uid"], [])
        version = len(told) + 1
        told.append({"version": version, "message": message})
        kept = {**model, "id": 7, "version": version}
        self.boards[model["uid"]] = {"model": kept, "folder": folder}
        return {"uid": model["uid"], "status": "success", "version": version}


@contextmanager
def served() -> Iterator[FakeGrafana]:
    """It, listening on a port of its own."""
    grafana = FakeGrafana()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            token = self.headers.get("Authorization", "")
            status, said = grafana.answer(self.command, urlsplit(self.path).path, token, body)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing: the test looks at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
