"""What disks and filesystems tell."""

from gpuledger.schema import Counter, Gauge, Label, Sample, Samples, counter, gauge, label
from gpuledger.units import BYTE, COUNT, MEBI, MILLI, SECOND


class BlockSample(Sample, table="block_samples", layout=Samples(key=("node", "device"))):
    """One block device over one interval."""

    device: Label = label("kernel name, e.g. nvme0n1")
    read_bytes: Counter = counter(BYTE, "bytes read")
    write_bytes: Counter = counter(BYTE, "bytes written")
    reads: Counter = counter(COUNT, "reads completed")
    writes: Counter = counter(COUNT, "writes completed")
    read_seconds: Counter = counter(SECOND, "time spent in reads", step=MILLI)
    write_seconds: Counter = counter(SECOND, "time spent in writes", step=MILLI)
    busy_seconds: Counter = counter(SECOND, "time with I/O in flight", step=MILLI)


class FilesystemSample(Sample, table="filesystem_samples", layout=Samples(key=("node", "mount"))):
    """One mounted filesystem over one interval."""

    mount: Label = label("mount point")
    device: Label = label("what is mounted")
    filesystem: Label = label("type, e.g. ext4")
    size_bytes: Gauge = gauge(BYTE, "size", step=MEBI)
    available_bytes: Gauge = gauge(BYTE, "free for users without privileges", step=MEBI)
    inodes: Gauge = gauge(COUNT, "inodes", bits=64)
    inodes_free: Gauge = gauge(COUNT, "inodes free", bits=64)
