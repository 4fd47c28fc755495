#!/bin/sh
# Writes the provisioning of one team's organisation: a datasource with the team's own ClickHouse user,
# and the boards over it.
#
# Usage: sh deploy/grafana/team.sh TEAM USER ORGANISATION [PROVISIONING]
#   TEAM          as in the tables, e.g. red
#   USER          its ClickHouse user, as `gpuledger schema print --users` names it, e.g. team_red
#   ORGANISATION  number of its organisation in Grafana; make it first (POST /api/orgs)
#   PROVISIONING  default: provisioning/ beside this script
# An organisation, because in Grafana without Enterprise everybody in one may ask all its datasources:
# a folder's permission hides boards, not data. The password is GPULEDGER_GRAFANA_<USER>_PASSWORD, in
# capitals, in Grafana's environment.
set -eu

fail() {
  printf 'team.sh: %s\n' "$1" >&2
  exit 2
}

[ "$#" -ge 3 ] || fail "usage: team.sh TEAM USER ORGANISATION [PROVISIONING]"
team="$1" user="$2" organisation="$3"
out="${4:-$(dirname -- "$0")/provisioning}"
case "${team}" in
  '' | *[!A-Za-z0-9\ _.-]*) fail "TEAM has letters, digits, spaces and _.- only: ${team}" ;;
esac
case "${user}" in
  '' | *[!a-z0-9_]*) fail "USER is a name of schema print --users: ${user}" ;;
esac
case "${organisation}" in
  '' | 0* | 1 | *[!0-9]*) fail "ORGANISATION is a number above 1, which is everybody's: ${organisation}" ;;
esac
variable="GPULEDGER_GRAFANA_$(printf '%s' "${user}" | tr '[:lower:]' '[:upper:]')_PASSWORD"
mkdir -p -- "${out}/datasources" "${out}/dashboards"

cat >"${out}/datasources/${user}.yaml" <<YAML
# Team ${team}: what its ClickHouse user may see. Written by deploy/grafana/team.sh.
apiVersion: 1
datasources:
  - name: gpuledger ${team}
    orgId: ${organisation}
    type: grafana-clickhouse-datasource
    access: proxy
    isDefault: true
    editable: false
    jsonData:
      host: \$GPULEDGER_CLICKHOUSE_HOST
      port: 9000
      protocol: native
      secure: false
      username: ${user}
      defaultDatabase: gpuledger
      dialTimeout: "10"
      queryTimeout: "60"
    secureJsonData:
      password: \$${variable}
YAML
cat >"${out}/dashboards/${user}.yaml" <<YAML
# Team ${team}: the boards, in its organisation. Written by deploy/grafana/team.sh.
apiVersion: 1
providers:
  - name: gpuledger ${team}
    orgId: ${organisation}
    folder: Team ${team}
    type: file
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 60
    options:
      path: /var/lib/grafana/dashboards/gpuledger
YAML
printf 'set %s in the environment of Grafana, and restart it\n' "${variable}"
