"""Who pays for a job: where account, namespace, project and mail meet, as SQL.

The first that says something of the time when the job started (submitted, while it waits) holds:
`teams` for its account, namespace or project (of its cluster before any cluster), the team of its
user in `people`, `teams` for that person's mail (address before domain), the account itself.
Labels that users set are never asked: they would choose who pays.
"""

from __future__ import annotations

UNMAPPED = "unmapped"

_FOREVER = "toDateTime64('2106-01-01', 3, 'UTC')"
_SPAN = "toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t"
_ACCOUNTS = f"""
SELECT name, arrayReverseSort(groupArray((f, t, team))) AS said FROM (
  SELECT toString(name) AS name, {_SPAN}, toString(team) AS team FROM teams FINAL
  WHERE kind IN ('account', 'namespace', 'project'))
GROUP BY name
"""
# One list per user: what is said of the person, then of the address, then of its domain.
_PEOPLE = f"""
SELECT user, arrayReverseSort(groupArray((rank, f, t, team))) AS said FROM (
  SELECT toString(user) AS user, 2 AS rank, {_SPAN}, toString(team) AS team
  FROM people FINAL WHERE team != ''
  UNION ALL
  SELECT p.user AS user, if(p.known_as = p.mail, 1, 0) AS rank,
    greatest(p.f, m.f) AS f, least(p.t, m.t) AS t, m.team AS team
  FROM (SELECT toString(user) AS user, lower(mail) AS mail, {_SPAN},
      arrayJoin([lower(mail), splitByChar('@', lower(mail))[-1]]) AS known_as
    FROM people FINAL WHERE mail != '') AS p
  INNER JOIN (SELECT lower(name) AS name, {_SPAN}, toString(team) AS team
    FROM teams FINAL WHERE kind = 'mail') AS m ON m.name = p.known_as)
GROUP BY user
"""


def job_owners() -> str:
    """SELECT of every job: job_id, name, user, and the team that pays for it."""
    return f"""
SELECT j.job_id AS job_id, j.name AS name, j.user AS user,
  arrayFirst(x -> x.1 <= j.at AND x.2 > j.at, arrayConcat(o.said, e.said)).3 AS by_account,
  arrayFirst(x -> x.2 <= j.at AND x.3 > j.at, p.said).4 AS by_person,
  multiIf(by_account != '', by_account, by_person != '', by_person,
    j.account = '', '{UNMAPPED}', j.account) AS team
FROM (SELECT job_id, name, user, toString(team) AS account, concat(cluster, '/', team) AS ours,
    toUnixTimestamp64Milli(if(started < {_FOREVER}, started, submitted)) AS at
  FROM jobs FINAL) AS j
LEFT JOIN ({_ACCOUNTS}) AS o ON o.name = j.ours
LEFT JOIN ({_ACCOUNTS}) AS e ON e.name = j.account
LEFT JOIN ({_PEOPLE}) AS p ON p.user = j.user
"""
