"""What was read of a site's own history, so that nothing is read twice."""

from gpuledger.schema import Label, Number, Row, Time, Versions, label, number, text, time


class BackfillChunk(Row, table="backfill_chunks", layout=Versions(key=("source", "since"))):
    """A stretch of history of one source that was read, or is being read."""

    source: Label = label("cluster and mapping, or the name given with --source")
    since: Time = time("begins after")
    until: Time = time("ends with")
    done: Number = number("1 once its rows are stored", bits=8)
    samples: Number = number("samples read", bits=64)
    rows: Number = number("rows stored", bits=64)
    state: Label = text("counters to go on with; only the newest stretch has them", default="")
    version: Number = number("milliseconds since 1970 of this word", bits=64)
