"""What network devices tell."""

from gpuledger.schema import Counter, Gauge, Label, Sample, Samples, counter, gauge, label
from gpuledger.units import BYTE, BYTE_PER_SECOND, CENTI, COUNT, MEGA, RATIO


class NetworkSample(Sample, table="network_samples", layout=Samples(key=("node", "device"))):
    """One network port over one interval."""

    device: Label = label("interface, or InfiniBand device and port, e.g. mlx5_0/1")
    kind: Label = label("ethernet or infiniband")
    up_ratio: Gauge = gauge(RATIO, "share of time in which the link was up", step=CENTI, bits=8)
    speed_bytes_per_second: Gauge = gauge(BYTE_PER_SECOND, "speed of the link", step=MEGA)
    receive_bytes: Counter = counter(BYTE, "bytes received")
    transmit_bytes: Counter = counter(BYTE, "bytes sent")
    receive_packets: Counter = counter(COUNT, "packets received")
    transmit_packets: Counter = counter(COUNT, "packets sent")
    receive_errors: Counter = counter(COUNT, "packets received with errors or dropped")
    transmit_errors: Counter = counter(COUNT, "packets not sent")
    transmit_wait: Counter = counter(COUNT, "ticks with data to send but no credit (InfiniBand)")
    link_downs: Counter = counter(COUNT, "times the link went down")
