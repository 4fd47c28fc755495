"""Persons who were forgotten: enough to know them again when late data names them, and no more."""

from gpuledger.schema import Label, Number, Row, Time, Versions, label, number, text, time


class Forgotten(Row, table="forgotten", layout=Versions(key=("pseudonym",))):
    """One forgetting: what the person is called since, and a digest of how they were called."""

    pseudonym: Label = label("what stands in place of the person's names")
    salt: Label = text("random, of this forgetting alone, hexadecimal")
    digest: Label = text("scrypt of the user name with that salt, hexadecimal")
    forgotten_at: Time = time("when it was first asked for")
    version: Number = number("milliseconds since 1970 of the last time", bits=64)
