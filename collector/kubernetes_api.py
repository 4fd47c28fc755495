"""The Kubernetes API server, through its official client: lists of objects, page by page.

Answers come as bytes: the client's own models would build every field of every pod.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from collector.kubernetes_objects import Page, parse
from gpuledger.errors import ReadError, Unavailable

PAGE = 500
UNAUTHORIZED, NOT_FOUND, GONE = 401, 404, 410
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
CHUNK_BYTES = 1 << 16
# How the client fails on a kubeconfig that is YAML and nothing else.
ODD_FILE = (TypeError, ValueError, KeyError, AttributeError)


T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """A kind of object: its plural, and how it is listed.

    Core kinds have the API class and method of the official client, custom ones a group and the
    versions to try, newest first.
    """

    plural: str
    api: str = "CustomObjectsApi"
    method: str = "list_cluster_custom_object"
    group: str = ""
    versions: tuple[str, ...] = ()


class Refused(ReadError):
    """The API server answers with a status that is no success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class ApiServer:
    """One connection pool; nothing is opened or read before the first list."""

    def __init__(
        self,
        kubeconfig: str,
        context: str,
        timeout_s: float,
        longest_bytes: int,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout_s = timeout_s
        self._longest_bytes = longest_bytes
        self._environ = environ
        self._client: Any = None
        self._versions: dict[Kind, str] = {}

    def objects(self, kind: Kind, each: Callable[[msgspec.Raw], T]) -> list[T]:
        """What `each` makes of every object of the kind. Refused (404: no such kind) or ReadError.

        A page is let go before the next is asked for. Read from the API server's cache, without a
        watch. A list that expires between two pages (410) is begun anew once.
        """
        try:
            return [each(raw) for raw in self._pages(kind)]
        except Refused as e:
            if e.status != GONE:
                raise
        return [each(raw) for raw in self._pages(kind)]

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _pages(self, kind: Kind) -> Iterator[msgspec.Raw]:
        # A cache may answer a first page with the whole list; a next page names its own version.
        query: dict[str, Any] = {"limit": PAGE, "resource_version": "0"}
        size = 0
        while True:
            body = self._page(kind, query)
            size += len(body)
            self._check_size(kind, size)
            try:
                page = parse(body, Page)
            except ValueError as e:
                raise ReadError(f"API server, {kind.plural}: no list: {str(e)[:200]}") from None
            yield from page.items or ()
            if not page.metadata.continue_:
                return
            query = {"limit": PAGE, "_continue": page.metadata.continue_}

    def _page(self, kind: Kind, query: Mapping[str, Any]) -> bytes:
        """One page; of a custom kind in the version that the cluster has."""
        if not kind.group:
            return self._ask(kind, {}, query)
        known = self._versions.get(kind)
        for version in (known,) if known else kind.versions:
            names = {"group": kind.group, "version": version, "plural": kind.plural}
            try:
                body = self._ask(kind, names, query)
            except Refused as e:
                self._versions.pop(kind, None)
                if e.status != NOT_FOUND or version == kind.versions[-1]:
                    raise
                continue
            self._versions[kind] = version or ""
            return body
        raise Refused(NOT_FOUND, f"API server, {kind.plural}: its version is gone")

    def _ask(self, kind: Kind, names: Mapping[str, Any], query: Mapping[str, Any]) -> bytes:
        client, errors = self._open(), _errors()
        method = getattr(getattr(client.library, kind.api)(client.api), kind.method)
        try:
            answer = method(
                **names, **query, _preload_content=False, _request_timeout=self._timeout_s
            )
            return self._body(kind, answer)
        except errors.api as e:
            if not e.status:
                raise ReadError(f"API server: {_line(e.reason)}") from None
            if e.status == UNAUTHORIZED:  # what gave access is read anew: tokens are replaced
                self.close()
            raise Refused(e.status, f"API server, {kind.plural}: {_said(e)}") from None
        except errors.http as e:
            raise ReadError(f"API server, {kind.plural}: {_line(e)}") from None

    def _body(self, kind: Kind, answer: Any) -> bytes:
        """The body, read piece by piece, so that an endless one stops at the limit."""
        body = bytearray()
        try:
            for chunk in answer.stream(CHUNK_BYTES):
                body += chunk
                self._check_size(kind, len(body))
        finally:
            answer.release_conn()
        return bytes(body)

    def _check_size(self, kind: Kind, size: int) -> None:
        if size > self._longest_bytes:
            raise ReadError(
                f"API server, {kind.plural}: more than {self._longest_bytes} bytes; "
                "raise longest_bytes"
            )

    def _open(self) -> Any:
        if self._client is None:
            self._client = _Client.of(self._kubeconfig, self._context, self._environ)
        return self._client


@dataclass(frozen=True)
class _Client:
    """The official client, configured."""

    library: Any
    api: Any

    @classmethod
    def of(cls, kubeconfig: str, context: str, environ: Mapping[str, str]) -> _Client:
        """From a kubeconfig if one is named, from the service account inside a cluster, else
        from the user's own kubeconfig. Unavailable without any."""
        try:
            import yaml  # noqa: PLC0415 - as below
            from kubernetes import client  # noqa: PLC0415 - no node pays for it
            from kubernetes import config as access  # noqa: PLC0415 - as above
        except ImportError:
            raise Unavailable(
                "kubernetes is not installed: pip install 'gpuledger[kubernetes]'"
            ) from None
        config: Any = access  # some releases have types in part
        settings = client.Configuration()
        # The next reading is the next try; the client's own would outlast the period.
        settings.retries = False
        named = kubeconfig or environ.get("KUBECONFIG", "")
        try:
            if not named and environ.get(IN_CLUSTER):
                config.load_incluster_config(client_configuration=settings)
            else:
                config.load_kube_config(
                    named or None,
                    context or None,
                    client_configuration=settings,
                    persist_config=False,
                )
        except (config.ConfigException, OSError, yaml.YAMLError, *ODD_FILE) as e:
            raise Unavailable(f"no access to a Kubernetes API server: {_line(e)}") from None
        return cls(client, client.ApiClient(settings))

    def close(self) -> None:
        """Close the connections."""
        self.api.close()


@dataclass(frozen=True)
class _Errors:
    api: Any
    http: Any


def _errors() -> _Errors:
    """The client's own errors, and those of the HTTP library below it."""
    from kubernetes.client import ApiException  # noqa: PLC0415 - as above
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - as above

    return _Errors(ApiException, HTTPError)


def _said(error: Any) -> str:
    """Status and the server's own message, where it gives one."""
    try:
        message = msgspec.json.decode(error.body or "").get("message", "")
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        message = ""
    return f"{error.status} {_line(message or error.reason)}"


def _line(told: object) -> str:
    return " ".join(str(told).split())[:300]
