CREATE TABLE IF NOT EXISTS gpu_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device, the N of /dev/nvidiaN' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset, see gpuledger.identity' CODEC(ZSTD(1)),
  `uuid` LowCardinality(String) COMMENT 'UUID as NVML gives it' CODEC(ZSTD(1)),
  `utilization_pct` Nullable(UInt8) COMMENT 'share of time in which a kernel ran' CODEC(ZSTD(1)),
  `memory_utilization_pct` Nullable(UInt8) COMMENT 'share of time in which memory was read or written' CODEC(ZSTD(1)),
  `sm_active_bp` Nullable(UInt16) COMMENT 'share of multiprocessors with a warp resident (GPM)' CODEC(T64, ZSTD(1)),
  `tensor_active_bp` Nullable(UInt16) COMMENT 'share of cycles in which tensor pipes were active (GPM)' CODEC(T64, ZSTD(1)),
  `dram_active_bp` Nullable(UInt16) COMMENT 'share of memory bandwidth in use (GPM)' CODEC(T64, ZSTD(1)),
  `active_ms` Nullable(UInt32) COMMENT 'time with SM (else utilization) of at least 1 %' CODEC(ZSTD(1)),
  `lost_ms` Nullable(UInt32) COMMENT 'time in which the device was lost or asked for a reset' CODEC(ZSTD(1)),
  `memory_used_mib` Nullable(UInt32) COMMENT 'device memory in use' CODEC(ZSTD(1)),
  `memory_used_mib_max` Nullable(UInt32) COMMENT 'device memory in use' CODEC(ZSTD(1)),
  `memory_total_mib` Nullable(UInt32) COMMENT 'device memory' CODEC(ZSTD(1)),
  `power_mw` Nullable(UInt32) COMMENT 'board power draw' CODEC(T64, ZSTD(1)),
  `power_mw_max` Nullable(UInt32) COMMENT 'board power draw' CODEC(T64, ZSTD(1)),
  `power_limit_mw` Nullable(UInt32) COMMENT 'enforced power limit' CODEC(ZSTD(1)),
  `energy_mj` Nullable(UInt64) COMMENT 'energy drawn' CODEC(Delta, T64, ZSTD(1)),
  `temperature_celsius` Nullable(UInt8) COMMENT 'GPU temperature' CODEC(DoubleDelta, ZSTD(1)),
  `temperature_celsius_max` Nullable(UInt8) COMMENT 'GPU temperature' CODEC(DoubleDelta, ZSTD(1)),
  `memory_temperature_celsius` Nullable(UInt8) COMMENT 'memory temperature' CODEC(DoubleDelta, ZSTD(1)),
  `memory_temperature_celsius_max` Nullable(UInt8) COMMENT 'memory temperature' CODEC(DoubleDelta, ZSTD(1)),
  `sm_clock_mhz` Nullable(UInt16) COMMENT 'SM clock' CODEC(GCD, T64, ZSTD(1)),
  `memory_clock_mhz` Nullable(UInt16) COMMENT 'memory clock' CODEC(ZSTD(1)),
  `throttle_reasons` Nullable(UInt64) COMMENT 'clock event reasons seen, NVML\'s bit mask' CODEC(T64, ZSTD(1)),
  `processes` Nullable(UInt16) COMMENT 'compute processes on the device' CODEC(ZSTD(1)),
  `processes_max` Nullable(UInt16) COMMENT 'compute processes on the device' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS process_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset' CODEC(ZSTD(1)),
  `pid` UInt32 COMMENT 'process id as the host counts' CODEC(ZSTD(1)),
  `user` LowCardinality(String) COMMENT 'user name; empty when it cannot be known' CODEC(ZSTD(1)),
  `executable` LowCardinality(String) COMMENT 'base name of the executable; empty when it cannot be known' CODEC(ZSTD(1)),
  `started` DateTime64(3, 'UTC') COMMENT 'start of the process' CODEC(DoubleDelta, ZSTD(1)),
  `memory_used_mib` Nullable(UInt32) COMMENT 'device memory of the process' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot, pid) ORDER BY (toStartOfHour(ts), node, slot, pid, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpu_events (
  `ts` DateTime64(3, 'UTC') COMMENT 'when it happened' CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'lost, recovered' CODEC(ZSTD(1)),
  `code` UInt32 COMMENT 'return code or XID' CODEC(ZSTD(1)),
  `detail` String COMMENT 'what was said' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (node, slot, kind, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS host_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `cpus` Nullable(UInt16) COMMENT 'processors online' CODEC(T64, ZSTD(1)),
  `cpu_busy_bp` Nullable(UInt16) COMMENT 'share of processor time that was not idle' CODEC(T64, ZSTD(1)),
  `cpu_busy_bp_max` Nullable(UInt16) COMMENT 'share of processor time that was not idle' CODEC(T64, ZSTD(1)),
  `cpu_iowait_bp` Nullable(UInt16) COMMENT 'share of processor time spent waiting for I/O' CODEC(T64, ZSTD(1)),
  `load1` Nullable(UInt32) COMMENT 'load average of the last minute' CODEC(T64, ZSTD(1)),
  `memory_total_mib` Nullable(UInt32) COMMENT 'memory' CODEC(T64, ZSTD(1)),
  `memory_available_mib` Nullable(UInt32) COMMENT 'memory available without swapping' CODEC(T64, ZSTD(1)),
  `cpu_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for a processor (PSI)' CODEC(Delta, T64, ZSTD(1)),
  `io_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for I/O (PSI)' CODEC(Delta, T64, ZSTD(1)),
  `memory_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for memory (PSI)' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS network_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `device` LowCardinality(String) COMMENT 'interface, or InfiniBand device and port, e.g. mlx5_0/1' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'ethernet or infiniband' CODEC(ZSTD(1)),
  `up_pct` Nullable(UInt8) COMMENT 'share of time in which the link was up' CODEC(T64, ZSTD(1)),
  `speed_mb_per_s` Nullable(UInt32) COMMENT 'speed of the link' CODEC(T64, ZSTD(1)),
  `receive_bytes` Nullable(UInt64) COMMENT 'bytes received' CODEC(Delta, T64, ZSTD(1)),
  `transmit_bytes` Nullable(UInt64) COMMENT 'bytes sent' CODEC(Delta, T64, ZSTD(1)),
  `receive_packets` Nullable(UInt64) COMMENT 'packets received' CODEC(Delta, T64, ZSTD(1)),
  `transmit_packets` Nullable(UInt64) COMMENT 'packets sent' CODEC(Delta, T64, ZSTD(1)),
  `receive_errors` Nullable(UInt64) COMMENT 'packets received with errors or dropped' CODEC(Delta, T64, ZSTD(1)),
  `transmit_errors` Nullable(UInt64) COMMENT 'packets not sent' CODEC(Delta, T64, ZSTD(1)),
  `transmit_wait` Nullable(UInt64) COMMENT 'ticks with data to send but no credit (InfiniBand)' CODEC(Delta, T64, ZSTD(1)),
  `link_downs` Nullable(UInt64) COMMENT 'times the link went down' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS block_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `device` LowCardinality(String) COMMENT 'kernel name, e.g. nvme0n1' CODEC(ZSTD(1)),
  `read_bytes` Nullable(UInt64) COMMENT 'bytes read' CODEC(Delta, T64, ZSTD(1)),
  `write_bytes` Nullable(UInt64) COMMENT 'bytes written' CODEC(Delta, T64, ZSTD(1)),
  `reads` Nullable(UInt64) COMMENT 'reads completed' CODEC(Delta, T64, ZSTD(1)),
  `writes` Nullable(UInt64) COMMENT 'writes completed' CODEC(Delta, T64, ZSTD(1)),
  `read_ms` Nullable(UInt64) COMMENT 'time spent in reads' CODEC(Delta, T64, ZSTD(1)),
  `write_ms` Nullable(UInt64) COMMENT 'time spent in writes' CODEC(Delta, T64, ZSTD(1)),
  `busy_ms` Nullable(UInt64) COMMENT 'time with I/O in flight' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS filesystem_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `mount` LowCardinality(String) COMMENT 'mount point' CODEC(ZSTD(1)),
  `device` LowCardinality(String) COMMENT 'what is mounted' CODEC(ZSTD(1)),
  `filesystem` LowCardinality(String) COMMENT 'type, e.g. ext4' CODEC(ZSTD(1)),
  `size_mib` Nullable(UInt32) COMMENT 'size' CODEC(T64, ZSTD(1)),
  `available_mib` Nullable(UInt32) COMMENT 'free for users without privileges' CODEC(T64, ZSTD(1)),
  `inodes` Nullable(UInt64) COMMENT 'inodes' CODEC(T64, ZSTD(1)),
  `inodes_free` Nullable(UInt64) COMMENT 'inodes free' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, mount) ORDER BY (toStartOfHour(ts), node, mount, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS source_runs (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'name of the source' CODEC(ZSTD(1)),
  `runs` Nullable(UInt32) COMMENT 'readings made in the interval' CODEC(ZSTD(1)),
  `failures` Nullable(UInt32) COMMENT 'readings that failed in the interval' CODEC(ZSTD(1)),
  `rows` Nullable(UInt32) COMMENT 'rows read in the interval' CODEC(ZSTD(1)),
  `duration_ms` Nullable(UInt32) COMMENT 'time one reading took' CODEC(T64, ZSTD(1)),
  `duration_ms_max` Nullable(UInt32) COMMENT 'time one reading took' CODEC(T64, ZSTD(1)),
  `reason` String COMMENT 'why the last failure failed; empty when all is well' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, source) ORDER BY (toStartOfHour(ts), node, source, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS assets (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `asset_id` String COMMENT 'cluster/node/slot' CODEC(ZSTD(3)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model, as the inventory or NVML names it' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool that the GPU belongs to; default cluster and model' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'owned from, in whole minutes' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'owned until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (gpu_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpus (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `uuid` LowCardinality(String) COMMENT 'UUID as NVML gives it' CODEC(ZSTD(1)),
  `serial` LowCardinality(String) COMMENT 'serial number of the board' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'product name' CODEC(ZSTD(1)),
  `memory_mib` Nullable(UInt32) COMMENT 'device memory' CODEC(T64, ZSTD(1)),
  `driver` LowCardinality(String) COMMENT 'driver version' CODEC(ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'when it was last read' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (gpu_id, uuid)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS allocations (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `alloc_id` UInt64 COMMENT 'hash of job, restart and GPU' CODEC(ZSTD(1)),
  `job_id` String COMMENT 'cluster/native id' CODEC(ZSTD(3)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `share_milli` UInt16 COMMENT 'share of the GPU in thousandths' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'given at' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'given until' CODEC(DoubleDelta, ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'who said so: slurm, process' CODEC(ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (gpu_id, alloc_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS jobs (
  `job_id` String COMMENT 'cluster/native id' CODEC(ZSTD(3)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `name` String COMMENT 'name given by the user' CODEC(ZSTD(3)),
  `user` LowCardinality(String) COMMENT 'who submitted it' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'account, namespace or project that pays' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'partition or queue' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'pending, running, completed, failed, cancelled or timeout' CODEC(ZSTD(1)),
  `reason` LowCardinality(String) COMMENT 'why it waits, in the scheduler\'s words' CODEC(ZSTD(1)),
  `nodes` UInt32 COMMENT 'nodes requested' CODEC(ZSTD(1)),
  `gpus_per_node` UInt16 COMMENT 'GPUs requested on each node' CODEC(ZSTD(1)),
  `cpu_milli` UInt32 COMMENT 'processors requested on each node, in thousandths' CODEC(ZSTD(1)),
  `memory_mib` Nullable(UInt32) COMMENT 'memory requested on each node' CODEC(T64, ZSTD(1)),
  `gpu_model` LowCardinality(String) COMMENT 'GPU model requested; empty = any' CODEC(ZSTD(1)),
  `priority` UInt32 COMMENT 'scheduler\'s priority, higher first' CODEC(ZSTD(1)),
  `restart` UInt32 COMMENT 'times it was requeued' CODEC(ZSTD(1)),
  `submitted` DateTime64(3, 'UTC') COMMENT 'handed in at' CODEC(DoubleDelta, ZSTD(1)),
  `eligible` DateTime64(3, 'UTC') COMMENT 'could have started from' CODEC(DoubleDelta, ZSTD(1)),
  `started` DateTime64(3, 'UTC') COMMENT 'started at' CODEC(DoubleDelta, ZSTD(1)),
  `ended` DateTime64(3, 'UTC') COMMENT 'ended at' CODEC(DoubleDelta, ZSTD(1)),
  `ends_by` DateTime64(3, 'UTC') COMMENT 'start plus time limit' CODEC(DoubleDelta, ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (job_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS node_states (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) COMMENT 'who says so: slurm' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'up, down or drained' CODEC(ZSTD(1)),
  `reason` String COMMENT 'reason given' CODEC(ZSTD(3)),
  `pools` String COMMENT 'partitions of the node, joined by commas; empty = all' CODEC(ZSTD(3)),
  `gpus` UInt16 COMMENT 'GPUs the scheduler counts on the node' CODEC(ZSTD(1)),
  `gpu_model` LowCardinality(String) COMMENT 'GPU model in the scheduler\'s words' CODEC(ZSTD(1)),
  `cpu_milli` UInt32 COMMENT 'processors of the node, in thousandths' CODEC(ZSTD(1)),
  `memory_mib` Nullable(UInt32) COMMENT 'memory of the node' CODEC(T64, ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'since' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, node, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS prices (
  `model` LowCardinality(String) COMMENT 'GPU model, as the asset list names it' CODEC(ZSTD(1)),
  `capacity_value` Nullable(UInt64) COMMENT 'worth of one GPU-hour' CODEC(T64, ZSTD(1)),
  `energy_price` Nullable(UInt64) COMMENT 'price of one kilowatt-hour' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'holds from' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time of the configuration' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (model, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS free_states (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until, within the same hour' CODEC(DoubleDelta, ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger: free_demand' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'why; empty where the state says it all' CODEC(ZSTD(1)),
  `job_id` String COMMENT 'the waiting job that would fill it' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(valid_from) ORDER BY (gpu_id, valid_from);

CREATE TABLE IF NOT EXISTS ledger_1m (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `minute` DateTime64(3, 'UTC') COMMENT 'start of the minute' CODEC(DoubleDelta, ZSTD(1)),
  `alloc_id` UInt64 COMMENT 'allocation that it belongs to; 0 = none' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'sub-cause of the state' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'evidence grade, A to D' CODEC(ZSTD(1)),
  `intensity_bp` Nullable(UInt16) COMMENT 'mean SM activity (else utilization) of productive time' CODEC(T64, ZSTD(1)),
  `gpu_ms` UInt32 COMMENT 'GPU-seconds booked' CODEC(ZSTD(1)),
  `energy_mj` Nullable(UInt64) COMMENT 'energy drawn in the cell' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(minute) ORDER BY (gpu_id, minute, alloc_id);

CREATE TABLE IF NOT EXISTS ledger_1h (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `hour` DateTime64(3, 'UTC') COMMENT 'start of the hour' CODEC(DoubleDelta, ZSTD(1)),
  `alloc_id` UInt64 COMMENT 'allocation that it belongs to; 0 = none' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'sub-cause of the state' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'evidence grade, A to D' CODEC(ZSTD(1)),
  `gpu_ms` UInt32 COMMENT 'GPU-seconds booked' CODEC(ZSTD(1)),
  `energy_mj` Nullable(UInt64) COMMENT 'energy drawn' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(hour) ORDER BY (gpu_id, hour, alloc_id, state);

CREATE TABLE IF NOT EXISTS booked_hours (
  `hour` DateTime64(3, 'UTC') COMMENT 'start of the hour' CODEC(DoubleDelta, ZSTD(1)),
  `fingerprint` UInt64 COMMENT 'hash of everything the hour was booked from' CODEC(ZSTD(1)),
  `booked_until` DateTime64(3, 'UTC') COMMENT 'end of the last whole minute booked' CODEC(DoubleDelta, ZSTD(1)),
  `owned_ms` UInt64 COMMENT 'GPU-seconds owned in it' CODEC(ZSTD(1)),
  `booked_at` DateTime64(3, 'UTC') COMMENT 'when it was booked' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the booking' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (hour)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS findings (
  `finding_id` UInt64 COMMENT 'hash of kind, subject and start' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'detector that found it' CODEC(ZSTD(1)),
  `subject` String COMMENT 'what it is about, e.g. a job id' CODEC(ZSTD(3)),
  `user` LowCardinality(String) COMMENT 'who can act' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool concerned' CODEC(ZSTD(1)),
  `since` DateTime64(3, 'UTC') COMMENT 'began' CODEC(DoubleDelta, ZSTD(1)),
  `until` DateTime64(3, 'UTC') COMMENT 'last seen' CODEC(DoubleDelta, ZSTD(1)),
  `open` UInt8 COMMENT '1 while it goes on' CODEC(ZSTD(1)),
  `gpus` UInt32 COMMENT 'GPUs concerned' CODEC(ZSTD(1)),
  `gpu_ms` UInt64 COMMENT 'GPU-seconds lost so far' CODEC(ZSTD(1)),
  `capacity_value` Nullable(UInt64) COMMENT 'worth of those GPU-seconds' CODEC(T64, ZSTD(1)),
  `cash_avoidable` Nullable(UInt64) COMMENT 'energy that they cost' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code; empty without a price' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'lowest evidence grade among the rows behind it' CODEC(ZSTD(1)),
  `confidence_pct` Nullable(UInt8) COMMENT 'how sure the detector is' CODEC(T64, ZSTD(1)),
  `summary` String COMMENT 'one sentence for people' CODEC(ZSTD(3)),
  `evidence` String COMMENT 'query that shows the rows behind it' CODEC(ZSTD(3)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the tick' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (finding_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS recommendations (
  `recommendation_id` UInt64 COMMENT 'hash of kind and finding' CODEC(ZSTD(1)),
  `finding_id` UInt64 COMMENT 'finding that it rests on' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'advisor that proposes it' CODEC(ZSTD(1)),
  `subject` String COMMENT 'what it is about, e.g. a job id' CODEC(ZSTD(3)),
  `user` LowCardinality(String) COMMENT 'who can act' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays' CODEC(ZSTD(1)),
  `status` LowCardinality(String) COMMENT 'proposed or expired' CODEC(ZSTD(1)),
  `title` String COMMENT 'one sentence for people' CODEC(ZSTD(3)),
  `command` String COMMENT 'what a person would run; empty where there is none' CODEC(ZSTD(3)),
  `gain_gpu_hours` Nullable(UInt64) COMMENT 'GPU-hours freed within the horizon' CODEC(T64, ZSTD(1)),
  `gain_capacity_value` Nullable(UInt64) COMMENT 'their worth' CODEC(T64, ZSTD(1)),
  `gain_cash_avoidable` Nullable(UInt64) COMMENT 'energy not spent' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code; empty without a price' CODEC(ZSTD(1)),
  `horizon_seconds` UInt32 COMMENT 'time that the gain is counted over' CODEC(ZSTD(1)),
  `confidence_pct` Nullable(UInt8) COMMENT 'how sure the advisor is' CODEC(T64, ZSTD(1)),
  `because` String COMMENT 'what it rests on, in words' CODEC(ZSTD(3)),
  `created` DateTime64(3, 'UTC') COMMENT 'first proposed' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the tick' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (recommendation_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS alert_states (
  `rule` LowCardinality(String) COMMENT 'name of the rule' CODEC(ZSTD(1)),
  `subject` String COMMENT 'what it is about' CODEC(ZSTD(3)),
  `state` LowCardinality(String) COMMENT 'pending, firing or resolved' CODEC(ZSTD(1)),
  `since` DateTime64(3, 'UTC') COMMENT 'condition true since' CODEC(DoubleDelta, ZSTD(1)),
  `fired` DateTime64(3, 'UTC') COMMENT 'fired at' CODEC(DoubleDelta, ZSTD(1)),
  `resolved` DateTime64(3, 'UTC') COMMENT 'resolved at' CODEC(DoubleDelta, ZSTD(1)),
  `value` Nullable(UInt64) COMMENT 'value of the measure' CODEC(T64, ZSTD(1)),
  `labels` String COMMENT 'labels as JSON' CODEC(ZSTD(3)),
  `annotations` String COMMENT 'annotations as JSON' CODEC(ZSTD(3)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the evaluation' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (rule, subject)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS notifications (
  `ts` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `rule` LowCardinality(String) COMMENT 'name of the rule' CODEC(ZSTD(1)),
  `subject` String COMMENT 'what it is about' CODEC(ZSTD(3)),
  `state` LowCardinality(String) COMMENT 'firing or resolved' CODEC(ZSTD(1)),
  `channel` LowCardinality(String) COMMENT 'who took it: alertmanager' CODEC(ZSTD(1)),
  `outcome` String COMMENT 'accepted, or why not' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (rule, subject, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpu_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `slot` UInt16 CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `gpu_id` SimpleAggregateFunction(anyLast, UInt64) CODEC(ZSTD(1)),
  `uuid` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `utilization_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_utilization_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_utilization_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `tensor_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `dram_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `lost_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_used_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_total_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `power_mw_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `power_mw_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `power_mw_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `power_limit_mw_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `power_limit_mw_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `energy_mj_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `energy_mj_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `temperature_celsius_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `memory_temperature_celsius_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_temperature_celsius_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `sm_clock_mhz_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_clock_mhz_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_clock_mhz_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_clock_mhz_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `throttle_reasons` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1m_mv TO gpu_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.uuid) AS `uuid`, sum(toUInt64(s.utilization_pct) * s.interval_ms) AS `utilization_pct_wsum`, sumIf(s.interval_ms, s.utilization_pct IS NOT NULL) AS `utilization_pct_cover_ms`, sum(toUInt64(s.memory_utilization_pct) * s.interval_ms) AS `memory_utilization_pct_wsum`, sumIf(s.interval_ms, s.memory_utilization_pct IS NOT NULL) AS `memory_utilization_pct_cover_ms`, sum(toUInt64(s.sm_active_bp) * s.interval_ms) AS `sm_active_bp_wsum`, sumIf(s.interval_ms, s.sm_active_bp IS NOT NULL) AS `sm_active_bp_cover_ms`, sum(toUInt64(s.tensor_active_bp) * s.interval_ms) AS `tensor_active_bp_wsum`, sumIf(s.interval_ms, s.tensor_active_bp IS NOT NULL) AS `tensor_active_bp_cover_ms`, sum(toUInt64(s.dram_active_bp) * s.interval_ms) AS `dram_active_bp_wsum`, sumIf(s.interval_ms, s.dram_active_bp IS NOT NULL) AS `dram_active_bp_cover_ms`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(toUInt64(s.memory_used_mib) * s.interval_ms) AS `memory_used_mib_wsum`, sumIf(s.interval_ms, s.memory_used_mib IS NOT NULL) AS `memory_used_mib_cover_ms`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(toUInt64(s.memory_total_mib) * s.interval_ms) AS `memory_total_mib_wsum`, sumIf(s.interval_ms, s.memory_total_mib IS NOT NULL) AS `memory_total_mib_cover_ms`, sum(toUInt64(s.power_mw) * s.interval_ms) AS `power_mw_wsum`, sumIf(s.interval_ms, s.power_mw IS NOT NULL) AS `power_mw_cover_ms`, max(s.power_mw_max) AS `power_mw_max`, sum(toUInt64(s.power_limit_mw) * s.interval_ms) AS `power_limit_mw_wsum`, sumIf(s.interval_ms, s.power_limit_mw IS NOT NULL) AS `power_limit_mw_cover_ms`, min(s.energy_mj) AS `energy_mj_min`, max(s.energy_mj) AS `energy_mj_max`, sum(toUInt64(s.temperature_celsius) * s.interval_ms) AS `temperature_celsius_wsum`, sumIf(s.interval_ms, s.temperature_celsius IS NOT NULL) AS `temperature_celsius_cover_ms`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, sum(toUInt64(s.memory_temperature_celsius) * s.interval_ms) AS `memory_temperature_celsius_wsum`, sumIf(s.interval_ms, s.memory_temperature_celsius IS NOT NULL) AS `memory_temperature_celsius_cover_ms`, max(s.memory_temperature_celsius_max) AS `memory_temperature_celsius_max`, sum(toUInt64(s.sm_clock_mhz) * s.interval_ms) AS `sm_clock_mhz_wsum`, sumIf(s.interval_ms, s.sm_clock_mhz IS NOT NULL) AS `sm_clock_mhz_cover_ms`, sum(toUInt64(s.memory_clock_mhz) * s.interval_ms) AS `memory_clock_mhz_wsum`, sumIf(s.interval_ms, s.memory_clock_mhz IS NOT NULL) AS `memory_clock_mhz_cover_ms`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, sum(toUInt64(s.processes) * s.interval_ms) AS `processes_wsum`, sumIf(s.interval_ms, s.processes IS NOT NULL) AS `processes_cover_ms`, max(s.processes_max) AS `processes_max`
FROM gpu_samples AS s GROUP BY bucket, cluster, node, slot, epoch);

CREATE OR REPLACE VIEW v_gpu_samples_1m AS
SELECT ts, cluster, node, slot, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.uuid) AS uuid, sum(s.utilization_pct_wsum) / nullIf(sum(s.utilization_pct_cover_ms), 0) / 100 AS utilization_ratio, sum(s.memory_utilization_pct_wsum) / nullIf(sum(s.memory_utilization_pct_cover_ms), 0) / 100 AS memory_utilization_ratio, sum(s.sm_active_bp_wsum) / nullIf(sum(s.sm_active_bp_cover_ms), 0) / 10000 AS sm_active_ratio, sum(s.tensor_active_bp_wsum) / nullIf(sum(s.tensor_active_bp_cover_ms), 0) / 10000 AS tensor_active_ratio, sum(s.dram_active_bp_wsum) / nullIf(sum(s.dram_active_bp_cover_ms), 0) / 10000 AS dram_active_ratio, sum(s.active_ms) / 1000 AS active_seconds, sum(s.lost_ms) / 1000 AS lost_seconds, sum(s.memory_used_mib_wsum) / nullIf(sum(s.memory_used_mib_cover_ms), 0) * 1048576 / 1 AS memory_used_bytes, max(s.memory_used_mib_max) * 1048576 / 1 AS memory_used_bytes_max, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.power_mw_wsum) / nullIf(sum(s.power_mw_cover_ms), 0) / 1000 AS power_watts, max(s.power_mw_max) / 1000 AS power_watts_max, sum(s.power_limit_mw_wsum) / nullIf(sum(s.power_limit_mw_cover_ms), 0) / 1000 AS power_limit_watts, min(s.energy_mj_min) / 1000 AS energy_joules_first, max(s.energy_mj_max) / 1000 AS energy_joules_last, sum(s.temperature_celsius_wsum) / nullIf(sum(s.temperature_celsius_cover_ms), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, sum(s.memory_temperature_celsius_wsum) / nullIf(sum(s.memory_temperature_celsius_cover_ms), 0) AS memory_temperature_celsius, max(s.memory_temperature_celsius_max) AS memory_temperature_celsius_max, sum(s.sm_clock_mhz_wsum) / nullIf(sum(s.sm_clock_mhz_cover_ms), 0) * 1000000 / 1 AS sm_clock_hertz, sum(s.memory_clock_mhz_wsum) / nullIf(sum(s.memory_clock_mhz_cover_ms), 0) * 1000000 / 1 AS memory_clock_hertz, groupBitOr(s.throttle_reasons) AS throttle_reasons, sum(s.processes_wsum) / nullIf(sum(s.processes_cover_ms), 0) AS processes, max(s.processes_max) AS processes_max
FROM gpu_samples_1m AS s GROUP BY ts, cluster, node, slot;

CREATE OR REPLACE VIEW v_gpu_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, uuid AS uuid, utilization_pct / 100 AS utilization_ratio, memory_utilization_pct / 100 AS memory_utilization_ratio, sm_active_bp / 10000 AS sm_active_ratio, tensor_active_bp / 10000 AS tensor_active_ratio, dram_active_bp / 10000 AS dram_active_ratio, active_ms / 1000 AS active_seconds, lost_ms / 1000 AS lost_seconds, memory_used_mib * 1048576 / 1 AS memory_used_bytes, memory_used_mib_max * 1048576 / 1 AS memory_used_bytes_max, memory_total_mib * 1048576 / 1 AS memory_total_bytes, power_mw / 1000 AS power_watts, power_mw_max / 1000 AS power_watts_max, power_limit_mw / 1000 AS power_limit_watts, energy_mj / 1000 AS energy_joules, temperature_celsius AS temperature_celsius, temperature_celsius_max AS temperature_celsius_max, memory_temperature_celsius AS memory_temperature_celsius, memory_temperature_celsius_max AS memory_temperature_celsius_max, sm_clock_mhz * 1000000 / 1 AS sm_clock_hertz, memory_clock_mhz * 1000000 / 1 AS memory_clock_hertz, throttle_reasons AS throttle_reasons, processes AS processes, processes_max AS processes_max FROM gpu_samples;

CREATE OR REPLACE VIEW v_process_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, pid AS pid, user AS user, executable AS executable, started AS started, memory_used_mib * 1048576 / 1 AS memory_used_bytes FROM process_samples;

CREATE OR REPLACE VIEW v_gpu_events AS
SELECT ts AS ts, cluster AS cluster, node AS node, slot AS slot, gpu_id AS gpu_id, kind AS kind, code AS code, detail AS detail FROM gpu_events;

CREATE TABLE IF NOT EXISTS host_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `cpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `cpu_busy_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_busy_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `cpu_busy_bp_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(ZSTD(1)),
  `cpu_iowait_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_iowait_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `load1_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `load1_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_total_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_available_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_available_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS host_samples_1m_mv TO host_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, sum(toUInt64(s.cpus) * s.interval_ms) AS `cpus_wsum`, sumIf(s.interval_ms, s.cpus IS NOT NULL) AS `cpus_cover_ms`, sum(toUInt64(s.cpu_busy_bp) * s.interval_ms) AS `cpu_busy_bp_wsum`, sumIf(s.interval_ms, s.cpu_busy_bp IS NOT NULL) AS `cpu_busy_bp_cover_ms`, max(s.cpu_busy_bp_max) AS `cpu_busy_bp_max`, sum(toUInt64(s.cpu_iowait_bp) * s.interval_ms) AS `cpu_iowait_bp_wsum`, sumIf(s.interval_ms, s.cpu_iowait_bp IS NOT NULL) AS `cpu_iowait_bp_cover_ms`, sum(toUInt64(s.load1) * s.interval_ms) AS `load1_wsum`, sumIf(s.interval_ms, s.load1 IS NOT NULL) AS `load1_cover_ms`, sum(toUInt64(s.memory_total_mib) * s.interval_ms) AS `memory_total_mib_wsum`, sumIf(s.interval_ms, s.memory_total_mib IS NOT NULL) AS `memory_total_mib_cover_ms`, sum(toUInt64(s.memory_available_mib) * s.interval_ms) AS `memory_available_mib_wsum`, sumIf(s.interval_ms, s.memory_available_mib IS NOT NULL) AS `memory_available_mib_cover_ms`, min(s.cpu_pressure_us) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us) AS `cpu_pressure_us_max`, min(s.io_pressure_us) AS `io_pressure_us_min`, max(s.io_pressure_us) AS `io_pressure_us_max`, min(s.memory_pressure_us) AS `memory_pressure_us_min`, max(s.memory_pressure_us) AS `memory_pressure_us_max`
FROM host_samples AS s GROUP BY bucket, cluster, node, epoch);

CREATE OR REPLACE VIEW v_host_samples_1m AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, sum(s.cpus_wsum) / nullIf(sum(s.cpus_cover_ms), 0) AS cpus, sum(s.cpu_busy_bp_wsum) / nullIf(sum(s.cpu_busy_bp_cover_ms), 0) / 10000 AS cpu_busy_ratio, max(s.cpu_busy_bp_max) / 10000 AS cpu_busy_ratio_max, sum(s.cpu_iowait_bp_wsum) / nullIf(sum(s.cpu_iowait_bp_cover_ms), 0) / 10000 AS cpu_iowait_ratio, sum(s.load1_wsum) / nullIf(sum(s.load1_cover_ms), 0) / 100 AS load1, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.memory_available_mib_wsum) / nullIf(sum(s.memory_available_mib_cover_ms), 0) * 1048576 / 1 AS memory_available_bytes, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last
FROM host_samples_1m AS s GROUP BY ts, cluster, node;

CREATE OR REPLACE VIEW v_host_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, cpus AS cpus, cpu_busy_bp / 10000 AS cpu_busy_ratio, cpu_busy_bp_max / 10000 AS cpu_busy_ratio_max, cpu_iowait_bp / 10000 AS cpu_iowait_ratio, load1 / 100 AS load1, memory_total_mib * 1048576 / 1 AS memory_total_bytes, memory_available_mib * 1048576 / 1 AS memory_available_bytes, cpu_pressure_us / 1000000 AS cpu_pressure_seconds, io_pressure_us / 1000000 AS io_pressure_seconds, memory_pressure_us / 1000000 AS memory_pressure_seconds FROM host_samples;

CREATE TABLE IF NOT EXISTS network_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `device` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `kind` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `up_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `up_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `speed_mb_per_s_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `speed_mb_per_s_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_wait_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_wait_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_downs_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_downs_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS network_samples_1m_mv TO network_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.kind) AS `kind`, sum(toUInt64(s.up_pct) * s.interval_ms) AS `up_pct_wsum`, sumIf(s.interval_ms, s.up_pct IS NOT NULL) AS `up_pct_cover_ms`, sum(toUInt64(s.speed_mb_per_s) * s.interval_ms) AS `speed_mb_per_s_wsum`, sumIf(s.interval_ms, s.speed_mb_per_s IS NOT NULL) AS `speed_mb_per_s_cover_ms`, min(s.receive_bytes) AS `receive_bytes_min`, max(s.receive_bytes) AS `receive_bytes_max`, min(s.transmit_bytes) AS `transmit_bytes_min`, max(s.transmit_bytes) AS `transmit_bytes_max`, min(s.receive_packets) AS `receive_packets_min`, max(s.receive_packets) AS `receive_packets_max`, min(s.transmit_packets) AS `transmit_packets_min`, max(s.transmit_packets) AS `transmit_packets_max`, min(s.receive_errors) AS `receive_errors_min`, max(s.receive_errors) AS `receive_errors_max`, min(s.transmit_errors) AS `transmit_errors_min`, max(s.transmit_errors) AS `transmit_errors_max`, min(s.transmit_wait) AS `transmit_wait_min`, max(s.transmit_wait) AS `transmit_wait_max`, min(s.link_downs) AS `link_downs_min`, max(s.link_downs) AS `link_downs_max`
FROM network_samples AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_network_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.kind) AS kind, sum(s.up_pct_wsum) / nullIf(sum(s.up_pct_cover_ms), 0) / 100 AS up_ratio, sum(s.speed_mb_per_s_wsum) / nullIf(sum(s.speed_mb_per_s_cover_ms), 0) * 1000000 / 1 AS speed_bytes_per_second, min(s.receive_bytes_min) AS receive_bytes_first, max(s.receive_bytes_max) AS receive_bytes_last, min(s.transmit_bytes_min) AS transmit_bytes_first, max(s.transmit_bytes_max) AS transmit_bytes_last, min(s.receive_packets_min) AS receive_packets_first, max(s.receive_packets_max) AS receive_packets_last, min(s.transmit_packets_min) AS transmit_packets_first, max(s.transmit_packets_max) AS transmit_packets_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.transmit_errors_min) AS transmit_errors_first, max(s.transmit_errors_max) AS transmit_errors_last, min(s.transmit_wait_min) AS transmit_wait_first, max(s.transmit_wait_max) AS transmit_wait_last, min(s.link_downs_min) AS link_downs_first, max(s.link_downs_max) AS link_downs_last
FROM network_samples_1m AS s GROUP BY ts, cluster, node, device;

CREATE OR REPLACE VIEW v_network_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, kind AS kind, up_pct / 100 AS up_ratio, speed_mb_per_s * 1000000 / 1 AS speed_bytes_per_second, receive_bytes AS receive_bytes, transmit_bytes AS transmit_bytes, receive_packets AS receive_packets, transmit_packets AS transmit_packets, receive_errors AS receive_errors, transmit_errors AS transmit_errors, transmit_wait AS transmit_wait, link_downs AS link_downs FROM network_samples;

CREATE TABLE IF NOT EXISTS block_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `device` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `reads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `reads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `writes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `writes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `busy_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `busy_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS block_samples_1m_mv TO block_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.reads) AS `reads_min`, max(s.reads) AS `reads_max`, min(s.writes) AS `writes_min`, max(s.writes) AS `writes_max`, min(s.read_ms) AS `read_ms_min`, max(s.read_ms) AS `read_ms_max`, min(s.write_ms) AS `write_ms_min`, max(s.write_ms) AS `write_ms_max`, min(s.busy_ms) AS `busy_ms_min`, max(s.busy_ms) AS `busy_ms_max`
FROM block_samples AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_block_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.reads_min) AS reads_first, max(s.reads_max) AS reads_last, min(s.writes_min) AS writes_first, max(s.writes_max) AS writes_last, min(s.read_ms_min) / 1000 AS read_seconds_first, max(s.read_ms_max) / 1000 AS read_seconds_last, min(s.write_ms_min) / 1000 AS write_seconds_first, max(s.write_ms_max) / 1000 AS write_seconds_last, min(s.busy_ms_min) / 1000 AS busy_seconds_first, max(s.busy_ms_max) / 1000 AS busy_seconds_last
FROM block_samples_1m AS s GROUP BY ts, cluster, node, device;

CREATE OR REPLACE VIEW v_block_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, read_bytes AS read_bytes, write_bytes AS write_bytes, reads AS reads, writes AS writes, read_ms / 1000 AS read_seconds, write_ms / 1000 AS write_seconds, busy_ms / 1000 AS busy_seconds FROM block_samples;

CREATE TABLE IF NOT EXISTS filesystem_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `mount` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `device` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `filesystem` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `size_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `size_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `available_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `available_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `inodes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `inodes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `inodes_free_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `inodes_free_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, mount) ORDER BY (toStartOfHour(ts), node, mount, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS filesystem_samples_1m_mv TO filesystem_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.mount AS `mount`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.device) AS `device`, anyLast(s.filesystem) AS `filesystem`, sum(toUInt64(s.size_mib) * s.interval_ms) AS `size_mib_wsum`, sumIf(s.interval_ms, s.size_mib IS NOT NULL) AS `size_mib_cover_ms`, sum(toUInt64(s.available_mib) * s.interval_ms) AS `available_mib_wsum`, sumIf(s.interval_ms, s.available_mib IS NOT NULL) AS `available_mib_cover_ms`, sum(toUInt64(s.inodes) * s.interval_ms) AS `inodes_wsum`, sumIf(s.interval_ms, s.inodes IS NOT NULL) AS `inodes_cover_ms`, sum(toUInt64(s.inodes_free) * s.interval_ms) AS `inodes_free_wsum`, sumIf(s.interval_ms, s.inodes_free IS NOT NULL) AS `inodes_free_cover_ms`
FROM filesystem_samples AS s GROUP BY bucket, cluster, node, mount, epoch);

CREATE OR REPLACE VIEW v_filesystem_samples_1m AS
SELECT ts, cluster, node, mount, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.device) AS device, anyLast(s.filesystem) AS filesystem, sum(s.size_mib_wsum) / nullIf(sum(s.size_mib_cover_ms), 0) * 1048576 / 1 AS size_bytes, sum(s.available_mib_wsum) / nullIf(sum(s.available_mib_cover_ms), 0) * 1048576 / 1 AS available_bytes, sum(s.inodes_wsum) / nullIf(sum(s.inodes_cover_ms), 0) AS inodes, sum(s.inodes_free_wsum) / nullIf(sum(s.inodes_free_cover_ms), 0) AS inodes_free
FROM filesystem_samples_1m AS s GROUP BY ts, cluster, node, mount;

CREATE OR REPLACE VIEW v_filesystem_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, mount AS mount, device AS device, filesystem AS filesystem, size_mib * 1048576 / 1 AS size_bytes, available_mib * 1048576 / 1 AS available_bytes, inodes AS inodes, inodes_free AS inodes_free FROM filesystem_samples;

CREATE OR REPLACE VIEW v_source_runs AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, source AS source, runs AS runs, failures AS failures, rows AS rows, duration_ms / 1000 AS duration_seconds, duration_ms_max / 1000 AS duration_seconds_max, reason AS reason FROM source_runs;

CREATE OR REPLACE VIEW v_assets AS
SELECT gpu_id AS gpu_id, asset_id AS asset_id, cluster AS cluster, node AS node, slot AS slot, model AS model, pool AS pool, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM assets FINAL;

CREATE OR REPLACE VIEW v_gpus AS
SELECT gpu_id AS gpu_id, cluster AS cluster, node AS node, slot AS slot, uuid AS uuid, serial AS serial, model AS model, memory_mib * 1048576 / 1 AS memory_bytes, driver AS driver, seen_at AS seen_at, version AS version FROM gpus FINAL;

CREATE OR REPLACE VIEW v_allocations AS
SELECT gpu_id AS gpu_id, alloc_id AS alloc_id, job_id AS job_id, cluster AS cluster, node AS node, share_milli AS share_milli, valid_from AS valid_from, valid_to AS valid_to, source AS source, seen_at AS seen_at, version AS version FROM allocations FINAL;

CREATE OR REPLACE VIEW v_jobs AS
SELECT job_id AS job_id, cluster AS cluster, name AS name, user AS user, team AS team, pool AS pool, state AS state, reason AS reason, nodes AS nodes, gpus_per_node AS gpus_per_node, cpu_milli AS cpu_milli, memory_mib * 1048576 / 1 AS memory_bytes, gpu_model AS gpu_model, priority AS priority, restart AS restart, submitted AS submitted, eligible AS eligible, started AS started, ended AS ended, ends_by AS ends_by, seen_at AS seen_at, version AS version FROM jobs FINAL;

CREATE OR REPLACE VIEW v_node_states AS
SELECT cluster AS cluster, node AS node, scheduler AS scheduler, state AS state, reason AS reason, pools AS pools, gpus AS gpus, gpu_model AS gpu_model, cpu_milli AS cpu_milli, memory_mib * 1048576 / 1 AS memory_bytes, valid_from AS valid_from, valid_to AS valid_to, seen_at AS seen_at, version AS version FROM node_states FINAL;

CREATE OR REPLACE VIEW v_prices AS
SELECT model AS model, capacity_value / 1000000 AS capacity_value, energy_price / 1000000 AS energy_price, currency AS currency, valid_from AS valid_from, version AS version FROM prices FINAL;

CREATE OR REPLACE VIEW v_free_states AS
SELECT gpu_id AS gpu_id, valid_from AS valid_from, valid_to AS valid_to, state AS state, cause AS cause, job_id AS job_id FROM free_states;

CREATE OR REPLACE VIEW v_ledger_1m AS
SELECT cluster AS cluster, gpu_id AS gpu_id, minute AS minute, alloc_id AS alloc_id, state AS state, flags AS flags, cause AS cause, grade AS grade, intensity_bp / 10000 AS intensity_ratio, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules FROM ledger_1m;

CREATE OR REPLACE VIEW v_ledger_1h AS
SELECT cluster AS cluster, gpu_id AS gpu_id, hour AS hour, alloc_id AS alloc_id, state AS state, flags AS flags, cause AS cause, grade AS grade, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules FROM ledger_1h;

CREATE OR REPLACE VIEW v_booked_hours AS
SELECT hour AS hour, fingerprint AS fingerprint, booked_until AS booked_until, owned_ms / 1000 AS owned_seconds, booked_at AS booked_at, version AS version FROM booked_hours FINAL;

CREATE OR REPLACE VIEW v_findings AS
SELECT finding_id AS finding_id, kind AS kind, subject AS subject, user AS user, team AS team, pool AS pool, since AS since, until AS until, open AS open, gpus AS gpus, gpu_ms / 1000 AS gpu_seconds, capacity_value / 1000000 AS capacity_value, cash_avoidable / 1000000 AS cash_avoidable, currency AS currency, grade AS grade, confidence_pct / 100 AS confidence_ratio, summary AS summary, evidence AS evidence, version AS version FROM findings FINAL;

CREATE OR REPLACE VIEW v_recommendations AS
SELECT recommendation_id AS recommendation_id, finding_id AS finding_id, kind AS kind, subject AS subject, user AS user, team AS team, status AS status, title AS title, command AS command, gain_gpu_hours / 1000 AS gain_gpu_hours, gain_capacity_value / 1000000 AS gain_capacity_value, gain_cash_avoidable / 1000000 AS gain_cash_avoidable, currency AS currency, horizon_seconds AS horizon_seconds, confidence_pct / 100 AS confidence_ratio, because AS because, created AS created, version AS version FROM recommendations FINAL;

CREATE OR REPLACE VIEW v_alert_states AS
SELECT rule AS rule, subject AS subject, state AS state, since AS since, fired AS fired, resolved AS resolved, value / 1000 AS value, labels AS labels, annotations AS annotations, version AS version FROM alert_states FINAL;

CREATE OR REPLACE VIEW v_notifications AS
SELECT ts AS ts, rule AS rule, subject AS subject, state AS state, channel AS channel, outcome AS outcome FROM notifications;

CREATE OR REPLACE VIEW v_book_1m AS
SELECT c.cluster AS cluster, c.minute AS minute, c.gpu_id AS gpu_id, a.node AS node, a.slot AS slot,
  a.pool AS pool, a.model AS model, l.job_id AS job,
  if(c.alloc_id = 0, '', j.user) AS user, if(c.alloc_id = 0, '', j.team) AS team,
  j.name AS job_name, c.state AS state, c.cause AS cause, c.flags AS flags, c.grade AS grade,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  p.capacity_value / 1e6 AS price, p.energy_price / 1e6 AS energy_price, p.currency AS currency
FROM ledger_1m AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
LEFT JOIN (SELECT * FROM allocations FINAL) AS l
  ON l.gpu_id = c.gpu_id AND l.alloc_id = c.alloc_id
LEFT JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = l.job_id
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = a.model AND p.valid_from <= c.minute;

CREATE OR REPLACE VIEW v_book_1h AS
SELECT c.cluster AS cluster, c.hour AS hour, c.gpu_id AS gpu_id, a.node AS node, a.slot AS slot,
  a.pool AS pool, a.model AS model, l.job_id AS job,
  if(c.alloc_id = 0, '', j.user) AS user, if(c.alloc_id = 0, '', j.team) AS team,
  j.name AS job_name, c.state AS state, c.cause AS cause, c.flags AS flags, c.grade AS grade,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  p.capacity_value / 1e6 AS price, p.energy_price / 1e6 AS energy_price, p.currency AS currency
FROM ledger_1h AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
LEFT JOIN (SELECT * FROM allocations FINAL) AS l
  ON l.gpu_id = c.gpu_id AND l.alloc_id = c.alloc_id
LEFT JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = l.job_id
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = a.model AND p.valid_from <= c.hour;

CREATE OR REPLACE VIEW v_queue_waits AS
SELECT job_id AS job, cluster, user, team, pool, nodes * gpus_per_node AS gpus,
  multiIf(gpus <= 1, '1 GPU', gpus <= 4, '2-4 GPUs', gpus <= 8, '5-8 GPUs', 'over 8 GPUs')
    AS size_class,
  submitted, eligible, started, ended, state,
  dateDiff('second', least(eligible, started), started) AS wait_seconds
FROM (SELECT * FROM jobs FINAL)
WHERE gpus_per_node > 0 AND started < toDateTime64('2106-01-01', 3, 'UTC');

CREATE OR REPLACE VIEW v_free_nodes AS
SELECT cluster, minute, node, pool, floor(sum(gpu_seconds) / 60) AS free_gpus
FROM v_book_1m WHERE state IN ('free_demand', 'free_surplus')
GROUP BY cluster, minute, node, pool HAVING free_gpus > 0;
