"""What arrived and was not taken as it came."""

from gpuledger.schema import (
    UNSET_TIME,
    Events,
    Label,
    Number,
    Row,
    Time,
    label,
    number,
    text,
    time,
)


class Quarantine(Row, table="quarantine", layout=Events(key=("of", "node"), retention="raw")):
    """Rows whose times cannot be right, kept aside as they came."""

    ts: Time = time("when they arrived")
    cluster: Label = label("cluster that they name; empty where several", default="")
    node: Label = label("node that they name; empty where several", default="")
    of: Label = label("table that they were sent for")
    reason: Label = label("what is wrong with them, and what it looks like")
    rows: Number = number("how many", bits=32)
    first: Time = time("earliest time that is wrong; 1970 to 2106", default=UNSET_TIME)
    last: Time = time("latest time that is wrong; 1970 to 2106", default=UNSET_TIME)
    key: Label = text("key of the batch that they came in", default="")
    body: Label = text("the rows as Native blocks, in base64")
