"""The weekly report as it was told: frozen versions, remarks of leads, and who got it."""

from gpuledger.schema import (
    FOREVER,
    Holds,
    Label,
    Number,
    Row,
    Time,
    Versions,
    ident,
    label,
    number,
    text,
    time,
)


class ReportSnapshot(Row, table="report_snapshots", layout=Versions(key=("week", "step"))):
    """One step in the life of a week's report, with its numbers; the first of a step holds."""

    week: Label = label("ISO week, e.g. 2026-W47, in the zone")
    step: Number = number("1, 2, 3 and so on in its life")
    decision: Number = ident("whose insert it was; tells the one of several that won")
    snapshot_id: Number = ident("hash of week, edition and value")
    edition: Number = number("1, and one more for each correction of what was released")
    state: Label = label("draft or released")
    corrects: Label = text(
        "why it replaces the edition before; empty for the first", default="", holds=Holds.WORDS
    )
    timezone: Label = label("zone of the week's bounds")
    since: Time = time("begin of the week")
    until: Time = time("end of the week")
    settled: Number = number("1 where every cell of it was closed", bits=8)
    value: Label = text("the numbers as JSON", holds=Holds.WORDS)
    sha256: Label = text("SHA-256 of that, hexadecimal")
    form: Number = number("version of the JSON's schema")
    by: Label = label("who took the step; `gpuledger` for the schedule", holds=Holds.NAME)
    at: Time = time("when")
    version: Number = number("falls with time, so that the first of a step holds", bits=64)


class ReportPage(Row, table="report_pages", layout=Versions(key=("week", "step", "team"))):
    """A team's page of a week's report, with its numbers, as it was frozen with the draft."""

    week: Label = label("ISO week")
    step: Number = number("step of the draft in the life of the week's report")
    team: Label = label("team")
    decision: Number = ident("whose insert it was; tells the one of several that won")
    value: Label = text("the numbers as JSON", holds=Holds.WORDS)
    form: Number = number("version of the JSON's schema")
    at: Time = time("when")
    version: Number = number("falls with time, so that the first holds", bits=64)


class ReportNote(Row, table="report_notes", layout=Versions(key=("week", "team"))):
    """What the lead of a team remarks on a week; the last one holds, an empty one takes it back."""

    week: Label = label("ISO week")
    team: Label = label("team")
    note: Label = text("the remark", holds=Holds.WORDS)
    by: Label = label("who wrote it", holds=Holds.NAME)
    at: Time = time("when")
    version: Number = number("milliseconds since 1970 of that", bits=64)


class ReportDelivery(Row, table="report_deliveries", layout=Versions(key=("delivery_id", "turn"))):
    """One turn of one delivery of a report: begun, or how it ended; the last turn holds."""

    delivery_id: Number = ident("hash of week, edition, what, channel and target")
    turn: Number = number("1, 2, 3 and so on; odd ones begin, even ones end")
    decision: Number = ident("whose insert it was; tells the one of several senders that won")
    week: Label = label("ISO week")
    edition: Number = number("edition of the week's report")
    what: Label = label("management, or team/ and the team's name")
    channel: Label = label("mail, s3 or webhook")
    target: Label = text("address, without secrets", holds=Holds.WORDS)
    state: Label = label("sending, sent, failed (tried again), refused, or unsure")
    reason: Label = text("why not, in one line", default="", holds=Holds.WORDS)
    at: Time = time("when")
    due: Time = time("when it is tried again; 2106 = never by itself", default=FOREVER)
    version: Number = number("falls with time, so that the first of a turn holds", bits=64)
