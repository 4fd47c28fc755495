"""Identifiers that every part computes alike, without a registry.

An asset is a place, `cluster/node/slot`, where slot is the device's minor number (the N of
/dev/nvidiaN, which is what Slurm's gres.conf counts too). A replaced card keeps its place's book.
"""


def hash64(text: str) -> int:
    """First eight bytes of SHA-256, little-endian; `HASH64_SQL` computes the same in ClickHouse."""
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, which a small agent does without

    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


HASH64_SQL = "reinterpretAsUInt64(substring(SHA256({text}), 1, 8))"


def asset_id(cluster: str, node: str, slot: int) -> str:
    """The asset's name: its place."""
    return f"{cluster}/{node}/{slot}"


def gpu_id(cluster: str, node: str, slot: int) -> int:
    """The 64-bit key of a GPU in every table."""
    return hash64(asset_id(cluster, node, slot))


def job_id(cluster: str, native_id: str | int) -> str:
    """`<cluster>/<native id>`, the key of a job in every table."""
    return f"{cluster}/{native_id}"


def alloc_id(job: str, restart: int, gpu: int) -> int:
    """The 64-bit key of one GPU's allocation to one run of a job."""
    return hash64(f"{job}/{restart}/{gpu}")
