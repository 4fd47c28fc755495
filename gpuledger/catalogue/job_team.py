"""Which team pays for each job, worked out once for all who ask."""

from gpuledger.schema import Label, Number, Row, Versions, label, number, text


class JobTeam(Row, table="job_teams", layout=Versions(key=("job_id",))):
    """The team that pays for a job, as `gpuledger.owners` says; what limits teams to their rows."""

    job_id: Label = text("cluster/native id")
    team: Label = label("team that pays; `unmapped` where nobody said")
    version: Number = number("milliseconds since 1970 when it was worked out", bits=64)
