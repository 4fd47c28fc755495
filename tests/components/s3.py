"""An S3-compatible store on loopback: moto's server in a thread of this process."""

from __future__ import annotations

from moto.server import ThreadedMotoServer

from tests.components.process import Component, free_port


class S3(Component):
    """One server that is empty when it starts; `environ` is how programs find and enter it."""

    def __init__(self) -> None:
        self.port = 0
        self._server: ThreadedMotoServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Return when it listens."""
        self.port = free_port()
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """End it; what it stored is gone."""
        if self._server is not None:
            self._server.stop()
