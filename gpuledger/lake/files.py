"""Where a lake lies: a directory, or a prefix of an S3-compatible bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from gpuledger.errors import ConfigError, StoreError
from gpuledger.files import writable


class Files(Protocol):
    """Whole files by relative path."""

    place: str

    def put(self, path: str, body: bytes) -> None:
        """Write it; whoever reads sees the old file or the new one."""

    def get(self, path: str) -> bytes | None:
        """What is there, or None."""

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Path to bytes of every file below."""

    def delete(self, path: str) -> None:
        """Remove it."""


def open_files(url: str, environ: Mapping[str, str]) -> Files:
    """`s3://bucket/prefix` or a directory. ConfigError where the address is neither."""
    if url.startswith("s3://"):
        return Bucket(url, environ)
    if not url or "://" in url:
        raise ConfigError(f"'{url}': write a directory or s3://bucket/prefix")
    return Directory(Path(url))


@contextmanager
def _told(place: str) -> Iterator[None]:
    try:
        yield
    except NotADirectoryError:
        raise ConfigError(f"{place} is no directory: choose another") from None
    except OSError as e:
        raise StoreError(f"{place}: {' '.join((e.strerror or str(e)).split())[:300]}") from e


class Directory:
    """A local directory."""

    def __init__(self, root: Path) -> None:
        self.place = str(root)
        self._root = root

    def put(self, path: str, body: bytes) -> None:
        """Write beside, flush to the disk, then rename."""
        target = self._root / path
        writable(target.parent)
        with _told(self.place):
            draft = target.with_name(f".{target.name}.part")
            with draft.open("wb") as f:
                f.write(body)
                f.flush()
                os.fsync(f.fileno())
            draft.replace(target)

    def get(self, path: str) -> bytes | None:
        """What is there, or None."""
        with _told(self.place):
            try:
                return (self._root / path).read_bytes()
            except FileNotFoundError:
                return None

    def sizes(self, folder: str) -> dict[str, int]:
        """Path to bytes of every file below."""
        with _told(self.place):
            found = (p for p in (self._root / folder).rglob("*") if p.is_file())
            return {p.relative_to(self._root).as_posix(): p.stat().st_size for p in found}

    def delete(self, path: str) -> None:
        """Remove it."""
        with _told(self.place):
            (self._root / path).unlink(missing_ok=True)


class Bucket:
    """A prefix of a bucket; credentials and region come from the usual AWS variables or files.

    Another service than AWS is named by AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        if not parts.netloc or parts.query or parts.username:
            raise ConfigError(f"{url}: write s3://bucket/prefix; keys come from AWS_ variables")
        self.place = url
        self._root = f"{parts.netloc}/{parts.path.strip('/')}".strip("/")
        self._environ = environ
        self._opened: Any = None

    def put(self, path: str, body: bytes) -> None:
        """An object appears when all of it has arrived."""

        def write(files: Any) -> None:
            with files.open_output_stream(f"{self._root}/{path}") as stream:
                stream.write(body)

        self._ask(write)

    def get(self, path: str) -> bytes | None:
        """What is there, or None."""

        def read(files: Any) -> bytes | None:
            try:
                with files.open_input_stream(f"{self._root}/{path}") as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

        found: bytes | None = self._ask(read)
        return found

    def sizes(self, folder: str) -> dict[str, int]:
        """Path to bytes of every object below."""

        def listed(files: Any) -> dict[str, int]:
            from pyarrow import fs  # noqa: PLC0415 - commands that need no bucket go without

            below = fs.FileSelector(f"{self._root}/{folder}", recursive=True, allow_not_found=True)
            found = (i for i in files.get_file_info(below) if i.is_file)
            return {i.path.removeprefix(f"{self._root}/"): i.size for i in found}

        found: dict[str, int] = self._ask(listed)
        return found

    def delete(self, path: str) -> None:
        """Remove it."""

        def remove(files: Any) -> None:
            try:
                files.delete_file(f"{self._root}/{path}")
            except FileNotFoundError:
                return

        self._ask(remove)

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        with _told(self.place):
            if self._opened is None:
                self._opened = self._open()
            return question(self._opened)

    def _open(self) -> Any:
        from pyarrow import fs  # noqa: PLC0415 - see above

        endpoint = self._environ.get("AWS_ENDPOINT_URL_S3") or self._environ.get("AWS_ENDPOINT_URL")
        region = self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION")
        given: dict[str, Any] = {"region": region or "us-east-1"} if region or endpoint else {}
        if endpoint:
            parts = urlsplit(endpoint)
            if parts.scheme not in {"http", "https"} or not parts.netloc:
                raise ConfigError(f"AWS_ENDPOINT_URL {endpoint}: write http(s)://host:port")
            given |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
        return fs.S3FileSystem(**given)
