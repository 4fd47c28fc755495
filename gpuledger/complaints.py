"""What the words of the driver or the server mean to whoever asked."""

from __future__ import annotations

import re

from gpuledger.address import Address
from gpuledger.errors import ConfigError, Refused, StoreError

# What the server says of a body that no other try will make good; it has stored nothing of it.
FOR_GOOD = re.compile(
    r"\((?:CANNOT_READ_ALL_DATA|CANNOT_READ_ARRAY_FROM_TEXT|INCORRECT_DATA|TYPE_MISMATCH|"
    r"CANNOT_CONVERT_TYPE|ILLEGAL_COLUMN|ATTEMPT_TO_READ_AFTER_EOF|THERE_IS_NO_COLUMN|UNKNOWN_TYPE|"
    r"TOO_LARGE_STRING_SIZE|TOO_LARGE_ARRAY_SIZE|CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN|"
    r"VIOLATED_CONSTRAINT)\)|Too many partitions for single INSERT block"
)
# A rollup may fail after the rows themselves are stored.
IN_A_ROLLUP = "while pushing to view"

# What the driver and the server put around the words that say what is wrong.
_WRAPPING = re.compile(
    r"(?:Received ClickHouse exception, code: \d+, server response: )?Code: \d+\. DB::Exception: "
    r"|\.? [Ii]n scope .*?(?=\. Maybe you meant|\. \([A-Z_]+\))"
    r"| \(version [\d.]+(?: \([^()]*\))?\)| \(for url [^()]*\)"
)

# Words of the driver or the server to what we say, the first that fit.
TOLD = {
    ("AUTHENTICATION_FAILED", "REQUIRED_PASSWORD"): (
        "{store}: wrong user or password (see GPULEDGER_STORE_PASSWORD_FILE)"
    ),
    ("certificate has expired", "certificate is not yet valid"): (
        "{store}: its certificate is out of date (or the clock of this machine is)"
    ),
    ("Hostname mismatch", "IP address mismatch", "doesn't match"): (
        "{store}: its certificate is for another name (see [store] server_host_name)"
    ),
    ("CERTIFICATE_REQUIRED", "certificate required"): (
        "{store}: it wants a certificate of ours (see [store] client_cert)"
    ),
    ("CERTIFICATE_VERIFY_FAILED",): (
        "{store}: its certificate is not trusted (see [store] ca_cert)"
    ),
    (
        "ALL_CONNECTION_TRIES_FAILED",
        "NETWORK_ERROR",
    ): "{store}: a shard of its cluster cannot be reached: {text}",
    ("UNKNOWN_DATABASE", "UNKNOWN_TABLE"): "{store}: {text}; run 'gpuledger schema apply' first",
    ("ACCESS_DENIED",): "{store}: {text}; docs/schema.md names the rights that are needed",
    ("Connection refused", "Max retries", "timed out"): (
        "{store} cannot be reached: is ClickHouse running there?"
    ),
}


def unwrapped(text: str) -> str:
    """The server's own words, on one line."""
    return _WRAPPING.sub("", " ".join(text.split())).rstrip(",")


def translated(error: BaseException, address: Address) -> ConfigError | StoreError:
    """Our error, in one line that names the store."""
    text = unwrapped(str(error))
    if "Cannot lock file" in text:
        return ConfigError(f"{address} is in use by another process")
    for words, says in TOLD.items():
        if any(word in text for word in words):
            return StoreError(says.format(store=address, text=text[:600]))
    if FOR_GOOD.search(text) and IN_A_ROLLUP not in text:
        return Refused(f"{address}: {text[:600]}")
    return StoreError(f"{address}: {text[:600]}")
