"""What disks, filesystems and object stores tell."""

from gpuledger.schema import (
    Bits,
    Counter,
    Gauge,
    Label,
    Sample,
    Samples,
    bits,
    counter,
    gauge,
    label,
)
from gpuledger.units import BYTE, CELSIUS, CENTI, COUNT, MEBI, MICRO, MILLI, RATIO, SECOND


class BlockSample(Sample, table="block_samples", layout=Samples(key=("node", "device"))):
    """One block device over one interval. Its times have 32 bits of a millisecond."""

    device: Label = label("kernel name, e.g. nvme0n1")
    read_bytes: Counter = counter(BYTE, "bytes read")
    write_bytes: Counter = counter(BYTE, "bytes written")
    reads: Counter = counter(COUNT, "reads completed")
    writes: Counter = counter(COUNT, "writes completed")
    read_seconds: Counter = counter(SECOND, "time spent in reads", step=MILLI, wraps_bits=32)
    write_seconds: Counter = counter(SECOND, "time spent in writes", step=MILLI, wraps_bits=32)
    busy_seconds: Counter = counter(SECOND, "time with I/O in flight", step=MILLI, wraps_bits=32)
    queue_seconds: Counter = counter(
        SECOND, "time of all I/O, waiting included", step=MILLI, wraps_bits=32
    )
    in_flight: Gauge = gauge(COUNT, "I/O in flight", keep=("mean", "max"))
    discards: Counter = counter(COUNT, "discards completed")
    flushes: Counter = counter(COUNT, "flushes completed")
    flush_seconds: Counter = counter(SECOND, "time spent in flushes", step=MILLI, wraps_bits=32)


class NvmeSample(Sample, table="nvme_samples", layout=Samples(key=("node", "device"))):
    """Health of one NVMe controller."""

    device: Label = label("controller, e.g. nvme0")
    model: Label = label("model", default="")
    serial: Label = label("serial number", default="")
    firmware: Label = label("firmware revision", default="")
    state: Label = label("live, resetting, dead, as the kernel says", default="")
    temperature_celsius: Gauge = gauge(CELSIUS, "temperature", bits=8, keep=("mean", "max"))
    critical_warning: Bits = bits("SMART critical warning, the specification's mask")
    used_ratio: Gauge = gauge(RATIO, "life used as the maker counts", step=CENTI, bits=8)
    spare_ratio: Gauge = gauge(RATIO, "spare blocks left", step=CENTI, bits=8)
    spare_threshold_ratio: Gauge = gauge(RATIO, "spare under which it warns", step=CENTI, bits=8)
    media_errors: Counter = counter(COUNT, "unrecovered data errors", lasting=True)
    error_log_entries: Counter = counter(COUNT, "entries of the error log", lasting=True)
    unsafe_shutdowns: Counter = counter(COUNT, "power losses without warning", lasting=True)
    read_bytes: Counter = counter(BYTE, "bytes read in its life", lasting=True)
    write_bytes: Counter = counter(BYTE, "bytes written in its life", lasting=True)


class FilesystemSample(Sample, table="filesystem_samples", layout=Samples(key=("node", "mount"))):
    """One mounted filesystem over one interval."""

    mount: Label = label("mount point")
    device: Label = label("what is mounted")
    filesystem: Label = label("type, e.g. ext4")
    size_bytes: Gauge = gauge(BYTE, "size", step=MEBI)
    available_bytes: Gauge = gauge(BYTE, "free for users without privileges", step=MEBI)
    inodes: Gauge = gauge(COUNT, "inodes", bits=64)
    inodes_free: Gauge = gauge(COUNT, "inodes free", bits=64)


class NetfsSample(
    Sample, table="netfs_samples", layout=Samples(key=("node", "kind", "mount", "operation"))
):
    """One operation on one mounted network filesystem over one interval."""

    kind: Label = label("nfs, lustre or gpfs")
    mount: Label = label("mount point, or the name of the filesystem")
    device: Label = label("server and export, or the filesystem's target", default="")
    operation: Label = label("read, write or a metadata operation, in the filesystem's word")
    operations: Counter = counter(COUNT, "operations completed")
    errors: Counter = counter(COUNT, "operations that ended in error")
    retransmits: Counter = counter(COUNT, "requests sent again")
    timeouts: Counter = counter(COUNT, "requests that timed out")
    read_bytes: Counter = counter(BYTE, "bytes received from the server")
    write_bytes: Counter = counter(BYTE, "bytes sent to the server")
    queue_seconds: Counter = counter(SECOND, "time spent before requests were sent", step=MILLI)
    server_seconds: Counter = counter(SECOND, "time spent waiting for answers", step=MILLI)
    total_seconds: Counter = counter(SECOND, "time from request to completion", step=MILLI)
    in_flight: Gauge = gauge(COUNT, "requests in flight (Lustre)", step=CENTI)


class ObjectStoreSample(
    Sample, table="object_store_samples", layout=Samples(key=("store", "bucket_name"))
):
    """One bucket, or a whole object store, as its own monitoring tells."""

    store: Label = label("name of the store or account")
    bucket_name: Label = label("bucket or container; empty = the whole store", default="")
    size_bytes: Gauge = gauge(BYTE, "data stored", step=MEBI, bits=64)
    objects: Gauge = gauge(COUNT, "objects stored", bits=64)
    free_bytes: Gauge = gauge(BYTE, "room left", step=MEBI, bits=64)
    requests: Counter = counter(COUNT, "requests answered")
    errors: Counter = counter(COUNT, "requests that failed")
    read_bytes: Counter = counter(BYTE, "bytes read by clients")
    write_bytes: Counter = counter(BYTE, "bytes written by clients")
    latency_seconds: Gauge = gauge(SECOND, "mean time to the first byte", step=MICRO)
