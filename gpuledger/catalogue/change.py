"""What was changed on nodes, and when."""

from gpuledger.schema import Events, Holds, Label, Number, Row, Time, label, number, text, time

# Every kind of change that is noticed.
CHANGE_KINDS = ("driver", "vbios", "card", "mig", "quota", "nodes", "drain", "down", "resume")


class Change(Row, table="changes", layout=Events(key=("cluster", "node", "kind"))):
    """One thing that is another than before: driver, firmware, configuration, quota, drain."""

    ts: Time = time("when it was first seen to be so")
    cluster: Label = label("cluster name")
    node: Label = label("node name; empty = the whole cluster", default="")
    slot: Number = number(
        "minor number of the device; 65535 = no single GPU", bits=16, default=65535
    )
    kind: Label = label("driver, vbios, card, mig, quota, nodes, drain, down or resume")
    subject: Label = text("what it is about, e.g. a queue", default="")
    before: Label = text("value before; empty = none", default="", holds=Holds.WORDS)
    after: Label = text("value from then on; empty = none", default="", holds=Holds.WORDS)
