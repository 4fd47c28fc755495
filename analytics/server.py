"""Running the service: a bound port, the runner's thread, and a clean end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn

from analytics.app import create_app
from analytics.service import Service
from gpuledger.errors import ConfigError
from gpuledger.service import ServiceFile


def bind(listen: str) -> socket.socket:
    """A listening socket on HOST:PORT. ConfigError where it cannot be had."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"--listen {listen}: write HOST:PORT, e.g. 127.0.0.1:8080")
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host.strip("[]"), int(port)))
        bound.listen()
    except OSError as e:
        bound.close()
        raise ConfigError(f"cannot listen on {listen}: {e.strerror}; choose another port") from None
    return bound


def token(environ: Mapping[str, str]) -> str:
    """GPULEDGER_TOKEN, or the content of GPULEDGER_TOKEN_FILE, or a new random one."""
    path = environ.get("GPULEDGER_TOKEN_FILE")
    if not path:
        return environ.get("GPULEDGER_TOKEN") or secrets.token_urlsafe(32)
    try:
        return Path(path).read_text().strip()
    except OSError as e:
        raise ConfigError(f"GPULEDGER_TOKEN_FILE {path}: {e.strerror}") from None


def run(
    service: Service, bound: socket.socket, say: Callable[[str], None], *, ticking: bool = True
) -> None:
    """Serve until SIGINT or SIGTERM, with the runner beside; returns when all has ended."""
    stop = threading.Event()
    runner = threading.Thread(target=service.runner.run, args=(stop,), name="runner", daemon=True)
    url = "http://{}:{}".format(*bound.getsockname()[:2])
    directory = service.store.address.directory
    announcement = ServiceFile(directory) if directory else None
    if announcement:
        announcement.write(url, service.token)
    if ticking:
        runner.start()
    say(f"ready: open {url}/login?key={service.logins.new()} (works once)")
    try:
        _serve(service, bound)
    finally:
        stop.set()
        if ticking:
            runner.join()
        if announcement:
            announcement.remove()


def _serve(service: Service, bound: socket.socket) -> None:
    # uvicorn raises the signal again once it has ended; ours is an orderly end, with exit code 0.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: None)
    config = uvicorn.Config(
        create_app(service), log_level="warning", access_log=False, timeout_graceful_shutdown=3
    )
    uvicorn.Server(config).run(sockets=[bound])


def environment_token() -> str:
    """The token of this process's environment, or a new one."""
    return token(os.environ)
