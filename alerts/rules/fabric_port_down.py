"""FabricPortDown: a network port is down."""

from alerts.asked import OF_CARD, finding
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="FabricPortDown",
    help="a network port of a node with GPUs is down that was up before",
    sql=finding(
        "sick_link",
        *OF_CARD[:2],
        "arrayStringConcat(arraySlice(splitByChar('/', subject), 3), '/') AS device",
        where=f"cause = 'down' AND until > {NOW} - INTERVAL 15 MINUTE",
        value="gpus",
    ),
    labels=("cluster", "node", "device"),
    measure="sick_link",
    # How long it must be down is the detector's (GPUd: 4 minutes); here: a node with a GPU is
    # behind it.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.HARDWARE,
    group=("cluster",),
    summary="{said}",
    runbook="fabric_port_down.md",
)
