"""An OpenID Connect issuer on loopback that signs with real keys."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUDIENCE = "gpuledger"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A fresh key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Issuer:
    """Discovery document and keys over HTTP; tokens on demand."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[Key, str]] = {"one": (rsa_key(), "RS256")}
        self.fetches = 0
        self.document: dict[str, Any] = {}
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        issuer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(issuer.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str) -> Any:
        """What it publishes."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.document}
        self.fetches += 1
        return {"keys": [self.published(kid) for kid in self.keys]}

    def published(self, kid: str) -> dict[str, Any]:
        """A public key as JWK."""
        key, algorithm = self.keys[kid]
        made = jwt.get_algorithm_by_name(algorithm)
        told: dict[str, Any] = made.to_jwk(key.public_key(), as_dict=True)  # type: ignore[attr-defined] # of the algorithms with keys
        return {**told, "kid": kid, "use": "sig", "alg": algorithm}

    def pem(self, kid: str) -> bytes:
        """A public key as everybody may have it."""
        public = self.keys[kid][0].public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def claims(self, **more: Any) -> dict[str, Any]:
        """What a good token says."""
        now = int(time.time())
        told = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300}
        return {**told, "groups": ["leads"], **more}

    def token(self, kid: str = "one", **more: Any) -> str:
        """A signed token; a claim that is None is left out."""
        key, algorithm = self.keys[kid]
        told = {k: v for k, v in self.claims(**more).items() if v is not None}
        return jwt.encode(told, key, algorithm, {"kid": kid})
