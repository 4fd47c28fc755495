"""Who does what only one of several may do at a time."""

from gpuledger.schema import Events, Label, Number, Row, Time, ident, label, number, text, time


class LeaseTurn(Row, table="leases", layout=Events(key=("name", "turn"))):
    """One turn at something that one service at a time may do; the first insert of a turn holds."""

    ts: Time = time("when it was taken")
    name: Label = label("what it is about, e.g. alerts")
    turn: Number = number("1, 2, 3 and so on")
    holder: Label = text("who took it")
    decision: Number = ident("whose insert it was; tells the one of several that won")
    until: Time = time("until when nobody else may take the next turn")
