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

from analytics.access.keys import Keys
from analytics.app import create_app, create_relay_app
from analytics.ingest.intake import Intake
from analytics.service import Keeper, Service
from analytics.slow import patient
from analytics.tls import Tls, naming
from analytics.watch import Watch
from gpuledger.errors import ConfigError
from gpuledger.service import ServiceFile

MAX_PORT = 65535


UNIX = "unix:"


def bind(listen: str) -> socket.socket:
    """A listening socket on HOST:PORT, or unix:/path. ConfigError where it cannot be had."""
    if listen.startswith(UNIX):
        return unix_socket(Path(listen.removeprefix(UNIX)))
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


def unix_socket(path: Path) -> socket.socket:
    """A listening socket that its owner alone reaches; its directory is made, closed to others.

    ConfigError where it cannot be had, or others may enter the directory.
    """
    if not path.is_absolute():
        raise ConfigError(f"--listen {UNIX}{path}: write unix:/absolute/path")
    bound = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.parent.stat().st_mode & 0o077:
            raise ConfigError(f"--listen {UNIX}{path}: others may enter {path.parent}; chmod 700")
        _clear(path)
        bound.bind(str(path))
        path.chmod(0o600)
        bound.listen()
    except (OSError, ValueError) as e:
        bound.close()
        reason = getattr(e, "strerror", None) or str(e)
        raise ConfigError(f"cannot listen on {UNIX}{path}: {reason}") from None
    except ConfigError:
        bound.close()
        raise
    return bound


def _clear(path: Path) -> None:
    """Remove the socket of a service that is gone. ConfigError where it is none, or it lives."""
    if not path.exists():
        return
    if not path.is_socket():
        raise ConfigError(f"--listen {UNIX}{path}: a file is there that is no socket")
    with socket.socket(socket.AF_UNIX) as other:
        if other.connect_ex(str(path)) == 0:
            raise ConfigError(f"--listen {UNIX}{path}: another service listens there")
    path.unlink()


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
    service: Service,
    bound: socket.socket,
    say: Callable[[str], None],
    *,
    ticking: bool = True,
    tls: Tls | None = None,
    link: bool = True,
) -> None:
    """Serve until SIGINT or SIGTERM, with the runner beside; returns when all has ended.

    `link`: a login link is said, which makes whoever reads it first an administrator.
    """
    stop = threading.Event()
    runner = threading.Thread(target=service.runner.run, args=(stop,), name="runner", daemon=True)
    web = _web_server(create_app(service), tls)
    url = _url(bound, tls)
    directory = service.store.address.directory
    announcement = ServiceFile(directory) if directory else None
    with _opened(service.intake), _told(service.watch), _known(service.keys):
        if announcement:
            announcement.write(url, service.token, tls.certificate if tls else None)
        if ticking:
            runner.start()
        say(f"ready: {_invitation(url, service) if link else url}")
        try:
            web.run(sockets=[bound])
        finally:
            stop.set()
            if ticking:
                runner.join()
            if announcement:
                announcement.remove()


def _invitation(url: str, service: Service) -> str:
    """What to open; no browser opens a unix socket."""
    if url.startswith(UNIX):
        return url
    return f"open {url}/login?key={service.logins.new()} (works once)"


def run_relay(
    intake: Intake,
    keeper: Keeper,
    bound: socket.socket,
    say: Callable[[str], None],
    watch: Watch | None = None,
    tls: Tls | None = None,
) -> None:
    """Accept rows until SIGINT or SIGTERM; what the store has not then is safe on this disk."""
    watch = watch or Watch()
    web = _web_server(create_relay_app(intake, keeper, watch), tls)
    with _opened(intake), _told(watch), _known(keeper.keys):
        say(f"ready: send to {_url(bound, tls)}")
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


@contextmanager
def _known(keys: Keys | None) -> Iterator[None]:
    """Who used which token last is written down at the end."""
    try:
        yield
    finally:
        if keys:
            keys.close()


@contextmanager
def _told(watch: Watch) -> Iterator[None]:
    """Telemetry goes out within."""
    watch.telemetry.open()
    try:
        yield
    finally:
        watch.telemetry.close()


def _url(bound: socket.socket, tls: Tls | None = None) -> str:
    if bound.family is socket.AF_UNIX:
        return f"{UNIX}{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _web_server(app: ASGIApp, tls: Tls | None) -> uvicorn.Server:
    """The server, which a signal ends from now on, even one that comes before it runs."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        # Lines of ours and of theirs go the same way.
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        # Named, so that a missing package is an error and not a server of half the speed.
        loop="uvloop",
        http=naming(patient()) if tls else patient(),
        ws="none",
        server_header=False,
        date_header=False,
        **(tls.uvicorn() if tls else {}),
    )
    server = uvicorn.Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises the signal again once it has ended; ours is an orderly end, with exit code 0.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)
    return server
