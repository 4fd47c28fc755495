"""Mail and web addresses: what is one, and at which mail a team is written to."""

from __future__ import annotations

import re
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address

from gpuledger.service import Reader

# One address of RFC 5321 as far as sites use it; no space, quote or bracket in it.
_MAIL = re.compile(r"[^\s\x00-\x1f\x7f@<>()\[\],;:\"\\]{1,64}@[A-Za-z0-9.-]{1,255}")
_WEB = re.compile(r"https?://[^/\s]+(/\S*)?")


def is_web(text: str) -> bool:
    """Whether the text may stand as a link: no `javascript:`."""
    return bool(_WEB.fullmatch(text))


def is_address(text: str) -> bool:
    """Whether the text is one mail address, and nothing else that could reach a header."""
    if not (text.isascii() and _MAIL.fullmatch(text)):
        return False
    try:
        return Address(addr_spec=text).addr_spec == text
    except (ValueError, MessageError):
        return False


def of_teams(reader: Reader, now: datetime) -> dict[str, list[str]]:
    """Mail addresses of each team as the lists say then: of its leads, else its own. StoreError.

    What is no mail address counts as none.
    """
    out: dict[str, list[str]] = {}
    for row in reader.select(_TEAMS, now=now):
        of_lead, of_team = ([*filter(is_address, row[of])] for of in ("leads", "mails"))
        out[row["team"]] = of_lead or of_team
    return out


_TEAMS = """
SELECT t.team AS team, arraySort(groupUniqArrayIf(p.mail, p.mail != '')) AS leads,
  arraySort(groupUniqArrayIf(t.mail, t.mail != '')) AS mails
FROM (SELECT toString(team) AS team, toString(lead) AS lead, toString(mail) AS mail
  FROM teams FINAL WHERE team != ''
  AND valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}) AS t
LEFT JOIN (SELECT toString(user) AS user, mail FROM people FINAL
  WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}) AS p
  ON p.user = t.lead
GROUP BY team ORDER BY team
"""
