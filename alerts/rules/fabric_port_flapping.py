"""FabricPortFlapping: a network port flaps or makes errors."""

from alerts.asked import OF_CARD, finding
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="FabricPortFlapping",
    help="a network port of a node with GPUs lost its link again and again, or made errors",
    sql=finding(
        "sick_link",
        *OF_CARD[:2],
        "arrayStringConcat(arraySlice(splitByChar('/', subject), 3), '/') AS device",
        where=f"cause IN ('flapping', 'errors') AND until > {NOW} - INTERVAL 1 HOUR",
        value="gpus",
    ),
    labels=("cluster", "node", "device"),
    measure="sick_link",
    # How often and how many are the detector's (NVIDIA's advice: watch symbol errors); here: a
    # node with a GPU is behind it.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.HARDWARE,
    group=("cluster",),
    every_s=300.0,
    summary="{said}",
    runbook="fabric_port_flapping.md",
)
