#!/bin/sh
# After installing or upgrading: an agent that runs takes the new version; nothing is started that
# nobody set up. Whether the new one does well is asked by libexec/gate, not here: a package that
# fails half-way would be one more thing to repair on a node.
set -e

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  systemctl try-restart gpuledger-collector.service || true
fi
