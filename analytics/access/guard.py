"""The guard before every route: who asks, and whether they may; nothing is read before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics.access.caller import Caller, NotKnown, Role
from analytics.access.refused import Refusals
from analytics.access.rules import Found, Rules, rules
from analytics.access.sessions import Session
from analytics.problems import problem
from gpuledger.errors import ReadError, StoreError

COOKIE = "gpuledger"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
NOT_KNOWN = "a token is needed: GPULEDGER_TOKEN, or the login link that the service printed"
NOT_FOR_SENDING = (
    "this token may not send: give the sender the service's GPULEDGER_INGEST_TOKEN"
    " (GPULEDGER_TOKEN_FILE)"
)
# While it cannot be found out whose a token is.
RETRY_AFTER_S = "5"
# What begins so is for programs.
PROGRAMS = ("/v1/", "/metrics", "/openapi.json")
FOREIGN = "this request comes from a page of another site, or does not tell from where"


class Doorkeeper(Protocol):
    """Who knows the tokens and the sessions."""

    async def by_token(self, token: str, address: str = "") -> Caller | None:
        """Whose token it is; None where it is nobody's. NotKnown says why it is no good.

        StoreError or ReadError while it cannot be found out.
        """

    async def by_cookie(self, cookie: str) -> Session | None:
        """Who logged in with that cookie; None where nobody did, or it is over."""

    def by_certificate(self, names: Sequence[str]) -> Caller | None:
        """Which node showed a certificate with these names; None for none of ours."""


class Guard:
    """Nobody passes whom the rules do not allow; nothing of the body is read before."""

    def __init__(
        self,
        app: ASGIApp,
        keeper: Doorkeeper,
        refusals: Refusals | None = None,
        table: Rules | None = None,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._refusals = refusals or Refusals()
        self._rules = table or rules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over what may pass, with `scope["caller"]`; answer the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._rules.find(scope["method"], scope["path"])
        refusal = None if found.is_open else await self._refusal(scope, found)
        if refusal and refusal.status_code in {401, 403}:
            caller: Caller | None = scope.get("caller")
            told = caller.name if caller else "", _address(scope), scope["method"], scope["path"]
            self._refusals.note(refusal.status_code, *told)
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope, found: Found) -> Response | None:
        """Why the request may not pass; None where it may."""
        request = Request(scope)
        try:
            caller, session = await self._asker(request)
        except NotKnown as e:
            return problem(401, str(e), {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        except (StoreError, ReadError) as e:
            return problem(503, str(e), {"Retry-After": RETRY_AFTER_S})
        if caller is None:
            return _unknown(request, found)
        scope["caller"], scope["identity"], scope["session"] = caller, caller.name, session
        if session and scope["method"] not in SAFE_METHODS and not is_ours(request):
            return problem(403, FOREIGN)
        return None if found.allows(caller) else _not_allowed(found, caller)

    async def _asker(self, request: Request) -> tuple[Caller | None, Session | None]:
        """Who asks, by the token of the header, or else by a login."""
        token = bearer(request)
        if token:
            return await self._keeper.by_token(token, _address(request.scope)), None
        cookie = request.cookies.get(COOKIE, "")
        session = await self._keeper.by_cookie(cookie) if cookie else None
        if session:
            return session.caller, session
        # A browser shows its certificate to whatever page it is on.
        names = () if is_foreign(request) else request.scope.get("client_certificate", ())
        return self._keeper.by_certificate(names), None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _unknown(request: Request, found: Found) -> Response:
    if _is_a_page(request):
        return RedirectResponse("/login", 303)
    said = NOT_FOR_SENDING if found.sends else NOT_KNOWN
    return problem(401, said, {"WWW-Authenticate": "Bearer"})


def _is_a_page(request: Request) -> bool:
    """Whether a person waits for a page, whom a login helps more than an error."""
    plain = request.url.path.startswith(PROGRAMS) or "authorization" in request.headers
    return (
        request.method == "GET" and not plain and "text/html" in request.headers.get("accept", "")
    )


def bearer(request: Request) -> str:
    """The token of the header, or empty."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def is_ours(request: Request) -> bool:
    """Whether a browser says that the request comes from a page of our own.

    https://www.w3.org/TR/fetch-metadata; browsers leave it out where a page came without TLS, and
    tell the origin then.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc.lower() == request.headers.get("host", "").lower()


def is_foreign(request: Request) -> bool:
    """Whether a browser says that the request comes from another site's page.

    For a login, which programs may send as well, and they say nothing.
    """
    told = {"sec-fetch-site", "origin"} & set(request.headers)
    return bool(told) and not is_ours(request)


def _not_allowed(found: Found, caller: Caller) -> Response:
    if not found.methods:
        return problem(404, "Not Found")
    if not found.rules:
        return problem(405, "Method Not Allowed", {"Allow": ", ".join(found.methods)})
    if found.sends:
        return problem(403, NOT_FOR_SENDING)
    if caller.role is Role.INGEST:
        return problem(403, "this token only sends rows; reading wants another one")
    least = max((rule.role for rule in found.rules if rule.role), key=list(Role).index)
    if caller.teams and caller.has(least):
        return problem(403, "this tells of all teams, and you see some only")
    return problem(403, f"this wants the role {least}, and {caller.name} is {caller.role}")
