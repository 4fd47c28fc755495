"""Bearer tokens of an issuer (OpenID Connect): whose they are, by its published keys.

https://openid.net/specs/openid-connect-discovery-1_0.html for where the keys are,
https://www.rfc-editor.org/rfc/rfc8725 for what to check. Only signatures that nobody can make who
merely knows the published keys count; what is encrypted, unsigned or signed with a shared secret
is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from analytics.access.caller import Caller, NotKnown
from analytics.access.issuer_keys import IssuerKeys

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
KINDS = {"RSA", "EC", "OKP"}
# https://www.rfc-editor.org/rfc/rfc7518#section-3.3
LEAST_RSA_BITS = 2048
LONGEST_TOKEN = 16_384
REQUIRED = ["exp", "iss", "aud", "sub"]

Claims = Mapping[str, Any]


@dataclass(frozen=True)
class Issuer:
    """One issuer that is trusted: what its tokens must say, its keys, and whose they are."""

    url: str
    audience: str
    keys: IssuerKeys[jwt.PyJWK]
    caller: Callable[[Claims], Caller]
    leeway_s: float = 60.0

    async def whose(self, token: str, kid: str) -> Caller:
        """Whose the token is. NotKnown where it is no good; ReadError where no key came yet."""
        key = await self.keys.find(kid)
        if key is None:
            raise NotKnown("the token is signed with a key that its issuer does not publish")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.url,
                leeway=self.leeway_s,
                options={"require": REQUIRED},
            )
        except jwt.InvalidTokenError as e:
            raise NotKnown(f"the issuer's token is refused: {_line(e)}") from None
        return self.caller(claims)


async def by_issuer(issuers: Sequence[Issuer], token: str) -> Caller | None:
    """Whose an issuer's token is; None for what is no such token.

    NotKnown where it is no good, ReadError where its issuer's keys never came yet.
    """
    if token.count(".") != 2 or len(token) > LONGEST_TOKEN:
        return None
    try:
        header = jwt.get_unverified_header(token)
        unproved = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError):
        return None
    issuer = next((i for i in issuers if i.url == unproved.get("iss")), None)
    if issuer is None:
        raise NotKnown("the token is of another issuer than this service trusts")
    if header.get("alg") not in ALGORITHMS:
        raise NotKnown("the token is not signed in a way that is taken: use RS256 or ES256")
    return await issuer.whose(token, str(header.get("kid", "")))


def keys_in(document: Any) -> dict[str, jwt.PyJWK]:
    """The keys of a JWK set by their id: those that check signatures, and are strong enough."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = {}
    for told in listed if isinstance(listed, list) else ():
        if isinstance(told, dict) and (key := _key(told)):
            found[str(told.get("kid", ""))] = key
    return found


def _key(told: dict[str, Any]) -> jwt.PyJWK | None:
    if told.get("kty") not in KINDS or told.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(told)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if getattr(key.key, "key_size", LEAST_RSA_BITS) >= _least(told) else None


def _least(told: Mapping[str, Any]) -> int:
    return LEAST_RSA_BITS if told["kty"] == "RSA" else 0


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
