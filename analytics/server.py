"""Running the service: a bound port, the runner's thread, and a clean end."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from analytics.app import create_app, create_relay_app
from analytics.ingest.intake import Intake
from analytics.service import Keeper, Service
from gpuledger.errors import ConfigError
from gpuledger.service import ServiceFile

MAX_PORT = 65535


def bind(listen: str) -> socket.socket:
    """A listening socket on HOST:PORT. ConfigError where it cannot be had."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > MAX_PORT:
        raise ConfigError(f"--listen {listen}: write HOST:PORT, e.g. 127.0.0.1:8080")
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host.strip("[]"), int(port)))
        bound.listen()
    except (OSError, UnicodeError, TypeError) as e:
        # The last two are what Python says of a host that no name can be.
        bound.close()
        reason = getattr(e, "strerror", None) or "no such host"
        raise ConfigError(f"cannot listen on {listen}: {reason}; choose another") from None
    return bound


def token(environ: Mapping[str, str], name: str = "GPULEDGER_TOKEN") -> str:
    """The variable of that name, or the content of the file that `<name>_FILE` names, or ""."""
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name, "")
    try:
        found = Path(path).read_text().strip()
    except OSError as e:
        raise ConfigError(f"{name}_FILE {path}: {e.strerror}") from None
    if not found:
        raise ConfigError(f"{name}_FILE {path} is empty: it must hold the token")
    return found


def run(
    service: Service, bound: socket.socket, say: Callable[[str], None], *, ticking: bool = True
) -> None:
    """Serve until SIGINT or SIGTERM, with the runner beside; returns when all has ended."""
    stop = threading.Event()
    runner = threading.Thread(target=service.runner.run, args=(stop,), name="runner", daemon=True)
    web = _web_server(create_app(service))
    url = _url(bound)
    directory = service.store.address.directory
    announcement = ServiceFile(directory) if directory else None
    with _opened(service.intake):
        if announcement:
            announcement.write(url, service.token)
        if ticking:
            runner.start()
        say(f"ready: open {url}/login?key={service.logins.new()} (works once)")
        try:
            web.run(sockets=[bound])
        finally:
            stop.set()
            if ticking:
                runner.join()
            if announcement:
                announcement.remove()


def run_relay(
    intake: Intake, keeper: Keeper, bound: socket.socket, say: Callable[[str], None]
) -> None:
    """Accept rows until SIGINT or SIGTERM; what the store has not then is safe on this disk."""
    web = _web_server(create_relay_app(intake, keeper))
    with _opened(intake):
        say(f"ready: send to {_url(bound)}")
        web.run(sockets=[bound])


@contextmanager
def _opened(intake: Intake | None) -> Iterator[None]:
    if intake is None:
        yield
        return
    intake.open()
    try:
        yield
    finally:
        intake.close()


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _web_server(app: ASGIApp) -> uvicorn.Server:
    """The server, which a signal ends from now on, even one that comes before it runs."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
        # Named, so that a missing package is an error and not a server of half the speed.
        loop="uvloop",
        http="httptools",
        ws="none",
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises the signal again once it has ended; ours is an orderly end, with exit code 0.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)
    return server
