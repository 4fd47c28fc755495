"""What network devices and the network stack tell."""

from gpuledger.schema import Counter, Gauge, Label, Sample, Samples, counter, gauge, label
from gpuledger.units import BYTE, BYTE_PER_SECOND, CENTI, COUNT, MEGA, MICRO, RATIO, SECOND


class NetworkSample(Sample, table="network_samples", layout=Samples(key=("node", "device"))):
    """One network port over one interval."""

    device: Label = label("interface, or InfiniBand device and port, e.g. mlx5_0/1")
    kind: Label = label("ethernet, infiniband, roce or slingshot")
    interface: Label = label("interface that a RoCE port belongs to", default="")
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
    carrier_changes: Counter = counter(COUNT, "times the carrier came or went (Ethernet)")
    receive_discards: Counter = counter(COUNT, "packets discarded for lack of buffers (Ethernet)")
    crc_errors: Counter = counter(COUNT, "frames with a wrong checksum (Ethernet)")
    symbol_errors: Counter = counter(COUNT, "symbol errors of the physical layer")
    corrected_errors: Counter = counter(COUNT, "bits that error correction mended (Ethernet)")
    receive_pauses: Counter = counter(COUNT, "pause frames received (Ethernet)")
    transmit_pauses: Counter = counter(COUNT, "pause frames sent (Ethernet)")
    pause_seconds: Counter = counter(SECOND, "time in which pauses held sending up", step=MICRO)
    link_recoveries: Counter = counter(COUNT, "links recovered from errors (InfiniBand)")
    link_integrity_errors: Counter = counter(COUNT, "local link integrity errors (InfiniBand)")
    buffer_overruns: Counter = counter(COUNT, "excessive buffer overruns (InfiniBand)")
    remote_errors: Counter = counter(COUNT, "packets marked bad by a switch (InfiniBand)")
    constraint_errors: Counter = counter(COUNT, "packets refused by partition or limits")
    ecn_packets: Counter = counter(COUNT, "packets marked for congestion (RoCE)")
    cnp_sent: Counter = counter(COUNT, "congestion notifications sent (RoCE)")
    cnp_handled: Counter = counter(COUNT, "congestion notifications obeyed (RoCE)")
    out_of_sequence: Counter = counter(COUNT, "packets out of sequence (RDMA)")
    sequence_errors: Counter = counter(COUNT, "sequence errors told by the other side (RDMA)")
    ack_timeouts: Counter = counter(COUNT, "acknowledgements that never came (RDMA)")
    rnr_retries: Counter = counter(COUNT, "receiver was not ready, retries exceeded (RDMA)")
    duplicate_requests: Counter = counter(COUNT, "requests received twice (RDMA)")
    implied_naks: Counter = counter(COUNT, "lost answers noticed by the next one (RDMA)")
    out_of_buffer: Counter = counter(COUNT, "packets dropped without a receive buffer (RDMA)")
    retransmits: Counter = counter(COUNT, "adaptive retransmissions (RoCE)")
    completion_errors: Counter = counter(COUNT, "requests and answers completed in error (RDMA)")


class TcpSample(Sample, table="tcp_samples", layout=Samples(key=("node",))):
    """The machine's TCP over one interval."""

    connections: Gauge = gauge(COUNT, "connections established")
    segments_sent: Counter = counter(COUNT, "segments sent")
    retransmits: Counter = counter(COUNT, "segments sent again")
    receive_errors: Counter = counter(COUNT, "segments received in error")
    timeouts: Counter = counter(COUNT, "retransmission timeouts")
    syn_retransmits: Counter = counter(COUNT, "connection requests sent again")
    listen_drops: Counter = counter(COUNT, "connections dropped by full listeners")
    receive_drops: Counter = counter(COUNT, "segments dropped for lack of buffers")
