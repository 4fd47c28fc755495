"""Reading files of other programs: text, packed or not."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from gpuledger.errors import ConfigError

GZIP = b"\x1f\x8b"


def lines(path: Path) -> Iterator[str]:
    """Lines of a file, also of one that gzip has packed. ConfigError where it cannot be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP)) == GZIP
        opened = gzip.open if packed else open
        with opened(path, "rt", encoding="utf-8-sig") as text:
            yield from text
    except (OSError, EOFError) as e:
        said = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise ConfigError(f"{path}: {said}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: it is not UTF-8 text") from None
