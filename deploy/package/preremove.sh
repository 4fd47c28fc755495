#!/bin/sh
# Before removing, not before upgrading (DEB says `remove`, RPM says 0).
set -e

case "${1:-}" in
  remove | 0)
    if [ -d /run/systemd/system ]; then
      systemctl disable --now gpuledger-collector.service || true
    fi
    ;;
  *) ;;
esac
