"""The SQL of the features: one row per episode, from telemetry of the job's GPUs and nodes.

Every question has the parameters jobs (Array(String)), froms and tills (Array(Int64), milliseconds,
one of each per episode), lo and hi (Int64, the bounds of all of them). Column `n` is the number of
the episode, from 1. Rates are taken between the last values of minutes, so that a reading at each
end is enough, whatever the interval of the rows.
"""

from __future__ import annotations

from analytics.causes.joined import (
    CARDS,
    GROUP,
    LANES,
    NODES,
    NODES_EVER,
    NODES_TAKEN,
    SHARES,
    SLICES,
    at,
    group_of,
    rate,
)
from gpuledger.catalogue import CgroupSample, GpuSample, HostSample, NetworkSample, SliceSample
from gpuledger.rollups import mean, place, scaled, writers
from gpuledger.schema import Gauge, Table

_WRITERS = writers(GpuSample.table)
assert _WRITERS
# GPUs of a job that do nothing at all are another finding: what the others do is the question.
IDLE_GPU = 0.05


def _mean(gauge: Gauge, table: Table) -> str:
    """SQL of its mean in base units over rows `s` of a rollup."""
    field = gauge.fields[0]
    return scaled(mean(field, table), field)


_GAUGES = {
    "sm": GpuSample.sm_active_ratio,
    "utilization": GpuSample.utilization_ratio,
    "memory_utilization": GpuSample.memory_utilization_ratio,
    "occupancy": GpuSample.sm_occupancy_ratio,
    "tensor": GpuSample.tensor_active_ratio,
    "dram": GpuSample.dram_active_ratio,
    "fp16": GpuSample.fp16_active_ratio,
    "fp32": GpuSample.fp32_active_ratio,
    "fp64": GpuSample.fp64_active_ratio,
    "memory_bytes": GpuSample.memory_used_bytes,
    "memory_total": GpuSample.memory_total_bytes,
    "power": GpuSample.power_watts,
    "power_limit": GpuSample.power_limit_watts,
}
_CARD = ", ".join(f"{_mean(g, GpuSample.table)} AS {name}" for name, g in _GAUGES.items())
_OF_CARDS = ", ".join(f"avg(c.{name}) AS {name}" for name in _GAUGES)
_MINUTE_IN = "s.ts >= " + at("l.f") + " AND s.ts + INTERVAL 1 MINUTE <= " + at("l.t")

# One row per GPU first: of several writers the one that is believed, of several epochs the longest.
GPUS = f"""
SELECT n, {_OF_CARDS}, avg(c.active) AS active, avg(c.pcie_rx) AS pcie_receive,
  avg(pcie_tx) AS pcie_transmit, avg(greatest(nvlink_rx, nvlink_tx)) AS nvlink,
  count() AS gpus, max(minutes) AS minutes
FROM (
  SELECT l.n AS n, s.gpu_id AS gpu_id, {place(_WRITERS)} AS writer, s.epoch AS epoch,
    {_CARD}, sum(s.active_ms) / nullIf(sum(s.interval_ms), 0) AS active,
    count() AS minutes,
    {rate("s.pcie_receive_bytes_max")} AS pcie_rx, {rate("s.pcie_transmit_bytes_max")} AS pcie_tx,
    {rate("s.nvlink_receive_bytes_max")} AS nvlink_rx,
    {rate("s.nvlink_transmit_bytes_max")} AS nvlink_tx
  FROM gpu_samples_1m AS s INNER JOIN ({CARDS}) AS l ON l.gpu_id = s.gpu_id
  WHERE {NODES_TAKEN} AND {_MINUTE_IN}
  GROUP BY n, gpu_id, writer, epoch
  ORDER BY n, gpu_id, writer, minutes DESC LIMIT 1 BY n, gpu_id) AS c
WHERE ifNull(c.active, 1) >= {IDLE_GPU} GROUP BY n"""

_SLICE_GAUGES = {
    "sm": SliceSample.sm_active_ratio,
    "occupancy": SliceSample.sm_occupancy_ratio,
    "tensor": SliceSample.tensor_active_ratio,
    "dram": SliceSample.dram_active_ratio,
    "memory_bytes": SliceSample.memory_used_bytes,
    "memory_total": SliceSample.memory_total_bytes,
}
_SLICE = ", ".join(f"{_mean(g, SliceSample.table)} AS {n}" for n, g in _SLICE_GAUGES.items())
OF_SLICES = f"""
SELECT n, {", ".join(f"avg(c.{name}) AS {name}" for name in _SLICE_GAUGES)},
  avg(c.active) AS active
FROM (
  SELECT l.n AS n, s.uuid AS uuid, {place(_WRITERS)} AS writer, {_SLICE},
    sum(s.active_ms) / nullIf(sum(s.interval_ms), 0) AS active, count() AS minutes
  FROM slice_samples_1m AS s INNER JOIN ({SLICES}) AS l ON l.slice = s.uuid
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} GROUP BY n, uuid, writer
  ORDER BY n, uuid, writer LIMIT 1 BY n, uuid) AS c
WHERE ifNull(c.active, 1) >= {IDLE_GPU} GROUP BY n"""

# A share does at most what its card does: where that is little, so is the share's. Only shares with
# work of their own count, as the processes of the job's user tell.
_SHARE_GAUGES = {n: _GAUGES[n] for n in ("sm", "utilization", "occupancy")}
_SHARE = ", ".join(f"{_mean(g, GpuSample.table)} AS {n}" for n, g in _SHARE_GAUGES.items())
OF_SHARES = f"""
SELECT n, {", ".join(f"avg(c.{name}) AS {name}" for name in _SHARE_GAUGES)}, avg(c.active) AS active
FROM (
  SELECT l.n AS n, s.gpu_id AS gpu_id, {place(_WRITERS)} AS writer, {_SHARE},
    sum(s.active_ms) / nullIf(sum(s.interval_ms), 0) AS active
  FROM gpu_samples_1m AS s INNER JOIN (
    SELECT h.* FROM ({SHARES}) AS h
    INNER JOIN (SELECT job_id, user FROM jobs FINAL WHERE job_id IN {{jobs:Array(String)}}) AS j
      ON j.job_id = h.job
    WHERE (h.gpu_id, j.user) IN (
      SELECT s.gpu_id, s.user FROM process_samples AS s WHERE {NODES_EVER}
      GROUP BY s.gpu_id, s.user HAVING avg(s.sm_pct) >= {100 * IDLE_GPU})) AS l
    ON l.gpu_id = s.gpu_id
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} GROUP BY n, gpu_id, writer
  ORDER BY n, gpu_id, writer LIMIT 1 BY n, gpu_id) AS c
GROUP BY n"""

# What the links could carry, as the cards' health tells: bytes per second in one direction.
LINKS = f"""
SELECT l.n AS n, max(h.nvlink_speed) AS nvlink_speed, max(h.nvlinks) AS nvlinks,
  max(h.pcie_speed) AS pcie_speed
FROM (
  SELECT gpu_id, toFloat64(max(nvlink_speed_bytes_per_second)) AS nvlink_speed,
    max(s.nvlinks_up) AS nvlinks,
    max(pow(2, pcie_generation_max) * 0.1231e9 * pcie_width_max) AS pcie_speed
  FROM v_gpu_health_samples AS s
  WHERE ts > {at("{hi:Int64}")} - INTERVAL 1 HOUR AND ts <= {at("{hi:Int64}")}
    AND gpu_id IN (SELECT gpu_id FROM ({LANES})) GROUP BY gpu_id) AS h
INNER JOIN ({LANES}) AS l ON l.gpu_id = h.gpu_id GROUP BY n"""

HOSTS = f"""
SELECT n, avg(busy) AS cpu_busy, avg(c.iowait) AS iowait,
  avg(c.cpu_pressure) AS cpu_pressure, avg(c.io_pressure) AS io_pressure, avg(c.cpus) AS cpus
FROM (
  SELECT l.n AS n, s.node AS node,
    {_mean(HostSample.cpu_busy_ratio, HostSample.table)} AS busy,
    {_mean(HostSample.cpu_iowait_ratio, HostSample.table)} AS iowait,
    {_mean(HostSample.cpus, HostSample.table)} AS cpus,
    {rate("s.cpu_pressure_us_max")} / 1e6 AS cpu_pressure,
    {rate("s.io_pressure_us_max")} / 1e6 AS io_pressure
  FROM host_samples_1m AS s INNER JOIN ({NODES}) AS l ON l.cluster = s.cluster AND l.node = s.node
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} GROUP BY n, node, s.epoch) AS c GROUP BY n"""

# How many of the GPUs in use on the job's nodes are the job's: the less, the less a node tells.
SHARING = f"""
SELECT n, sum(own) / sum(greatest(taken, own)) AS own_share FROM (
  SELECT l.n AS n, l.node AS node, any(l.gpus) AS own, uniqExact(a.gpu_id) AS taken
  FROM ({NODES}) AS l INNER JOIN (
    SELECT gpu_id, cluster, node, toUnixTimestamp64Milli(valid_from) AS f,
      toUnixTimestamp64Milli(valid_to) AS t
    FROM allocations FINAL WHERE f < {{hi:Int64}} AND t > {{lo:Int64}}) AS a
    ON a.cluster = l.cluster AND a.node = l.node
  WHERE a.f < l.t AND a.t > l.f GROUP BY n, node) GROUP BY n"""

_GROUP = f"{GROUP} = {group_of('l.job')}"
CGROUPS = f"""
SELECT n, avg(used) AS cpus_used, avg(throttled) AS throttled, avg(cpu_waits) AS job_cpu_pressure,
  avg(io_waits) AS job_io_pressure, avg(used / nullIf(j.cpu_milli / 1000, 0)) AS cpus_used_ratio,
  sum(readings) AS job_read, sum(writings) AS job_write
FROM (
  SELECT l.n AS n, any(l.job) AS job, s.node AS node, s.name AS name,
    {rate("s.cpu_us_max")} / 1e6 AS used, {rate("s.cpu_throttled_us_max")} / 1e6 AS throttled,
    {rate("s.cpu_pressure_us_max")} / 1e6 AS cpu_waits,
    {rate("s.io_pressure_us_max")} / 1e6 AS io_waits,
    {rate("s.read_bytes_max")} AS readings, {rate("s.write_bytes_max")} AS writings
  FROM {CgroupSample.table.name}_1m AS s
  INNER JOIN ({NODES}) AS l ON l.cluster = s.cluster AND l.node = s.node
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} AND {_GROUP} GROUP BY n, node, name, s.epoch) AS g
LEFT JOIN (SELECT job_id, cpu_milli FROM jobs FINAL WHERE job_id IN {{jobs:Array(String)}}) AS j
  ON j.job_id = g.job
GROUP BY n"""

_FABRIC = "kind IN ('infiniband', 'roce', 'slingshot')"
NETWORK = f"""
SELECT n, maxIf(greatest(received, sent) / speed, {_FABRIC}) AS fabric_ratio,
  sumIf(greatest(received, sent), {_FABRIC}) / uniqExact(node) AS fabric,
  maxIf(received / speed, kind = 'ethernet') AS ethernet_ratio,
  sumIf(received, kind = 'ethernet') / uniqExact(node) AS ethernet
FROM (
  SELECT l.n AS n, s.node AS node, s.device AS device, any(s.kind) AS kind,
    {rate("s.receive_bytes_max")} AS received, {rate("s.transmit_bytes_max")} AS sent,
    nullIf({_mean(NetworkSample.speed_bytes_per_second, NetworkSample.table)}, 0) AS speed
  FROM network_samples_1m AS s
  INNER JOIN ({NODES}) AS l ON l.cluster = s.cluster AND l.node = s.node
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} GROUP BY n, node, device, s.epoch) GROUP BY n"""

# `application` is what programs asked of the page cache; NFS writes READ, Lustre's requests to
# its data servers are `osc_requests` and tell only how long they took.
_READ = "lower(operation) IN ('read', 'osc_requests')"
_DATA = "lower(operation) IN ('read', 'write', 'commit', 'osc_requests')"
NETFS = f"""
SELECT n, sumIf(readings, operation != 'application') / uniqExact(node) AS netfs_read,
  sumIf(writings, operation != 'application') / uniqExact(node) AS netfs_write,
  sumIf(waits, {_READ}) / nullIf(sumIf(done, {_READ}), 0) AS netfs_latency,
  sumIf(done, NOT {_DATA}) / uniqExact(node) AS netfs_metadata
FROM (
  SELECT l.n AS n, s.node AS node, s.operation AS operation,
    {rate("s.read_bytes_max")} AS readings, {rate("s.write_bytes_max")} AS writings,
    {rate("s.server_ms_max")} / 1000 AS waits, {rate("s.operations_max")} AS done
  FROM netfs_samples_1m AS s INNER JOIN ({NODES}) AS l ON l.cluster = s.cluster AND l.node = s.node
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} GROUP BY n, node, s.kind, s.mount, operation, s.epoch)
GROUP BY n"""

BLOCKS = f"""
SELECT n, sum(readings) / uniqExact(node) AS disk_read,
  sum(writings) / uniqExact(node) AS disk_write, max(busy) AS disk_busy
FROM (
  SELECT l.n AS n, s.node AS node, s.device AS device,
    {rate("s.read_bytes_max")} AS readings, {rate("s.write_bytes_max")} AS writings,
    {rate("s.busy_ms_max")} / 1000 AS busy
  FROM block_samples_1m AS s INNER JOIN ({NODES}) AS l ON l.cluster = s.cluster AND l.node = s.node
  WHERE {NODES_TAKEN} AND {_MINUTE_IN} GROUP BY n, node, device, s.epoch) GROUP BY n"""

# Most jobs hold whole cards: the rest is asked only where there are any.
PARTS = f"""
SELECT countIf(slice != '') AS slices, countIf(slice = '' AND share_milli < 1000) AS shares
FROM ({LANES})"""
QUESTIONS = (GPUS, LINKS, HOSTS, SHARING, CGROUPS, NETWORK, NETFS, BLOCKS)
# In this order, after the cards: what a job's slices tell outweighs them, and shares outweigh both.
QUESTIONS_OF_PARTS = {"slices": OF_SLICES, "shares": OF_SHARES}
