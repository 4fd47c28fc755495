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
  `sm_occupancy_bp` Nullable(UInt16) COMMENT 'warps resident as share of the most that fit (GPM)' CODEC(T64, ZSTD(1)),
  `tensor_active_bp` Nullable(UInt16) COMMENT 'share of cycles in which tensor pipes were active (GPM)' CODEC(T64, ZSTD(1)),
  `dram_active_bp` Nullable(UInt16) COMMENT 'share of memory bandwidth in use (GPM)' CODEC(T64, ZSTD(1)),
  `graphics_active_bp` Nullable(UInt16) COMMENT 'share of time in which the graphics or compute engine was active (GPM)' CODEC(T64, ZSTD(1)),
  `fp16_active_bp` Nullable(UInt16) COMMENT 'share of cycles in which the FP16 pipe was active (GPM)' CODEC(T64, ZSTD(1)),
  `fp32_active_bp` Nullable(UInt16) COMMENT 'share of cycles in which the FP32 pipe was active (GPM)' CODEC(T64, ZSTD(1)),
  `fp64_active_bp` Nullable(UInt16) COMMENT 'share of cycles in which the FP64 pipe was active (GPM)' CODEC(T64, ZSTD(1)),
  `hmma_active_bp` Nullable(UInt16) COMMENT 'share of cycles with half-precision tensor work (GPM)' CODEC(T64, ZSTD(1)),
  `imma_active_bp` Nullable(UInt16) COMMENT 'share of cycles with integer tensor work (GPM)' CODEC(T64, ZSTD(1)),
  `encoder_pct` Nullable(UInt8) COMMENT 'use of the video encoder' CODEC(ZSTD(1)),
  `decoder_pct` Nullable(UInt8) COMMENT 'use of the video decoder' CODEC(ZSTD(1)),
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
  `power_throttle_ms` Nullable(UInt64) COMMENT 'time in which clocks were held down to keep the power limit' CODEC(Delta, T64, ZSTD(1)),
  `thermal_throttle_ms` Nullable(UInt64) COMMENT 'time in which clocks were held down by heat' CODEC(Delta, T64, ZSTD(1)),
  `brake_throttle_ms` Nullable(UInt64) COMMENT 'time in which an external power brake held clocks down' CODEC(Delta, T64, ZSTD(1)),
  `pcie_receive_bytes` Nullable(UInt64) COMMENT 'bytes received over PCIe' CODEC(Delta, T64, ZSTD(1)),
  `pcie_transmit_bytes` Nullable(UInt64) COMMENT 'bytes sent over PCIe' CODEC(Delta, T64, ZSTD(1)),
  `nvlink_receive_bytes` Nullable(UInt64) COMMENT 'bytes received over all NVLinks' CODEC(Delta, T64, ZSTD(1)),
  `nvlink_transmit_bytes` Nullable(UInt64) COMMENT 'bytes sent over all NVLinks' CODEC(Delta, T64, ZSTD(1)),
  `processes` Nullable(UInt16) COMMENT 'compute processes on the device' CODEC(ZSTD(1)),
  `processes_max` Nullable(UInt16) COMMENT 'compute processes on the device' CODEC(ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'who read it: nvml, or the mapping of a scraped exporter' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS slice_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the card' CODEC(ZSTD(1)),
  `uuid` LowCardinality(String) COMMENT 'UUID of the slice, which begins with MIG-' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the card\'s asset' CODEC(ZSTD(1)),
  `profile` LowCardinality(String) COMMENT 'shape of the slice, e.g. 1g.10gb' CODEC(ZSTD(1)),
  `gpu_instance` UInt16 COMMENT 'GPU instance id' CODEC(ZSTD(1)),
  `compute_instance` UInt16 COMMENT 'compute instance id' CODEC(ZSTD(1)),
  `sm_active_bp` Nullable(UInt16) COMMENT 'share of the slice\'s multiprocessors with a warp resident (GPM)' CODEC(T64, ZSTD(1)),
  `sm_occupancy_bp` Nullable(UInt16) COMMENT 'warps resident as share of the most that fit (GPM)' CODEC(T64, ZSTD(1)),
  `tensor_active_bp` Nullable(UInt16) COMMENT 'share of cycles in which tensor pipes were active (GPM)' CODEC(T64, ZSTD(1)),
  `dram_active_bp` Nullable(UInt16) COMMENT 'share of the slice\'s memory bandwidth in use (GPM)' CODEC(T64, ZSTD(1)),
  `active_ms` Nullable(UInt32) COMMENT 'time with SM of at least 1 %' CODEC(ZSTD(1)),
  `memory_used_mib` Nullable(UInt32) COMMENT 'memory of the slice in use' CODEC(ZSTD(1)),
  `memory_used_mib_max` Nullable(UInt32) COMMENT 'memory of the slice in use' CODEC(ZSTD(1)),
  `memory_total_mib` Nullable(UInt32) COMMENT 'memory of the slice' CODEC(ZSTD(1)),
  `processes` Nullable(UInt16) COMMENT 'compute processes on the slice' CODEC(T64, ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'who read it: nvml, or the mapping of a scraped exporter' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot, uuid) ORDER BY (toStartOfHour(ts), node, slot, uuid, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpu_health_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset' CODEC(ZSTD(1)),
  `uuid` LowCardinality(String) COMMENT 'UUID as NVML gives it' CODEC(ZSTD(1)),
  `ecc_corrected_errors` Nullable(UInt64) COMMENT 'corrected memory errors (volatile)' CODEC(Delta, T64, ZSTD(1)),
  `ecc_uncorrected_errors` Nullable(UInt64) COMMENT 'uncorrected memory errors (volatile)' CODEC(Delta, T64, ZSTD(1)),
  `ecc_corrected_lifetime` Nullable(UInt32) COMMENT 'corrected memory errors of the card\'s life' CODEC(T64, ZSTD(1)),
  `ecc_uncorrected_lifetime` Nullable(UInt32) COMMENT 'uncorrected memory errors of the card\'s life' CODEC(T64, ZSTD(1)),
  `remapped_rows_corrected` Nullable(UInt32) COMMENT 'rows remapped after corrected errors' CODEC(T64, ZSTD(1)),
  `remapped_rows_uncorrected` Nullable(UInt32) COMMENT 'rows remapped after uncorrected errors' CODEC(T64, ZSTD(1)),
  `remap_pending` Nullable(UInt8) COMMENT '1 while a remapping waits for a reset' CODEC(T64, ZSTD(1)),
  `remap_failed` Nullable(UInt8) COMMENT '1 once a remapping failed: replace the card' CODEC(T64, ZSTD(1)),
  `retired_pages` Nullable(UInt32) COMMENT 'retired memory pages (before Ampere)' CODEC(T64, ZSTD(1)),
  `recovery_action` Nullable(UInt8) COMMENT 'what the driver asks for: 0 none, 1 GPU reset, 2 node reboot, 3 drain P2P, 4 drain and reset, 5 IMEX, 6 bus reset, 7 system reboot' CODEC(T64, ZSTD(1)),
  `pcie_generation` Nullable(UInt8) COMMENT 'PCIe generation of the link now' CODEC(T64, ZSTD(1)),
  `pcie_generation_max` Nullable(UInt8) COMMENT 'PCIe generation the link could have' CODEC(T64, ZSTD(1)),
  `pcie_width` Nullable(UInt8) COMMENT 'PCIe lanes of the link now' CODEC(T64, ZSTD(1)),
  `pcie_width_max` Nullable(UInt8) COMMENT 'PCIe lanes the link could have' CODEC(T64, ZSTD(1)),
  `pcie_replays` Nullable(UInt64) COMMENT 'PCIe replays' CODEC(Delta, T64, ZSTD(1)),
  `pcie_correctable_errors` Nullable(UInt64) COMMENT 'correctable PCIe errors' CODEC(Delta, T64, ZSTD(1)),
  `pcie_nonfatal_errors` Nullable(UInt64) COMMENT 'non-fatal PCIe errors' CODEC(Delta, T64, ZSTD(1)),
  `pcie_fatal_errors` Nullable(UInt64) COMMENT 'fatal PCIe errors' CODEC(Delta, T64, ZSTD(1)),
  `nvlinks` Nullable(UInt8) COMMENT 'NVLinks of the card' CODEC(T64, ZSTD(1)),
  `nvlinks_up` Nullable(UInt8) COMMENT 'NVLinks that are active' CODEC(T64, ZSTD(1)),
  `nvlink_speed_mb_per_s` Nullable(UInt32) COMMENT 'speed of all active NVLinks in one direction' CODEC(T64, ZSTD(1)),
  `nvlink_replays` Nullable(UInt64) COMMENT 'NVLink replays' CODEC(Delta, T64, ZSTD(1)),
  `nvlink_recoveries` Nullable(UInt64) COMMENT 'NVLink recoveries' CODEC(Delta, T64, ZSTD(1)),
  `nvlink_crc_errors` Nullable(UInt64) COMMENT 'NVLink CRC errors (NVLink 4 and older)' CODEC(Delta, T64, ZSTD(1)),
  `nvlink_symbol_errors` Nullable(UInt64) COMMENT 'NVLink symbol errors (NVLink 5)' CODEC(Delta, T64, ZSTD(1)),
  `sync_throttle_ms` Nullable(UInt64) COMMENT 'time in which clocks were held down by sync boost' CODEC(Delta, T64, ZSTD(1)),
  `board_throttle_ms` Nullable(UInt64) COMMENT 'time in which clocks were held down by the board\'s limit' CODEC(Delta, T64, ZSTD(1)),
  `reliability_throttle_ms` Nullable(UInt64) COMMENT 'time in which clocks were held down for reliability' CODEC(Delta, T64, ZSTD(1)),
  `low_utilization_ms` Nullable(UInt64) COMMENT 'time in which clocks were low for lack of work' CODEC(Delta, T64, ZSTD(1)),
  `slowdown_margin_celsius` Nullable(UInt8) COMMENT 'degrees until the hardware slows down' CODEC(T64, ZSTD(1)),
  `fan_pct` Nullable(UInt8) COMMENT 'fan speed' CODEC(T64, ZSTD(1)),
  `performance_state` Nullable(UInt8) COMMENT 'P-state, 0 is fastest' CODEC(T64, ZSTD(1)),
  `persistence_mode` Nullable(UInt8) COMMENT '1 if the driver stays loaded without clients' CODEC(T64, ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'who read it: nvml, or the mapping of a scraped exporter' CODEC(ZSTD(1))
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
  `memory_used_mib` Nullable(UInt32) COMMENT 'device memory of the process' CODEC(T64, ZSTD(1)),
  `sm_pct` Nullable(UInt8) COMMENT 'use of multiprocessors by the process' CODEC(T64, ZSTD(1)),
  `memory_pct` Nullable(UInt8) COMMENT 'use of memory by the process' CODEC(T64, ZSTD(1)),
  `slice` LowCardinality(String) COMMENT 'UUID of the MIG slice; empty = the whole card' CODEC(ZSTD(1)),
  `runtime` LowCardinality(String) COMMENT 'slurm, kubernetes, docker, podman or empty' CODEC(ZSTD(1)),
  `container` String COMMENT 'job, pod or container id in its cgroup' CODEC(ZSTD(3)),
  `framework` LowCardinality(String) COMMENT 'pytorch, tensorflow or jax by the libraries it has mapped; empty = unknown' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot, pid) ORDER BY (toStartOfHour(ts), node, slot, pid, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpu_events (
  `ts` DateTime64(3, 'UTC') COMMENT 'when it happened' CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device; 65535 = no single GPU (a switch, or an unknown card)' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'lost, recovered, xid, sxid, ecc, retirement, reset, recovery or stuck' CODEC(ZSTD(1)),
  `code` UInt32 COMMENT 'return code, XID, SXid or NVML event type' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'hardware, application, information or empty' CODEC(ZSTD(1)),
  `recovery` LowCardinality(String) COMMENT 'what the driver or the catalogue of XIDs asks for' CODEC(ZSTD(1)),
  `count` UInt32 COMMENT 'how often it happened in a burst, the first at ts' CODEC(ZSTD(1)),
  `told_by` LowCardinality(String) COMMENT 'nvml or kmsg' CODEC(ZSTD(1)),
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
  `memory_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for memory (PSI)' CODEC(Delta, T64, ZSTD(1)),
  `io_stall_us` Nullable(UInt64) COMMENT 'time in which every task waited for I/O (PSI full)' CODEC(Delta, T64, ZSTD(1)),
  `memory_stall_us` Nullable(UInt64) COMMENT 'time in which every task waited for memory (PSI full)' CODEC(Delta, T64, ZSTD(1)),
  `interrupt_stall_us` Nullable(UInt64) COMMENT 'time in which every task waited for interrupts (PSI, Linux 6.1)' CODEC(Delta, T64, ZSTD(1)),
  `swap_used_mib` Nullable(UInt32) COMMENT 'swap in use' CODEC(T64, ZSTD(1)),
  `clock_error_us` Nullable(UInt32) COMMENT 'bound that the kernel holds for the clock\'s error (adjtimex)' CODEC(T64, ZSTD(1)),
  `clock_synchronized` Nullable(UInt8) COMMENT '1 while the clock is disciplined (NTP)' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS cgroup_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `runtime` LowCardinality(String) COMMENT 'slurm, kubernetes, docker or podman' CODEC(ZSTD(1)),
  `name` String COMMENT 'job id, SLUID, pod UID or container id' CODEC(ZSTD(3)),
  `cpu_us` Nullable(UInt64) COMMENT 'processor time used' CODEC(Delta, T64, ZSTD(1)),
  `cpu_throttled_us` Nullable(UInt64) COMMENT 'time held back by the quota' CODEC(Delta, T64, ZSTD(1)),
  `memory_mib` Nullable(UInt32) COMMENT 'memory in use' CODEC(T64, ZSTD(1)),
  `memory_mib_max` Nullable(UInt32) COMMENT 'memory in use' CODEC(T64, ZSTD(1)),
  `memory_limit_mib` Nullable(UInt32) COMMENT 'memory limit; missing = none' CODEC(T64, ZSTD(1)),
  `out_of_memory_kills` Nullable(UInt64) COMMENT 'processes killed for lack of memory' CODEC(Delta, T64, ZSTD(1)),
  `read_bytes` Nullable(UInt64) COMMENT 'bytes read from block devices' CODEC(Delta, T64, ZSTD(1)),
  `write_bytes` Nullable(UInt64) COMMENT 'bytes written to block devices' CODEC(Delta, T64, ZSTD(1)),
  `cpu_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for a processor (PSI)' CODEC(Delta, T64, ZSTD(1)),
  `io_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for I/O (PSI)' CODEC(Delta, T64, ZSTD(1)),
  `memory_pressure_us` Nullable(UInt64) COMMENT 'time in which some task waited for memory (PSI)' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, runtime, name) ORDER BY (toStartOfHour(ts), node, runtime, name, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS network_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `device` LowCardinality(String) COMMENT 'interface, or InfiniBand device and port, e.g. mlx5_0/1' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'ethernet, infiniband, roce or slingshot' CODEC(ZSTD(1)),
  `interface` LowCardinality(String) COMMENT 'interface that a RoCE port belongs to' CODEC(ZSTD(1)),
  `up_pct` Nullable(UInt8) COMMENT 'share of time in which the link was up' CODEC(T64, ZSTD(1)),
  `speed_mb_per_s` Nullable(UInt32) COMMENT 'speed of the link' CODEC(T64, ZSTD(1)),
  `receive_bytes` Nullable(UInt64) COMMENT 'bytes received' CODEC(Delta, T64, ZSTD(1)),
  `transmit_bytes` Nullable(UInt64) COMMENT 'bytes sent' CODEC(Delta, T64, ZSTD(1)),
  `receive_packets` Nullable(UInt64) COMMENT 'packets received' CODEC(Delta, T64, ZSTD(1)),
  `transmit_packets` Nullable(UInt64) COMMENT 'packets sent' CODEC(Delta, T64, ZSTD(1)),
  `receive_errors` Nullable(UInt64) COMMENT 'packets received with errors or dropped' CODEC(Delta, T64, ZSTD(1)),
  `transmit_errors` Nullable(UInt64) COMMENT 'packets not sent' CODEC(Delta, T64, ZSTD(1)),
  `transmit_wait` Nullable(UInt64) COMMENT 'ticks with data to send but no credit (InfiniBand)' CODEC(Delta, T64, ZSTD(1)),
  `link_downs` Nullable(UInt64) COMMENT 'times the link went down' CODEC(Delta, T64, ZSTD(1)),
  `carrier_changes` Nullable(UInt64) COMMENT 'times the carrier came or went (Ethernet)' CODEC(Delta, T64, ZSTD(1)),
  `receive_discards` Nullable(UInt64) COMMENT 'packets discarded for lack of buffers (Ethernet)' CODEC(Delta, T64, ZSTD(1)),
  `crc_errors` Nullable(UInt64) COMMENT 'frames with a wrong checksum (Ethernet)' CODEC(Delta, T64, ZSTD(1)),
  `symbol_errors` Nullable(UInt64) COMMENT 'symbol errors of the physical layer' CODEC(Delta, T64, ZSTD(1)),
  `corrected_errors` Nullable(UInt64) COMMENT 'bits that error correction mended (Ethernet)' CODEC(Delta, T64, ZSTD(1)),
  `receive_pauses` Nullable(UInt64) COMMENT 'pause frames received (Ethernet)' CODEC(Delta, T64, ZSTD(1)),
  `transmit_pauses` Nullable(UInt64) COMMENT 'pause frames sent (Ethernet)' CODEC(Delta, T64, ZSTD(1)),
  `pause_us` Nullable(UInt64) COMMENT 'time in which pauses held sending up' CODEC(Delta, T64, ZSTD(1)),
  `link_recoveries` Nullable(UInt64) COMMENT 'links recovered from errors (InfiniBand)' CODEC(Delta, T64, ZSTD(1)),
  `link_integrity_errors` Nullable(UInt64) COMMENT 'local link integrity errors (InfiniBand)' CODEC(Delta, T64, ZSTD(1)),
  `buffer_overruns` Nullable(UInt64) COMMENT 'excessive buffer overruns (InfiniBand)' CODEC(Delta, T64, ZSTD(1)),
  `remote_errors` Nullable(UInt64) COMMENT 'packets marked bad by a switch (InfiniBand)' CODEC(Delta, T64, ZSTD(1)),
  `constraint_errors` Nullable(UInt64) COMMENT 'packets refused by partition or limits' CODEC(Delta, T64, ZSTD(1)),
  `ecn_packets` Nullable(UInt64) COMMENT 'packets marked for congestion (RoCE)' CODEC(Delta, T64, ZSTD(1)),
  `cnp_sent` Nullable(UInt64) COMMENT 'congestion notifications sent (RoCE)' CODEC(Delta, T64, ZSTD(1)),
  `cnp_handled` Nullable(UInt64) COMMENT 'congestion notifications obeyed (RoCE)' CODEC(Delta, T64, ZSTD(1)),
  `out_of_sequence` Nullable(UInt64) COMMENT 'packets out of sequence (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `sequence_errors` Nullable(UInt64) COMMENT 'sequence errors told by the other side (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `ack_timeouts` Nullable(UInt64) COMMENT 'acknowledgements that never came (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `rnr_retries` Nullable(UInt64) COMMENT 'receiver was not ready, retries exceeded (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `duplicate_requests` Nullable(UInt64) COMMENT 'requests received twice (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `implied_naks` Nullable(UInt64) COMMENT 'lost answers noticed by the next one (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `out_of_buffer` Nullable(UInt64) COMMENT 'packets dropped without a receive buffer (RDMA)' CODEC(Delta, T64, ZSTD(1)),
  `retransmits` Nullable(UInt64) COMMENT 'adaptive retransmissions (RoCE)' CODEC(Delta, T64, ZSTD(1)),
  `completion_errors` Nullable(UInt64) COMMENT 'requests and answers completed in error (RDMA)' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS tcp_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `connections` Nullable(UInt32) COMMENT 'connections established' CODEC(T64, ZSTD(1)),
  `segments_sent` Nullable(UInt64) COMMENT 'segments sent' CODEC(Delta, T64, ZSTD(1)),
  `retransmits` Nullable(UInt64) COMMENT 'segments sent again' CODEC(Delta, T64, ZSTD(1)),
  `receive_errors` Nullable(UInt64) COMMENT 'segments received in error' CODEC(Delta, T64, ZSTD(1)),
  `timeouts` Nullable(UInt64) COMMENT 'retransmission timeouts' CODEC(Delta, T64, ZSTD(1)),
  `syn_retransmits` Nullable(UInt64) COMMENT 'connection requests sent again' CODEC(Delta, T64, ZSTD(1)),
  `listen_drops` Nullable(UInt64) COMMENT 'connections dropped by full listeners' CODEC(Delta, T64, ZSTD(1)),
  `receive_drops` Nullable(UInt64) COMMENT 'segments dropped for lack of buffers' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts)
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
  `busy_ms` Nullable(UInt64) COMMENT 'time with I/O in flight' CODEC(Delta, T64, ZSTD(1)),
  `queue_ms` Nullable(UInt64) COMMENT 'time of all I/O, waiting included' CODEC(Delta, T64, ZSTD(1)),
  `in_flight` Nullable(UInt32) COMMENT 'I/O in flight' CODEC(T64, ZSTD(1)),
  `in_flight_max` Nullable(UInt32) COMMENT 'I/O in flight' CODEC(T64, ZSTD(1)),
  `discards` Nullable(UInt64) COMMENT 'discards completed' CODEC(Delta, T64, ZSTD(1)),
  `flushes` Nullable(UInt64) COMMENT 'flushes completed' CODEC(Delta, T64, ZSTD(1)),
  `flush_ms` Nullable(UInt64) COMMENT 'time spent in flushes' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS nvme_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `device` LowCardinality(String) COMMENT 'controller, e.g. nvme0' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'model' CODEC(ZSTD(1)),
  `serial` LowCardinality(String) COMMENT 'serial number' CODEC(ZSTD(1)),
  `firmware` LowCardinality(String) COMMENT 'firmware revision' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'live, resetting, dead, as the kernel says' CODEC(ZSTD(1)),
  `temperature_celsius` Nullable(UInt8) COMMENT 'temperature' CODEC(T64, ZSTD(1)),
  `temperature_celsius_max` Nullable(UInt8) COMMENT 'temperature' CODEC(T64, ZSTD(1)),
  `critical_warning` Nullable(UInt64) COMMENT 'SMART critical warning, the specification\'s mask' CODEC(T64, ZSTD(1)),
  `used_pct` Nullable(UInt8) COMMENT 'life used as the maker counts' CODEC(T64, ZSTD(1)),
  `spare_pct` Nullable(UInt8) COMMENT 'spare blocks left' CODEC(T64, ZSTD(1)),
  `spare_threshold_pct` Nullable(UInt8) COMMENT 'spare under which it warns' CODEC(T64, ZSTD(1)),
  `media_errors` Nullable(UInt64) COMMENT 'unrecovered data errors' CODEC(Delta, T64, ZSTD(1)),
  `error_log_entries` Nullable(UInt64) COMMENT 'entries of the error log' CODEC(Delta, T64, ZSTD(1)),
  `unsafe_shutdowns` Nullable(UInt64) COMMENT 'power losses without warning' CODEC(Delta, T64, ZSTD(1)),
  `read_bytes` Nullable(UInt64) COMMENT 'bytes read in its life' CODEC(Delta, T64, ZSTD(1)),
  `write_bytes` Nullable(UInt64) COMMENT 'bytes written in its life' CODEC(Delta, T64, ZSTD(1))
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

CREATE TABLE IF NOT EXISTS netfs_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'nfs, lustre or gpfs' CODEC(ZSTD(1)),
  `mount` LowCardinality(String) COMMENT 'mount point, or the name of the filesystem' CODEC(ZSTD(1)),
  `device` LowCardinality(String) COMMENT 'server and export, or the filesystem\'s target' CODEC(ZSTD(1)),
  `operation` LowCardinality(String) COMMENT 'read, write or a metadata operation, in the filesystem\'s word' CODEC(ZSTD(1)),
  `operations` Nullable(UInt64) COMMENT 'operations completed' CODEC(Delta, T64, ZSTD(1)),
  `errors` Nullable(UInt64) COMMENT 'operations that ended in error' CODEC(Delta, T64, ZSTD(1)),
  `retransmits` Nullable(UInt64) COMMENT 'requests sent again' CODEC(Delta, T64, ZSTD(1)),
  `timeouts` Nullable(UInt64) COMMENT 'requests that timed out' CODEC(Delta, T64, ZSTD(1)),
  `read_bytes` Nullable(UInt64) COMMENT 'bytes received from the server' CODEC(Delta, T64, ZSTD(1)),
  `write_bytes` Nullable(UInt64) COMMENT 'bytes sent to the server' CODEC(Delta, T64, ZSTD(1)),
  `queue_ms` Nullable(UInt64) COMMENT 'time spent before requests were sent' CODEC(Delta, T64, ZSTD(1)),
  `server_ms` Nullable(UInt64) COMMENT 'time spent waiting for answers' CODEC(Delta, T64, ZSTD(1)),
  `total_ms` Nullable(UInt64) COMMENT 'time from request to completion' CODEC(Delta, T64, ZSTD(1)),
  `in_flight` Nullable(UInt32) COMMENT 'requests in flight (Lustre)' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, kind, mount, operation) ORDER BY (toStartOfHour(ts), node, kind, mount, operation, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS object_store_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `store` LowCardinality(String) COMMENT 'name of the store or account' CODEC(ZSTD(1)),
  `bucket_name` LowCardinality(String) COMMENT 'bucket or container; empty = the whole store' CODEC(ZSTD(1)),
  `size_mib` Nullable(UInt64) COMMENT 'data stored' CODEC(T64, ZSTD(1)),
  `objects` Nullable(UInt64) COMMENT 'objects stored' CODEC(T64, ZSTD(1)),
  `free_mib` Nullable(UInt64) COMMENT 'room left' CODEC(T64, ZSTD(1)),
  `requests` Nullable(UInt64) COMMENT 'requests answered' CODEC(Delta, T64, ZSTD(1)),
  `errors` Nullable(UInt64) COMMENT 'requests that failed' CODEC(Delta, T64, ZSTD(1)),
  `read_bytes` Nullable(UInt64) COMMENT 'bytes read by clients' CODEC(Delta, T64, ZSTD(1)),
  `write_bytes` Nullable(UInt64) COMMENT 'bytes written by clients' CODEC(Delta, T64, ZSTD(1)),
  `latency_us` Nullable(UInt32) COMMENT 'mean time to the first byte' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), store, bucket_name) ORDER BY (toStartOfHour(ts), store, bucket_name, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS serving_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `service` LowCardinality(String) COMMENT 'vllm, triton, tgi, kserve' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'model served' CODEC(ZSTD(1)),
  `instance` LowCardinality(String) COMMENT 'who was asked: address or pod' CODEC(ZSTD(1)),
  `requests` Nullable(UInt64) COMMENT 'requests answered' CODEC(Delta, T64, ZSTD(1)),
  `failed_requests` Nullable(UInt64) COMMENT 'requests that failed' CODEC(Delta, T64, ZSTD(1)),
  `running_requests` Nullable(UInt32) COMMENT 'requests being worked on' CODEC(T64, ZSTD(1)),
  `running_requests_max` Nullable(UInt32) COMMENT 'requests being worked on' CODEC(T64, ZSTD(1)),
  `waiting_requests` Nullable(UInt32) COMMENT 'requests that wait' CODEC(T64, ZSTD(1)),
  `waiting_requests_max` Nullable(UInt32) COMMENT 'requests that wait' CODEC(T64, ZSTD(1)),
  `prompt_tokens` Nullable(UInt64) COMMENT 'tokens read' CODEC(Delta, T64, ZSTD(1)),
  `generated_tokens` Nullable(UInt64) COMMENT 'tokens generated' CODEC(Delta, T64, ZSTD(1)),
  `preemptions` Nullable(UInt64) COMMENT 'requests put back for lack of cache' CODEC(Delta, T64, ZSTD(1)),
  `kv_cache_pct` Nullable(UInt8) COMMENT 'use of the key-value cache' CODEC(T64, ZSTD(1)),
  `kv_cache_pct_max` Nullable(UInt8) COMMENT 'use of the key-value cache' CODEC(T64, ZSTD(1)),
  `first_token_ms` Nullable(UInt64) COMMENT 'time to the first token, summed over requests' CODEC(Delta, T64, ZSTD(1)),
  `request_ms` Nullable(UInt64) COMMENT 'time from request to answer, summed over requests' CODEC(Delta, T64, ZSTD(1)),
  `queue_ms` Nullable(UInt64) COMMENT 'time spent waiting, summed over requests' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, service, model, instance) ORDER BY (toStartOfHour(ts), node, service, model, instance, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS progress_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `pid` UInt32 COMMENT 'process id as the host counts' CODEC(ZSTD(1)),
  `session` UInt32 COMMENT 'its login session, which is a job where there is no container' CODEC(ZSTD(1)),
  `user` LowCardinality(String) COMMENT 'user name; the number where no directory knows it' CODEC(ZSTD(1)),
  `runtime` LowCardinality(String) COMMENT 'slurm, kubernetes, docker, podman or empty' CODEC(ZSTD(1)),
  `container` String COMMENT 'job, pod or container id in its cgroup' CODEC(ZSTD(3)),
  `rank` LowCardinality(String) COMMENT 'rank in the job, as the process says; empty = it does not' CODEC(ZSTD(1)),
  `steps` Nullable(UInt64) COMMENT 'steps that ended' CODEC(Delta, T64, ZSTD(1)),
  `step_us` Nullable(UInt64) COMMENT 'time in steps, without waits for data and checkpoints' CODEC(Delta, T64, ZSTD(1)),
  `data_wait_us` Nullable(UInt64) COMMENT 'time in which it waited for data' CODEC(Delta, T64, ZSTD(1)),
  `checkpoint_us` Nullable(UInt64) COMMENT 'time in which it wrote checkpoints' CODEC(Delta, T64, ZSTD(1)),
  `checkpoints` Nullable(UInt64) COMMENT 'checkpoints written' CODEC(Delta, T64, ZSTD(1)),
  `last_step` UInt64 COMMENT 'number of the last step that ended' CODEC(ZSTD(1)),
  `last_checkpoint` DateTime64(3, 'UTC') COMMENT 'end of the last checkpoint; 1970 = none yet' CODEC(DoubleDelta, ZSTD(1)),
  `refused` Nullable(UInt32) COMMENT 'reports of it that could not be used' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, runtime, container, session, pid) ORDER BY (toStartOfHour(ts), node, runtime, container, session, pid, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS queue_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) COMMENT 'kueue, volcano, runai' CODEC(ZSTD(1)),
  `queue` LowCardinality(String) COMMENT 'queue, cluster queue or department' CODEC(ZSTD(1)),
  `project` LowCardinality(String) COMMENT 'project or namespace; empty = the whole queue' CODEC(ZSTD(1)),
  `allocated_gpus` Nullable(UInt32) COMMENT 'GPUs given' CODEC(T64, ZSTD(1)),
  `quota_gpus` Nullable(UInt32) COMMENT 'GPUs that it is entitled to' CODEC(T64, ZSTD(1)),
  `idle_gpus` Nullable(UInt32) COMMENT 'GPUs given but idle' CODEC(T64, ZSTD(1)),
  `utilization_pct` Nullable(UInt8) COMMENT 'use of the GPUs given' CODEC(T64, ZSTD(1)),
  `pending_workloads` Nullable(UInt32) COMMENT 'workloads that wait' CODEC(T64, ZSTD(1)),
  `admitted_workloads` Nullable(UInt32) COMMENT 'workloads that run' CODEC(T64, ZSTD(1)),
  `evicted_workloads` Nullable(UInt64) COMMENT 'workloads taken off' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), scheduler, queue, project) ORDER BY (toStartOfHour(ts), scheduler, queue, project, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS source_runs (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'name of the source' CODEC(ZSTD(1)),
  `runs` Nullable(UInt32) COMMENT 'readings made' CODEC(ZSTD(1)),
  `failures` Nullable(UInt32) COMMENT 'readings that failed' CODEC(ZSTD(1)),
  `rows` Nullable(UInt32) COMMENT 'rows read' CODEC(ZSTD(1)),
  `duration_ms` Nullable(UInt32) COMMENT 'time one reading took' CODEC(T64, ZSTD(1)),
  `duration_ms_max` Nullable(UInt32) COMMENT 'time one reading took' CODEC(T64, ZSTD(1)),
  `reason` String COMMENT 'why the last failure failed; empty when all is well' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, source) ORDER BY (toStartOfHour(ts), node, source, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS agent_samples (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `cpu_ms` Nullable(UInt64) COMMENT 'processor time of all its processes' CODEC(Delta, T64, ZSTD(1)),
  `memory_mib` Nullable(UInt32) COMMENT 'proportional set size of all its processes' CODEC(T64, ZSTD(1)),
  `waiting_entries` Nullable(UInt32) COMMENT 'batches that wait in the spool' CODEC(T64, ZSTD(1)),
  `waiting_mib` Nullable(UInt32) COMMENT 'size of what waits in the spool' CODEC(T64, ZSTD(1)),
  `oldest_waiting_ms` Nullable(UInt32) COMMENT 'age of the oldest batch that waits' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS spool_losses (
  `ts` DateTime64(3, 'UTC') COMMENT 'end of the interval that the row covers' CODEC(DoubleDelta, ZSTD(1)),
  `interval_ms` UInt32 COMMENT 'time covered by the row, ending at ts' CODEC(ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `epoch` UInt32 COMMENT 'rises when the offsets of counters were lost' CODEC(ZSTD(1)),
  `of` LowCardinality(String) COMMENT 'table whose rows they were' CODEC(ZSTD(1)),
  `dropped_rows` Nullable(UInt64) COMMENT 'rows dropped for lack of room or for their age' CODEC(Delta, T64, ZSTD(1)),
  `rejected_rows` Nullable(UInt64) COMMENT 'rows that the store refused for good' CODEC(Delta, T64, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)
PRIMARY KEY (toStartOfHour(ts), node, of) ORDER BY (toStartOfHour(ts), node, of, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS quarantine (
  `ts` DateTime64(3, 'UTC') COMMENT 'when they arrived' CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster that they name; empty where several' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node that they name; empty where several' CODEC(ZSTD(1)),
  `of` LowCardinality(String) COMMENT 'table that they were sent for' CODEC(ZSTD(1)),
  `reason` LowCardinality(String) COMMENT 'what is wrong with them, and what it looks like' CODEC(ZSTD(1)),
  `rows` UInt32 COMMENT 'how many' CODEC(ZSTD(1)),
  `first` DateTime64(3, 'UTC') COMMENT 'earliest time that is wrong; 1970 to 2106' CODEC(DoubleDelta, ZSTD(1)),
  `last` DateTime64(3, 'UTC') COMMENT 'latest time that is wrong; 1970 to 2106' CODEC(DoubleDelta, ZSTD(1)),
  `key` String COMMENT 'key of the batch that they came in' CODEC(ZSTD(3)),
  `body` String COMMENT 'the rows as Native blocks, in base64' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (of, node, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS backfill_chunks (
  `source` LowCardinality(String) COMMENT 'cluster and mapping, or the name given with --source' CODEC(ZSTD(1)),
  `since` DateTime64(3, 'UTC') COMMENT 'begins after' CODEC(DoubleDelta, ZSTD(1)),
  `until` DateTime64(3, 'UTC') COMMENT 'ends with' CODEC(DoubleDelta, ZSTD(1)),
  `done` UInt8 COMMENT '1 once its rows are stored' CODEC(ZSTD(1)),
  `samples` UInt64 COMMENT 'samples read' CODEC(ZSTD(1)),
  `rows` UInt64 COMMENT 'rows stored' CODEC(ZSTD(1)),
  `state` String COMMENT 'counters to go on with; only the newest stretch has them' CODEC(ZSTD(3)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of this word' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (source, since)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS missing_values (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'name of the source' CODEC(ZSTD(1)),
  `subject` String COMMENT 'device, mount or target' CODEC(ZSTD(3)),
  `reading` LowCardinality(String) COMMENT 'column, file or call that has no value' CODEC(ZSTD(1)),
  `reason` LowCardinality(String) COMMENT 'unsupported, lost, denied, timeout, saturated, unreadable or malformed; empty = read again' CODEC(ZSTD(1)),
  `detail` String COMMENT 'what was said' CODEC(ZSTD(3)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'when it was found out' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, node, source, subject, reading)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS assets (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `asset_id` String COMMENT 'cluster/node/slot' CODEC(ZSTD(3)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model, as the inventory or NVML names it' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool that the GPU belongs to; default cluster and model' CODEC(ZSTD(1)),
  `provider` LowCardinality(String) COMMENT 'who owns the hardware, e.g. a cloud; empty = nobody said' CODEC(ZSTD(1)),
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
  `vendor` LowCardinality(String) COMMENT 'nvidia, amd, intel, google or another' CODEC(ZSTD(1)),
  `parent` LowCardinality(String) COMMENT 'UUID of the card that a MIG slice is cut from; empty = a card' CODEC(ZSTD(1)),
  `profile` LowCardinality(String) COMMENT 'shape of the MIG slice, e.g. 1g.10gb' CODEC(ZSTD(1)),
  `entitlement_milli` UInt16 COMMENT 'share of the card\'s multiprocessors, in thousandths' CODEC(ZSTD(1)),
  `mig` LowCardinality(String) COMMENT 'enabled, disabled or empty where the card has no MIG' CODEC(ZSTD(1)),
  `pci` LowCardinality(String) COMMENT 'PCI bus id' CODEC(ZSTD(1)),
  `numa` LowCardinality(String) COMMENT 'NUMA node; empty = unknown' CODEC(ZSTD(1)),
  `nvlink_domain` LowCardinality(String) COMMENT 'NVLink fabric: cluster UUID and clique' CODEC(ZSTD(1)),
  `rack` LowCardinality(String) COMMENT 'rack or chassis as the platform tells' CODEC(ZSTD(1)),
  `part_number` LowCardinality(String) COMMENT 'part number of the board' CODEC(ZSTD(1)),
  `vbios` LowCardinality(String) COMMENT 'VBIOS version' CODEC(ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'when it was last read' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (gpu_id, uuid)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpu_links (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device' CODEC(ZSTD(1)),
  `peer` LowCardinality(String) COMMENT 'slot of the other GPU, or `switch`' CODEC(ZSTD(1)),
  `path` LowCardinality(String) COMMENT 'nvlink, internal, switch, switches, bridge, numa or system' CODEC(ZSTD(1)),
  `nvlinks` UInt8 COMMENT 'NVLinks between the two' CODEC(ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'when it was last read' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, node, slot, peer)
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
  `source` LowCardinality(String) COMMENT 'who said so: slurm, kubernetes, hook or process' CODEC(ZSTD(1)),
  `slice` LowCardinality(String) COMMENT 'UUID of the MIG slice; empty = the whole card' CODEC(ZSTD(1)),
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
  `kind` LowCardinality(String) COMMENT 'batch, interactive or service' CODEC(ZSTD(1)),
  `qos` LowCardinality(String) COMMENT 'quality of service or priority class' CODEC(ZSTD(1)),
  `preemptible` UInt8 COMMENT '1 if the scheduler may take its GPUs away' CODEC(ZSTD(1)),
  `reservation` LowCardinality(String) COMMENT 'reservation that it asked for' CODEC(ZSTD(1)),
  `gang` String COMMENT 'group that starts as a whole; empty = alone' CODEC(ZSTD(3)),
  `constraints` String COMMENT 'features, selectors and node lists asked for' CODEC(ZSTD(3)),
  `share_milli` UInt16 COMMENT 'thousandths of each GPU asked for; 1000 = whole GPUs' CODEC(ZSTD(1)),
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
  `scheduler` LowCardinality(String) COMMENT 'who says so: slurm, kubernetes' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'up, down or drained' CODEC(ZSTD(1)),
  `reason` String COMMENT 'reason given' CODEC(ZSTD(3)),
  `pools` String COMMENT 'partitions of the node, joined by commas; empty = all' CODEC(ZSTD(3)),
  `gpus` UInt16 COMMENT 'GPUs the scheduler counts on the node' CODEC(ZSTD(1)),
  `gpu_model` LowCardinality(String) COMMENT 'GPU model in the scheduler\'s words' CODEC(ZSTD(1)),
  `shares` String COMMENT 'slices and shares offered, e.g. mig-1g.10gb=7' CODEC(ZSTD(3)),
  `labels` String COMMENT 'features or labels, name=value, joined by commas' CODEC(ZSTD(3)),
  `taints` String COMMENT 'taints, key=value:effect, joined by commas' CODEC(ZSTD(3)),
  `rack` LowCardinality(String) COMMENT 'rack, switch or zone, as the scheduler\'s topology says' CODEC(ZSTD(1)),
  `cpu_milli` UInt32 COMMENT 'processors of the node, in thousandths' CODEC(ZSTD(1)),
  `memory_mib` Nullable(UInt32) COMMENT 'memory of the node' CODEC(T64, ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'since' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, node, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS pools (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'partition or queue' CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) COMMENT 'who says so: slurm, kueue, volcano' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'up, down, drained or inactive' CODEC(ZSTD(1)),
  `nodes` String COMMENT 'nodes, joined by commas' CODEC(ZSTD(3)),
  `priority` UInt32 COMMENT 'tier; higher ones start first' CODEC(ZSTD(1)),
  `longest_seconds` Nullable(UInt32) COMMENT 'longest run allowed; missing = no limit' CODEC(T64, ZSTD(1)),
  `preemptible` UInt8 COMMENT '1 if its jobs may be preempted' CODEC(ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, pool)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS reservations (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `reservation` LowCardinality(String) COMMENT 'name' CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) COMMENT 'who says so: slurm' CODEC(ZSTD(1)),
  `nodes` String COMMENT 'nodes, joined by commas' CODEC(ZSTD(3)),
  `users` String COMMENT 'users that may use it, joined by commas' CODEC(ZSTD(3)),
  `teams` String COMMENT 'accounts that may use it, joined by commas' CODEC(ZSTD(3)),
  `pool` LowCardinality(String) COMMENT 'partition' CODEC(ZSTD(1)),
  `flags` String COMMENT 'flags, e.g. MAINT, joined by commas' CODEC(ZSTD(3)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'kept from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'kept until' CODEC(DoubleDelta, ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, reservation)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS quotas (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) COMMENT 'who says so: slurm, kubernetes, kueue, volcano, runai' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'account, namespace or project; empty = a queue\'s own' CODEC(ZSTD(1)),
  `queue` LowCardinality(String) COMMENT 'queue, cohort or QOS; empty = a team\'s own' CODEC(ZSTD(1)),
  `gpu_model` LowCardinality(String) COMMENT 'model that it is about; empty = any' CODEC(ZSTD(1)),
  `guaranteed_milli` UInt32 COMMENT 'GPUs guaranteed, in thousandths' CODEC(ZSTD(1)),
  `limit_milli` UInt32 COMMENT 'GPUs at most, in thousandths; 0 = no limit, 1 = none at all' CODEC(ZSTD(1)),
  `parent` LowCardinality(String) COMMENT 'queue or cohort that lends and borrows' CODEC(ZSTD(1)),
  `seen_at` DateTime64(3, 'UTC') COMMENT 'time of the snapshot that said so' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, scheduler, team, queue)
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

CREATE TABLE IF NOT EXISTS price_book (
  `provider` LowCardinality(String) COMMENT 'who owns the hardware; empty = any' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs; empty = any' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model; empty = any' CODEC(ZSTD(1)),
  `capacity_value` Nullable(UInt64) COMMENT 'worth of one GPU-hour' CODEC(T64, ZSTD(1)),
  `energy_price` Nullable(UInt64) COMMENT 'price of one kilowatt-hour' CODEC(T64, ZSTD(1)),
  `pue` Nullable(UInt32) COMMENT 'energy of the site for each of its GPUs\' (PUE)' CODEC(T64, ZSTD(1)),
  `carbon_per_kwh` Nullable(UInt32) COMMENT 'kilograms of CO2 for a kilowatt-hour' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code; empty where no price is told' CODEC(ZSTD(1)),
  `source` String COMMENT 'where the figures are from' CODEC(ZSTD(3)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'holds from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'holds until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time of the configuration' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (provider, pool, model, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS cloud_bills (
  `provider` LowCardinality(String) COMMENT 'who sends the bill' CODEC(ZSTD(1)),
  `account` LowCardinality(String) COMMENT 'billing account' CODEC(ZSTD(1)),
  `resource` String COMMENT 'resource as the provider names it; empty = none' CODEC(ZSTD(3)),
  `sku` LowCardinality(String) COMMENT 'what is charged for' CODEC(ZSTD(1)),
  `category` LowCardinality(String) COMMENT 'standard, dynamic, committed or other' CODEC(ZSTD(1)),
  `commitment` LowCardinality(String) COMMENT 'commitment that pays for it; empty = none' CODEC(ZSTD(1)),
  `unused` UInt8 COMMENT '1 = a commitment that nobody used' CODEC(ZSTD(1)),
  `day` DateTime64(3, 'UTC') COMMENT 'start of the day, UTC' CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster of the node; empty = no node of ours' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node that the resource is; empty = none' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool that it is for where it is no node' CODEC(ZSTD(1)),
  `cost` Nullable(UInt64) COMMENT 'charges, amortised (EffectiveCost)' CODEC(T64, ZSTD(1)),
  `credit` Nullable(UInt64) COMMENT 'refunds and corrections' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code' CODEC(ZSTD(1)),
  `version` UInt64 COMMENT 'time of the import' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (provider, account, resource, sku, category, commitment, unused, day)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS rates (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model' CODEC(ZSTD(1)),
  `capacity_value` Nullable(UInt64) COMMENT 'worth of one GPU-hour' CODEC(T64, ZSTD(1)),
  `energy_price` Nullable(UInt64) COMMENT 'price of one kilowatt-hour' CODEC(T64, ZSTD(1)),
  `pue` Nullable(UInt32) COMMENT 'energy of the site for each of its GPUs\' (PUE)' CODEC(T64, ZSTD(1)),
  `carbon_per_kwh` Nullable(UInt32) COMMENT 'kilograms of CO2 for a kilowatt-hour' CODEC(T64, ZSTD(1)),
  `cash_rate` Nullable(UInt64) COMMENT 'billed for one GPU-hour' CODEC(T64, ZSTD(1)),
  `avoidable_rate` Nullable(UInt64) COMMENT 'of that without a commitment' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code; empty without a price' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'holds from' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time it was worked out' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, node, pool, model, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS teams (
  `kind` LowCardinality(String) COMMENT 'account, namespace, project or mail' CODEC(ZSTD(1)),
  `name` LowCardinality(String) COMMENT 'its name, `cluster/name` where clusters differ' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays' CODEC(ZSTD(1)),
  `lead` LowCardinality(String) COMMENT 'user who decides for the team' CODEC(ZSTD(1)),
  `mail` LowCardinality(String) COMMENT 'where the team is told' CODEC(ZSTD(1)),
  `department` LowCardinality(String) COMMENT 'unit above the team' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time of the import' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (kind, name, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS people (
  `user` LowCardinality(String) COMMENT 'user name as schedulers know it' CODEC(ZSTD(1)),
  `name` String COMMENT 'name of the person' CODEC(ZSTD(3)),
  `mail` String COMMENT 'where the person is told' CODEC(ZSTD(3)),
  `team` LowCardinality(String) COMMENT 'team; empty = as the account says' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time of the import' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (user, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS exemptions (
  `subject` String COMMENT 'job id, or `service/` and its name' CODEC(ZSTD(3)),
  `kinds` String COMMENT 'kinds of findings, joined by commas; empty = all' CODEC(ZSTD(3)),
  `reason` String COMMENT 'why' CODEC(ZSTD(3)),
  `owner` LowCardinality(String) COMMENT 'who asked for it' CODEC(ZSTD(1)),
  `approved_by` LowCardinality(String) COMMENT 'who agreed; empty = nobody yet' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time it was written' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (subject, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS services (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `service` LowCardinality(String) COMMENT 'name' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays' CODEC(ZSTD(1)),
  `jobs` String COMMENT 'beginning of the names of its jobs' CODEC(ZSTD(3)),
  `least_replicas` UInt32 COMMENT 'replicas that must stay up' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'time it was written' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, service)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS asset_states (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'service, delivered, repair, powered_down or retired' CODEC(ZSTD(1)),
  `reason` String COMMENT 'why' CODEC(ZSTD(3)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from, in whole minutes' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (gpu_id, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS node_owner (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) COMMENT 'slurm or kubernetes' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'trust of the source, then time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, node, valid_from)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS changes (
  `ts` DateTime64(3, 'UTC') COMMENT 'when it was first seen to be so' CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name; empty = the whole cluster' CODEC(ZSTD(1)),
  `slot` UInt16 COMMENT 'minor number of the device; 65535 = no single GPU' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'driver, vbios, card, mig, quota, nodes, drain, down or resume' CODEC(ZSTD(1)),
  `subject` String COMMENT 'what it is about, e.g. a queue' CODEC(ZSTD(3)),
  `before` String COMMENT 'value before; empty = none' CODEC(ZSTD(3)),
  `after` String COMMENT 'value from then on; empty = none' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (cluster, node, kind, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS power_floors (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `bare_mw` Nullable(UInt32) COMMENT 'without any process; missing = never seen' CODEC(T64, ZSTD(1)),
  `bare_minutes` UInt32 COMMENT 'minutes that it rests on' CODEC(ZSTD(1)),
  `context_mw` Nullable(UInt32) COMMENT 'with a process on it and no SM active; missing = never seen' CODEC(T64, ZSTD(1)),
  `context_minutes` UInt32 COMMENT 'minutes that it rests on' CODEC(ZSTD(1)),
  `learned` DateTime64(3, 'UTC') COMMENT 'when it was learned' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the learning' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (gpu_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS startup_times (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `size_class` LowCardinality(String) COMMENT 'size of the request, as queue waits name it' CODEC(ZSTD(1)),
  `p95_ms` UInt64 COMMENT 'time that 95 % of the jobs stayed under' CODEC(ZSTD(1)),
  `jobs` UInt32 COMMENT 'jobs that it rests on' CODEC(ZSTD(1)),
  `learned` DateTime64(3, 'UTC') COMMENT 'when it was learned' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the learning' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, size_class)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS job_stats (
  `job_id` String COMMENT 'cluster/native id' CODEC(ZSTD(3)),
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `first_active` DateTime64(3, 'UTC') COMMENT 'start of the first active minute' CODEC(DoubleDelta, ZSTD(1)),
  `busiest` DateTime64(3, 'UTC') COMMENT 'start of the busiest 5 minutes' CODEC(DoubleDelta, ZSTD(1)),
  `sm_active_bp` Nullable(UInt16) COMMENT 'highest SM activity over 5 minutes' CODEC(T64, ZSTD(1)),
  `tensor_active_bp` Nullable(UInt16) COMMENT 'highest tensor activity over 5 minutes' CODEC(T64, ZSTD(1)),
  `power_bp` Nullable(UInt16) COMMENT 'highest share of the power limit over 5 minutes' CODEC(T64, ZSTD(1)),
  `active_minutes` UInt32 COMMENT 'minutes with activity' CODEC(ZSTD(1)),
  `upto` DateTime64(3, 'UTC') COMMENT 'end of the last minute that was looked at' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the learning' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (job_id, gpu_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS job_classes (
  `job_id` String COMMENT 'cluster/native id' CODEC(ZSTD(3)),
  `work` LowCardinality(String) COMMENT 'training, inference, notebook, preparation, science or idle' CODEC(ZSTD(1)),
  `confidence_pct` Nullable(UInt8) COMMENT 'how sure the model is' CODEC(T64, ZSTD(1)),
  `framework` LowCardinality(String) COMMENT 'pytorch, tensorflow, jax or empty where unknown' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'version of the model and of its features; rule = no model' CODEC(ZSTD(1)),
  `minutes` UInt32 COMMENT 'minutes of telemetry that it rests on' CODEC(ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the judgement' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (job_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS forecasts (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs; empty = the whole cluster' CODEC(ZSTD(1)),
  `measure` LowCardinality(String) COMMENT 'demand (GPUs in use or waited for, mean), asked (GPUs newly asked for) or usable' CODEC(ZSTD(1)),
  `horizon_days` UInt16 COMMENT '7 = by the hour for a week, 28 = by the day' CODEC(ZSTD(1)),
  `at` DateTime64(3, 'UTC') COMMENT 'start of the step' CODEC(DoubleDelta, ZSTD(1)),
  `step_seconds` UInt32 COMMENT 'length of the step' CODEC(ZSTD(1)),
  `low` Nullable(UInt64) COMMENT 'one in ten ends below' CODEC(T64, ZSTD(1)),
  `expected` Nullable(UInt64) COMMENT 'what is expected' CODEC(T64, ZSTD(1)),
  `high` Nullable(UInt64) COMMENT 'one in ten ends above' CODEC(T64, ZSTD(1)),
  `method` LowCardinality(String) COMMENT 'how it was made; seasonal-naive = the week before, again' CODEC(ZSTD(1)),
  `error_bp` Nullable(UInt32) COMMENT 'past error of the method: sum of misses over sum of values' CODEC(T64, ZSTD(1)),
  `naive_error_bp` Nullable(UInt32) COMMENT 'past error of seasonal-naive on the same steps' CODEC(T64, ZSTD(1)),
  `cover_bp` Nullable(UInt32) COMMENT 'share of past values inside the band; meant to be 0.8' CODEC(T64, ZSTD(1)),
  `origins` UInt32 COMMENT 'past forecasts that these errors rest on' CODEC(ZSTD(1)),
  `history_days` UInt16 COMMENT 'days that it was made from' CODEC(ZSTD(1)),
  `made` DateTime64(3, 'UTC') COMMENT 'end of the history that it was made from' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the making' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, pool, measure, horizon_days, at)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS fragmentation_1h (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node; empty = the whole pool' CODEC(ZSTD(1)),
  `hour` DateTime64(3, 'UTC') COMMENT 'the instant that it is about' CODEC(DoubleDelta, ZSTD(1)),
  `nodes` UInt32 COMMENT 'nodes' CODEC(ZSTD(1)),
  `gpus` UInt32 COMMENT 'GPUs of them' CODEC(ZSTD(1)),
  `free_gpus` Nullable(UInt32) COMMENT 'free GPUs of open nodes, shares as parts' CODEC(T64, ZSTD(1)),
  `whole_gpus` UInt32 COMMENT 'GPUs of them that are free as a whole' CODEC(ZSTD(1)),
  `fragmented_gpus` Nullable(UInt32) COMMENT 'free GPUs that are fragments' CODEC(T64, ZSTD(1)),
  `lacks_cpu_gpus` Nullable(UInt32) COMMENT 'fragments for want of processors' CODEC(T64, ZSTD(1)),
  `lacks_gpu_gpus` Nullable(UInt32) COMMENT 'fragments for want of more GPUs beside them' CODEC(T64, ZSTD(1)),
  `lacks_both_gpus` Nullable(UInt32) COMMENT 'fragments for want of both' CODEC(T64, ZSTD(1)),
  `crumbs_gpus` Nullable(UInt32) COMMENT 'parts of GPUs too small for the tasks' CODEC(T64, ZSTD(1)),
  `wrong_model_gpus` Nullable(UInt32) COMMENT 'fragments for tasks of other models' CODEC(T64, ZSTD(1)),
  `no_gpu_asked_gpus` Nullable(UInt32) COMMENT 'fragments for tasks without GPUs; 0 unless weighed by popularity' CODEC(T64, ZSTD(1)),
  `largest_gpus` UInt32 COMMENT 'GPUs of the largest job that could start' CODEC(ZSTD(1)),
  `largest_repacked_gpus` UInt32 COMMENT 'the same after a full repack, at most' CODEC(ZSTD(1)),
  `slots_1` UInt32 COMMENT 'tasks of 1 GPU that fit' CODEC(ZSTD(1)),
  `slots_2` UInt32 COMMENT 'tasks of 2 GPUs that fit' CODEC(ZSTD(1)),
  `slots_4` UInt32 COMMENT 'tasks of 4 GPUs that fit' CODEC(ZSTD(1)),
  `slots_8` UInt32 COMMENT 'tasks of 8 GPUs that fit' CODEC(ZSTD(1)),
  `slots_16` UInt32 COMMENT 'tasks of 16 GPUs that fit' CODEC(ZSTD(1)),
  `repacked_1` UInt32 COMMENT 'tasks of 1 GPU that fit after a full repack, at most' CODEC(ZSTD(1)),
  `repacked_2` UInt32 COMMENT 'tasks of 2 GPUs that fit after a full repack, at most' CODEC(ZSTD(1)),
  `repacked_4` UInt32 COMMENT 'tasks of 4 GPUs that fit after a full repack, at most' CODEC(ZSTD(1)),
  `repacked_8` UInt32 COMMENT 'tasks of 8 GPUs that fit after a full repack, at most' CODEC(ZSTD(1)),
  `repacked_16` UInt32 COMMENT 'tasks of 16 GPUs that fit after a full repack, at most' CODEC(ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the making' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (cluster, pool, node, hour)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS runs (
  `run_id` String COMMENT 'id that the tracking server gave' CODEC(ZSTD(3)),
  `experiment` LowCardinality(String) COMMENT 'name of the experiment' CODEC(ZSTD(1)),
  `name` String COMMENT 'name of the run' CODEC(ZSTD(3)),
  `user` LowCardinality(String) COMMENT 'who started it' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'running, finished, failed, killed or scheduled' CODEC(ZSTD(1)),
  `parameters` String COMMENT 'parameters as JSON' CODEC(ZSTD(3)),
  `metrics` String COMMENT 'last values of its metrics as JSON' CODEC(ZSTD(3)),
  `started` DateTime64(3, 'UTC') COMMENT 'started at' CODEC(DoubleDelta, ZSTD(1)),
  `ended` DateTime64(3, 'UTC') COMMENT 'ended at' CODEC(DoubleDelta, ZSTD(1)),
  `job_id` String COMMENT 'job that it was; empty = not known' CODEC(ZSTD(3)),
  `matched_by` LowCardinality(String) COMMENT 'tag, parameter or time; empty = not matched' CODEC(ZSTD(1)),
  `match_pct` Nullable(UInt8) COMMENT 'how sure the match is' CODEC(T64, ZSTD(1)),
  `told` UInt8 COMMENT '1 once its use was written back to the server' CODEC(ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the look' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (run_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS free_states (
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until, within the same hour' CODEC(DoubleDelta, ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger: held, free_demand, stranded or free_surplus' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'why; empty where the state says it all' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas, e.g. quota_held' CODEC(ZSTD(1)),
  `job_id` String COMMENT 'the waiting job that would fill it' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(valid_from) ORDER BY (gpu_id, valid_from);

CREATE TABLE IF NOT EXISTS demand_1m (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs that would take most of it; empty = none would' CODEC(ZSTD(1)),
  `minute` DateTime64(3, 'UTC') COMMENT 'start of the minute' CODEC(DoubleDelta, ZSTD(1)),
  `unmet_ms` UInt64 COMMENT 'GPU-seconds that jobs refused for capacity waited for' CODEC(ZSTD(1)),
  `refused_ms` UInt64 COMMENT 'GPU-seconds that jobs refused by a quota waited for' CODEC(ZSTD(1)),
  `jobs` UInt32 COMMENT 'jobs that waited at once, at most' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(minute) ORDER BY (cluster, pool, minute);

CREATE TABLE IF NOT EXISTS recoverable_1m (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `minute` DateTime64(3, 'UTC') COMMENT 'start of the minute' CODEC(DoubleDelta, ZSTD(1)),
  `loose_ms` UInt64 COMMENT 'GPU-seconds idle, stalled, stranded or wanted, and half of those underused' CODEC(ZSTD(1)),
  `unmet_ms` UInt64 COMMENT 'GPU-seconds that jobs refused for capacity waited for' CODEC(ZSTD(1)),
  `met_millionths` UInt32 COMMENT 'share of the loose time that was recoverable, in millionths' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(minute) ORDER BY (cluster, pool, minute);

CREATE TABLE IF NOT EXISTS recoverable_1h (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `hour` DateTime64(3, 'UTC') COMMENT 'start of the hour' CODEC(DoubleDelta, ZSTD(1)),
  `alloc_id` UInt64 COMMENT 'allocation that it belongs to; 0 = none' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'sub-cause of the state' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'evidence grade, A to D' CODEC(ZSTD(1)),
  `recoverable_ms` UInt64 COMMENT 'GPU-seconds that waiting jobs could have used' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(hour) ORDER BY (gpu_id, hour, alloc_id, state);

CREATE TABLE IF NOT EXISTS occupancy (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `valid_from` DateTime64(3, 'UTC') COMMENT 'from' CODEC(DoubleDelta, ZSTD(1)),
  `valid_to` DateTime64(3, 'UTC') COMMENT 'until, within the same hour' CODEC(DoubleDelta, ZSTD(1)),
  `alloc_id` UInt64 COMMENT 'allocation that holds the part; 0 = none' CODEC(ZSTD(1)),
  `job_id` String COMMENT 'its job; empty = none' CODEC(ZSTD(3)),
  `slice` LowCardinality(String) COMMENT 'UUID of the MIG slice that it holds; empty = the card' CODEC(ZSTD(1)),
  `remainder` UInt8 COMMENT '1 = what the card\'s MIG slices cannot reach' CODEC(ZSTD(1)),
  `unheld` UInt8 COMMENT '1 while nobody holds any part of the GPU' CODEC(ZSTD(1)),
  `share_milli` UInt32 COMMENT 'thousandths of `whole_milli` that the part has' CODEC(ZSTD(1)),
  `upto_milli` UInt32 COMMENT 'where the part ends among those of the GPU, in thousandths' CODEC(ZSTD(1)),
  `whole_milli` UInt32 COMMENT 'thousandths given away; more than 1000 where shares overlap' CODEC(ZSTD(1)),
  `started` DateTime64(3, 'UTC') COMMENT 'when the allocation began' CODEC(DoubleDelta, ZSTD(1)),
  `run` DateTime64(3, 'UTC') COMMENT 'when the allocation, or the time without any, began' CODEC(DoubleDelta, ZSTD(1)),
  `vacated` DateTime64(3, 'UTC') COMMENT 'end of the last allocation before; 1970 = none near' CODEC(DoubleDelta, ZSTD(1)),
  `place_state` LowCardinality(String) COMMENT 'what the owner says; empty = in service' CODEC(ZSTD(1)),
  `node_state` LowCardinality(String) COMMENT 'what the node\'s scheduler says; empty = nothing' CODEC(ZSTD(1)),
  `reserved` UInt8 COMMENT '1 inside a reservation for maintenance' CODEC(ZSTD(1)),
  `heard` UInt8 COMMENT '1 while the scheduler\'s word is fresh' CODEC(ZSTD(1)),
  `free_state` LowCardinality(String) COMMENT 'state by placement; empty where it has none' CODEC(ZSTD(1)),
  `free_cause` LowCardinality(String) COMMENT 'its cause' CODEC(ZSTD(1)),
  `free_flags` LowCardinality(String) COMMENT 'its flags, joined by commas' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(valid_from) ORDER BY (gpu_id, valid_from, alloc_id);

CREATE TABLE IF NOT EXISTS ledger_1m (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name; empty in cells of before it was kept' CODEC(ZSTD(1)),
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
  `node` LowCardinality(String) COMMENT 'node name; empty in cells of before it was kept' CODEC(ZSTD(1)),
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

CREATE TABLE IF NOT EXISTS accounts_1h (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model' CODEC(ZSTD(1)),
  `job` String COMMENT 'job id; empty = none' CODEC(ZSTD(3)),
  `job_name` LowCardinality(String) COMMENT 'name given by the user' CODEC(ZSTD(1)),
  `user` LowCardinality(String) COMMENT 'who submitted the job' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays; `unmapped` where nobody said; empty = no job' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'sub-cause of the state' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'evidence grade, A to D' CODEC(ZSTD(1)),
  `gpu_ms` UInt64 COMMENT 'GPU-seconds booked' CODEC(ZSTD(1)),
  `energy_mj` Nullable(UInt64) COMMENT 'energy drawn' CODEC(T64, ZSTD(1)),
  `recoverable_ms` UInt64 COMMENT 'GPU-seconds of them that waiting jobs could have used' CODEC(ZSTD(1)),
  `hour` DateTime64(3, 'UTC') COMMENT 'start of the hour' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(hour) ORDER BY (cluster, pool, team, state, hour);

CREATE TABLE IF NOT EXISTS accounts_1d (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model' CODEC(ZSTD(1)),
  `job` String COMMENT 'job id; empty = none' CODEC(ZSTD(3)),
  `job_name` LowCardinality(String) COMMENT 'name given by the user' CODEC(ZSTD(1)),
  `user` LowCardinality(String) COMMENT 'who submitted the job' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays; `unmapped` where nobody said; empty = no job' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'sub-cause of the state' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'evidence grade, A to D' CODEC(ZSTD(1)),
  `gpu_ms` UInt64 COMMENT 'GPU-seconds booked' CODEC(ZSTD(1)),
  `energy_mj` Nullable(UInt64) COMMENT 'energy drawn' CODEC(T64, ZSTD(1)),
  `recoverable_ms` UInt64 COMMENT 'GPU-seconds of them that waiting jobs could have used' CODEC(ZSTD(1)),
  `day` DateTime64(3, 'UTC') COMMENT 'start of the day, UTC' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(day) ORDER BY (cluster, pool, team, state, day);

CREATE TABLE IF NOT EXISTS ledger_adjust (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `model` LowCardinality(String) COMMENT 'GPU model' CODEC(ZSTD(1)),
  `job` String COMMENT 'job id; empty = none' CODEC(ZSTD(3)),
  `job_name` LowCardinality(String) COMMENT 'name given by the user' CODEC(ZSTD(1)),
  `user` LowCardinality(String) COMMENT 'who submitted the job' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team that pays; `unmapped` where nobody said; empty = no job' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'state of the ledger' CODEC(ZSTD(1)),
  `flags` LowCardinality(String) COMMENT 'flags, joined by commas' CODEC(ZSTD(1)),
  `cause` LowCardinality(String) COMMENT 'sub-cause of the state' CODEC(ZSTD(1)),
  `grade` LowCardinality(String) COMMENT 'evidence grade, A to D' CODEC(ZSTD(1)),
  `gpu_ms` UInt64 COMMENT 'GPU-seconds booked' CODEC(ZSTD(1)),
  `energy_mj` Nullable(UInt64) COMMENT 'energy drawn' CODEC(T64, ZSTD(1)),
  `recoverable_ms` UInt64 COMMENT 'GPU-seconds of them that waiting jobs could have used' CODEC(ZSTD(1)),
  `hour` DateTime64(3, 'UTC') COMMENT 'start of the hour' CODEC(DoubleDelta, ZSTD(1)),
  `gpu_id` UInt64 COMMENT 'hash of the asset id' CODEC(ZSTD(1)),
  `alloc_id` UInt64 COMMENT 'allocation that it belongs to; 0 = none' CODEC(ZSTD(1)),
  `reverses` UInt8 COMMENT '1 = to be subtracted from the book, 0 = added to it' CODEC(ZSTD(1)),
  `reason` LowCardinality(String) COMMENT 'owned, allocation, evidence, owner or lost_work' CODEC(ZSTD(1)),
  `pair` UInt64 COMMENT 'hash of hour, GPU, reason and time' CODEC(ZSTD(1)),
  `adjusted_at` DateTime64(3, 'UTC') COMMENT 'when it was booked' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toStartOfHour(hour) ORDER BY (cluster, pool, team, state, hour);

CREATE TABLE IF NOT EXISTS free_blocks (
  `cluster` LowCardinality(String) COMMENT 'cluster name' CODEC(ZSTD(1)),
  `pool` LowCardinality(String) COMMENT 'pool of the GPUs' CODEC(ZSTD(1)),
  `minute` DateTime64(3, 'UTC') COMMENT 'start of the minute' CODEC(DoubleDelta, ZSTD(1)),
  `free_gpus` UInt16 COMMENT 'whole free GPUs of the node that had most of them' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMMDD(minute) ORDER BY (cluster, pool, minute);

CREATE TABLE IF NOT EXISTS booked_hours (
  `hour` DateTime64(3, 'UTC') COMMENT 'start of the hour' CODEC(DoubleDelta, ZSTD(1)),
  `fingerprint` UInt64 COMMENT 'hash of everything the hour was booked from' CODEC(ZSTD(1)),
  `formula` UInt64 COMMENT 'hash of how that hash is made' CODEC(ZSTD(1)),
  `restated` UInt64 COMMENT 'the same hash when ledger_adjust was brought up to it' CODEC(ZSTD(1)),
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
  `cause` LowCardinality(String) COMMENT 'what it comes from, in one word; empty = not known' CODEC(ZSTD(1)),
  `owner` LowCardinality(String) COMMENT 'who acts: job owner, hardware operations, platform …' CODEC(ZSTD(1)),
  `action` String COMMENT 'what to do, in one sentence' CODEC(ZSTD(3)),
  `asks` String COMMENT 'a smaller request that would do, a JSON object; empty = none' CODEC(ZSTD(3)),
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
  `status` LowCardinality(String) COMMENT 'where it stands; see recommendation_events' CODEC(ZSTD(1)),
  `title` String COMMENT 'one sentence for people' CODEC(ZSTD(3)),
  `command` String COMMENT 'what a person would run, or a comment why not; empty = not done by a command' CODEC(ZSTD(3)),
  `undo` String COMMENT 'what would take that back; empty where nothing does' CODEC(ZSTD(3)),
  `about` String COMMENT 'what a dismissal mutes, in all its turns; empty = the subject' CODEC(ZSTD(3)),
  `resources` String COMMENT 'what the gain is made of, to its GPU-hours; a JSON object' CODEC(ZSTD(3)),
  `gain_gpu_hours` Nullable(UInt64) COMMENT 'GPU-hours freed within the horizon' CODEC(T64, ZSTD(1)),
  `gain_capacity_value` Nullable(UInt64) COMMENT 'their worth' CODEC(T64, ZSTD(1)),
  `gain_cash_avoidable` Nullable(UInt64) COMMENT 'energy not spent' CODEC(T64, ZSTD(1)),
  `gain_low_gpu_hours` Nullable(Int64) COMMENT 'lower end of the predicted interval' CODEC(T64, ZSTD(1)),
  `gain_high_gpu_hours` Nullable(Int64) COMMENT 'upper end of the predicted interval' CODEC(T64, ZSTD(1)),
  `gain_wait_ms` Nullable(Int64) COMMENT 'time that a job would wait less, on average' CODEC(T64, ZSTD(1)),
  `gain_wait_low_ms` Nullable(Int64) COMMENT 'lower end of that' CODEC(T64, ZSTD(1)),
  `gain_wait_high_ms` Nullable(Int64) COMMENT 'upper end of that' CODEC(T64, ZSTD(1)),
  `calibration_bp` Nullable(UInt32) COMMENT 'what past outcomes made of the gain' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code; empty without a price' CODEC(ZSTD(1)),
  `horizon_seconds` UInt32 COMMENT 'time that the gain is counted over' CODEC(ZSTD(1)),
  `confidence_pct` Nullable(UInt8) COMMENT 'how sure the advisor is' CODEC(T64, ZSTD(1)),
  `because` String COMMENT 'what it rests on, in words' CODEC(ZSTD(3)),
  `created` DateTime64(3, 'UTC') COMMENT 'first proposed' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the tick' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (recommendation_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS recommendation_events (
  `recommendation_id` UInt64 COMMENT 'the recommendation' CODEC(ZSTD(1)),
  `turn` UInt32 COMMENT '1, 2, 3 and so on in its life' CODEC(ZSTD(1)),
  `decision` UInt64 COMMENT 'whose insert it was; tells the one of several deciders that won' CODEC(ZSTD(1)),
  `status` LowCardinality(String) COMMENT 'proposed, accepted, dismissed, snoozed, expired, applied, measured or not_measurable' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'advisor that proposed it' CODEC(ZSTD(1)),
  `mutes` UInt64 COMMENT 'hash of kind and subjects, that a dismissal is about' CODEC(ZSTD(1)),
  `by` LowCardinality(String) COMMENT 'who decided; `gpuledger` where it was seen' CODEC(ZSTD(1)),
  `reason` String COMMENT 'why, or what was seen' CODEC(ZSTD(3)),
  `at` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `until` DateTime64(3, 'UTC') COMMENT 'a dismissal or snooze ends' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'falls with time, so that the first of a turn holds' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (recommendation_id, turn)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS outcomes (
  `recommendation_id` UInt64 COMMENT 'the recommendation' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'advisor that proposed it' CODEC(ZSTD(1)),
  `subject` String COMMENT 'what it was about' CODEC(ZSTD(3)),
  `team` LowCardinality(String) COMMENT 'team that pays' CODEC(ZSTD(1)),
  `status` LowCardinality(String) COMMENT 'measured or not_measurable' CODEC(ZSTD(1)),
  `reason` String COMMENT 'why it could not be measured; empty where it was' CODEC(ZSTD(3)),
  `method` String COMMENT 'what was compared with what' CODEC(ZSTD(3)),
  `predicted_gpu_hours` Nullable(Int64) COMMENT 'GPU-hours that were promised' CODEC(T64, ZSTD(1)),
  `predicted_low_gpu_hours` Nullable(Int64) COMMENT 'lower end of what was promised' CODEC(T64, ZSTD(1)),
  `predicted_high_gpu_hours` Nullable(Int64) COMMENT 'upper end of what was promised' CODEC(T64, ZSTD(1)),
  `calibration_bp` Nullable(UInt32) COMMENT 'what outcomes before it made of the promise' CODEC(T64, ZSTD(1)),
  `measured_gpu_hours` Nullable(Int64) COMMENT 'GPU-hours won over the horizon' CODEC(T64, ZSTD(1)),
  `low_gpu_hours` Nullable(Int64) COMMENT 'lower end of the 95 % interval' CODEC(T64, ZSTD(1)),
  `high_gpu_hours` Nullable(Int64) COMMENT 'upper end of the 95 % interval' CODEC(T64, ZSTD(1)),
  `treated_before` UInt32 COMMENT 'observations of what it was about, before' CODEC(ZSTD(1)),
  `treated_after` UInt32 COMMENT 'observations of what it was about, after' CODEC(ZSTD(1)),
  `matched_before` UInt32 COMMENT 'observations of what is like it and was left alone, before' CODEC(ZSTD(1)),
  `matched_after` UInt32 COMMENT 'observations of what is like it and was left alone, after' CODEC(ZSTD(1)),
  `accepted` DateTime64(3, 'UTC') COMMENT 'when it was accepted' CODEC(DoubleDelta, ZSTD(1)),
  `applied` DateTime64(3, 'UTC') COMMENT 'when it was applied' CODEC(DoubleDelta, ZSTD(1)),
  `measured` DateTime64(3, 'UTC') COMMENT 'when the outcome was judged' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of that' CODEC(ZSTD(1))
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
  `gpus` Nullable(UInt32) COMMENT 'GPUs lost while it lasts' CODEC(T64, ZSTD(1)),
  `cost_per_hour` Nullable(UInt64) COMMENT 'worth of those GPUs for an hour' CODEC(T64, ZSTD(1)),
  `currency` LowCardinality(String) COMMENT 'ISO 4217 code; empty without a price' CODEC(ZSTD(1)),
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
  `channel` LowCardinality(String) COMMENT 'how it went: alertmanager, mailto, slack …; shadow = not at all' CODEC(ZSTD(1)),
  `receiver` String COMMENT 'who: user/NAME, team/NAME, platform/…; empty = the channel' CODEC(ZSTD(3)),
  `message` UInt64 COMMENT 'one number for all that was told at once; 0 = on its own' CODEC(ZSTD(1)),
  `outcome` String COMMENT 'accepted, summarised, why it waits, or why it failed' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (rule, subject, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS leases (
  `ts` DateTime64(3, 'UTC') COMMENT 'when it was taken' CODEC(DoubleDelta, ZSTD(1)),
  `name` LowCardinality(String) COMMENT 'what it is about, e.g. alerts' CODEC(ZSTD(1)),
  `turn` UInt32 COMMENT '1, 2, 3 and so on' CODEC(ZSTD(1)),
  `holder` String COMMENT 'who took it' CODEC(ZSTD(3)),
  `decision` UInt64 COMMENT 'whose insert it was; tells the one of several that won' CODEC(ZSTD(1)),
  `until` DateTime64(3, 'UTC') COMMENT 'until when nobody else may take the next turn' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (name, turn, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS report_snapshots (
  `week` LowCardinality(String) COMMENT 'ISO week, e.g. 2026-W47, in the zone' CODEC(ZSTD(1)),
  `step` UInt32 COMMENT '1, 2, 3 and so on in its life' CODEC(ZSTD(1)),
  `decision` UInt64 COMMENT 'whose insert it was; tells the one of several that won' CODEC(ZSTD(1)),
  `snapshot_id` UInt64 COMMENT 'hash of week, edition and value' CODEC(ZSTD(1)),
  `edition` UInt32 COMMENT '1, and one more for each correction of what was released' CODEC(ZSTD(1)),
  `state` LowCardinality(String) COMMENT 'draft or released' CODEC(ZSTD(1)),
  `corrects` String COMMENT 'why it replaces the edition before; empty for the first' CODEC(ZSTD(3)),
  `timezone` LowCardinality(String) COMMENT 'zone of the week\'s bounds' CODEC(ZSTD(1)),
  `since` DateTime64(3, 'UTC') COMMENT 'begin of the week' CODEC(DoubleDelta, ZSTD(1)),
  `until` DateTime64(3, 'UTC') COMMENT 'end of the week' CODEC(DoubleDelta, ZSTD(1)),
  `settled` UInt8 COMMENT '1 where every cell of it was closed' CODEC(ZSTD(1)),
  `value` String COMMENT 'the numbers as JSON' CODEC(ZSTD(3)),
  `sha256` String COMMENT 'SHA-256 of that, hexadecimal' CODEC(ZSTD(3)),
  `form` UInt32 COMMENT 'version of the JSON\'s schema' CODEC(ZSTD(1)),
  `by` LowCardinality(String) COMMENT 'who took the step; `gpuledger` for the schedule' CODEC(ZSTD(1)),
  `at` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'falls with time, so that the first of a step holds' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (week, step)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS report_pages (
  `week` LowCardinality(String) COMMENT 'ISO week' CODEC(ZSTD(1)),
  `step` UInt32 COMMENT 'step of the draft in the life of the week\'s report' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team' CODEC(ZSTD(1)),
  `decision` UInt64 COMMENT 'whose insert it was; tells the one of several that won' CODEC(ZSTD(1)),
  `value` String COMMENT 'the numbers as JSON' CODEC(ZSTD(3)),
  `form` UInt32 COMMENT 'version of the JSON\'s schema' CODEC(ZSTD(1)),
  `at` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'falls with time, so that the first holds' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (week, step, team)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS report_notes (
  `week` LowCardinality(String) COMMENT 'ISO week' CODEC(ZSTD(1)),
  `team` LowCardinality(String) COMMENT 'team' CODEC(ZSTD(1)),
  `note` String COMMENT 'the remark' CODEC(ZSTD(3)),
  `by` LowCardinality(String) COMMENT 'who wrote it' CODEC(ZSTD(1)),
  `at` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of that' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (week, team)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS report_deliveries (
  `delivery_id` UInt64 COMMENT 'hash of week, edition, what, channel and target' CODEC(ZSTD(1)),
  `turn` UInt32 COMMENT '1, 2, 3 and so on; odd ones begin, even ones end' CODEC(ZSTD(1)),
  `decision` UInt64 COMMENT 'whose insert it was; tells the one of several senders that won' CODEC(ZSTD(1)),
  `week` LowCardinality(String) COMMENT 'ISO week' CODEC(ZSTD(1)),
  `edition` UInt32 COMMENT 'edition of the week\'s report' CODEC(ZSTD(1)),
  `what` LowCardinality(String) COMMENT 'management, or team/ and the team\'s name' CODEC(ZSTD(1)),
  `channel` LowCardinality(String) COMMENT 'mail, s3 or webhook' CODEC(ZSTD(1)),
  `target` String COMMENT 'address, without secrets' CODEC(ZSTD(3)),
  `state` LowCardinality(String) COMMENT 'sending, sent, failed (tried again), refused, or unsure' CODEC(ZSTD(1)),
  `reason` String COMMENT 'why not, in one line' CODEC(ZSTD(3)),
  `at` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `due` DateTime64(3, 'UTC') COMMENT 'when it is tried again; 2106 = never by itself' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'falls with time, so that the first of a turn holds' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (delivery_id, turn)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS api_tokens (
  `token_id` String COMMENT 'the middle of the token, which is no secret' CODEC(ZSTD(3)),
  `name` String COMMENT 'who has it; stays when a token is replaced by a new one' CODEC(ZSTD(3)),
  `role` LowCardinality(String) COMMENT 'ingest, viewer, team-owner, operator or admin' CODEC(ZSTD(1)),
  `teams` String COMMENT 'teams whose rows it sees, as a JSON array; [] = all' CODEC(ZSTD(3)),
  `cluster` LowCardinality(String) COMMENT 'cluster that it may send rows of; empty = any' CODEC(ZSTD(1)),
  `node` LowCardinality(String) COMMENT 'node that it may send rows of; empty = any' CODEC(ZSTD(1)),
  `tables` String COMMENT 'tables that it may send to, as a JSON array; [] = all' CODEC(ZSTD(3)),
  `secret_sha256` String COMMENT 'SHA-256 of the secret\'s 256 random bits, hexadecimal' CODEC(ZSTD(3)),
  `replaces` String COMMENT 'id of the token that it takes over from; empty = none' CODEC(ZSTD(3)),
  `made_by` LowCardinality(String) COMMENT 'who made it' CODEC(ZSTD(1)),
  `made_at` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `expires_at` DateTime64(3, 'UTC') COMMENT 'when it ends; 2106 = never' CODEC(DoubleDelta, ZSTD(1)),
  `revoked_by` LowCardinality(String) COMMENT 'who took it back; empty = nobody' CODEC(ZSTD(1)),
  `revoked_at` DateTime64(3, 'UTC') COMMENT 'when it was taken back; 2106 = it was not' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the last change' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (token_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS api_token_uses (
  `token_id` String COMMENT 'the token' CODEC(ZSTD(3)),
  `used_at` DateTime64(3, 'UTC') COMMENT 'when, at most a minute old' CODEC(DoubleDelta, ZSTD(1)),
  `address` String COMMENT 'from which address' CODEC(ZSTD(3)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of that' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (token_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS audit_log (
  `ts` DateTime64(3, 'UTC') COMMENT 'when' CODEC(DoubleDelta, ZSTD(1)),
  `who` String COMMENT 'name of the caller; cli:NAME = a user of the operating system' CODEC(ZSTD(3)),
  `role` LowCardinality(String) COMMENT 'the caller\'s role' CODEC(ZSTD(1)),
  `action` LowCardinality(String) COMMENT 'what was done, e.g. recommendation.accept, token.create' CODEC(ZSTD(1)),
  `subject` String COMMENT 'to what, e.g. an id, a job, a week' CODEC(ZSTD(3)),
  `address` String COMMENT 'address it was asked from; empty = the command line' CODEC(ZSTD(3)),
  `before` String COMMENT 'how it was, as JSON; null = it was not there' CODEC(ZSTD(3)),
  `after` String COMMENT 'how it is, as JSON; null = it is gone' CODEC(ZSTD(3)),
  `request_id` String COMMENT 'id of the request in the logs; empty = the command line' CODEC(ZSTD(3))
)
ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (action, subject, ts)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS job_teams (
  `job_id` String COMMENT 'cluster/native id' CODEC(ZSTD(3)),
  `team` LowCardinality(String) COMMENT 'team that pays; `unmapped` where nobody said' CODEC(ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 when it was worked out' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (job_id)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS forgotten (
  `pseudonym` LowCardinality(String) COMMENT 'what stands in place of the person\'s names' CODEC(ZSTD(1)),
  `salt` String COMMENT 'random, of this forgetting alone, hexadecimal' CODEC(ZSTD(3)),
  `digest` String COMMENT 'scrypt of the user name with that salt, hexadecimal' CODEC(ZSTD(3)),
  `forgotten_at` DateTime64(3, 'UTC') COMMENT 'when it was first asked for' CODEC(DoubleDelta, ZSTD(1)),
  `version` UInt64 COMMENT 'milliseconds since 1970 of the last time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version) ORDER BY (pseudonym)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS gpu_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `graphics_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp16_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp32_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp64_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `hmma_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `imma_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `encoder_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `decoder_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `lost_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `power_mw_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `power_mw_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `power_limit_mw_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `energy_mj_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `energy_mj_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `memory_temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `sm_clock_mhz_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_clock_mhz_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `throttle_reasons` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(T64, LZ4),
  `power_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `power_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `thermal_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `thermal_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `brake_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `brake_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `processes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts, uuid, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1m_mv TO gpu_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.source AS `source`, s.epoch AS `epoch`, toUInt64(isNotNull(s.utilization_pct)) + isNotNull(s.memory_utilization_pct) * 2 + isNotNull(s.sm_active_bp) * 4 + isNotNull(s.sm_occupancy_bp) * 8 + isNotNull(s.tensor_active_bp) * 16 + isNotNull(s.dram_active_bp) * 32 + isNotNull(s.graphics_active_bp) * 64 + isNotNull(s.fp16_active_bp) * 128 + isNotNull(s.fp32_active_bp) * 256 + isNotNull(s.fp64_active_bp) * 512 + isNotNull(s.hmma_active_bp) * 1024 + isNotNull(s.imma_active_bp) * 2048 + isNotNull(s.encoder_pct) * 4096 + isNotNull(s.decoder_pct) * 8192 + isNotNull(s.memory_used_mib) * 16384 + isNotNull(s.memory_total_mib) * 32768 + isNotNull(s.power_mw) * 65536 + isNotNull(s.power_limit_mw) * 131072 + isNotNull(s.temperature_celsius) * 262144 + isNotNull(s.memory_temperature_celsius) * 524288 + isNotNull(s.sm_clock_mhz) * 1048576 + isNotNull(s.memory_clock_mhz) * 2097152 + isNotNull(s.processes) * 4194304 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, sum(assumeNotNull(s.utilization_pct) * greatest(s.interval_ms, 1)) AS `utilization_pct_wsum`, sum(assumeNotNull(s.memory_utilization_pct) * greatest(s.interval_ms, 1)) AS `memory_utilization_pct_wsum`, sum(assumeNotNull(s.sm_active_bp) * greatest(s.interval_ms, 1)) AS `sm_active_bp_wsum`, sum(assumeNotNull(s.sm_occupancy_bp) * greatest(s.interval_ms, 1)) AS `sm_occupancy_bp_wsum`, sum(assumeNotNull(s.tensor_active_bp) * greatest(s.interval_ms, 1)) AS `tensor_active_bp_wsum`, sum(assumeNotNull(s.dram_active_bp) * greatest(s.interval_ms, 1)) AS `dram_active_bp_wsum`, sum(assumeNotNull(s.graphics_active_bp) * greatest(s.interval_ms, 1)) AS `graphics_active_bp_wsum`, sum(assumeNotNull(s.fp16_active_bp) * greatest(s.interval_ms, 1)) AS `fp16_active_bp_wsum`, sum(assumeNotNull(s.fp32_active_bp) * greatest(s.interval_ms, 1)) AS `fp32_active_bp_wsum`, sum(assumeNotNull(s.fp64_active_bp) * greatest(s.interval_ms, 1)) AS `fp64_active_bp_wsum`, sum(assumeNotNull(s.hmma_active_bp) * greatest(s.interval_ms, 1)) AS `hmma_active_bp_wsum`, sum(assumeNotNull(s.imma_active_bp) * greatest(s.interval_ms, 1)) AS `imma_active_bp_wsum`, sum(assumeNotNull(s.encoder_pct) * greatest(s.interval_ms, 1)) AS `encoder_pct_wsum`, sum(assumeNotNull(s.decoder_pct) * greatest(s.interval_ms, 1)) AS `decoder_pct_wsum`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(assumeNotNull(s.memory_used_mib) * greatest(s.interval_ms, 1)) AS `memory_used_mib_wsum`, max(ifNull(s.memory_used_mib_max, s.memory_used_mib)) AS `memory_used_mib_max`, sum(assumeNotNull(s.memory_total_mib) * greatest(s.interval_ms, 1)) AS `memory_total_mib_wsum`, sum(assumeNotNull(s.power_mw) * greatest(s.interval_ms, 1)) AS `power_mw_wsum`, max(ifNull(s.power_mw_max, s.power_mw)) AS `power_mw_max`, sum(assumeNotNull(s.power_limit_mw) * greatest(s.interval_ms, 1)) AS `power_limit_mw_wsum`, min(s.energy_mj) AS `energy_mj_min`, max(s.energy_mj) AS `energy_mj_max`, sum(assumeNotNull(s.temperature_celsius) * greatest(s.interval_ms, 1)) AS `temperature_celsius_wsum`, max(ifNull(s.temperature_celsius_max, s.temperature_celsius)) AS `temperature_celsius_max`, sum(assumeNotNull(s.memory_temperature_celsius) * greatest(s.interval_ms, 1)) AS `memory_temperature_celsius_wsum`, max(ifNull(s.memory_temperature_celsius_max, s.memory_temperature_celsius)) AS `memory_temperature_celsius_max`, sum(assumeNotNull(s.sm_clock_mhz) * greatest(s.interval_ms, 1)) AS `sm_clock_mhz_wsum`, sum(assumeNotNull(s.memory_clock_mhz) * greatest(s.interval_ms, 1)) AS `memory_clock_mhz_wsum`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, min(s.power_throttle_ms) AS `power_throttle_ms_min`, max(s.power_throttle_ms) AS `power_throttle_ms_max`, min(s.thermal_throttle_ms) AS `thermal_throttle_ms_min`, max(s.thermal_throttle_ms) AS `thermal_throttle_ms_max`, min(s.brake_throttle_ms) AS `brake_throttle_ms_min`, max(s.brake_throttle_ms) AS `brake_throttle_ms_max`, min(s.pcie_receive_bytes) AS `pcie_receive_bytes_min`, max(s.pcie_receive_bytes) AS `pcie_receive_bytes_max`, min(s.pcie_transmit_bytes) AS `pcie_transmit_bytes_min`, max(s.pcie_transmit_bytes) AS `pcie_transmit_bytes_max`, min(s.nvlink_receive_bytes) AS `nvlink_receive_bytes_min`, max(s.nvlink_receive_bytes) AS `nvlink_receive_bytes_max`, min(s.nvlink_transmit_bytes) AS `nvlink_transmit_bytes_min`, max(s.nvlink_transmit_bytes) AS `nvlink_transmit_bytes_max`, sum(assumeNotNull(s.processes) * greatest(s.interval_ms, 1)) AS `processes_wsum`, max(ifNull(s.processes_max, s.processes)) AS `processes_max`
FROM gpu_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.slot, s.uuid, s.source, s.epoch, known
COMMENT 'gpuledger 2429a1b16751bd48';

CREATE OR REPLACE VIEW v_gpu_samples_1m AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_uuid, w.place) AS uuid, argMin(w.own_utilization_ratio, w.place) AS utilization_ratio, argMin(w.own_memory_utilization_ratio, w.place) AS memory_utilization_ratio, argMin(w.own_sm_active_ratio, w.place) AS sm_active_ratio, argMin(w.own_sm_occupancy_ratio, w.place) AS sm_occupancy_ratio, argMin(w.own_tensor_active_ratio, w.place) AS tensor_active_ratio, argMin(w.own_dram_active_ratio, w.place) AS dram_active_ratio, argMin(w.own_graphics_active_ratio, w.place) AS graphics_active_ratio, argMin(w.own_fp16_active_ratio, w.place) AS fp16_active_ratio, argMin(w.own_fp32_active_ratio, w.place) AS fp32_active_ratio, argMin(w.own_fp64_active_ratio, w.place) AS fp64_active_ratio, argMin(w.own_hmma_active_ratio, w.place) AS hmma_active_ratio, argMin(w.own_imma_active_ratio, w.place) AS imma_active_ratio, argMin(w.own_encoder_ratio, w.place) AS encoder_ratio, argMin(w.own_decoder_ratio, w.place) AS decoder_ratio, argMin(w.own_active_seconds, w.place) AS active_seconds, argMin(w.own_lost_seconds, w.place) AS lost_seconds, argMin(w.own_memory_used_bytes, w.place) AS memory_used_bytes, argMin(w.own_memory_used_bytes_max, w.place) AS memory_used_bytes_max, argMin(w.own_memory_total_bytes, w.place) AS memory_total_bytes, argMin(w.own_power_watts, w.place) AS power_watts, argMin(w.own_power_watts_max, w.place) AS power_watts_max, argMin(w.own_power_limit_watts, w.place) AS power_limit_watts, argMin(w.own_energy_joules_first, w.place) AS energy_joules_first, argMin(w.own_energy_joules_last, w.place) AS energy_joules_last, argMin(w.own_temperature_celsius, w.place) AS temperature_celsius, argMin(w.own_temperature_celsius_max, w.place) AS temperature_celsius_max, argMin(w.own_memory_temperature_celsius, w.place) AS memory_temperature_celsius, argMin(w.own_memory_temperature_celsius_max, w.place) AS memory_temperature_celsius_max, argMin(w.own_sm_clock_hertz, w.place) AS sm_clock_hertz, argMin(w.own_memory_clock_hertz, w.place) AS memory_clock_hertz, argMin(w.own_throttle_reasons, w.place) AS throttle_reasons, argMin(w.own_power_throttle_seconds_first, w.place) AS power_throttle_seconds_first, argMin(w.own_power_throttle_seconds_last, w.place) AS power_throttle_seconds_last, argMin(w.own_thermal_throttle_seconds_first, w.place) AS thermal_throttle_seconds_first, argMin(w.own_thermal_throttle_seconds_last, w.place) AS thermal_throttle_seconds_last, argMin(w.own_brake_throttle_seconds_first, w.place) AS brake_throttle_seconds_first, argMin(w.own_brake_throttle_seconds_last, w.place) AS brake_throttle_seconds_last, argMin(w.own_pcie_receive_bytes_first, w.place) AS pcie_receive_bytes_first, argMin(w.own_pcie_receive_bytes_last, w.place) AS pcie_receive_bytes_last, argMin(w.own_pcie_transmit_bytes_first, w.place) AS pcie_transmit_bytes_first, argMin(w.own_pcie_transmit_bytes_last, w.place) AS pcie_transmit_bytes_last, argMin(w.own_nvlink_receive_bytes_first, w.place) AS nvlink_receive_bytes_first, argMin(w.own_nvlink_receive_bytes_last, w.place) AS nvlink_receive_bytes_last, argMin(w.own_nvlink_transmit_bytes_first, w.place) AS nvlink_transmit_bytes_first, argMin(w.own_nvlink_transmit_bytes_last, w.place) AS nvlink_transmit_bytes_last, argMin(w.own_processes, w.place) AS processes, argMin(w.own_processes_max, w.place) AS processes_max, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 60000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.uuid) AS `own_uuid`, sumIf(s.utilization_pct_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS `own_utilization_ratio`, sumIf(s.memory_utilization_pct_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 100 AS `own_memory_utilization_ratio`, sumIf(s.sm_active_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS `own_sm_active_ratio`, sumIf(s.sm_occupancy_bp_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 10000 AS `own_sm_occupancy_ratio`, sumIf(s.tensor_active_bp_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) / 10000 AS `own_tensor_active_ratio`, sumIf(s.dram_active_bp_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) / 10000 AS `own_dram_active_ratio`, sumIf(s.graphics_active_bp_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) / 10000 AS `own_graphics_active_ratio`, sumIf(s.fp16_active_bp_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) / 10000 AS `own_fp16_active_ratio`, sumIf(s.fp32_active_bp_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) / 10000 AS `own_fp32_active_ratio`, sumIf(s.fp64_active_bp_wsum, bitTest(s.known, 9)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 9)), 0) / 10000 AS `own_fp64_active_ratio`, sumIf(s.hmma_active_bp_wsum, bitTest(s.known, 10)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 10)), 0) / 10000 AS `own_hmma_active_ratio`, sumIf(s.imma_active_bp_wsum, bitTest(s.known, 11)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 11)), 0) / 10000 AS `own_imma_active_ratio`, sumIf(s.encoder_pct_wsum, bitTest(s.known, 12)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 12)), 0) / 100 AS `own_encoder_ratio`, sumIf(s.decoder_pct_wsum, bitTest(s.known, 13)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 13)), 0) / 100 AS `own_decoder_ratio`, sum(s.active_ms) / 1000 AS `own_active_seconds`, sum(s.lost_ms) / 1000 AS `own_lost_seconds`, sumIf(s.memory_used_mib_wsum, bitTest(s.known, 14)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 14)), 0) * 1048576 / 1 AS `own_memory_used_bytes`, max(s.memory_used_mib_max) * 1048576 / 1 AS `own_memory_used_bytes_max`, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 15)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 15)), 0) * 1048576 / 1 AS `own_memory_total_bytes`, sumIf(s.power_mw_wsum, bitTest(s.known, 16)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 16)), 0) / 1000 AS `own_power_watts`, max(s.power_mw_max) / 1000 AS `own_power_watts_max`, sumIf(s.power_limit_mw_wsum, bitTest(s.known, 17)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 17)), 0) / 1000 AS `own_power_limit_watts`, min(s.energy_mj_min) / 1000 AS `own_energy_joules_first`, max(s.energy_mj_max) / 1000 AS `own_energy_joules_last`, sumIf(s.temperature_celsius_wsum, bitTest(s.known, 18)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 18)), 0) AS `own_temperature_celsius`, max(s.temperature_celsius_max) AS `own_temperature_celsius_max`, sumIf(s.memory_temperature_celsius_wsum, bitTest(s.known, 19)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 19)), 0) AS `own_memory_temperature_celsius`, max(s.memory_temperature_celsius_max) AS `own_memory_temperature_celsius_max`, sumIf(s.sm_clock_mhz_wsum, bitTest(s.known, 20)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 20)), 0) * 1000000 / 1 AS `own_sm_clock_hertz`, sumIf(s.memory_clock_mhz_wsum, bitTest(s.known, 21)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 21)), 0) * 1000000 / 1 AS `own_memory_clock_hertz`, groupBitOr(s.throttle_reasons) AS `own_throttle_reasons`, min(s.power_throttle_ms_min) / 1000 AS `own_power_throttle_seconds_first`, max(s.power_throttle_ms_max) / 1000 AS `own_power_throttle_seconds_last`, min(s.thermal_throttle_ms_min) / 1000 AS `own_thermal_throttle_seconds_first`, max(s.thermal_throttle_ms_max) / 1000 AS `own_thermal_throttle_seconds_last`, min(s.brake_throttle_ms_min) / 1000 AS `own_brake_throttle_seconds_first`, max(s.brake_throttle_ms_max) / 1000 AS `own_brake_throttle_seconds_last`, min(s.pcie_receive_bytes_min) AS `own_pcie_receive_bytes_first`, max(s.pcie_receive_bytes_max) AS `own_pcie_receive_bytes_last`, min(s.pcie_transmit_bytes_min) AS `own_pcie_transmit_bytes_first`, max(s.pcie_transmit_bytes_max) AS `own_pcie_transmit_bytes_last`, min(s.nvlink_receive_bytes_min) AS `own_nvlink_receive_bytes_first`, max(s.nvlink_receive_bytes_max) AS `own_nvlink_receive_bytes_last`, min(s.nvlink_transmit_bytes_min) AS `own_nvlink_transmit_bytes_first`, max(s.nvlink_transmit_bytes_max) AS `own_nvlink_transmit_bytes_last`, sumIf(s.processes_wsum, bitTest(s.known, 22)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 22)), 0) AS `own_processes`, max(s.processes_max) AS `own_processes_max`, any(s.source) AS `own_source`
FROM gpu_samples_1m AS s GROUP BY ts, cluster, node, slot, place
) AS w GROUP BY ts, cluster, node, slot
COMMENT 'gpuledger e5064636d01ae7df';

CREATE OR REPLACE VIEW v_gpu_samples_losers AS
SELECT toStartOfHour(ts) AS hour, cluster, node, slot, lost.2 AS source,
  argMin(first.2, first.1) AS instead, count() AS minutes
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot,
  arraySort(groupUniqArray((if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)), toString(s.source)))) AS told, told[1] AS first
FROM gpu_samples_1m AS s GROUP BY ts, cluster, node, slot HAVING length(told) > 1
) ARRAY JOIN arrayPopFront(told) AS lost
GROUP BY hour, cluster, node, slot, source
COMMENT 'gpuledger 5e778bafe395ba7b';

CREATE TABLE IF NOT EXISTS gpu_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `graphics_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp16_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp32_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp64_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `hmma_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `imma_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `encoder_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `decoder_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `lost_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `power_mw_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `power_mw_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `power_limit_mw_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `energy_mj_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `energy_mj_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `memory_temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `sm_clock_mhz_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_clock_mhz_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `throttle_reasons` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(T64, LZ4),
  `power_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `power_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `thermal_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `thermal_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `brake_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `brake_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `processes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot) ORDER BY (node, slot, ts, uuid, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1h_mv TO gpu_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.source AS `source`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, sum(s.utilization_pct_wsum) AS `utilization_pct_wsum`, sum(s.memory_utilization_pct_wsum) AS `memory_utilization_pct_wsum`, sum(s.sm_active_bp_wsum) AS `sm_active_bp_wsum`, sum(s.sm_occupancy_bp_wsum) AS `sm_occupancy_bp_wsum`, sum(s.tensor_active_bp_wsum) AS `tensor_active_bp_wsum`, sum(s.dram_active_bp_wsum) AS `dram_active_bp_wsum`, sum(s.graphics_active_bp_wsum) AS `graphics_active_bp_wsum`, sum(s.fp16_active_bp_wsum) AS `fp16_active_bp_wsum`, sum(s.fp32_active_bp_wsum) AS `fp32_active_bp_wsum`, sum(s.fp64_active_bp_wsum) AS `fp64_active_bp_wsum`, sum(s.hmma_active_bp_wsum) AS `hmma_active_bp_wsum`, sum(s.imma_active_bp_wsum) AS `imma_active_bp_wsum`, sum(s.encoder_pct_wsum) AS `encoder_pct_wsum`, sum(s.decoder_pct_wsum) AS `decoder_pct_wsum`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(s.memory_used_mib_wsum) AS `memory_used_mib_wsum`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.power_mw_wsum) AS `power_mw_wsum`, max(s.power_mw_max) AS `power_mw_max`, sum(s.power_limit_mw_wsum) AS `power_limit_mw_wsum`, min(s.energy_mj_min) AS `energy_mj_min`, max(s.energy_mj_max) AS `energy_mj_max`, sum(s.temperature_celsius_wsum) AS `temperature_celsius_wsum`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, sum(s.memory_temperature_celsius_wsum) AS `memory_temperature_celsius_wsum`, max(s.memory_temperature_celsius_max) AS `memory_temperature_celsius_max`, sum(s.sm_clock_mhz_wsum) AS `sm_clock_mhz_wsum`, sum(s.memory_clock_mhz_wsum) AS `memory_clock_mhz_wsum`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, min(s.power_throttle_ms_min) AS `power_throttle_ms_min`, max(s.power_throttle_ms_max) AS `power_throttle_ms_max`, min(s.thermal_throttle_ms_min) AS `thermal_throttle_ms_min`, max(s.thermal_throttle_ms_max) AS `thermal_throttle_ms_max`, min(s.brake_throttle_ms_min) AS `brake_throttle_ms_min`, max(s.brake_throttle_ms_max) AS `brake_throttle_ms_max`, min(s.pcie_receive_bytes_min) AS `pcie_receive_bytes_min`, max(s.pcie_receive_bytes_max) AS `pcie_receive_bytes_max`, min(s.pcie_transmit_bytes_min) AS `pcie_transmit_bytes_min`, max(s.pcie_transmit_bytes_max) AS `pcie_transmit_bytes_max`, min(s.nvlink_receive_bytes_min) AS `nvlink_receive_bytes_min`, max(s.nvlink_receive_bytes_max) AS `nvlink_receive_bytes_max`, min(s.nvlink_transmit_bytes_min) AS `nvlink_transmit_bytes_min`, max(s.nvlink_transmit_bytes_max) AS `nvlink_transmit_bytes_max`, sum(s.processes_wsum) AS `processes_wsum`, max(s.processes_max) AS `processes_max`
FROM gpu_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.slot, s.uuid, s.source, s.epoch, known
COMMENT 'gpuledger da06515b2ce4f115';

CREATE OR REPLACE VIEW v_gpu_samples_1h AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_uuid, w.place) AS uuid, argMin(w.own_utilization_ratio, w.place) AS utilization_ratio, argMin(w.own_memory_utilization_ratio, w.place) AS memory_utilization_ratio, argMin(w.own_sm_active_ratio, w.place) AS sm_active_ratio, argMin(w.own_sm_occupancy_ratio, w.place) AS sm_occupancy_ratio, argMin(w.own_tensor_active_ratio, w.place) AS tensor_active_ratio, argMin(w.own_dram_active_ratio, w.place) AS dram_active_ratio, argMin(w.own_graphics_active_ratio, w.place) AS graphics_active_ratio, argMin(w.own_fp16_active_ratio, w.place) AS fp16_active_ratio, argMin(w.own_fp32_active_ratio, w.place) AS fp32_active_ratio, argMin(w.own_fp64_active_ratio, w.place) AS fp64_active_ratio, argMin(w.own_hmma_active_ratio, w.place) AS hmma_active_ratio, argMin(w.own_imma_active_ratio, w.place) AS imma_active_ratio, argMin(w.own_encoder_ratio, w.place) AS encoder_ratio, argMin(w.own_decoder_ratio, w.place) AS decoder_ratio, argMin(w.own_active_seconds, w.place) AS active_seconds, argMin(w.own_lost_seconds, w.place) AS lost_seconds, argMin(w.own_memory_used_bytes, w.place) AS memory_used_bytes, argMin(w.own_memory_used_bytes_max, w.place) AS memory_used_bytes_max, argMin(w.own_memory_total_bytes, w.place) AS memory_total_bytes, argMin(w.own_power_watts, w.place) AS power_watts, argMin(w.own_power_watts_max, w.place) AS power_watts_max, argMin(w.own_power_limit_watts, w.place) AS power_limit_watts, argMin(w.own_energy_joules_first, w.place) AS energy_joules_first, argMin(w.own_energy_joules_last, w.place) AS energy_joules_last, argMin(w.own_temperature_celsius, w.place) AS temperature_celsius, argMin(w.own_temperature_celsius_max, w.place) AS temperature_celsius_max, argMin(w.own_memory_temperature_celsius, w.place) AS memory_temperature_celsius, argMin(w.own_memory_temperature_celsius_max, w.place) AS memory_temperature_celsius_max, argMin(w.own_sm_clock_hertz, w.place) AS sm_clock_hertz, argMin(w.own_memory_clock_hertz, w.place) AS memory_clock_hertz, argMin(w.own_throttle_reasons, w.place) AS throttle_reasons, argMin(w.own_power_throttle_seconds_first, w.place) AS power_throttle_seconds_first, argMin(w.own_power_throttle_seconds_last, w.place) AS power_throttle_seconds_last, argMin(w.own_thermal_throttle_seconds_first, w.place) AS thermal_throttle_seconds_first, argMin(w.own_thermal_throttle_seconds_last, w.place) AS thermal_throttle_seconds_last, argMin(w.own_brake_throttle_seconds_first, w.place) AS brake_throttle_seconds_first, argMin(w.own_brake_throttle_seconds_last, w.place) AS brake_throttle_seconds_last, argMin(w.own_pcie_receive_bytes_first, w.place) AS pcie_receive_bytes_first, argMin(w.own_pcie_receive_bytes_last, w.place) AS pcie_receive_bytes_last, argMin(w.own_pcie_transmit_bytes_first, w.place) AS pcie_transmit_bytes_first, argMin(w.own_pcie_transmit_bytes_last, w.place) AS pcie_transmit_bytes_last, argMin(w.own_nvlink_receive_bytes_first, w.place) AS nvlink_receive_bytes_first, argMin(w.own_nvlink_receive_bytes_last, w.place) AS nvlink_receive_bytes_last, argMin(w.own_nvlink_transmit_bytes_first, w.place) AS nvlink_transmit_bytes_first, argMin(w.own_nvlink_transmit_bytes_last, w.place) AS nvlink_transmit_bytes_last, argMin(w.own_processes, w.place) AS processes, argMin(w.own_processes_max, w.place) AS processes_max, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 3600000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.uuid) AS `own_uuid`, sumIf(s.utilization_pct_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS `own_utilization_ratio`, sumIf(s.memory_utilization_pct_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 100 AS `own_memory_utilization_ratio`, sumIf(s.sm_active_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS `own_sm_active_ratio`, sumIf(s.sm_occupancy_bp_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 10000 AS `own_sm_occupancy_ratio`, sumIf(s.tensor_active_bp_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) / 10000 AS `own_tensor_active_ratio`, sumIf(s.dram_active_bp_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) / 10000 AS `own_dram_active_ratio`, sumIf(s.graphics_active_bp_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) / 10000 AS `own_graphics_active_ratio`, sumIf(s.fp16_active_bp_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) / 10000 AS `own_fp16_active_ratio`, sumIf(s.fp32_active_bp_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) / 10000 AS `own_fp32_active_ratio`, sumIf(s.fp64_active_bp_wsum, bitTest(s.known, 9)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 9)), 0) / 10000 AS `own_fp64_active_ratio`, sumIf(s.hmma_active_bp_wsum, bitTest(s.known, 10)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 10)), 0) / 10000 AS `own_hmma_active_ratio`, sumIf(s.imma_active_bp_wsum, bitTest(s.known, 11)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 11)), 0) / 10000 AS `own_imma_active_ratio`, sumIf(s.encoder_pct_wsum, bitTest(s.known, 12)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 12)), 0) / 100 AS `own_encoder_ratio`, sumIf(s.decoder_pct_wsum, bitTest(s.known, 13)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 13)), 0) / 100 AS `own_decoder_ratio`, sum(s.active_ms) / 1000 AS `own_active_seconds`, sum(s.lost_ms) / 1000 AS `own_lost_seconds`, sumIf(s.memory_used_mib_wsum, bitTest(s.known, 14)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 14)), 0) * 1048576 / 1 AS `own_memory_used_bytes`, max(s.memory_used_mib_max) * 1048576 / 1 AS `own_memory_used_bytes_max`, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 15)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 15)), 0) * 1048576 / 1 AS `own_memory_total_bytes`, sumIf(s.power_mw_wsum, bitTest(s.known, 16)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 16)), 0) / 1000 AS `own_power_watts`, max(s.power_mw_max) / 1000 AS `own_power_watts_max`, sumIf(s.power_limit_mw_wsum, bitTest(s.known, 17)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 17)), 0) / 1000 AS `own_power_limit_watts`, min(s.energy_mj_min) / 1000 AS `own_energy_joules_first`, max(s.energy_mj_max) / 1000 AS `own_energy_joules_last`, sumIf(s.temperature_celsius_wsum, bitTest(s.known, 18)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 18)), 0) AS `own_temperature_celsius`, max(s.temperature_celsius_max) AS `own_temperature_celsius_max`, sumIf(s.memory_temperature_celsius_wsum, bitTest(s.known, 19)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 19)), 0) AS `own_memory_temperature_celsius`, max(s.memory_temperature_celsius_max) AS `own_memory_temperature_celsius_max`, sumIf(s.sm_clock_mhz_wsum, bitTest(s.known, 20)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 20)), 0) * 1000000 / 1 AS `own_sm_clock_hertz`, sumIf(s.memory_clock_mhz_wsum, bitTest(s.known, 21)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 21)), 0) * 1000000 / 1 AS `own_memory_clock_hertz`, groupBitOr(s.throttle_reasons) AS `own_throttle_reasons`, min(s.power_throttle_ms_min) / 1000 AS `own_power_throttle_seconds_first`, max(s.power_throttle_ms_max) / 1000 AS `own_power_throttle_seconds_last`, min(s.thermal_throttle_ms_min) / 1000 AS `own_thermal_throttle_seconds_first`, max(s.thermal_throttle_ms_max) / 1000 AS `own_thermal_throttle_seconds_last`, min(s.brake_throttle_ms_min) / 1000 AS `own_brake_throttle_seconds_first`, max(s.brake_throttle_ms_max) / 1000 AS `own_brake_throttle_seconds_last`, min(s.pcie_receive_bytes_min) AS `own_pcie_receive_bytes_first`, max(s.pcie_receive_bytes_max) AS `own_pcie_receive_bytes_last`, min(s.pcie_transmit_bytes_min) AS `own_pcie_transmit_bytes_first`, max(s.pcie_transmit_bytes_max) AS `own_pcie_transmit_bytes_last`, min(s.nvlink_receive_bytes_min) AS `own_nvlink_receive_bytes_first`, max(s.nvlink_receive_bytes_max) AS `own_nvlink_receive_bytes_last`, min(s.nvlink_transmit_bytes_min) AS `own_nvlink_transmit_bytes_first`, max(s.nvlink_transmit_bytes_max) AS `own_nvlink_transmit_bytes_last`, sumIf(s.processes_wsum, bitTest(s.known, 22)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 22)), 0) AS `own_processes`, max(s.processes_max) AS `own_processes_max`, any(s.source) AS `own_source`
FROM gpu_samples_1h AS s GROUP BY ts, cluster, node, slot, place
) AS w GROUP BY ts, cluster, node, slot
COMMENT 'gpuledger 51d299db6f00cd51';

CREATE TABLE IF NOT EXISTS gpu_samples_1d (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `graphics_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp16_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp32_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fp64_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `hmma_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `imma_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `encoder_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `decoder_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `lost_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `power_mw_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `power_mw_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `power_limit_mw_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `energy_mj_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `energy_mj_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `memory_temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `sm_clock_mhz_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_clock_mhz_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `throttle_reasons` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(T64, LZ4),
  `power_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `power_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `thermal_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `thermal_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `brake_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `brake_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `processes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot) ORDER BY (node, slot, ts, uuid, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1d_mv TO gpu_samples_1d AS
SELECT toStartOfDay(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.source AS `source`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, sum(s.utilization_pct_wsum) AS `utilization_pct_wsum`, sum(s.memory_utilization_pct_wsum) AS `memory_utilization_pct_wsum`, sum(s.sm_active_bp_wsum) AS `sm_active_bp_wsum`, sum(s.sm_occupancy_bp_wsum) AS `sm_occupancy_bp_wsum`, sum(s.tensor_active_bp_wsum) AS `tensor_active_bp_wsum`, sum(s.dram_active_bp_wsum) AS `dram_active_bp_wsum`, sum(s.graphics_active_bp_wsum) AS `graphics_active_bp_wsum`, sum(s.fp16_active_bp_wsum) AS `fp16_active_bp_wsum`, sum(s.fp32_active_bp_wsum) AS `fp32_active_bp_wsum`, sum(s.fp64_active_bp_wsum) AS `fp64_active_bp_wsum`, sum(s.hmma_active_bp_wsum) AS `hmma_active_bp_wsum`, sum(s.imma_active_bp_wsum) AS `imma_active_bp_wsum`, sum(s.encoder_pct_wsum) AS `encoder_pct_wsum`, sum(s.decoder_pct_wsum) AS `decoder_pct_wsum`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(s.memory_used_mib_wsum) AS `memory_used_mib_wsum`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.power_mw_wsum) AS `power_mw_wsum`, max(s.power_mw_max) AS `power_mw_max`, sum(s.power_limit_mw_wsum) AS `power_limit_mw_wsum`, min(s.energy_mj_min) AS `energy_mj_min`, max(s.energy_mj_max) AS `energy_mj_max`, sum(s.temperature_celsius_wsum) AS `temperature_celsius_wsum`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, sum(s.memory_temperature_celsius_wsum) AS `memory_temperature_celsius_wsum`, max(s.memory_temperature_celsius_max) AS `memory_temperature_celsius_max`, sum(s.sm_clock_mhz_wsum) AS `sm_clock_mhz_wsum`, sum(s.memory_clock_mhz_wsum) AS `memory_clock_mhz_wsum`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, min(s.power_throttle_ms_min) AS `power_throttle_ms_min`, max(s.power_throttle_ms_max) AS `power_throttle_ms_max`, min(s.thermal_throttle_ms_min) AS `thermal_throttle_ms_min`, max(s.thermal_throttle_ms_max) AS `thermal_throttle_ms_max`, min(s.brake_throttle_ms_min) AS `brake_throttle_ms_min`, max(s.brake_throttle_ms_max) AS `brake_throttle_ms_max`, min(s.pcie_receive_bytes_min) AS `pcie_receive_bytes_min`, max(s.pcie_receive_bytes_max) AS `pcie_receive_bytes_max`, min(s.pcie_transmit_bytes_min) AS `pcie_transmit_bytes_min`, max(s.pcie_transmit_bytes_max) AS `pcie_transmit_bytes_max`, min(s.nvlink_receive_bytes_min) AS `nvlink_receive_bytes_min`, max(s.nvlink_receive_bytes_max) AS `nvlink_receive_bytes_max`, min(s.nvlink_transmit_bytes_min) AS `nvlink_transmit_bytes_min`, max(s.nvlink_transmit_bytes_max) AS `nvlink_transmit_bytes_max`, sum(s.processes_wsum) AS `processes_wsum`, max(s.processes_max) AS `processes_max`
FROM gpu_samples_1h AS s GROUP BY toStartOfDay(s.ts), s.cluster, s.node, s.slot, s.uuid, s.source, s.epoch, known
COMMENT 'gpuledger 77904b5fa0093b42';

CREATE OR REPLACE VIEW v_gpu_samples_1d AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_uuid, w.place) AS uuid, argMin(w.own_utilization_ratio, w.place) AS utilization_ratio, argMin(w.own_memory_utilization_ratio, w.place) AS memory_utilization_ratio, argMin(w.own_sm_active_ratio, w.place) AS sm_active_ratio, argMin(w.own_sm_occupancy_ratio, w.place) AS sm_occupancy_ratio, argMin(w.own_tensor_active_ratio, w.place) AS tensor_active_ratio, argMin(w.own_dram_active_ratio, w.place) AS dram_active_ratio, argMin(w.own_graphics_active_ratio, w.place) AS graphics_active_ratio, argMin(w.own_fp16_active_ratio, w.place) AS fp16_active_ratio, argMin(w.own_fp32_active_ratio, w.place) AS fp32_active_ratio, argMin(w.own_fp64_active_ratio, w.place) AS fp64_active_ratio, argMin(w.own_hmma_active_ratio, w.place) AS hmma_active_ratio, argMin(w.own_imma_active_ratio, w.place) AS imma_active_ratio, argMin(w.own_encoder_ratio, w.place) AS encoder_ratio, argMin(w.own_decoder_ratio, w.place) AS decoder_ratio, argMin(w.own_active_seconds, w.place) AS active_seconds, argMin(w.own_lost_seconds, w.place) AS lost_seconds, argMin(w.own_memory_used_bytes, w.place) AS memory_used_bytes, argMin(w.own_memory_used_bytes_max, w.place) AS memory_used_bytes_max, argMin(w.own_memory_total_bytes, w.place) AS memory_total_bytes, argMin(w.own_power_watts, w.place) AS power_watts, argMin(w.own_power_watts_max, w.place) AS power_watts_max, argMin(w.own_power_limit_watts, w.place) AS power_limit_watts, argMin(w.own_energy_joules_first, w.place) AS energy_joules_first, argMin(w.own_energy_joules_last, w.place) AS energy_joules_last, argMin(w.own_temperature_celsius, w.place) AS temperature_celsius, argMin(w.own_temperature_celsius_max, w.place) AS temperature_celsius_max, argMin(w.own_memory_temperature_celsius, w.place) AS memory_temperature_celsius, argMin(w.own_memory_temperature_celsius_max, w.place) AS memory_temperature_celsius_max, argMin(w.own_sm_clock_hertz, w.place) AS sm_clock_hertz, argMin(w.own_memory_clock_hertz, w.place) AS memory_clock_hertz, argMin(w.own_throttle_reasons, w.place) AS throttle_reasons, argMin(w.own_power_throttle_seconds_first, w.place) AS power_throttle_seconds_first, argMin(w.own_power_throttle_seconds_last, w.place) AS power_throttle_seconds_last, argMin(w.own_thermal_throttle_seconds_first, w.place) AS thermal_throttle_seconds_first, argMin(w.own_thermal_throttle_seconds_last, w.place) AS thermal_throttle_seconds_last, argMin(w.own_brake_throttle_seconds_first, w.place) AS brake_throttle_seconds_first, argMin(w.own_brake_throttle_seconds_last, w.place) AS brake_throttle_seconds_last, argMin(w.own_pcie_receive_bytes_first, w.place) AS pcie_receive_bytes_first, argMin(w.own_pcie_receive_bytes_last, w.place) AS pcie_receive_bytes_last, argMin(w.own_pcie_transmit_bytes_first, w.place) AS pcie_transmit_bytes_first, argMin(w.own_pcie_transmit_bytes_last, w.place) AS pcie_transmit_bytes_last, argMin(w.own_nvlink_receive_bytes_first, w.place) AS nvlink_receive_bytes_first, argMin(w.own_nvlink_receive_bytes_last, w.place) AS nvlink_receive_bytes_last, argMin(w.own_nvlink_transmit_bytes_first, w.place) AS nvlink_transmit_bytes_first, argMin(w.own_nvlink_transmit_bytes_last, w.place) AS nvlink_transmit_bytes_last, argMin(w.own_processes, w.place) AS processes, argMin(w.own_processes_max, w.place) AS processes_max, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 86400000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.uuid) AS `own_uuid`, sumIf(s.utilization_pct_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS `own_utilization_ratio`, sumIf(s.memory_utilization_pct_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 100 AS `own_memory_utilization_ratio`, sumIf(s.sm_active_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS `own_sm_active_ratio`, sumIf(s.sm_occupancy_bp_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 10000 AS `own_sm_occupancy_ratio`, sumIf(s.tensor_active_bp_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) / 10000 AS `own_tensor_active_ratio`, sumIf(s.dram_active_bp_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) / 10000 AS `own_dram_active_ratio`, sumIf(s.graphics_active_bp_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) / 10000 AS `own_graphics_active_ratio`, sumIf(s.fp16_active_bp_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) / 10000 AS `own_fp16_active_ratio`, sumIf(s.fp32_active_bp_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) / 10000 AS `own_fp32_active_ratio`, sumIf(s.fp64_active_bp_wsum, bitTest(s.known, 9)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 9)), 0) / 10000 AS `own_fp64_active_ratio`, sumIf(s.hmma_active_bp_wsum, bitTest(s.known, 10)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 10)), 0) / 10000 AS `own_hmma_active_ratio`, sumIf(s.imma_active_bp_wsum, bitTest(s.known, 11)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 11)), 0) / 10000 AS `own_imma_active_ratio`, sumIf(s.encoder_pct_wsum, bitTest(s.known, 12)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 12)), 0) / 100 AS `own_encoder_ratio`, sumIf(s.decoder_pct_wsum, bitTest(s.known, 13)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 13)), 0) / 100 AS `own_decoder_ratio`, sum(s.active_ms) / 1000 AS `own_active_seconds`, sum(s.lost_ms) / 1000 AS `own_lost_seconds`, sumIf(s.memory_used_mib_wsum, bitTest(s.known, 14)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 14)), 0) * 1048576 / 1 AS `own_memory_used_bytes`, max(s.memory_used_mib_max) * 1048576 / 1 AS `own_memory_used_bytes_max`, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 15)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 15)), 0) * 1048576 / 1 AS `own_memory_total_bytes`, sumIf(s.power_mw_wsum, bitTest(s.known, 16)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 16)), 0) / 1000 AS `own_power_watts`, max(s.power_mw_max) / 1000 AS `own_power_watts_max`, sumIf(s.power_limit_mw_wsum, bitTest(s.known, 17)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 17)), 0) / 1000 AS `own_power_limit_watts`, min(s.energy_mj_min) / 1000 AS `own_energy_joules_first`, max(s.energy_mj_max) / 1000 AS `own_energy_joules_last`, sumIf(s.temperature_celsius_wsum, bitTest(s.known, 18)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 18)), 0) AS `own_temperature_celsius`, max(s.temperature_celsius_max) AS `own_temperature_celsius_max`, sumIf(s.memory_temperature_celsius_wsum, bitTest(s.known, 19)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 19)), 0) AS `own_memory_temperature_celsius`, max(s.memory_temperature_celsius_max) AS `own_memory_temperature_celsius_max`, sumIf(s.sm_clock_mhz_wsum, bitTest(s.known, 20)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 20)), 0) * 1000000 / 1 AS `own_sm_clock_hertz`, sumIf(s.memory_clock_mhz_wsum, bitTest(s.known, 21)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 21)), 0) * 1000000 / 1 AS `own_memory_clock_hertz`, groupBitOr(s.throttle_reasons) AS `own_throttle_reasons`, min(s.power_throttle_ms_min) / 1000 AS `own_power_throttle_seconds_first`, max(s.power_throttle_ms_max) / 1000 AS `own_power_throttle_seconds_last`, min(s.thermal_throttle_ms_min) / 1000 AS `own_thermal_throttle_seconds_first`, max(s.thermal_throttle_ms_max) / 1000 AS `own_thermal_throttle_seconds_last`, min(s.brake_throttle_ms_min) / 1000 AS `own_brake_throttle_seconds_first`, max(s.brake_throttle_ms_max) / 1000 AS `own_brake_throttle_seconds_last`, min(s.pcie_receive_bytes_min) AS `own_pcie_receive_bytes_first`, max(s.pcie_receive_bytes_max) AS `own_pcie_receive_bytes_last`, min(s.pcie_transmit_bytes_min) AS `own_pcie_transmit_bytes_first`, max(s.pcie_transmit_bytes_max) AS `own_pcie_transmit_bytes_last`, min(s.nvlink_receive_bytes_min) AS `own_nvlink_receive_bytes_first`, max(s.nvlink_receive_bytes_max) AS `own_nvlink_receive_bytes_last`, min(s.nvlink_transmit_bytes_min) AS `own_nvlink_transmit_bytes_first`, max(s.nvlink_transmit_bytes_max) AS `own_nvlink_transmit_bytes_last`, sumIf(s.processes_wsum, bitTest(s.known, 22)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 22)), 0) AS `own_processes`, max(s.processes_max) AS `own_processes_max`, any(s.source) AS `own_source`
FROM gpu_samples_1d AS s GROUP BY ts, cluster, node, slot, place
) AS w GROUP BY ts, cluster, node, slot
COMMENT 'gpuledger f0cd055eead44607';

CREATE OR REPLACE VIEW v_gpu_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, uuid AS uuid, utilization_pct / 100 AS utilization_ratio, memory_utilization_pct / 100 AS memory_utilization_ratio, sm_active_bp / 10000 AS sm_active_ratio, sm_occupancy_bp / 10000 AS sm_occupancy_ratio, tensor_active_bp / 10000 AS tensor_active_ratio, dram_active_bp / 10000 AS dram_active_ratio, graphics_active_bp / 10000 AS graphics_active_ratio, fp16_active_bp / 10000 AS fp16_active_ratio, fp32_active_bp / 10000 AS fp32_active_ratio, fp64_active_bp / 10000 AS fp64_active_ratio, hmma_active_bp / 10000 AS hmma_active_ratio, imma_active_bp / 10000 AS imma_active_ratio, encoder_pct / 100 AS encoder_ratio, decoder_pct / 100 AS decoder_ratio, active_ms / 1000 AS active_seconds, lost_ms / 1000 AS lost_seconds, memory_used_mib * 1048576 / 1 AS memory_used_bytes, ifNull(memory_used_mib_max, memory_used_mib) * 1048576 / 1 AS memory_used_bytes_max, memory_total_mib * 1048576 / 1 AS memory_total_bytes, power_mw / 1000 AS power_watts, ifNull(power_mw_max, power_mw) / 1000 AS power_watts_max, power_limit_mw / 1000 AS power_limit_watts, energy_mj / 1000 AS energy_joules, temperature_celsius AS temperature_celsius, ifNull(temperature_celsius_max, temperature_celsius) AS temperature_celsius_max, memory_temperature_celsius AS memory_temperature_celsius, ifNull(memory_temperature_celsius_max, memory_temperature_celsius) AS memory_temperature_celsius_max, sm_clock_mhz * 1000000 / 1 AS sm_clock_hertz, memory_clock_mhz * 1000000 / 1 AS memory_clock_hertz, throttle_reasons AS throttle_reasons, power_throttle_ms / 1000 AS power_throttle_seconds, thermal_throttle_ms / 1000 AS thermal_throttle_seconds, brake_throttle_ms / 1000 AS brake_throttle_seconds, pcie_receive_bytes AS pcie_receive_bytes, pcie_transmit_bytes AS pcie_transmit_bytes, nvlink_receive_bytes AS nvlink_receive_bytes, nvlink_transmit_bytes AS nvlink_transmit_bytes, processes AS processes, ifNull(processes_max, processes) AS processes_max, source AS source FROM gpu_samples
COMMENT 'gpuledger aca7dedb94bf675a';

CREATE TABLE IF NOT EXISTS slice_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `profile` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `gpu_instance` SimpleAggregateFunction(any, UInt16) CODEC(LZ4),
  `compute_instance` SimpleAggregateFunction(any, UInt16) CODEC(LZ4),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `processes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot, uuid) ORDER BY (toStartOfHour(ts), node, slot, uuid, ts, profile, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS slice_samples_1m_mv TO slice_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.profile AS `profile`, s.source AS `source`, s.epoch AS `epoch`, toUInt64(isNotNull(s.sm_active_bp)) + isNotNull(s.sm_occupancy_bp) * 2 + isNotNull(s.tensor_active_bp) * 4 + isNotNull(s.dram_active_bp) * 8 + isNotNull(s.memory_used_mib) * 16 + isNotNull(s.memory_total_mib) * 32 + isNotNull(s.processes) * 64 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, any(s.gpu_instance) AS `gpu_instance`, any(s.compute_instance) AS `compute_instance`, sum(assumeNotNull(s.sm_active_bp) * greatest(s.interval_ms, 1)) AS `sm_active_bp_wsum`, sum(assumeNotNull(s.sm_occupancy_bp) * greatest(s.interval_ms, 1)) AS `sm_occupancy_bp_wsum`, sum(assumeNotNull(s.tensor_active_bp) * greatest(s.interval_ms, 1)) AS `tensor_active_bp_wsum`, sum(assumeNotNull(s.dram_active_bp) * greatest(s.interval_ms, 1)) AS `dram_active_bp_wsum`, sum(s.active_ms) AS `active_ms`, sum(assumeNotNull(s.memory_used_mib) * greatest(s.interval_ms, 1)) AS `memory_used_mib_wsum`, max(ifNull(s.memory_used_mib_max, s.memory_used_mib)) AS `memory_used_mib_max`, sum(assumeNotNull(s.memory_total_mib) * greatest(s.interval_ms, 1)) AS `memory_total_mib_wsum`, sum(assumeNotNull(s.processes) * greatest(s.interval_ms, 1)) AS `processes_wsum`
FROM slice_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.slot, s.uuid, s.profile, s.source, s.epoch, known
COMMENT 'gpuledger 94ccbb93410c7ac9';

CREATE OR REPLACE VIEW v_slice_samples_1m AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, w.uuid AS uuid, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_profile, w.place) AS profile, argMin(w.own_gpu_instance, w.place) AS gpu_instance, argMin(w.own_compute_instance, w.place) AS compute_instance, argMin(w.own_sm_active_ratio, w.place) AS sm_active_ratio, argMin(w.own_sm_occupancy_ratio, w.place) AS sm_occupancy_ratio, argMin(w.own_tensor_active_ratio, w.place) AS tensor_active_ratio, argMin(w.own_dram_active_ratio, w.place) AS dram_active_ratio, argMin(w.own_active_seconds, w.place) AS active_seconds, argMin(w.own_memory_used_bytes, w.place) AS memory_used_bytes, argMin(w.own_memory_used_bytes_max, w.place) AS memory_used_bytes_max, argMin(w.own_memory_total_bytes, w.place) AS memory_total_bytes, argMin(w.own_processes, w.place) AS processes, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, s.uuid AS uuid, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 60000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.profile) AS `own_profile`, any(s.gpu_instance) AS `own_gpu_instance`, any(s.compute_instance) AS `own_compute_instance`, sumIf(s.sm_active_bp_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 10000 AS `own_sm_active_ratio`, sumIf(s.sm_occupancy_bp_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 10000 AS `own_sm_occupancy_ratio`, sumIf(s.tensor_active_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS `own_tensor_active_ratio`, sumIf(s.dram_active_bp_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 10000 AS `own_dram_active_ratio`, sum(s.active_ms) / 1000 AS `own_active_seconds`, sumIf(s.memory_used_mib_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) * 1048576 / 1 AS `own_memory_used_bytes`, max(s.memory_used_mib_max) * 1048576 / 1 AS `own_memory_used_bytes_max`, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) * 1048576 / 1 AS `own_memory_total_bytes`, sumIf(s.processes_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) AS `own_processes`, any(s.source) AS `own_source`
FROM slice_samples_1m AS s GROUP BY ts, cluster, node, slot, uuid, place
) AS w GROUP BY ts, cluster, node, slot, uuid
COMMENT 'gpuledger 85432b9b4cca88b6';

CREATE OR REPLACE VIEW v_slice_samples_losers AS
SELECT toStartOfHour(ts) AS hour, cluster, node, slot, uuid, lost.2 AS source,
  argMin(first.2, first.1) AS instead, count() AS minutes
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, s.uuid AS uuid,
  arraySort(groupUniqArray((if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)), toString(s.source)))) AS told, told[1] AS first
FROM slice_samples_1m AS s GROUP BY ts, cluster, node, slot, uuid HAVING length(told) > 1
) ARRAY JOIN arrayPopFront(told) AS lost
GROUP BY hour, cluster, node, slot, uuid, source
COMMENT 'gpuledger 4d8b225268630f84';

CREATE TABLE IF NOT EXISTS slice_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `profile` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `gpu_instance` SimpleAggregateFunction(any, UInt16) CODEC(LZ4),
  `compute_instance` SimpleAggregateFunction(any, UInt16) CODEC(LZ4),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, LZ4),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `processes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot, uuid) ORDER BY (node, slot, uuid, ts, profile, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS slice_samples_1h_mv TO slice_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.profile AS `profile`, s.source AS `source`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, any(s.gpu_instance) AS `gpu_instance`, any(s.compute_instance) AS `compute_instance`, sum(s.sm_active_bp_wsum) AS `sm_active_bp_wsum`, sum(s.sm_occupancy_bp_wsum) AS `sm_occupancy_bp_wsum`, sum(s.tensor_active_bp_wsum) AS `tensor_active_bp_wsum`, sum(s.dram_active_bp_wsum) AS `dram_active_bp_wsum`, sum(s.active_ms) AS `active_ms`, sum(s.memory_used_mib_wsum) AS `memory_used_mib_wsum`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.processes_wsum) AS `processes_wsum`
FROM slice_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.slot, s.uuid, s.profile, s.source, s.epoch, known
COMMENT 'gpuledger 5539e72a1e5f0340';

CREATE OR REPLACE VIEW v_slice_samples_1h AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, w.uuid AS uuid, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_profile, w.place) AS profile, argMin(w.own_gpu_instance, w.place) AS gpu_instance, argMin(w.own_compute_instance, w.place) AS compute_instance, argMin(w.own_sm_active_ratio, w.place) AS sm_active_ratio, argMin(w.own_sm_occupancy_ratio, w.place) AS sm_occupancy_ratio, argMin(w.own_tensor_active_ratio, w.place) AS tensor_active_ratio, argMin(w.own_dram_active_ratio, w.place) AS dram_active_ratio, argMin(w.own_active_seconds, w.place) AS active_seconds, argMin(w.own_memory_used_bytes, w.place) AS memory_used_bytes, argMin(w.own_memory_used_bytes_max, w.place) AS memory_used_bytes_max, argMin(w.own_memory_total_bytes, w.place) AS memory_total_bytes, argMin(w.own_processes, w.place) AS processes, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, s.uuid AS uuid, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 3600000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.profile) AS `own_profile`, any(s.gpu_instance) AS `own_gpu_instance`, any(s.compute_instance) AS `own_compute_instance`, sumIf(s.sm_active_bp_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 10000 AS `own_sm_active_ratio`, sumIf(s.sm_occupancy_bp_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 10000 AS `own_sm_occupancy_ratio`, sumIf(s.tensor_active_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS `own_tensor_active_ratio`, sumIf(s.dram_active_bp_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 10000 AS `own_dram_active_ratio`, sum(s.active_ms) / 1000 AS `own_active_seconds`, sumIf(s.memory_used_mib_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) * 1048576 / 1 AS `own_memory_used_bytes`, max(s.memory_used_mib_max) * 1048576 / 1 AS `own_memory_used_bytes_max`, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) * 1048576 / 1 AS `own_memory_total_bytes`, sumIf(s.processes_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) AS `own_processes`, any(s.source) AS `own_source`
FROM slice_samples_1h AS s GROUP BY ts, cluster, node, slot, uuid, place
) AS w GROUP BY ts, cluster, node, slot, uuid
COMMENT 'gpuledger a1f4eee3fffa3b02';

CREATE OR REPLACE VIEW v_slice_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, uuid AS uuid, gpu_id AS gpu_id, profile AS profile, gpu_instance AS gpu_instance, compute_instance AS compute_instance, sm_active_bp / 10000 AS sm_active_ratio, sm_occupancy_bp / 10000 AS sm_occupancy_ratio, tensor_active_bp / 10000 AS tensor_active_ratio, dram_active_bp / 10000 AS dram_active_ratio, active_ms / 1000 AS active_seconds, memory_used_mib * 1048576 / 1 AS memory_used_bytes, ifNull(memory_used_mib_max, memory_used_mib) * 1048576 / 1 AS memory_used_bytes_max, memory_total_mib * 1048576 / 1 AS memory_total_bytes, processes AS processes, source AS source FROM slice_samples
COMMENT 'gpuledger 7b1add122f0678d3';

CREATE TABLE IF NOT EXISTS gpu_health_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `ecc_corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_uncorrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_uncorrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_corrected_lifetime_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `ecc_uncorrected_lifetime_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remapped_rows_corrected_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remapped_rows_uncorrected_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remap_pending_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remap_failed_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `retired_pages_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `recovery_action_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_generation_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_generation_max_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_width_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_width_max_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_correctable_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_correctable_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_nonfatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_nonfatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_fatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_fatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlinks_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `nvlinks_up_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `nvlink_speed_mb_per_s_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `nvlink_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sync_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sync_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `board_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `board_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reliability_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reliability_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `low_utilization_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `low_utilization_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `slowdown_margin_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fan_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `performance_state_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `persistence_mode_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts, uuid, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_health_samples_1m_mv TO gpu_health_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.source AS `source`, s.epoch AS `epoch`, toUInt64(isNotNull(s.ecc_corrected_lifetime)) + isNotNull(s.ecc_uncorrected_lifetime) * 2 + isNotNull(s.remapped_rows_corrected) * 4 + isNotNull(s.remapped_rows_uncorrected) * 8 + isNotNull(s.remap_pending) * 16 + isNotNull(s.remap_failed) * 32 + isNotNull(s.retired_pages) * 64 + isNotNull(s.recovery_action) * 128 + isNotNull(s.pcie_generation) * 256 + isNotNull(s.pcie_generation_max) * 512 + isNotNull(s.pcie_width) * 1024 + isNotNull(s.pcie_width_max) * 2048 + isNotNull(s.nvlinks) * 4096 + isNotNull(s.nvlinks_up) * 8192 + isNotNull(s.nvlink_speed_mb_per_s) * 16384 + isNotNull(s.slowdown_margin_celsius) * 32768 + isNotNull(s.fan_pct) * 65536 + isNotNull(s.performance_state) * 131072 + isNotNull(s.persistence_mode) * 262144 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, min(s.ecc_corrected_errors) AS `ecc_corrected_errors_min`, max(s.ecc_corrected_errors) AS `ecc_corrected_errors_max`, min(s.ecc_uncorrected_errors) AS `ecc_uncorrected_errors_min`, max(s.ecc_uncorrected_errors) AS `ecc_uncorrected_errors_max`, sum(assumeNotNull(s.ecc_corrected_lifetime) * greatest(s.interval_ms, 1)) AS `ecc_corrected_lifetime_wsum`, sum(assumeNotNull(s.ecc_uncorrected_lifetime) * greatest(s.interval_ms, 1)) AS `ecc_uncorrected_lifetime_wsum`, sum(assumeNotNull(s.remapped_rows_corrected) * greatest(s.interval_ms, 1)) AS `remapped_rows_corrected_wsum`, sum(assumeNotNull(s.remapped_rows_uncorrected) * greatest(s.interval_ms, 1)) AS `remapped_rows_uncorrected_wsum`, sum(assumeNotNull(s.remap_pending) * greatest(s.interval_ms, 1)) AS `remap_pending_wsum`, sum(assumeNotNull(s.remap_failed) * greatest(s.interval_ms, 1)) AS `remap_failed_wsum`, sum(assumeNotNull(s.retired_pages) * greatest(s.interval_ms, 1)) AS `retired_pages_wsum`, sum(assumeNotNull(s.recovery_action) * greatest(s.interval_ms, 1)) AS `recovery_action_wsum`, sum(assumeNotNull(s.pcie_generation) * greatest(s.interval_ms, 1)) AS `pcie_generation_wsum`, sum(assumeNotNull(s.pcie_generation_max) * greatest(s.interval_ms, 1)) AS `pcie_generation_max_wsum`, sum(assumeNotNull(s.pcie_width) * greatest(s.interval_ms, 1)) AS `pcie_width_wsum`, sum(assumeNotNull(s.pcie_width_max) * greatest(s.interval_ms, 1)) AS `pcie_width_max_wsum`, min(s.pcie_replays) AS `pcie_replays_min`, max(s.pcie_replays) AS `pcie_replays_max`, min(s.pcie_correctable_errors) AS `pcie_correctable_errors_min`, max(s.pcie_correctable_errors) AS `pcie_correctable_errors_max`, min(s.pcie_nonfatal_errors) AS `pcie_nonfatal_errors_min`, max(s.pcie_nonfatal_errors) AS `pcie_nonfatal_errors_max`, min(s.pcie_fatal_errors) AS `pcie_fatal_errors_min`, max(s.pcie_fatal_errors) AS `pcie_fatal_errors_max`, sum(assumeNotNull(s.nvlinks) * greatest(s.interval_ms, 1)) AS `nvlinks_wsum`, sum(assumeNotNull(s.nvlinks_up) * greatest(s.interval_ms, 1)) AS `nvlinks_up_wsum`, sum(assumeNotNull(s.nvlink_speed_mb_per_s) * greatest(s.interval_ms, 1)) AS `nvlink_speed_mb_per_s_wsum`, min(s.nvlink_replays) AS `nvlink_replays_min`, max(s.nvlink_replays) AS `nvlink_replays_max`, min(s.nvlink_recoveries) AS `nvlink_recoveries_min`, max(s.nvlink_recoveries) AS `nvlink_recoveries_max`, min(s.nvlink_crc_errors) AS `nvlink_crc_errors_min`, max(s.nvlink_crc_errors) AS `nvlink_crc_errors_max`, min(s.nvlink_symbol_errors) AS `nvlink_symbol_errors_min`, max(s.nvlink_symbol_errors) AS `nvlink_symbol_errors_max`, min(s.sync_throttle_ms) AS `sync_throttle_ms_min`, max(s.sync_throttle_ms) AS `sync_throttle_ms_max`, min(s.board_throttle_ms) AS `board_throttle_ms_min`, max(s.board_throttle_ms) AS `board_throttle_ms_max`, min(s.reliability_throttle_ms) AS `reliability_throttle_ms_min`, max(s.reliability_throttle_ms) AS `reliability_throttle_ms_max`, min(s.low_utilization_ms) AS `low_utilization_ms_min`, max(s.low_utilization_ms) AS `low_utilization_ms_max`, sum(assumeNotNull(s.slowdown_margin_celsius) * greatest(s.interval_ms, 1)) AS `slowdown_margin_celsius_wsum`, sum(assumeNotNull(s.fan_pct) * greatest(s.interval_ms, 1)) AS `fan_pct_wsum`, sum(assumeNotNull(s.performance_state) * greatest(s.interval_ms, 1)) AS `performance_state_wsum`, sum(assumeNotNull(s.persistence_mode) * greatest(s.interval_ms, 1)) AS `persistence_mode_wsum`
FROM gpu_health_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.slot, s.uuid, s.source, s.epoch, known
COMMENT 'gpuledger 6ba9c4032b01d217';

CREATE OR REPLACE VIEW v_gpu_health_samples_1m AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_uuid, w.place) AS uuid, argMin(w.own_ecc_corrected_errors_first, w.place) AS ecc_corrected_errors_first, argMin(w.own_ecc_corrected_errors_last, w.place) AS ecc_corrected_errors_last, argMin(w.own_ecc_uncorrected_errors_first, w.place) AS ecc_uncorrected_errors_first, argMin(w.own_ecc_uncorrected_errors_last, w.place) AS ecc_uncorrected_errors_last, argMin(w.own_ecc_corrected_lifetime, w.place) AS ecc_corrected_lifetime, argMin(w.own_ecc_uncorrected_lifetime, w.place) AS ecc_uncorrected_lifetime, argMin(w.own_remapped_rows_corrected, w.place) AS remapped_rows_corrected, argMin(w.own_remapped_rows_uncorrected, w.place) AS remapped_rows_uncorrected, argMin(w.own_remap_pending, w.place) AS remap_pending, argMin(w.own_remap_failed, w.place) AS remap_failed, argMin(w.own_retired_pages, w.place) AS retired_pages, argMin(w.own_recovery_action, w.place) AS recovery_action, argMin(w.own_pcie_generation, w.place) AS pcie_generation, argMin(w.own_pcie_generation_max, w.place) AS pcie_generation_max, argMin(w.own_pcie_width, w.place) AS pcie_width, argMin(w.own_pcie_width_max, w.place) AS pcie_width_max, argMin(w.own_pcie_replays_first, w.place) AS pcie_replays_first, argMin(w.own_pcie_replays_last, w.place) AS pcie_replays_last, argMin(w.own_pcie_correctable_errors_first, w.place) AS pcie_correctable_errors_first, argMin(w.own_pcie_correctable_errors_last, w.place) AS pcie_correctable_errors_last, argMin(w.own_pcie_nonfatal_errors_first, w.place) AS pcie_nonfatal_errors_first, argMin(w.own_pcie_nonfatal_errors_last, w.place) AS pcie_nonfatal_errors_last, argMin(w.own_pcie_fatal_errors_first, w.place) AS pcie_fatal_errors_first, argMin(w.own_pcie_fatal_errors_last, w.place) AS pcie_fatal_errors_last, argMin(w.own_nvlinks, w.place) AS nvlinks, argMin(w.own_nvlinks_up, w.place) AS nvlinks_up, argMin(w.own_nvlink_speed_bytes_per_second, w.place) AS nvlink_speed_bytes_per_second, argMin(w.own_nvlink_replays_first, w.place) AS nvlink_replays_first, argMin(w.own_nvlink_replays_last, w.place) AS nvlink_replays_last, argMin(w.own_nvlink_recoveries_first, w.place) AS nvlink_recoveries_first, argMin(w.own_nvlink_recoveries_last, w.place) AS nvlink_recoveries_last, argMin(w.own_nvlink_crc_errors_first, w.place) AS nvlink_crc_errors_first, argMin(w.own_nvlink_crc_errors_last, w.place) AS nvlink_crc_errors_last, argMin(w.own_nvlink_symbol_errors_first, w.place) AS nvlink_symbol_errors_first, argMin(w.own_nvlink_symbol_errors_last, w.place) AS nvlink_symbol_errors_last, argMin(w.own_sync_throttle_seconds_first, w.place) AS sync_throttle_seconds_first, argMin(w.own_sync_throttle_seconds_last, w.place) AS sync_throttle_seconds_last, argMin(w.own_board_throttle_seconds_first, w.place) AS board_throttle_seconds_first, argMin(w.own_board_throttle_seconds_last, w.place) AS board_throttle_seconds_last, argMin(w.own_reliability_throttle_seconds_first, w.place) AS reliability_throttle_seconds_first, argMin(w.own_reliability_throttle_seconds_last, w.place) AS reliability_throttle_seconds_last, argMin(w.own_low_utilization_seconds_first, w.place) AS low_utilization_seconds_first, argMin(w.own_low_utilization_seconds_last, w.place) AS low_utilization_seconds_last, argMin(w.own_slowdown_margin_celsius, w.place) AS slowdown_margin_celsius, argMin(w.own_fan_ratio, w.place) AS fan_ratio, argMin(w.own_performance_state, w.place) AS performance_state, argMin(w.own_persistence_mode, w.place) AS persistence_mode, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 60000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.uuid) AS `own_uuid`, min(s.ecc_corrected_errors_min) AS `own_ecc_corrected_errors_first`, max(s.ecc_corrected_errors_max) AS `own_ecc_corrected_errors_last`, min(s.ecc_uncorrected_errors_min) AS `own_ecc_uncorrected_errors_first`, max(s.ecc_uncorrected_errors_max) AS `own_ecc_uncorrected_errors_last`, sumIf(s.ecc_corrected_lifetime_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS `own_ecc_corrected_lifetime`, sumIf(s.ecc_uncorrected_lifetime_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) AS `own_ecc_uncorrected_lifetime`, sumIf(s.remapped_rows_corrected_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) AS `own_remapped_rows_corrected`, sumIf(s.remapped_rows_uncorrected_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) AS `own_remapped_rows_uncorrected`, sumIf(s.remap_pending_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) AS `own_remap_pending`, sumIf(s.remap_failed_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) AS `own_remap_failed`, sumIf(s.retired_pages_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) AS `own_retired_pages`, sumIf(s.recovery_action_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) AS `own_recovery_action`, sumIf(s.pcie_generation_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) AS `own_pcie_generation`, sumIf(s.pcie_generation_max_wsum, bitTest(s.known, 9)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 9)), 0) AS `own_pcie_generation_max`, sumIf(s.pcie_width_wsum, bitTest(s.known, 10)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 10)), 0) AS `own_pcie_width`, sumIf(s.pcie_width_max_wsum, bitTest(s.known, 11)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 11)), 0) AS `own_pcie_width_max`, min(s.pcie_replays_min) AS `own_pcie_replays_first`, max(s.pcie_replays_max) AS `own_pcie_replays_last`, min(s.pcie_correctable_errors_min) AS `own_pcie_correctable_errors_first`, max(s.pcie_correctable_errors_max) AS `own_pcie_correctable_errors_last`, min(s.pcie_nonfatal_errors_min) AS `own_pcie_nonfatal_errors_first`, max(s.pcie_nonfatal_errors_max) AS `own_pcie_nonfatal_errors_last`, min(s.pcie_fatal_errors_min) AS `own_pcie_fatal_errors_first`, max(s.pcie_fatal_errors_max) AS `own_pcie_fatal_errors_last`, sumIf(s.nvlinks_wsum, bitTest(s.known, 12)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 12)), 0) AS `own_nvlinks`, sumIf(s.nvlinks_up_wsum, bitTest(s.known, 13)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 13)), 0) AS `own_nvlinks_up`, sumIf(s.nvlink_speed_mb_per_s_wsum, bitTest(s.known, 14)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 14)), 0) * 1000000 / 1 AS `own_nvlink_speed_bytes_per_second`, min(s.nvlink_replays_min) AS `own_nvlink_replays_first`, max(s.nvlink_replays_max) AS `own_nvlink_replays_last`, min(s.nvlink_recoveries_min) AS `own_nvlink_recoveries_first`, max(s.nvlink_recoveries_max) AS `own_nvlink_recoveries_last`, min(s.nvlink_crc_errors_min) AS `own_nvlink_crc_errors_first`, max(s.nvlink_crc_errors_max) AS `own_nvlink_crc_errors_last`, min(s.nvlink_symbol_errors_min) AS `own_nvlink_symbol_errors_first`, max(s.nvlink_symbol_errors_max) AS `own_nvlink_symbol_errors_last`, min(s.sync_throttle_ms_min) / 1000 AS `own_sync_throttle_seconds_first`, max(s.sync_throttle_ms_max) / 1000 AS `own_sync_throttle_seconds_last`, min(s.board_throttle_ms_min) / 1000 AS `own_board_throttle_seconds_first`, max(s.board_throttle_ms_max) / 1000 AS `own_board_throttle_seconds_last`, min(s.reliability_throttle_ms_min) / 1000 AS `own_reliability_throttle_seconds_first`, max(s.reliability_throttle_ms_max) / 1000 AS `own_reliability_throttle_seconds_last`, min(s.low_utilization_ms_min) / 1000 AS `own_low_utilization_seconds_first`, max(s.low_utilization_ms_max) / 1000 AS `own_low_utilization_seconds_last`, sumIf(s.slowdown_margin_celsius_wsum, bitTest(s.known, 15)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 15)), 0) AS `own_slowdown_margin_celsius`, sumIf(s.fan_pct_wsum, bitTest(s.known, 16)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 16)), 0) / 100 AS `own_fan_ratio`, sumIf(s.performance_state_wsum, bitTest(s.known, 17)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 17)), 0) AS `own_performance_state`, sumIf(s.persistence_mode_wsum, bitTest(s.known, 18)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 18)), 0) AS `own_persistence_mode`, any(s.source) AS `own_source`
FROM gpu_health_samples_1m AS s GROUP BY ts, cluster, node, slot, place
) AS w GROUP BY ts, cluster, node, slot
COMMENT 'gpuledger 3312dd5c87f144dd';

CREATE OR REPLACE VIEW v_gpu_health_samples_losers AS
SELECT toStartOfHour(ts) AS hour, cluster, node, slot, lost.2 AS source,
  argMin(first.2, first.1) AS instead, count() AS minutes
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot,
  arraySort(groupUniqArray((if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)), toString(s.source)))) AS told, told[1] AS first
FROM gpu_health_samples_1m AS s GROUP BY ts, cluster, node, slot HAVING length(told) > 1
) ARRAY JOIN arrayPopFront(told) AS lost
GROUP BY hour, cluster, node, slot, source
COMMENT 'gpuledger 8945c167ca126ec1';

CREATE TABLE IF NOT EXISTS gpu_health_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `slot` UInt16 CODEC(LZ4),
  `uuid` LowCardinality(String) CODEC(LZ4),
  `source` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `gpu_id` SimpleAggregateFunction(any, UInt64) CODEC(LZ4),
  `ecc_corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_uncorrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_uncorrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecc_corrected_lifetime_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `ecc_uncorrected_lifetime_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remapped_rows_corrected_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remapped_rows_uncorrected_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remap_pending_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `remap_failed_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `retired_pages_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `recovery_action_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_generation_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_generation_max_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_width_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_width_max_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pcie_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_correctable_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_correctable_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_nonfatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_nonfatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_fatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pcie_fatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlinks_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `nvlinks_up_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `nvlink_speed_mb_per_s_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `nvlink_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `nvlink_symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sync_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sync_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `board_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `board_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reliability_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reliability_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `low_utilization_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `low_utilization_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `slowdown_margin_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `fan_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `performance_state_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `persistence_mode_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot) ORDER BY (node, slot, ts, uuid, source, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_health_samples_1h_mv TO gpu_health_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.source AS `source`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, any(s.gpu_id) AS `gpu_id`, min(s.ecc_corrected_errors_min) AS `ecc_corrected_errors_min`, max(s.ecc_corrected_errors_max) AS `ecc_corrected_errors_max`, min(s.ecc_uncorrected_errors_min) AS `ecc_uncorrected_errors_min`, max(s.ecc_uncorrected_errors_max) AS `ecc_uncorrected_errors_max`, sum(s.ecc_corrected_lifetime_wsum) AS `ecc_corrected_lifetime_wsum`, sum(s.ecc_uncorrected_lifetime_wsum) AS `ecc_uncorrected_lifetime_wsum`, sum(s.remapped_rows_corrected_wsum) AS `remapped_rows_corrected_wsum`, sum(s.remapped_rows_uncorrected_wsum) AS `remapped_rows_uncorrected_wsum`, sum(s.remap_pending_wsum) AS `remap_pending_wsum`, sum(s.remap_failed_wsum) AS `remap_failed_wsum`, sum(s.retired_pages_wsum) AS `retired_pages_wsum`, sum(s.recovery_action_wsum) AS `recovery_action_wsum`, sum(s.pcie_generation_wsum) AS `pcie_generation_wsum`, sum(s.pcie_generation_max_wsum) AS `pcie_generation_max_wsum`, sum(s.pcie_width_wsum) AS `pcie_width_wsum`, sum(s.pcie_width_max_wsum) AS `pcie_width_max_wsum`, min(s.pcie_replays_min) AS `pcie_replays_min`, max(s.pcie_replays_max) AS `pcie_replays_max`, min(s.pcie_correctable_errors_min) AS `pcie_correctable_errors_min`, max(s.pcie_correctable_errors_max) AS `pcie_correctable_errors_max`, min(s.pcie_nonfatal_errors_min) AS `pcie_nonfatal_errors_min`, max(s.pcie_nonfatal_errors_max) AS `pcie_nonfatal_errors_max`, min(s.pcie_fatal_errors_min) AS `pcie_fatal_errors_min`, max(s.pcie_fatal_errors_max) AS `pcie_fatal_errors_max`, sum(s.nvlinks_wsum) AS `nvlinks_wsum`, sum(s.nvlinks_up_wsum) AS `nvlinks_up_wsum`, sum(s.nvlink_speed_mb_per_s_wsum) AS `nvlink_speed_mb_per_s_wsum`, min(s.nvlink_replays_min) AS `nvlink_replays_min`, max(s.nvlink_replays_max) AS `nvlink_replays_max`, min(s.nvlink_recoveries_min) AS `nvlink_recoveries_min`, max(s.nvlink_recoveries_max) AS `nvlink_recoveries_max`, min(s.nvlink_crc_errors_min) AS `nvlink_crc_errors_min`, max(s.nvlink_crc_errors_max) AS `nvlink_crc_errors_max`, min(s.nvlink_symbol_errors_min) AS `nvlink_symbol_errors_min`, max(s.nvlink_symbol_errors_max) AS `nvlink_symbol_errors_max`, min(s.sync_throttle_ms_min) AS `sync_throttle_ms_min`, max(s.sync_throttle_ms_max) AS `sync_throttle_ms_max`, min(s.board_throttle_ms_min) AS `board_throttle_ms_min`, max(s.board_throttle_ms_max) AS `board_throttle_ms_max`, min(s.reliability_throttle_ms_min) AS `reliability_throttle_ms_min`, max(s.reliability_throttle_ms_max) AS `reliability_throttle_ms_max`, min(s.low_utilization_ms_min) AS `low_utilization_ms_min`, max(s.low_utilization_ms_max) AS `low_utilization_ms_max`, sum(s.slowdown_margin_celsius_wsum) AS `slowdown_margin_celsius_wsum`, sum(s.fan_pct_wsum) AS `fan_pct_wsum`, sum(s.performance_state_wsum) AS `performance_state_wsum`, sum(s.persistence_mode_wsum) AS `persistence_mode_wsum`
FROM gpu_health_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.slot, s.uuid, s.source, s.epoch, known
COMMENT 'gpuledger df0ea7e2c71d9e25';

CREATE OR REPLACE VIEW v_gpu_health_samples_1h AS
SELECT w.ts AS ts, w.cluster AS cluster, w.node AS node, w.slot AS slot, ifNull(argMin(w.own_covered_seconds, w.place), 0) AS covered_seconds, argMin(w.own_gpu_id, w.place) AS gpu_id, argMin(w.own_uuid, w.place) AS uuid, argMin(w.own_ecc_corrected_errors_first, w.place) AS ecc_corrected_errors_first, argMin(w.own_ecc_corrected_errors_last, w.place) AS ecc_corrected_errors_last, argMin(w.own_ecc_uncorrected_errors_first, w.place) AS ecc_uncorrected_errors_first, argMin(w.own_ecc_uncorrected_errors_last, w.place) AS ecc_uncorrected_errors_last, argMin(w.own_ecc_corrected_lifetime, w.place) AS ecc_corrected_lifetime, argMin(w.own_ecc_uncorrected_lifetime, w.place) AS ecc_uncorrected_lifetime, argMin(w.own_remapped_rows_corrected, w.place) AS remapped_rows_corrected, argMin(w.own_remapped_rows_uncorrected, w.place) AS remapped_rows_uncorrected, argMin(w.own_remap_pending, w.place) AS remap_pending, argMin(w.own_remap_failed, w.place) AS remap_failed, argMin(w.own_retired_pages, w.place) AS retired_pages, argMin(w.own_recovery_action, w.place) AS recovery_action, argMin(w.own_pcie_generation, w.place) AS pcie_generation, argMin(w.own_pcie_generation_max, w.place) AS pcie_generation_max, argMin(w.own_pcie_width, w.place) AS pcie_width, argMin(w.own_pcie_width_max, w.place) AS pcie_width_max, argMin(w.own_pcie_replays_first, w.place) AS pcie_replays_first, argMin(w.own_pcie_replays_last, w.place) AS pcie_replays_last, argMin(w.own_pcie_correctable_errors_first, w.place) AS pcie_correctable_errors_first, argMin(w.own_pcie_correctable_errors_last, w.place) AS pcie_correctable_errors_last, argMin(w.own_pcie_nonfatal_errors_first, w.place) AS pcie_nonfatal_errors_first, argMin(w.own_pcie_nonfatal_errors_last, w.place) AS pcie_nonfatal_errors_last, argMin(w.own_pcie_fatal_errors_first, w.place) AS pcie_fatal_errors_first, argMin(w.own_pcie_fatal_errors_last, w.place) AS pcie_fatal_errors_last, argMin(w.own_nvlinks, w.place) AS nvlinks, argMin(w.own_nvlinks_up, w.place) AS nvlinks_up, argMin(w.own_nvlink_speed_bytes_per_second, w.place) AS nvlink_speed_bytes_per_second, argMin(w.own_nvlink_replays_first, w.place) AS nvlink_replays_first, argMin(w.own_nvlink_replays_last, w.place) AS nvlink_replays_last, argMin(w.own_nvlink_recoveries_first, w.place) AS nvlink_recoveries_first, argMin(w.own_nvlink_recoveries_last, w.place) AS nvlink_recoveries_last, argMin(w.own_nvlink_crc_errors_first, w.place) AS nvlink_crc_errors_first, argMin(w.own_nvlink_crc_errors_last, w.place) AS nvlink_crc_errors_last, argMin(w.own_nvlink_symbol_errors_first, w.place) AS nvlink_symbol_errors_first, argMin(w.own_nvlink_symbol_errors_last, w.place) AS nvlink_symbol_errors_last, argMin(w.own_sync_throttle_seconds_first, w.place) AS sync_throttle_seconds_first, argMin(w.own_sync_throttle_seconds_last, w.place) AS sync_throttle_seconds_last, argMin(w.own_board_throttle_seconds_first, w.place) AS board_throttle_seconds_first, argMin(w.own_board_throttle_seconds_last, w.place) AS board_throttle_seconds_last, argMin(w.own_reliability_throttle_seconds_first, w.place) AS reliability_throttle_seconds_first, argMin(w.own_reliability_throttle_seconds_last, w.place) AS reliability_throttle_seconds_last, argMin(w.own_low_utilization_seconds_first, w.place) AS low_utilization_seconds_first, argMin(w.own_low_utilization_seconds_last, w.place) AS low_utilization_seconds_last, argMin(w.own_slowdown_margin_celsius, w.place) AS slowdown_margin_celsius, argMin(w.own_fan_ratio, w.place) AS fan_ratio, argMin(w.own_performance_state, w.place) AS performance_state, argMin(w.own_persistence_mode, w.place) AS persistence_mode, argMin(w.own_source, w.place) AS source
FROM (
SELECT s.ts AS ts, s.cluster AS cluster, s.node AS node, s.slot AS slot, if(indexOf(['nvml', 'dcgm-exporter'], s.source) > 0, toUInt64(indexOf(['nvml', 'dcgm-exporter'], s.source)), 3 + bitShiftRight(sipHash64(s.source), 8)) AS place, nullIf(least(sum(s.interval_ms), 3600000) / 1000, 0) AS `own_covered_seconds`, any(s.gpu_id) AS `own_gpu_id`, any(s.uuid) AS `own_uuid`, min(s.ecc_corrected_errors_min) AS `own_ecc_corrected_errors_first`, max(s.ecc_corrected_errors_max) AS `own_ecc_corrected_errors_last`, min(s.ecc_uncorrected_errors_min) AS `own_ecc_uncorrected_errors_first`, max(s.ecc_uncorrected_errors_max) AS `own_ecc_uncorrected_errors_last`, sumIf(s.ecc_corrected_lifetime_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS `own_ecc_corrected_lifetime`, sumIf(s.ecc_uncorrected_lifetime_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) AS `own_ecc_uncorrected_lifetime`, sumIf(s.remapped_rows_corrected_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) AS `own_remapped_rows_corrected`, sumIf(s.remapped_rows_uncorrected_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) AS `own_remapped_rows_uncorrected`, sumIf(s.remap_pending_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) AS `own_remap_pending`, sumIf(s.remap_failed_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) AS `own_remap_failed`, sumIf(s.retired_pages_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) AS `own_retired_pages`, sumIf(s.recovery_action_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) AS `own_recovery_action`, sumIf(s.pcie_generation_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) AS `own_pcie_generation`, sumIf(s.pcie_generation_max_wsum, bitTest(s.known, 9)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 9)), 0) AS `own_pcie_generation_max`, sumIf(s.pcie_width_wsum, bitTest(s.known, 10)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 10)), 0) AS `own_pcie_width`, sumIf(s.pcie_width_max_wsum, bitTest(s.known, 11)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 11)), 0) AS `own_pcie_width_max`, min(s.pcie_replays_min) AS `own_pcie_replays_first`, max(s.pcie_replays_max) AS `own_pcie_replays_last`, min(s.pcie_correctable_errors_min) AS `own_pcie_correctable_errors_first`, max(s.pcie_correctable_errors_max) AS `own_pcie_correctable_errors_last`, min(s.pcie_nonfatal_errors_min) AS `own_pcie_nonfatal_errors_first`, max(s.pcie_nonfatal_errors_max) AS `own_pcie_nonfatal_errors_last`, min(s.pcie_fatal_errors_min) AS `own_pcie_fatal_errors_first`, max(s.pcie_fatal_errors_max) AS `own_pcie_fatal_errors_last`, sumIf(s.nvlinks_wsum, bitTest(s.known, 12)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 12)), 0) AS `own_nvlinks`, sumIf(s.nvlinks_up_wsum, bitTest(s.known, 13)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 13)), 0) AS `own_nvlinks_up`, sumIf(s.nvlink_speed_mb_per_s_wsum, bitTest(s.known, 14)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 14)), 0) * 1000000 / 1 AS `own_nvlink_speed_bytes_per_second`, min(s.nvlink_replays_min) AS `own_nvlink_replays_first`, max(s.nvlink_replays_max) AS `own_nvlink_replays_last`, min(s.nvlink_recoveries_min) AS `own_nvlink_recoveries_first`, max(s.nvlink_recoveries_max) AS `own_nvlink_recoveries_last`, min(s.nvlink_crc_errors_min) AS `own_nvlink_crc_errors_first`, max(s.nvlink_crc_errors_max) AS `own_nvlink_crc_errors_last`, min(s.nvlink_symbol_errors_min) AS `own_nvlink_symbol_errors_first`, max(s.nvlink_symbol_errors_max) AS `own_nvlink_symbol_errors_last`, min(s.sync_throttle_ms_min) / 1000 AS `own_sync_throttle_seconds_first`, max(s.sync_throttle_ms_max) / 1000 AS `own_sync_throttle_seconds_last`, min(s.board_throttle_ms_min) / 1000 AS `own_board_throttle_seconds_first`, max(s.board_throttle_ms_max) / 1000 AS `own_board_throttle_seconds_last`, min(s.reliability_throttle_ms_min) / 1000 AS `own_reliability_throttle_seconds_first`, max(s.reliability_throttle_ms_max) / 1000 AS `own_reliability_throttle_seconds_last`, min(s.low_utilization_ms_min) / 1000 AS `own_low_utilization_seconds_first`, max(s.low_utilization_ms_max) / 1000 AS `own_low_utilization_seconds_last`, sumIf(s.slowdown_margin_celsius_wsum, bitTest(s.known, 15)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 15)), 0) AS `own_slowdown_margin_celsius`, sumIf(s.fan_pct_wsum, bitTest(s.known, 16)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 16)), 0) / 100 AS `own_fan_ratio`, sumIf(s.performance_state_wsum, bitTest(s.known, 17)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 17)), 0) AS `own_performance_state`, sumIf(s.persistence_mode_wsum, bitTest(s.known, 18)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 18)), 0) AS `own_persistence_mode`, any(s.source) AS `own_source`
FROM gpu_health_samples_1h AS s GROUP BY ts, cluster, node, slot, place
) AS w GROUP BY ts, cluster, node, slot
COMMENT 'gpuledger f12ab89fca3883c3';

CREATE OR REPLACE VIEW v_gpu_health_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, uuid AS uuid, ecc_corrected_errors AS ecc_corrected_errors, ecc_uncorrected_errors AS ecc_uncorrected_errors, ecc_corrected_lifetime AS ecc_corrected_lifetime, ecc_uncorrected_lifetime AS ecc_uncorrected_lifetime, remapped_rows_corrected AS remapped_rows_corrected, remapped_rows_uncorrected AS remapped_rows_uncorrected, remap_pending AS remap_pending, remap_failed AS remap_failed, retired_pages AS retired_pages, recovery_action AS recovery_action, pcie_generation AS pcie_generation, pcie_generation_max AS pcie_generation_max, pcie_width AS pcie_width, pcie_width_max AS pcie_width_max, pcie_replays AS pcie_replays, pcie_correctable_errors AS pcie_correctable_errors, pcie_nonfatal_errors AS pcie_nonfatal_errors, pcie_fatal_errors AS pcie_fatal_errors, nvlinks AS nvlinks, nvlinks_up AS nvlinks_up, nvlink_speed_mb_per_s * 1000000 / 1 AS nvlink_speed_bytes_per_second, nvlink_replays AS nvlink_replays, nvlink_recoveries AS nvlink_recoveries, nvlink_crc_errors AS nvlink_crc_errors, nvlink_symbol_errors AS nvlink_symbol_errors, sync_throttle_ms / 1000 AS sync_throttle_seconds, board_throttle_ms / 1000 AS board_throttle_seconds, reliability_throttle_ms / 1000 AS reliability_throttle_seconds, low_utilization_ms / 1000 AS low_utilization_seconds, slowdown_margin_celsius AS slowdown_margin_celsius, fan_pct / 100 AS fan_ratio, performance_state AS performance_state, persistence_mode AS persistence_mode, source AS source FROM gpu_health_samples
COMMENT 'gpuledger 24eed64e6056c2d4';

CREATE OR REPLACE VIEW v_process_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, pid AS pid, user AS user, executable AS executable, started AS started, memory_used_mib * 1048576 / 1 AS memory_used_bytes, sm_pct / 100 AS sm_ratio, memory_pct / 100 AS memory_ratio, slice AS slice, runtime AS runtime, container AS container, framework AS framework FROM process_samples
COMMENT 'gpuledger c3071892732acc38';

CREATE OR REPLACE VIEW v_gpu_events AS
SELECT ts AS ts, cluster AS cluster, node AS node, slot AS slot, gpu_id AS gpu_id, kind AS kind, code AS code, cause AS cause, recovery AS recovery, count AS count, told_by AS told_by, detail AS detail FROM gpu_events
COMMENT 'gpuledger f9b1d422b9d195b7';

CREATE TABLE IF NOT EXISTS host_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_busy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_busy_bp_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(T64, LZ4),
  `cpu_iowait_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `load1_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_available_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `interrupt_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `interrupt_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `swap_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `clock_error_us_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `clock_synchronized_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS host_samples_1m_mv TO host_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, toUInt64(isNotNull(s.cpus)) + isNotNull(s.cpu_busy_bp) * 2 + isNotNull(s.cpu_iowait_bp) * 4 + isNotNull(s.load1) * 8 + isNotNull(s.memory_total_mib) * 16 + isNotNull(s.memory_available_mib) * 32 + isNotNull(s.swap_used_mib) * 64 + isNotNull(s.clock_error_us) * 128 + isNotNull(s.clock_synchronized) * 256 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.cpus) * greatest(s.interval_ms, 1)) AS `cpus_wsum`, sum(assumeNotNull(s.cpu_busy_bp) * greatest(s.interval_ms, 1)) AS `cpu_busy_bp_wsum`, max(ifNull(s.cpu_busy_bp_max, s.cpu_busy_bp)) AS `cpu_busy_bp_max`, sum(assumeNotNull(s.cpu_iowait_bp) * greatest(s.interval_ms, 1)) AS `cpu_iowait_bp_wsum`, sum(assumeNotNull(s.load1) * greatest(s.interval_ms, 1)) AS `load1_wsum`, sum(assumeNotNull(s.memory_total_mib) * greatest(s.interval_ms, 1)) AS `memory_total_mib_wsum`, sum(assumeNotNull(s.memory_available_mib) * greatest(s.interval_ms, 1)) AS `memory_available_mib_wsum`, min(s.cpu_pressure_us) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us) AS `cpu_pressure_us_max`, min(s.io_pressure_us) AS `io_pressure_us_min`, max(s.io_pressure_us) AS `io_pressure_us_max`, min(s.memory_pressure_us) AS `memory_pressure_us_min`, max(s.memory_pressure_us) AS `memory_pressure_us_max`, min(s.io_stall_us) AS `io_stall_us_min`, max(s.io_stall_us) AS `io_stall_us_max`, min(s.memory_stall_us) AS `memory_stall_us_min`, max(s.memory_stall_us) AS `memory_stall_us_max`, min(s.interrupt_stall_us) AS `interrupt_stall_us_min`, max(s.interrupt_stall_us) AS `interrupt_stall_us_max`, sum(assumeNotNull(s.swap_used_mib) * greatest(s.interval_ms, 1)) AS `swap_used_mib_wsum`, sum(assumeNotNull(s.clock_error_us) * greatest(s.interval_ms, 1)) AS `clock_error_us_wsum`, sum(assumeNotNull(s.clock_synchronized) * greatest(s.interval_ms, 1)) AS `clock_synchronized_wsum`
FROM host_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.epoch, known
COMMENT 'gpuledger 1e9285f7092fb6b2';

CREATE OR REPLACE VIEW v_host_samples_1m AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, sumIf(s.cpus_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS cpus, sumIf(s.cpu_busy_bp_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 10000 AS cpu_busy_ratio, max(s.cpu_busy_bp_max) / 10000 AS cpu_busy_ratio_max, sumIf(s.cpu_iowait_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS cpu_iowait_ratio, sumIf(s.load1_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 100 AS load1, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) * 1048576 / 1 AS memory_total_bytes, sumIf(s.memory_available_mib_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) * 1048576 / 1 AS memory_available_bytes, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last, min(s.io_stall_us_min) / 1000000 AS io_stall_seconds_first, max(s.io_stall_us_max) / 1000000 AS io_stall_seconds_last, min(s.memory_stall_us_min) / 1000000 AS memory_stall_seconds_first, max(s.memory_stall_us_max) / 1000000 AS memory_stall_seconds_last, min(s.interrupt_stall_us_min) / 1000000 AS interrupt_stall_seconds_first, max(s.interrupt_stall_us_max) / 1000000 AS interrupt_stall_seconds_last, sumIf(s.swap_used_mib_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) * 1048576 / 1 AS swap_used_bytes, sumIf(s.clock_error_us_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) / 1000000 AS clock_error_seconds, sumIf(s.clock_synchronized_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) AS clock_synchronized
FROM host_samples_1m AS s GROUP BY ts, cluster, node
COMMENT 'gpuledger a9eab2055187bce0';

CREATE TABLE IF NOT EXISTS host_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_busy_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_busy_bp_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(T64, LZ4),
  `cpu_iowait_bp_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `load1_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_available_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `interrupt_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `interrupt_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `swap_used_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `clock_error_us_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `clock_synchronized_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node) ORDER BY (node, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS host_samples_1h_mv TO host_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.cpus_wsum) AS `cpus_wsum`, sum(s.cpu_busy_bp_wsum) AS `cpu_busy_bp_wsum`, max(s.cpu_busy_bp_max) AS `cpu_busy_bp_max`, sum(s.cpu_iowait_bp_wsum) AS `cpu_iowait_bp_wsum`, sum(s.load1_wsum) AS `load1_wsum`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.memory_available_mib_wsum) AS `memory_available_mib_wsum`, min(s.cpu_pressure_us_min) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us_max) AS `cpu_pressure_us_max`, min(s.io_pressure_us_min) AS `io_pressure_us_min`, max(s.io_pressure_us_max) AS `io_pressure_us_max`, min(s.memory_pressure_us_min) AS `memory_pressure_us_min`, max(s.memory_pressure_us_max) AS `memory_pressure_us_max`, min(s.io_stall_us_min) AS `io_stall_us_min`, max(s.io_stall_us_max) AS `io_stall_us_max`, min(s.memory_stall_us_min) AS `memory_stall_us_min`, max(s.memory_stall_us_max) AS `memory_stall_us_max`, min(s.interrupt_stall_us_min) AS `interrupt_stall_us_min`, max(s.interrupt_stall_us_max) AS `interrupt_stall_us_max`, sum(s.swap_used_mib_wsum) AS `swap_used_mib_wsum`, sum(s.clock_error_us_wsum) AS `clock_error_us_wsum`, sum(s.clock_synchronized_wsum) AS `clock_synchronized_wsum`
FROM host_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.epoch, known
COMMENT 'gpuledger 3348c1245634a62e';

CREATE OR REPLACE VIEW v_host_samples_1h AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, sumIf(s.cpus_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS cpus, sumIf(s.cpu_busy_bp_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 10000 AS cpu_busy_ratio, max(s.cpu_busy_bp_max) / 10000 AS cpu_busy_ratio_max, sumIf(s.cpu_iowait_bp_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 10000 AS cpu_iowait_ratio, sumIf(s.load1_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 100 AS load1, sumIf(s.memory_total_mib_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) * 1048576 / 1 AS memory_total_bytes, sumIf(s.memory_available_mib_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) * 1048576 / 1 AS memory_available_bytes, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last, min(s.io_stall_us_min) / 1000000 AS io_stall_seconds_first, max(s.io_stall_us_max) / 1000000 AS io_stall_seconds_last, min(s.memory_stall_us_min) / 1000000 AS memory_stall_seconds_first, max(s.memory_stall_us_max) / 1000000 AS memory_stall_seconds_last, min(s.interrupt_stall_us_min) / 1000000 AS interrupt_stall_seconds_first, max(s.interrupt_stall_us_max) / 1000000 AS interrupt_stall_seconds_last, sumIf(s.swap_used_mib_wsum, bitTest(s.known, 6)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 6)), 0) * 1048576 / 1 AS swap_used_bytes, sumIf(s.clock_error_us_wsum, bitTest(s.known, 7)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 7)), 0) / 1000000 AS clock_error_seconds, sumIf(s.clock_synchronized_wsum, bitTest(s.known, 8)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 8)), 0) AS clock_synchronized
FROM host_samples_1h AS s GROUP BY ts, cluster, node
COMMENT 'gpuledger 3e8d37d07d4fae1a';

CREATE OR REPLACE VIEW v_host_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, cpus AS cpus, cpu_busy_bp / 10000 AS cpu_busy_ratio, ifNull(cpu_busy_bp_max, cpu_busy_bp) / 10000 AS cpu_busy_ratio_max, cpu_iowait_bp / 10000 AS cpu_iowait_ratio, load1 / 100 AS load1, memory_total_mib * 1048576 / 1 AS memory_total_bytes, memory_available_mib * 1048576 / 1 AS memory_available_bytes, cpu_pressure_us / 1000000 AS cpu_pressure_seconds, io_pressure_us / 1000000 AS io_pressure_seconds, memory_pressure_us / 1000000 AS memory_pressure_seconds, io_stall_us / 1000000 AS io_stall_seconds, memory_stall_us / 1000000 AS memory_stall_seconds, interrupt_stall_us / 1000000 AS interrupt_stall_seconds, swap_used_mib * 1048576 / 1 AS swap_used_bytes, clock_error_us / 1000000 AS clock_error_seconds, clock_synchronized AS clock_synchronized FROM host_samples
COMMENT 'gpuledger 929ab6f99c593aac';

CREATE TABLE IF NOT EXISTS cgroup_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `runtime` LowCardinality(String) CODEC(LZ4),
  `name` String CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_throttled_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_throttled_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_limit_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `out_of_memory_kills_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_memory_kills_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, runtime, name) ORDER BY (toStartOfHour(ts), node, runtime, name, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cgroup_samples_1m_mv TO cgroup_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.runtime AS `runtime`, s.name AS `name`, s.epoch AS `epoch`, toUInt64(isNotNull(s.memory_mib)) + isNotNull(s.memory_limit_mib) * 2 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.cpu_us) AS `cpu_us_min`, max(s.cpu_us) AS `cpu_us_max`, min(s.cpu_throttled_us) AS `cpu_throttled_us_min`, max(s.cpu_throttled_us) AS `cpu_throttled_us_max`, sum(assumeNotNull(s.memory_mib) * greatest(s.interval_ms, 1)) AS `memory_mib_wsum`, max(ifNull(s.memory_mib_max, s.memory_mib)) AS `memory_mib_max`, sum(assumeNotNull(s.memory_limit_mib) * greatest(s.interval_ms, 1)) AS `memory_limit_mib_wsum`, min(s.out_of_memory_kills) AS `out_of_memory_kills_min`, max(s.out_of_memory_kills) AS `out_of_memory_kills_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.cpu_pressure_us) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us) AS `cpu_pressure_us_max`, min(s.io_pressure_us) AS `io_pressure_us_min`, max(s.io_pressure_us) AS `io_pressure_us_max`, min(s.memory_pressure_us) AS `memory_pressure_us_min`, max(s.memory_pressure_us) AS `memory_pressure_us_max`
FROM cgroup_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.runtime, s.name, s.epoch, known
COMMENT 'gpuledger 6ad5effd6eebd631';

CREATE OR REPLACE VIEW v_cgroup_samples_1m AS
SELECT ts, cluster, node, runtime, name, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.cpu_us_min) / 1000000 AS cpu_seconds_first, max(s.cpu_us_max) / 1000000 AS cpu_seconds_last, min(s.cpu_throttled_us_min) / 1000000 AS cpu_throttled_seconds_first, max(s.cpu_throttled_us_max) / 1000000 AS cpu_throttled_seconds_last, sumIf(s.memory_mib_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) * 1048576 / 1 AS memory_bytes, max(s.memory_mib_max) * 1048576 / 1 AS memory_bytes_max, sumIf(s.memory_limit_mib_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) * 1048576 / 1 AS memory_limit_bytes, min(s.out_of_memory_kills_min) AS out_of_memory_kills_first, max(s.out_of_memory_kills_max) AS out_of_memory_kills_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last
FROM cgroup_samples_1m AS s GROUP BY ts, cluster, node, runtime, name
COMMENT 'gpuledger d9b41be5d8dd1f8d';

CREATE TABLE IF NOT EXISTS cgroup_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `runtime` LowCardinality(String) CODEC(LZ4),
  `name` String CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `cpu_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_throttled_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_throttled_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `memory_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `memory_limit_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `out_of_memory_kills_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_memory_kills_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, runtime, name) ORDER BY (node, runtime, name, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cgroup_samples_1h_mv TO cgroup_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.runtime AS `runtime`, s.name AS `name`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.cpu_us_min) AS `cpu_us_min`, max(s.cpu_us_max) AS `cpu_us_max`, min(s.cpu_throttled_us_min) AS `cpu_throttled_us_min`, max(s.cpu_throttled_us_max) AS `cpu_throttled_us_max`, sum(s.memory_mib_wsum) AS `memory_mib_wsum`, max(s.memory_mib_max) AS `memory_mib_max`, sum(s.memory_limit_mib_wsum) AS `memory_limit_mib_wsum`, min(s.out_of_memory_kills_min) AS `out_of_memory_kills_min`, max(s.out_of_memory_kills_max) AS `out_of_memory_kills_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, min(s.cpu_pressure_us_min) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us_max) AS `cpu_pressure_us_max`, min(s.io_pressure_us_min) AS `io_pressure_us_min`, max(s.io_pressure_us_max) AS `io_pressure_us_max`, min(s.memory_pressure_us_min) AS `memory_pressure_us_min`, max(s.memory_pressure_us_max) AS `memory_pressure_us_max`
FROM cgroup_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.runtime, s.name, s.epoch, known
COMMENT 'gpuledger 020d27de082cb7c3';

CREATE OR REPLACE VIEW v_cgroup_samples_1h AS
SELECT ts, cluster, node, runtime, name, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, min(s.cpu_us_min) / 1000000 AS cpu_seconds_first, max(s.cpu_us_max) / 1000000 AS cpu_seconds_last, min(s.cpu_throttled_us_min) / 1000000 AS cpu_throttled_seconds_first, max(s.cpu_throttled_us_max) / 1000000 AS cpu_throttled_seconds_last, sumIf(s.memory_mib_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) * 1048576 / 1 AS memory_bytes, max(s.memory_mib_max) * 1048576 / 1 AS memory_bytes_max, sumIf(s.memory_limit_mib_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) * 1048576 / 1 AS memory_limit_bytes, min(s.out_of_memory_kills_min) AS out_of_memory_kills_first, max(s.out_of_memory_kills_max) AS out_of_memory_kills_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last
FROM cgroup_samples_1h AS s GROUP BY ts, cluster, node, runtime, name
COMMENT 'gpuledger 83d9896f08573a27';

CREATE OR REPLACE VIEW v_cgroup_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, runtime AS runtime, name AS name, cpu_us / 1000000 AS cpu_seconds, cpu_throttled_us / 1000000 AS cpu_throttled_seconds, memory_mib * 1048576 / 1 AS memory_bytes, ifNull(memory_mib_max, memory_mib) * 1048576 / 1 AS memory_bytes_max, memory_limit_mib * 1048576 / 1 AS memory_limit_bytes, out_of_memory_kills AS out_of_memory_kills, read_bytes AS read_bytes, write_bytes AS write_bytes, cpu_pressure_us / 1000000 AS cpu_pressure_seconds, io_pressure_us / 1000000 AS io_pressure_seconds, memory_pressure_us / 1000000 AS memory_pressure_seconds FROM cgroup_samples
COMMENT 'gpuledger 6b47a5ed7a2d1bea';

CREATE TABLE IF NOT EXISTS network_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `kind` LowCardinality(String) CODEC(LZ4),
  `interface` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `up_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `speed_mb_per_s_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_wait_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_wait_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_downs_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_downs_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `carrier_changes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `carrier_changes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pause_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pause_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_integrity_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_integrity_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `buffer_overruns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `buffer_overruns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `remote_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `remote_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `constraint_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `constraint_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecn_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecn_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_handled_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_handled_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_sequence_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_sequence_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sequence_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sequence_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ack_timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ack_timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `rnr_retries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `rnr_retries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `duplicate_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `duplicate_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `implied_naks_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `implied_naks_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_buffer_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_buffer_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `completion_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `completion_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, kind, interface, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS network_samples_1m_mv TO network_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.kind AS `kind`, s.interface AS `interface`, s.epoch AS `epoch`, toUInt64(isNotNull(s.up_pct)) + isNotNull(s.speed_mb_per_s) * 2 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.up_pct) * greatest(s.interval_ms, 1)) AS `up_pct_wsum`, sum(assumeNotNull(s.speed_mb_per_s) * greatest(s.interval_ms, 1)) AS `speed_mb_per_s_wsum`, min(s.receive_bytes) AS `receive_bytes_min`, max(s.receive_bytes) AS `receive_bytes_max`, min(s.transmit_bytes) AS `transmit_bytes_min`, max(s.transmit_bytes) AS `transmit_bytes_max`, min(s.receive_packets) AS `receive_packets_min`, max(s.receive_packets) AS `receive_packets_max`, min(s.transmit_packets) AS `transmit_packets_min`, max(s.transmit_packets) AS `transmit_packets_max`, min(s.receive_errors) AS `receive_errors_min`, max(s.receive_errors) AS `receive_errors_max`, min(s.transmit_errors) AS `transmit_errors_min`, max(s.transmit_errors) AS `transmit_errors_max`, min(s.transmit_wait) AS `transmit_wait_min`, max(s.transmit_wait) AS `transmit_wait_max`, min(s.link_downs) AS `link_downs_min`, max(s.link_downs) AS `link_downs_max`, min(s.carrier_changes) AS `carrier_changes_min`, max(s.carrier_changes) AS `carrier_changes_max`, min(s.receive_discards) AS `receive_discards_min`, max(s.receive_discards) AS `receive_discards_max`, min(s.crc_errors) AS `crc_errors_min`, max(s.crc_errors) AS `crc_errors_max`, min(s.symbol_errors) AS `symbol_errors_min`, max(s.symbol_errors) AS `symbol_errors_max`, min(s.corrected_errors) AS `corrected_errors_min`, max(s.corrected_errors) AS `corrected_errors_max`, min(s.receive_pauses) AS `receive_pauses_min`, max(s.receive_pauses) AS `receive_pauses_max`, min(s.transmit_pauses) AS `transmit_pauses_min`, max(s.transmit_pauses) AS `transmit_pauses_max`, min(s.pause_us) AS `pause_us_min`, max(s.pause_us) AS `pause_us_max`, min(s.link_recoveries) AS `link_recoveries_min`, max(s.link_recoveries) AS `link_recoveries_max`, min(s.link_integrity_errors) AS `link_integrity_errors_min`, max(s.link_integrity_errors) AS `link_integrity_errors_max`, min(s.buffer_overruns) AS `buffer_overruns_min`, max(s.buffer_overruns) AS `buffer_overruns_max`, min(s.remote_errors) AS `remote_errors_min`, max(s.remote_errors) AS `remote_errors_max`, min(s.constraint_errors) AS `constraint_errors_min`, max(s.constraint_errors) AS `constraint_errors_max`, min(s.ecn_packets) AS `ecn_packets_min`, max(s.ecn_packets) AS `ecn_packets_max`, min(s.cnp_sent) AS `cnp_sent_min`, max(s.cnp_sent) AS `cnp_sent_max`, min(s.cnp_handled) AS `cnp_handled_min`, max(s.cnp_handled) AS `cnp_handled_max`, min(s.out_of_sequence) AS `out_of_sequence_min`, max(s.out_of_sequence) AS `out_of_sequence_max`, min(s.sequence_errors) AS `sequence_errors_min`, max(s.sequence_errors) AS `sequence_errors_max`, min(s.ack_timeouts) AS `ack_timeouts_min`, max(s.ack_timeouts) AS `ack_timeouts_max`, min(s.rnr_retries) AS `rnr_retries_min`, max(s.rnr_retries) AS `rnr_retries_max`, min(s.duplicate_requests) AS `duplicate_requests_min`, max(s.duplicate_requests) AS `duplicate_requests_max`, min(s.implied_naks) AS `implied_naks_min`, max(s.implied_naks) AS `implied_naks_max`, min(s.out_of_buffer) AS `out_of_buffer_min`, max(s.out_of_buffer) AS `out_of_buffer_max`, min(s.retransmits) AS `retransmits_min`, max(s.retransmits) AS `retransmits_max`, min(s.completion_errors) AS `completion_errors_min`, max(s.completion_errors) AS `completion_errors_max`
FROM network_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.device, s.kind, s.interface, s.epoch, known
COMMENT 'gpuledger 7acb4e3f639009c0';

CREATE OR REPLACE VIEW v_network_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, any(s.kind) AS kind, any(s.interface) AS interface, sumIf(s.up_pct_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS up_ratio, sumIf(s.speed_mb_per_s_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) * 1000000 / 1 AS speed_bytes_per_second, min(s.receive_bytes_min) AS receive_bytes_first, max(s.receive_bytes_max) AS receive_bytes_last, min(s.transmit_bytes_min) AS transmit_bytes_first, max(s.transmit_bytes_max) AS transmit_bytes_last, min(s.receive_packets_min) AS receive_packets_first, max(s.receive_packets_max) AS receive_packets_last, min(s.transmit_packets_min) AS transmit_packets_first, max(s.transmit_packets_max) AS transmit_packets_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.transmit_errors_min) AS transmit_errors_first, max(s.transmit_errors_max) AS transmit_errors_last, min(s.transmit_wait_min) AS transmit_wait_first, max(s.transmit_wait_max) AS transmit_wait_last, min(s.link_downs_min) AS link_downs_first, max(s.link_downs_max) AS link_downs_last, min(s.carrier_changes_min) AS carrier_changes_first, max(s.carrier_changes_max) AS carrier_changes_last, min(s.receive_discards_min) AS receive_discards_first, max(s.receive_discards_max) AS receive_discards_last, min(s.crc_errors_min) AS crc_errors_first, max(s.crc_errors_max) AS crc_errors_last, min(s.symbol_errors_min) AS symbol_errors_first, max(s.symbol_errors_max) AS symbol_errors_last, min(s.corrected_errors_min) AS corrected_errors_first, max(s.corrected_errors_max) AS corrected_errors_last, min(s.receive_pauses_min) AS receive_pauses_first, max(s.receive_pauses_max) AS receive_pauses_last, min(s.transmit_pauses_min) AS transmit_pauses_first, max(s.transmit_pauses_max) AS transmit_pauses_last, min(s.pause_us_min) / 1000000 AS pause_seconds_first, max(s.pause_us_max) / 1000000 AS pause_seconds_last, min(s.link_recoveries_min) AS link_recoveries_first, max(s.link_recoveries_max) AS link_recoveries_last, min(s.link_integrity_errors_min) AS link_integrity_errors_first, max(s.link_integrity_errors_max) AS link_integrity_errors_last, min(s.buffer_overruns_min) AS buffer_overruns_first, max(s.buffer_overruns_max) AS buffer_overruns_last, min(s.remote_errors_min) AS remote_errors_first, max(s.remote_errors_max) AS remote_errors_last, min(s.constraint_errors_min) AS constraint_errors_first, max(s.constraint_errors_max) AS constraint_errors_last, min(s.ecn_packets_min) AS ecn_packets_first, max(s.ecn_packets_max) AS ecn_packets_last, min(s.cnp_sent_min) AS cnp_sent_first, max(s.cnp_sent_max) AS cnp_sent_last, min(s.cnp_handled_min) AS cnp_handled_first, max(s.cnp_handled_max) AS cnp_handled_last, min(s.out_of_sequence_min) AS out_of_sequence_first, max(s.out_of_sequence_max) AS out_of_sequence_last, min(s.sequence_errors_min) AS sequence_errors_first, max(s.sequence_errors_max) AS sequence_errors_last, min(s.ack_timeouts_min) AS ack_timeouts_first, max(s.ack_timeouts_max) AS ack_timeouts_last, min(s.rnr_retries_min) AS rnr_retries_first, max(s.rnr_retries_max) AS rnr_retries_last, min(s.duplicate_requests_min) AS duplicate_requests_first, max(s.duplicate_requests_max) AS duplicate_requests_last, min(s.implied_naks_min) AS implied_naks_first, max(s.implied_naks_max) AS implied_naks_last, min(s.out_of_buffer_min) AS out_of_buffer_first, max(s.out_of_buffer_max) AS out_of_buffer_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.completion_errors_min) AS completion_errors_first, max(s.completion_errors_max) AS completion_errors_last
FROM network_samples_1m AS s GROUP BY ts, cluster, node, device
COMMENT 'gpuledger 41627be9294ae792';

CREATE TABLE IF NOT EXISTS network_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `kind` LowCardinality(String) CODEC(LZ4),
  `interface` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `up_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `speed_mb_per_s_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_wait_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_wait_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_downs_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_downs_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `carrier_changes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `carrier_changes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `transmit_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pause_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `pause_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_integrity_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `link_integrity_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `buffer_overruns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `buffer_overruns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `remote_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `remote_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `constraint_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `constraint_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecn_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ecn_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_handled_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `cnp_handled_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_sequence_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_sequence_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sequence_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `sequence_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ack_timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `ack_timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `rnr_retries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `rnr_retries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `duplicate_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `duplicate_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `implied_naks_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `implied_naks_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_buffer_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `out_of_buffer_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `completion_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `completion_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, device) ORDER BY (node, device, ts, kind, interface, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS network_samples_1h_mv TO network_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.kind AS `kind`, s.interface AS `interface`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.up_pct_wsum) AS `up_pct_wsum`, sum(s.speed_mb_per_s_wsum) AS `speed_mb_per_s_wsum`, min(s.receive_bytes_min) AS `receive_bytes_min`, max(s.receive_bytes_max) AS `receive_bytes_max`, min(s.transmit_bytes_min) AS `transmit_bytes_min`, max(s.transmit_bytes_max) AS `transmit_bytes_max`, min(s.receive_packets_min) AS `receive_packets_min`, max(s.receive_packets_max) AS `receive_packets_max`, min(s.transmit_packets_min) AS `transmit_packets_min`, max(s.transmit_packets_max) AS `transmit_packets_max`, min(s.receive_errors_min) AS `receive_errors_min`, max(s.receive_errors_max) AS `receive_errors_max`, min(s.transmit_errors_min) AS `transmit_errors_min`, max(s.transmit_errors_max) AS `transmit_errors_max`, min(s.transmit_wait_min) AS `transmit_wait_min`, max(s.transmit_wait_max) AS `transmit_wait_max`, min(s.link_downs_min) AS `link_downs_min`, max(s.link_downs_max) AS `link_downs_max`, min(s.carrier_changes_min) AS `carrier_changes_min`, max(s.carrier_changes_max) AS `carrier_changes_max`, min(s.receive_discards_min) AS `receive_discards_min`, max(s.receive_discards_max) AS `receive_discards_max`, min(s.crc_errors_min) AS `crc_errors_min`, max(s.crc_errors_max) AS `crc_errors_max`, min(s.symbol_errors_min) AS `symbol_errors_min`, max(s.symbol_errors_max) AS `symbol_errors_max`, min(s.corrected_errors_min) AS `corrected_errors_min`, max(s.corrected_errors_max) AS `corrected_errors_max`, min(s.receive_pauses_min) AS `receive_pauses_min`, max(s.receive_pauses_max) AS `receive_pauses_max`, min(s.transmit_pauses_min) AS `transmit_pauses_min`, max(s.transmit_pauses_max) AS `transmit_pauses_max`, min(s.pause_us_min) AS `pause_us_min`, max(s.pause_us_max) AS `pause_us_max`, min(s.link_recoveries_min) AS `link_recoveries_min`, max(s.link_recoveries_max) AS `link_recoveries_max`, min(s.link_integrity_errors_min) AS `link_integrity_errors_min`, max(s.link_integrity_errors_max) AS `link_integrity_errors_max`, min(s.buffer_overruns_min) AS `buffer_overruns_min`, max(s.buffer_overruns_max) AS `buffer_overruns_max`, min(s.remote_errors_min) AS `remote_errors_min`, max(s.remote_errors_max) AS `remote_errors_max`, min(s.constraint_errors_min) AS `constraint_errors_min`, max(s.constraint_errors_max) AS `constraint_errors_max`, min(s.ecn_packets_min) AS `ecn_packets_min`, max(s.ecn_packets_max) AS `ecn_packets_max`, min(s.cnp_sent_min) AS `cnp_sent_min`, max(s.cnp_sent_max) AS `cnp_sent_max`, min(s.cnp_handled_min) AS `cnp_handled_min`, max(s.cnp_handled_max) AS `cnp_handled_max`, min(s.out_of_sequence_min) AS `out_of_sequence_min`, max(s.out_of_sequence_max) AS `out_of_sequence_max`, min(s.sequence_errors_min) AS `sequence_errors_min`, max(s.sequence_errors_max) AS `sequence_errors_max`, min(s.ack_timeouts_min) AS `ack_timeouts_min`, max(s.ack_timeouts_max) AS `ack_timeouts_max`, min(s.rnr_retries_min) AS `rnr_retries_min`, max(s.rnr_retries_max) AS `rnr_retries_max`, min(s.duplicate_requests_min) AS `duplicate_requests_min`, max(s.duplicate_requests_max) AS `duplicate_requests_max`, min(s.implied_naks_min) AS `implied_naks_min`, max(s.implied_naks_max) AS `implied_naks_max`, min(s.out_of_buffer_min) AS `out_of_buffer_min`, max(s.out_of_buffer_max) AS `out_of_buffer_max`, min(s.retransmits_min) AS `retransmits_min`, max(s.retransmits_max) AS `retransmits_max`, min(s.completion_errors_min) AS `completion_errors_min`, max(s.completion_errors_max) AS `completion_errors_max`
FROM network_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.device, s.kind, s.interface, s.epoch, known
COMMENT 'gpuledger d4d9ec541f129977';

CREATE OR REPLACE VIEW v_network_samples_1h AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, any(s.kind) AS kind, any(s.interface) AS interface, sumIf(s.up_pct_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS up_ratio, sumIf(s.speed_mb_per_s_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) * 1000000 / 1 AS speed_bytes_per_second, min(s.receive_bytes_min) AS receive_bytes_first, max(s.receive_bytes_max) AS receive_bytes_last, min(s.transmit_bytes_min) AS transmit_bytes_first, max(s.transmit_bytes_max) AS transmit_bytes_last, min(s.receive_packets_min) AS receive_packets_first, max(s.receive_packets_max) AS receive_packets_last, min(s.transmit_packets_min) AS transmit_packets_first, max(s.transmit_packets_max) AS transmit_packets_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.transmit_errors_min) AS transmit_errors_first, max(s.transmit_errors_max) AS transmit_errors_last, min(s.transmit_wait_min) AS transmit_wait_first, max(s.transmit_wait_max) AS transmit_wait_last, min(s.link_downs_min) AS link_downs_first, max(s.link_downs_max) AS link_downs_last, min(s.carrier_changes_min) AS carrier_changes_first, max(s.carrier_changes_max) AS carrier_changes_last, min(s.receive_discards_min) AS receive_discards_first, max(s.receive_discards_max) AS receive_discards_last, min(s.crc_errors_min) AS crc_errors_first, max(s.crc_errors_max) AS crc_errors_last, min(s.symbol_errors_min) AS symbol_errors_first, max(s.symbol_errors_max) AS symbol_errors_last, min(s.corrected_errors_min) AS corrected_errors_first, max(s.corrected_errors_max) AS corrected_errors_last, min(s.receive_pauses_min) AS receive_pauses_first, max(s.receive_pauses_max) AS receive_pauses_last, min(s.transmit_pauses_min) AS transmit_pauses_first, max(s.transmit_pauses_max) AS transmit_pauses_last, min(s.pause_us_min) / 1000000 AS pause_seconds_first, max(s.pause_us_max) / 1000000 AS pause_seconds_last, min(s.link_recoveries_min) AS link_recoveries_first, max(s.link_recoveries_max) AS link_recoveries_last, min(s.link_integrity_errors_min) AS link_integrity_errors_first, max(s.link_integrity_errors_max) AS link_integrity_errors_last, min(s.buffer_overruns_min) AS buffer_overruns_first, max(s.buffer_overruns_max) AS buffer_overruns_last, min(s.remote_errors_min) AS remote_errors_first, max(s.remote_errors_max) AS remote_errors_last, min(s.constraint_errors_min) AS constraint_errors_first, max(s.constraint_errors_max) AS constraint_errors_last, min(s.ecn_packets_min) AS ecn_packets_first, max(s.ecn_packets_max) AS ecn_packets_last, min(s.cnp_sent_min) AS cnp_sent_first, max(s.cnp_sent_max) AS cnp_sent_last, min(s.cnp_handled_min) AS cnp_handled_first, max(s.cnp_handled_max) AS cnp_handled_last, min(s.out_of_sequence_min) AS out_of_sequence_first, max(s.out_of_sequence_max) AS out_of_sequence_last, min(s.sequence_errors_min) AS sequence_errors_first, max(s.sequence_errors_max) AS sequence_errors_last, min(s.ack_timeouts_min) AS ack_timeouts_first, max(s.ack_timeouts_max) AS ack_timeouts_last, min(s.rnr_retries_min) AS rnr_retries_first, max(s.rnr_retries_max) AS rnr_retries_last, min(s.duplicate_requests_min) AS duplicate_requests_first, max(s.duplicate_requests_max) AS duplicate_requests_last, min(s.implied_naks_min) AS implied_naks_first, max(s.implied_naks_max) AS implied_naks_last, min(s.out_of_buffer_min) AS out_of_buffer_first, max(s.out_of_buffer_max) AS out_of_buffer_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.completion_errors_min) AS completion_errors_first, max(s.completion_errors_max) AS completion_errors_last
FROM network_samples_1h AS s GROUP BY ts, cluster, node, device
COMMENT 'gpuledger 0a38b1f902f15197';

CREATE OR REPLACE VIEW v_network_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, kind AS kind, interface AS interface, up_pct / 100 AS up_ratio, speed_mb_per_s * 1000000 / 1 AS speed_bytes_per_second, receive_bytes AS receive_bytes, transmit_bytes AS transmit_bytes, receive_packets AS receive_packets, transmit_packets AS transmit_packets, receive_errors AS receive_errors, transmit_errors AS transmit_errors, transmit_wait AS transmit_wait, link_downs AS link_downs, carrier_changes AS carrier_changes, receive_discards AS receive_discards, crc_errors AS crc_errors, symbol_errors AS symbol_errors, corrected_errors AS corrected_errors, receive_pauses AS receive_pauses, transmit_pauses AS transmit_pauses, pause_us / 1000000 AS pause_seconds, link_recoveries AS link_recoveries, link_integrity_errors AS link_integrity_errors, buffer_overruns AS buffer_overruns, remote_errors AS remote_errors, constraint_errors AS constraint_errors, ecn_packets AS ecn_packets, cnp_sent AS cnp_sent, cnp_handled AS cnp_handled, out_of_sequence AS out_of_sequence, sequence_errors AS sequence_errors, ack_timeouts AS ack_timeouts, rnr_retries AS rnr_retries, duplicate_requests AS duplicate_requests, implied_naks AS implied_naks, out_of_buffer AS out_of_buffer, retransmits AS retransmits, completion_errors AS completion_errors FROM network_samples
COMMENT 'gpuledger 3cd8d6bfd5dee639';

CREATE TABLE IF NOT EXISTS tcp_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `connections_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `segments_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `segments_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `syn_retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `syn_retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `listen_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `listen_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcp_samples_1m_mv TO tcp_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, toUInt64(isNotNull(s.connections)) AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.connections) * greatest(s.interval_ms, 1)) AS `connections_wsum`, min(s.segments_sent) AS `segments_sent_min`, max(s.segments_sent) AS `segments_sent_max`, min(s.retransmits) AS `retransmits_min`, max(s.retransmits) AS `retransmits_max`, min(s.receive_errors) AS `receive_errors_min`, max(s.receive_errors) AS `receive_errors_max`, min(s.timeouts) AS `timeouts_min`, max(s.timeouts) AS `timeouts_max`, min(s.syn_retransmits) AS `syn_retransmits_min`, max(s.syn_retransmits) AS `syn_retransmits_max`, min(s.listen_drops) AS `listen_drops_min`, max(s.listen_drops) AS `listen_drops_max`, min(s.receive_drops) AS `receive_drops_min`, max(s.receive_drops) AS `receive_drops_max`
FROM tcp_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.epoch, known
COMMENT 'gpuledger be9278b92033583f';

CREATE OR REPLACE VIEW v_tcp_samples_1m AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, sumIf(s.connections_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS connections, min(s.segments_sent_min) AS segments_sent_first, max(s.segments_sent_max) AS segments_sent_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.syn_retransmits_min) AS syn_retransmits_first, max(s.syn_retransmits_max) AS syn_retransmits_last, min(s.listen_drops_min) AS listen_drops_first, max(s.listen_drops_max) AS listen_drops_last, min(s.receive_drops_min) AS receive_drops_first, max(s.receive_drops_max) AS receive_drops_last
FROM tcp_samples_1m AS s GROUP BY ts, cluster, node
COMMENT 'gpuledger 3fd133e04f1d7a2c';

CREATE TABLE IF NOT EXISTS tcp_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `connections_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `segments_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `segments_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `syn_retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `syn_retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `listen_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `listen_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `receive_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node) ORDER BY (node, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcp_samples_1h_mv TO tcp_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.connections_wsum) AS `connections_wsum`, min(s.segments_sent_min) AS `segments_sent_min`, max(s.segments_sent_max) AS `segments_sent_max`, min(s.retransmits_min) AS `retransmits_min`, max(s.retransmits_max) AS `retransmits_max`, min(s.receive_errors_min) AS `receive_errors_min`, max(s.receive_errors_max) AS `receive_errors_max`, min(s.timeouts_min) AS `timeouts_min`, max(s.timeouts_max) AS `timeouts_max`, min(s.syn_retransmits_min) AS `syn_retransmits_min`, max(s.syn_retransmits_max) AS `syn_retransmits_max`, min(s.listen_drops_min) AS `listen_drops_min`, max(s.listen_drops_max) AS `listen_drops_max`, min(s.receive_drops_min) AS `receive_drops_min`, max(s.receive_drops_max) AS `receive_drops_max`
FROM tcp_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.epoch, known
COMMENT 'gpuledger 5f38f456054f6dce';

CREATE OR REPLACE VIEW v_tcp_samples_1h AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, sumIf(s.connections_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS connections, min(s.segments_sent_min) AS segments_sent_first, max(s.segments_sent_max) AS segments_sent_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.syn_retransmits_min) AS syn_retransmits_first, max(s.syn_retransmits_max) AS syn_retransmits_last, min(s.listen_drops_min) AS listen_drops_first, max(s.listen_drops_max) AS listen_drops_last, min(s.receive_drops_min) AS receive_drops_first, max(s.receive_drops_max) AS receive_drops_last
FROM tcp_samples_1h AS s GROUP BY ts, cluster, node
COMMENT 'gpuledger 8a6540258d0ff5ed';

CREATE OR REPLACE VIEW v_tcp_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, connections AS connections, segments_sent AS segments_sent, retransmits AS retransmits, receive_errors AS receive_errors, timeouts AS timeouts, syn_retransmits AS syn_retransmits, listen_drops AS listen_drops, receive_drops AS receive_drops FROM tcp_samples
COMMENT 'gpuledger 9018dc5e8cccade6';

CREATE TABLE IF NOT EXISTS block_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `writes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `writes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `busy_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `busy_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `in_flight_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `in_flight_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flushes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flushes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flush_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flush_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS block_samples_1m_mv TO block_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, toUInt64(isNotNull(s.in_flight)) AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.reads) AS `reads_min`, max(s.reads) AS `reads_max`, min(s.writes) AS `writes_min`, max(s.writes) AS `writes_max`, min(s.read_ms) AS `read_ms_min`, max(s.read_ms) AS `read_ms_max`, min(s.write_ms) AS `write_ms_min`, max(s.write_ms) AS `write_ms_max`, min(s.busy_ms) AS `busy_ms_min`, max(s.busy_ms) AS `busy_ms_max`, min(s.queue_ms) AS `queue_ms_min`, max(s.queue_ms) AS `queue_ms_max`, sum(assumeNotNull(s.in_flight) * greatest(s.interval_ms, 1)) AS `in_flight_wsum`, max(ifNull(s.in_flight_max, s.in_flight)) AS `in_flight_max`, min(s.discards) AS `discards_min`, max(s.discards) AS `discards_max`, min(s.flushes) AS `flushes_min`, max(s.flushes) AS `flushes_max`, min(s.flush_ms) AS `flush_ms_min`, max(s.flush_ms) AS `flush_ms_max`
FROM block_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.device, s.epoch, known
COMMENT 'gpuledger 52617e3c9e9c4770';

CREATE OR REPLACE VIEW v_block_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.reads_min) AS reads_first, max(s.reads_max) AS reads_last, min(s.writes_min) AS writes_first, max(s.writes_max) AS writes_last, min(s.read_ms_min) / 1000 AS read_seconds_first, max(s.read_ms_max) / 1000 AS read_seconds_last, min(s.write_ms_min) / 1000 AS write_seconds_first, max(s.write_ms_max) / 1000 AS write_seconds_last, min(s.busy_ms_min) / 1000 AS busy_seconds_first, max(s.busy_ms_max) / 1000 AS busy_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, sumIf(s.in_flight_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS in_flight, max(s.in_flight_max) AS in_flight_max, min(s.discards_min) AS discards_first, max(s.discards_max) AS discards_last, min(s.flushes_min) AS flushes_first, max(s.flushes_max) AS flushes_last, min(s.flush_ms_min) / 1000 AS flush_seconds_first, max(s.flush_ms_max) / 1000 AS flush_seconds_last
FROM block_samples_1m AS s GROUP BY ts, cluster, node, device
COMMENT 'gpuledger b33fc00c3de65065';

CREATE TABLE IF NOT EXISTS block_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `reads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `writes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `writes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `busy_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `busy_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `in_flight_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `in_flight_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flushes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flushes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flush_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `flush_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, device) ORDER BY (node, device, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS block_samples_1h_mv TO block_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, min(s.reads_min) AS `reads_min`, max(s.reads_max) AS `reads_max`, min(s.writes_min) AS `writes_min`, max(s.writes_max) AS `writes_max`, min(s.read_ms_min) AS `read_ms_min`, max(s.read_ms_max) AS `read_ms_max`, min(s.write_ms_min) AS `write_ms_min`, max(s.write_ms_max) AS `write_ms_max`, min(s.busy_ms_min) AS `busy_ms_min`, max(s.busy_ms_max) AS `busy_ms_max`, min(s.queue_ms_min) AS `queue_ms_min`, max(s.queue_ms_max) AS `queue_ms_max`, sum(s.in_flight_wsum) AS `in_flight_wsum`, max(s.in_flight_max) AS `in_flight_max`, min(s.discards_min) AS `discards_min`, max(s.discards_max) AS `discards_max`, min(s.flushes_min) AS `flushes_min`, max(s.flushes_max) AS `flushes_max`, min(s.flush_ms_min) AS `flush_ms_min`, max(s.flush_ms_max) AS `flush_ms_max`
FROM block_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.device, s.epoch, known
COMMENT 'gpuledger 44b3d083169e2863';

CREATE OR REPLACE VIEW v_block_samples_1h AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.reads_min) AS reads_first, max(s.reads_max) AS reads_last, min(s.writes_min) AS writes_first, max(s.writes_max) AS writes_last, min(s.read_ms_min) / 1000 AS read_seconds_first, max(s.read_ms_max) / 1000 AS read_seconds_last, min(s.write_ms_min) / 1000 AS write_seconds_first, max(s.write_ms_max) / 1000 AS write_seconds_last, min(s.busy_ms_min) / 1000 AS busy_seconds_first, max(s.busy_ms_max) / 1000 AS busy_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, sumIf(s.in_flight_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS in_flight, max(s.in_flight_max) AS in_flight_max, min(s.discards_min) AS discards_first, max(s.discards_max) AS discards_last, min(s.flushes_min) AS flushes_first, max(s.flushes_max) AS flushes_last, min(s.flush_ms_min) / 1000 AS flush_seconds_first, max(s.flush_ms_max) / 1000 AS flush_seconds_last
FROM block_samples_1h AS s GROUP BY ts, cluster, node, device
COMMENT 'gpuledger 233ed56172773d13';

CREATE OR REPLACE VIEW v_block_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, read_bytes AS read_bytes, write_bytes AS write_bytes, reads AS reads, writes AS writes, read_ms / 1000 AS read_seconds, write_ms / 1000 AS write_seconds, busy_ms / 1000 AS busy_seconds, queue_ms / 1000 AS queue_seconds, in_flight AS in_flight, ifNull(in_flight_max, in_flight) AS in_flight_max, discards AS discards, flushes AS flushes, flush_ms / 1000 AS flush_seconds FROM block_samples
COMMENT 'gpuledger 3a0e0677c51731d0';

CREATE TABLE IF NOT EXISTS nvme_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `model` LowCardinality(String) CODEC(LZ4),
  `serial` LowCardinality(String) CODEC(LZ4),
  `firmware` LowCardinality(String) CODEC(LZ4),
  `state` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `critical_warning` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(T64, LZ4),
  `used_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `spare_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `spare_threshold_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `media_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `media_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `error_log_entries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `error_log_entries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `unsafe_shutdowns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `unsafe_shutdowns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, model, serial, firmware, state, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS nvme_samples_1m_mv TO nvme_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.model AS `model`, s.serial AS `serial`, s.firmware AS `firmware`, s.state AS `state`, s.epoch AS `epoch`, toUInt64(isNotNull(s.temperature_celsius)) + isNotNull(s.used_pct) * 2 + isNotNull(s.spare_pct) * 4 + isNotNull(s.spare_threshold_pct) * 8 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.temperature_celsius) * greatest(s.interval_ms, 1)) AS `temperature_celsius_wsum`, max(ifNull(s.temperature_celsius_max, s.temperature_celsius)) AS `temperature_celsius_max`, groupBitOr(s.critical_warning) AS `critical_warning`, sum(assumeNotNull(s.used_pct) * greatest(s.interval_ms, 1)) AS `used_pct_wsum`, sum(assumeNotNull(s.spare_pct) * greatest(s.interval_ms, 1)) AS `spare_pct_wsum`, sum(assumeNotNull(s.spare_threshold_pct) * greatest(s.interval_ms, 1)) AS `spare_threshold_pct_wsum`, min(s.media_errors) AS `media_errors_min`, max(s.media_errors) AS `media_errors_max`, min(s.error_log_entries) AS `error_log_entries_min`, max(s.error_log_entries) AS `error_log_entries_max`, min(s.unsafe_shutdowns) AS `unsafe_shutdowns_min`, max(s.unsafe_shutdowns) AS `unsafe_shutdowns_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`
FROM nvme_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.device, s.model, s.serial, s.firmware, s.state, s.epoch, known
COMMENT 'gpuledger a7b20f0e5e6eee5c';

CREATE OR REPLACE VIEW v_nvme_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, any(s.model) AS model, any(s.serial) AS serial, any(s.firmware) AS firmware, any(s.state) AS state, sumIf(s.temperature_celsius_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, groupBitOr(s.critical_warning) AS critical_warning, sumIf(s.used_pct_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 100 AS used_ratio, sumIf(s.spare_pct_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 100 AS spare_ratio, sumIf(s.spare_threshold_pct_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 100 AS spare_threshold_ratio, min(s.media_errors_min) AS media_errors_first, max(s.media_errors_max) AS media_errors_last, min(s.error_log_entries_min) AS error_log_entries_first, max(s.error_log_entries_max) AS error_log_entries_last, min(s.unsafe_shutdowns_min) AS unsafe_shutdowns_first, max(s.unsafe_shutdowns_max) AS unsafe_shutdowns_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last
FROM nvme_samples_1m AS s GROUP BY ts, cluster, node, device
COMMENT 'gpuledger 947906def17de65f';

CREATE TABLE IF NOT EXISTS nvme_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `model` LowCardinality(String) CODEC(LZ4),
  `serial` LowCardinality(String) CODEC(LZ4),
  `firmware` LowCardinality(String) CODEC(LZ4),
  `state` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `critical_warning` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(T64, LZ4),
  `used_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `spare_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `spare_threshold_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `media_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `media_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `error_log_entries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `error_log_entries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `unsafe_shutdowns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `unsafe_shutdowns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, device) ORDER BY (node, device, ts, model, serial, firmware, state, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS nvme_samples_1h_mv TO nvme_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.model AS `model`, s.serial AS `serial`, s.firmware AS `firmware`, s.state AS `state`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.temperature_celsius_wsum) AS `temperature_celsius_wsum`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, groupBitOr(s.critical_warning) AS `critical_warning`, sum(s.used_pct_wsum) AS `used_pct_wsum`, sum(s.spare_pct_wsum) AS `spare_pct_wsum`, sum(s.spare_threshold_pct_wsum) AS `spare_threshold_pct_wsum`, min(s.media_errors_min) AS `media_errors_min`, max(s.media_errors_max) AS `media_errors_max`, min(s.error_log_entries_min) AS `error_log_entries_min`, max(s.error_log_entries_max) AS `error_log_entries_max`, min(s.unsafe_shutdowns_min) AS `unsafe_shutdowns_min`, max(s.unsafe_shutdowns_max) AS `unsafe_shutdowns_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`
FROM nvme_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.device, s.model, s.serial, s.firmware, s.state, s.epoch, known
COMMENT 'gpuledger 9fcce3b275a66f0f';

CREATE OR REPLACE VIEW v_nvme_samples_1h AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, any(s.model) AS model, any(s.serial) AS serial, any(s.firmware) AS firmware, any(s.state) AS state, sumIf(s.temperature_celsius_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, groupBitOr(s.critical_warning) AS critical_warning, sumIf(s.used_pct_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 100 AS used_ratio, sumIf(s.spare_pct_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 100 AS spare_ratio, sumIf(s.spare_threshold_pct_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 100 AS spare_threshold_ratio, min(s.media_errors_min) AS media_errors_first, max(s.media_errors_max) AS media_errors_last, min(s.error_log_entries_min) AS error_log_entries_first, max(s.error_log_entries_max) AS error_log_entries_last, min(s.unsafe_shutdowns_min) AS unsafe_shutdowns_first, max(s.unsafe_shutdowns_max) AS unsafe_shutdowns_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last
FROM nvme_samples_1h AS s GROUP BY ts, cluster, node, device
COMMENT 'gpuledger ca9457fdf21e42e9';

CREATE OR REPLACE VIEW v_nvme_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, model AS model, serial AS serial, firmware AS firmware, state AS state, temperature_celsius AS temperature_celsius, ifNull(temperature_celsius_max, temperature_celsius) AS temperature_celsius_max, critical_warning AS critical_warning, used_pct / 100 AS used_ratio, spare_pct / 100 AS spare_ratio, spare_threshold_pct / 100 AS spare_threshold_ratio, media_errors AS media_errors, error_log_entries AS error_log_entries, unsafe_shutdowns AS unsafe_shutdowns, read_bytes AS read_bytes, write_bytes AS write_bytes FROM nvme_samples
COMMENT 'gpuledger 44ce8f0739f255ee';

CREATE TABLE IF NOT EXISTS filesystem_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `mount` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `filesystem` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `size_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `available_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `inodes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `inodes_free_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, mount) ORDER BY (toStartOfHour(ts), node, mount, ts, device, filesystem, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS filesystem_samples_1m_mv TO filesystem_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.mount AS `mount`, s.device AS `device`, s.filesystem AS `filesystem`, s.epoch AS `epoch`, toUInt64(isNotNull(s.size_mib)) + isNotNull(s.available_mib) * 2 + isNotNull(s.inodes) * 4 + isNotNull(s.inodes_free) * 8 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.size_mib) * greatest(s.interval_ms, 1)) AS `size_mib_wsum`, sum(assumeNotNull(s.available_mib) * greatest(s.interval_ms, 1)) AS `available_mib_wsum`, sum(assumeNotNull(s.inodes) * greatest(s.interval_ms, 1)) AS `inodes_wsum`, sum(assumeNotNull(s.inodes_free) * greatest(s.interval_ms, 1)) AS `inodes_free_wsum`
FROM filesystem_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.mount, s.device, s.filesystem, s.epoch, known
COMMENT 'gpuledger 4292840d07569865';

CREATE OR REPLACE VIEW v_filesystem_samples_1m AS
SELECT ts, cluster, node, mount, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, any(s.device) AS device, any(s.filesystem) AS filesystem, sumIf(s.size_mib_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) * 1048576 / 1 AS size_bytes, sumIf(s.available_mib_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) * 1048576 / 1 AS available_bytes, sumIf(s.inodes_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) AS inodes, sumIf(s.inodes_free_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) AS inodes_free
FROM filesystem_samples_1m AS s GROUP BY ts, cluster, node, mount
COMMENT 'gpuledger e71ae58265e83c87';

CREATE TABLE IF NOT EXISTS filesystem_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `mount` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `filesystem` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `size_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `available_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `inodes_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `inodes_free_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, mount) ORDER BY (node, mount, ts, device, filesystem, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS filesystem_samples_1h_mv TO filesystem_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.mount AS `mount`, s.device AS `device`, s.filesystem AS `filesystem`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.size_mib_wsum) AS `size_mib_wsum`, sum(s.available_mib_wsum) AS `available_mib_wsum`, sum(s.inodes_wsum) AS `inodes_wsum`, sum(s.inodes_free_wsum) AS `inodes_free_wsum`
FROM filesystem_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.mount, s.device, s.filesystem, s.epoch, known
COMMENT 'gpuledger 20d387980ac8a168';

CREATE OR REPLACE VIEW v_filesystem_samples_1h AS
SELECT ts, cluster, node, mount, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, any(s.device) AS device, any(s.filesystem) AS filesystem, sumIf(s.size_mib_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) * 1048576 / 1 AS size_bytes, sumIf(s.available_mib_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) * 1048576 / 1 AS available_bytes, sumIf(s.inodes_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) AS inodes, sumIf(s.inodes_free_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) AS inodes_free
FROM filesystem_samples_1h AS s GROUP BY ts, cluster, node, mount
COMMENT 'gpuledger 0c8c3ddf951e7242';

CREATE OR REPLACE VIEW v_filesystem_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, mount AS mount, device AS device, filesystem AS filesystem, size_mib * 1048576 / 1 AS size_bytes, available_mib * 1048576 / 1 AS available_bytes, inodes AS inodes, inodes_free AS inodes_free FROM filesystem_samples
COMMENT 'gpuledger b1a4354df9a5c1c2';

CREATE TABLE IF NOT EXISTS netfs_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `kind` LowCardinality(String) CODEC(LZ4),
  `mount` LowCardinality(String) CODEC(LZ4),
  `operation` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `operations_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `operations_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `server_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `server_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `total_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `total_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `in_flight_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, kind, mount, operation) ORDER BY (toStartOfHour(ts), node, kind, mount, operation, ts, device, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS netfs_samples_1m_mv TO netfs_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.kind AS `kind`, s.mount AS `mount`, s.operation AS `operation`, s.device AS `device`, s.epoch AS `epoch`, toUInt64(isNotNull(s.in_flight)) AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.operations) AS `operations_min`, max(s.operations) AS `operations_max`, min(s.errors) AS `errors_min`, max(s.errors) AS `errors_max`, min(s.retransmits) AS `retransmits_min`, max(s.retransmits) AS `retransmits_max`, min(s.timeouts) AS `timeouts_min`, max(s.timeouts) AS `timeouts_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.queue_ms) AS `queue_ms_min`, max(s.queue_ms) AS `queue_ms_max`, min(s.server_ms) AS `server_ms_min`, max(s.server_ms) AS `server_ms_max`, min(s.total_ms) AS `total_ms_min`, max(s.total_ms) AS `total_ms_max`, sum(assumeNotNull(s.in_flight) * greatest(s.interval_ms, 1)) AS `in_flight_wsum`
FROM netfs_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.kind, s.mount, s.operation, s.device, s.epoch, known
COMMENT 'gpuledger 3e7dbaf492dc44f4';

CREATE OR REPLACE VIEW v_netfs_samples_1m AS
SELECT ts, cluster, node, kind, mount, operation, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, any(s.device) AS device, min(s.operations_min) AS operations_first, max(s.operations_max) AS operations_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, min(s.server_ms_min) / 1000 AS server_seconds_first, max(s.server_ms_max) / 1000 AS server_seconds_last, min(s.total_ms_min) / 1000 AS total_seconds_first, max(s.total_ms_max) / 1000 AS total_seconds_last, sumIf(s.in_flight_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS in_flight
FROM netfs_samples_1m AS s GROUP BY ts, cluster, node, kind, mount, operation
COMMENT 'gpuledger e725a13f3429070e';

CREATE TABLE IF NOT EXISTS netfs_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `kind` LowCardinality(String) CODEC(LZ4),
  `mount` LowCardinality(String) CODEC(LZ4),
  `operation` LowCardinality(String) CODEC(LZ4),
  `device` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `operations_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `operations_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `server_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `server_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `total_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `total_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `in_flight_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, kind, mount, operation) ORDER BY (node, kind, mount, operation, ts, device, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS netfs_samples_1h_mv TO netfs_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.kind AS `kind`, s.mount AS `mount`, s.operation AS `operation`, s.device AS `device`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.operations_min) AS `operations_min`, max(s.operations_max) AS `operations_max`, min(s.errors_min) AS `errors_min`, max(s.errors_max) AS `errors_max`, min(s.retransmits_min) AS `retransmits_min`, max(s.retransmits_max) AS `retransmits_max`, min(s.timeouts_min) AS `timeouts_min`, max(s.timeouts_max) AS `timeouts_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, min(s.queue_ms_min) AS `queue_ms_min`, max(s.queue_ms_max) AS `queue_ms_max`, min(s.server_ms_min) AS `server_ms_min`, max(s.server_ms_max) AS `server_ms_max`, min(s.total_ms_min) AS `total_ms_min`, max(s.total_ms_max) AS `total_ms_max`, sum(s.in_flight_wsum) AS `in_flight_wsum`
FROM netfs_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.kind, s.mount, s.operation, s.device, s.epoch, known
COMMENT 'gpuledger fda0fe91c41ada29';

CREATE OR REPLACE VIEW v_netfs_samples_1h AS
SELECT ts, cluster, node, kind, mount, operation, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, any(s.device) AS device, min(s.operations_min) AS operations_first, max(s.operations_max) AS operations_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, min(s.server_ms_min) / 1000 AS server_seconds_first, max(s.server_ms_max) / 1000 AS server_seconds_last, min(s.total_ms_min) / 1000 AS total_seconds_first, max(s.total_ms_max) / 1000 AS total_seconds_last, sumIf(s.in_flight_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 100 AS in_flight
FROM netfs_samples_1h AS s GROUP BY ts, cluster, node, kind, mount, operation
COMMENT 'gpuledger 734834cc89db726f';

CREATE OR REPLACE VIEW v_netfs_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, kind AS kind, mount AS mount, device AS device, operation AS operation, operations AS operations, errors AS errors, retransmits AS retransmits, timeouts AS timeouts, read_bytes AS read_bytes, write_bytes AS write_bytes, queue_ms / 1000 AS queue_seconds, server_ms / 1000 AS server_seconds, total_ms / 1000 AS total_seconds, in_flight / 100 AS in_flight FROM netfs_samples
COMMENT 'gpuledger 406c357cbda281dd';

CREATE TABLE IF NOT EXISTS object_store_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `store` LowCardinality(String) CODEC(LZ4),
  `bucket_name` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `size_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `objects_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `free_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `latency_us_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), store, bucket_name) ORDER BY (toStartOfHour(ts), store, bucket_name, ts, node, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS object_store_samples_1m_mv TO object_store_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.store AS `store`, s.bucket_name AS `bucket_name`, s.node AS `node`, s.epoch AS `epoch`, toUInt64(isNotNull(s.size_mib)) + isNotNull(s.objects) * 2 + isNotNull(s.free_mib) * 4 + isNotNull(s.latency_us) * 8 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.size_mib) * greatest(s.interval_ms, 1)) AS `size_mib_wsum`, sum(assumeNotNull(s.objects) * greatest(s.interval_ms, 1)) AS `objects_wsum`, sum(assumeNotNull(s.free_mib) * greatest(s.interval_ms, 1)) AS `free_mib_wsum`, min(s.requests) AS `requests_min`, max(s.requests) AS `requests_max`, min(s.errors) AS `errors_min`, max(s.errors) AS `errors_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, sum(assumeNotNull(s.latency_us) * greatest(s.interval_ms, 1)) AS `latency_us_wsum`
FROM object_store_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.store, s.bucket_name, s.node, s.epoch, known
COMMENT 'gpuledger 5f4f029b35443927';

CREATE OR REPLACE VIEW v_object_store_samples_1m AS
SELECT ts, cluster, store, bucket_name, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, any(s.node) AS node, sumIf(s.size_mib_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) * 1048576 / 1 AS size_bytes, sumIf(s.objects_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) AS objects, sumIf(s.free_mib_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) * 1048576 / 1 AS free_bytes, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, sumIf(s.latency_us_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 1000000 AS latency_seconds
FROM object_store_samples_1m AS s GROUP BY ts, cluster, store, bucket_name
COMMENT 'gpuledger e213e3331cb7fcca';

CREATE TABLE IF NOT EXISTS object_store_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `store` LowCardinality(String) CODEC(LZ4),
  `bucket_name` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `size_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `objects_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `free_mib_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `latency_us_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (store, bucket_name) ORDER BY (store, bucket_name, ts, node, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS object_store_samples_1h_mv TO object_store_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.store AS `store`, s.bucket_name AS `bucket_name`, s.node AS `node`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.size_mib_wsum) AS `size_mib_wsum`, sum(s.objects_wsum) AS `objects_wsum`, sum(s.free_mib_wsum) AS `free_mib_wsum`, min(s.requests_min) AS `requests_min`, max(s.requests_max) AS `requests_max`, min(s.errors_min) AS `errors_min`, max(s.errors_max) AS `errors_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, sum(s.latency_us_wsum) AS `latency_us_wsum`
FROM object_store_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.store, s.bucket_name, s.node, s.epoch, known
COMMENT 'gpuledger 5fff8f3eccb6ce9d';

CREATE OR REPLACE VIEW v_object_store_samples_1h AS
SELECT ts, cluster, store, bucket_name, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, any(s.node) AS node, sumIf(s.size_mib_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) * 1048576 / 1 AS size_bytes, sumIf(s.objects_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) AS objects, sumIf(s.free_mib_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) * 1048576 / 1 AS free_bytes, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, sumIf(s.latency_us_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 1000000 AS latency_seconds
FROM object_store_samples_1h AS s GROUP BY ts, cluster, store, bucket_name
COMMENT 'gpuledger 1679899427ff45d2';

CREATE OR REPLACE VIEW v_object_store_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, store AS store, bucket_name AS bucket_name, size_mib * 1048576 / 1 AS size_bytes, objects AS objects, free_mib * 1048576 / 1 AS free_bytes, requests AS requests, errors AS errors, read_bytes AS read_bytes, write_bytes AS write_bytes, latency_us / 1000000 AS latency_seconds FROM object_store_samples
COMMENT 'gpuledger 71df1884ca4e03b7';

CREATE TABLE IF NOT EXISTS serving_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `service` LowCardinality(String) CODEC(LZ4),
  `model` LowCardinality(String) CODEC(LZ4),
  `instance` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `failed_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `failed_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `running_requests_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `running_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `waiting_requests_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `waiting_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `prompt_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `prompt_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `generated_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `generated_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `preemptions_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `preemptions_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `kv_cache_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `kv_cache_pct_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `first_token_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `first_token_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `request_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `request_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, service, model, instance) ORDER BY (toStartOfHour(ts), node, service, model, instance, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS serving_samples_1m_mv TO serving_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.service AS `service`, s.model AS `model`, s.instance AS `instance`, s.epoch AS `epoch`, toUInt64(isNotNull(s.running_requests)) + isNotNull(s.waiting_requests) * 2 + isNotNull(s.kv_cache_pct) * 4 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.requests) AS `requests_min`, max(s.requests) AS `requests_max`, min(s.failed_requests) AS `failed_requests_min`, max(s.failed_requests) AS `failed_requests_max`, sum(assumeNotNull(s.running_requests) * greatest(s.interval_ms, 1)) AS `running_requests_wsum`, max(ifNull(s.running_requests_max, s.running_requests)) AS `running_requests_max`, sum(assumeNotNull(s.waiting_requests) * greatest(s.interval_ms, 1)) AS `waiting_requests_wsum`, max(ifNull(s.waiting_requests_max, s.waiting_requests)) AS `waiting_requests_max`, min(s.prompt_tokens) AS `prompt_tokens_min`, max(s.prompt_tokens) AS `prompt_tokens_max`, min(s.generated_tokens) AS `generated_tokens_min`, max(s.generated_tokens) AS `generated_tokens_max`, min(s.preemptions) AS `preemptions_min`, max(s.preemptions) AS `preemptions_max`, sum(assumeNotNull(s.kv_cache_pct) * greatest(s.interval_ms, 1)) AS `kv_cache_pct_wsum`, max(ifNull(s.kv_cache_pct_max, s.kv_cache_pct)) AS `kv_cache_pct_max`, min(s.first_token_ms) AS `first_token_ms_min`, max(s.first_token_ms) AS `first_token_ms_max`, min(s.request_ms) AS `request_ms_min`, max(s.request_ms) AS `request_ms_max`, min(s.queue_ms) AS `queue_ms_min`, max(s.queue_ms) AS `queue_ms_max`
FROM serving_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.node, s.service, s.model, s.instance, s.epoch, known
COMMENT 'gpuledger b646f307cccfbb24';

CREATE OR REPLACE VIEW v_serving_samples_1m AS
SELECT ts, cluster, node, service, model, instance, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.failed_requests_min) AS failed_requests_first, max(s.failed_requests_max) AS failed_requests_last, sumIf(s.running_requests_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS running_requests, max(s.running_requests_max) AS running_requests_max, sumIf(s.waiting_requests_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) AS waiting_requests, max(s.waiting_requests_max) AS waiting_requests_max, min(s.prompt_tokens_min) AS prompt_tokens_first, max(s.prompt_tokens_max) AS prompt_tokens_last, min(s.generated_tokens_min) AS generated_tokens_first, max(s.generated_tokens_max) AS generated_tokens_last, min(s.preemptions_min) AS preemptions_first, max(s.preemptions_max) AS preemptions_last, sumIf(s.kv_cache_pct_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 100 AS kv_cache_ratio, max(s.kv_cache_pct_max) / 100 AS kv_cache_ratio_max, min(s.first_token_ms_min) / 1000 AS first_token_seconds_first, max(s.first_token_ms_max) / 1000 AS first_token_seconds_last, min(s.request_ms_min) / 1000 AS request_seconds_first, max(s.request_ms_max) / 1000 AS request_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last
FROM serving_samples_1m AS s GROUP BY ts, cluster, node, service, model, instance
COMMENT 'gpuledger 6aef3126bf15cfca';

CREATE TABLE IF NOT EXISTS serving_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `service` LowCardinality(String) CODEC(LZ4),
  `model` LowCardinality(String) CODEC(LZ4),
  `instance` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `failed_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `failed_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `running_requests_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `running_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `waiting_requests_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `waiting_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(T64, LZ4),
  `prompt_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `prompt_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `generated_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `generated_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `preemptions_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `preemptions_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `kv_cache_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `kv_cache_pct_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(T64, LZ4),
  `first_token_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `first_token_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `request_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `request_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, service, model, instance) ORDER BY (node, service, model, instance, ts, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS serving_samples_1h_mv TO serving_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.node AS `node`, s.service AS `service`, s.model AS `model`, s.instance AS `instance`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, min(s.requests_min) AS `requests_min`, max(s.requests_max) AS `requests_max`, min(s.failed_requests_min) AS `failed_requests_min`, max(s.failed_requests_max) AS `failed_requests_max`, sum(s.running_requests_wsum) AS `running_requests_wsum`, max(s.running_requests_max) AS `running_requests_max`, sum(s.waiting_requests_wsum) AS `waiting_requests_wsum`, max(s.waiting_requests_max) AS `waiting_requests_max`, min(s.prompt_tokens_min) AS `prompt_tokens_min`, max(s.prompt_tokens_max) AS `prompt_tokens_max`, min(s.generated_tokens_min) AS `generated_tokens_min`, max(s.generated_tokens_max) AS `generated_tokens_max`, min(s.preemptions_min) AS `preemptions_min`, max(s.preemptions_max) AS `preemptions_max`, sum(s.kv_cache_pct_wsum) AS `kv_cache_pct_wsum`, max(s.kv_cache_pct_max) AS `kv_cache_pct_max`, min(s.first_token_ms_min) AS `first_token_ms_min`, max(s.first_token_ms_max) AS `first_token_ms_max`, min(s.request_ms_min) AS `request_ms_min`, max(s.request_ms_max) AS `request_ms_max`, min(s.queue_ms_min) AS `queue_ms_min`, max(s.queue_ms_max) AS `queue_ms_max`
FROM serving_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.node, s.service, s.model, s.instance, s.epoch, known
COMMENT 'gpuledger 37a0a2fcaa1caa71';

CREATE OR REPLACE VIEW v_serving_samples_1h AS
SELECT ts, cluster, node, service, model, instance, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.failed_requests_min) AS failed_requests_first, max(s.failed_requests_max) AS failed_requests_last, sumIf(s.running_requests_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) AS running_requests, max(s.running_requests_max) AS running_requests_max, sumIf(s.waiting_requests_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) AS waiting_requests, max(s.waiting_requests_max) AS waiting_requests_max, min(s.prompt_tokens_min) AS prompt_tokens_first, max(s.prompt_tokens_max) AS prompt_tokens_last, min(s.generated_tokens_min) AS generated_tokens_first, max(s.generated_tokens_max) AS generated_tokens_last, min(s.preemptions_min) AS preemptions_first, max(s.preemptions_max) AS preemptions_last, sumIf(s.kv_cache_pct_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 100 AS kv_cache_ratio, max(s.kv_cache_pct_max) / 100 AS kv_cache_ratio_max, min(s.first_token_ms_min) / 1000 AS first_token_seconds_first, max(s.first_token_ms_max) / 1000 AS first_token_seconds_last, min(s.request_ms_min) / 1000 AS request_seconds_first, max(s.request_ms_max) / 1000 AS request_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last
FROM serving_samples_1h AS s GROUP BY ts, cluster, node, service, model, instance
COMMENT 'gpuledger dcc969fb3999cbd9';

CREATE OR REPLACE VIEW v_serving_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, service AS service, model AS model, instance AS instance, requests AS requests, failed_requests AS failed_requests, running_requests AS running_requests, ifNull(running_requests_max, running_requests) AS running_requests_max, waiting_requests AS waiting_requests, ifNull(waiting_requests_max, waiting_requests) AS waiting_requests_max, prompt_tokens AS prompt_tokens, generated_tokens AS generated_tokens, preemptions AS preemptions, kv_cache_pct / 100 AS kv_cache_ratio, ifNull(kv_cache_pct_max, kv_cache_pct) / 100 AS kv_cache_ratio_max, first_token_ms / 1000 AS first_token_seconds, request_ms / 1000 AS request_seconds, queue_ms / 1000 AS queue_seconds FROM serving_samples
COMMENT 'gpuledger 4ef7ff7394e5c8dc';

CREATE OR REPLACE VIEW v_progress_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, pid AS pid, session AS session, user AS user, runtime AS runtime, container AS container, rank AS rank, steps AS steps, step_us / 1000000 AS step_seconds, data_wait_us / 1000000 AS data_wait_seconds, checkpoint_us / 1000000 AS checkpoint_seconds, checkpoints AS checkpoints, last_step AS last_step, last_checkpoint AS last_checkpoint, refused AS refused FROM progress_samples
COMMENT 'gpuledger c00e7c9809703cf2';

CREATE TABLE IF NOT EXISTS queue_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `scheduler` LowCardinality(String) CODEC(LZ4),
  `queue` LowCardinality(String) CODEC(LZ4),
  `project` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `allocated_gpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `quota_gpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `idle_gpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pending_workloads_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `admitted_workloads_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `evicted_workloads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `evicted_workloads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), scheduler, queue, project) ORDER BY (toStartOfHour(ts), scheduler, queue, project, ts, node, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS queue_samples_1m_mv TO queue_samples_1m AS
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS `ts`, s.cluster AS `cluster`, s.scheduler AS `scheduler`, s.queue AS `queue`, s.project AS `project`, s.node AS `node`, s.epoch AS `epoch`, toUInt64(isNotNull(s.allocated_gpus)) + isNotNull(s.quota_gpus) * 2 + isNotNull(s.idle_gpus) * 4 + isNotNull(s.utilization_pct) * 8 + isNotNull(s.pending_workloads) * 16 + isNotNull(s.admitted_workloads) * 32 AS `known`, sum(greatest(s.interval_ms, 1)) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(assumeNotNull(s.allocated_gpus) * greatest(s.interval_ms, 1)) AS `allocated_gpus_wsum`, sum(assumeNotNull(s.quota_gpus) * greatest(s.interval_ms, 1)) AS `quota_gpus_wsum`, sum(assumeNotNull(s.idle_gpus) * greatest(s.interval_ms, 1)) AS `idle_gpus_wsum`, sum(assumeNotNull(s.utilization_pct) * greatest(s.interval_ms, 1)) AS `utilization_pct_wsum`, sum(assumeNotNull(s.pending_workloads) * greatest(s.interval_ms, 1)) AS `pending_workloads_wsum`, sum(assumeNotNull(s.admitted_workloads) * greatest(s.interval_ms, 1)) AS `admitted_workloads_wsum`, min(s.evicted_workloads) AS `evicted_workloads_min`, max(s.evicted_workloads) AS `evicted_workloads_max`
FROM queue_samples AS s GROUP BY toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND), s.cluster, s.scheduler, s.queue, s.project, s.node, s.epoch, known
COMMENT 'gpuledger afbb2529633d38c4';

CREATE OR REPLACE VIEW v_queue_samples_1m AS
SELECT ts, cluster, scheduler, queue, project, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, any(s.node) AS node, sumIf(s.allocated_gpus_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 1000 AS allocated_gpus, sumIf(s.quota_gpus_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 1000 AS quota_gpus, sumIf(s.idle_gpus_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 1000 AS idle_gpus, sumIf(s.utilization_pct_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 100 AS utilization_ratio, sumIf(s.pending_workloads_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) AS pending_workloads, sumIf(s.admitted_workloads_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) AS admitted_workloads, min(s.evicted_workloads_min) AS evicted_workloads_first, max(s.evicted_workloads_max) AS evicted_workloads_last
FROM queue_samples_1m AS s GROUP BY ts, cluster, scheduler, queue, project
COMMENT 'gpuledger ca877e61bac60c80';

CREATE TABLE IF NOT EXISTS queue_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
  `cluster` LowCardinality(String) CODEC(LZ4),
  `scheduler` LowCardinality(String) CODEC(LZ4),
  `queue` LowCardinality(String) CODEC(LZ4),
  `project` LowCardinality(String) CODEC(LZ4),
  `node` LowCardinality(String) CODEC(LZ4),
  `epoch` UInt32 CODEC(LZ4),
  `known` UInt64 CODEC(T64, LZ4),
  `weight_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `allocated_gpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `quota_gpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `idle_gpus_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `pending_workloads_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `admitted_workloads_wsum` SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
  `evicted_workloads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(Delta, T64, LZ4),
  `evicted_workloads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(Delta, T64, LZ4)
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (scheduler, queue, project) ORDER BY (scheduler, queue, project, ts, node, known, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS queue_samples_1h_mv TO queue_samples_1h AS
SELECT toStartOfHour(s.ts) AS `ts`, s.cluster AS `cluster`, s.scheduler AS `scheduler`, s.queue AS `queue`, s.project AS `project`, s.node AS `node`, s.epoch AS `epoch`, s.known AS `known`, sum(s.weight_ms) AS `weight_ms`, sum(s.interval_ms) AS `interval_ms`, sum(s.allocated_gpus_wsum) AS `allocated_gpus_wsum`, sum(s.quota_gpus_wsum) AS `quota_gpus_wsum`, sum(s.idle_gpus_wsum) AS `idle_gpus_wsum`, sum(s.utilization_pct_wsum) AS `utilization_pct_wsum`, sum(s.pending_workloads_wsum) AS `pending_workloads_wsum`, sum(s.admitted_workloads_wsum) AS `admitted_workloads_wsum`, min(s.evicted_workloads_min) AS `evicted_workloads_min`, max(s.evicted_workloads_max) AS `evicted_workloads_max`
FROM queue_samples_1m AS s GROUP BY toStartOfHour(s.ts), s.cluster, s.scheduler, s.queue, s.project, s.node, s.epoch, known
COMMENT 'gpuledger 648e0084b39030fc';

CREATE OR REPLACE VIEW v_queue_samples_1h AS
SELECT ts, cluster, scheduler, queue, project, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, any(s.node) AS node, sumIf(s.allocated_gpus_wsum, bitTest(s.known, 0)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 0)), 0) / 1000 AS allocated_gpus, sumIf(s.quota_gpus_wsum, bitTest(s.known, 1)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 1)), 0) / 1000 AS quota_gpus, sumIf(s.idle_gpus_wsum, bitTest(s.known, 2)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 2)), 0) / 1000 AS idle_gpus, sumIf(s.utilization_pct_wsum, bitTest(s.known, 3)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 3)), 0) / 100 AS utilization_ratio, sumIf(s.pending_workloads_wsum, bitTest(s.known, 4)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 4)), 0) AS pending_workloads, sumIf(s.admitted_workloads_wsum, bitTest(s.known, 5)) / nullIf(sumIf(s.weight_ms, bitTest(s.known, 5)), 0) AS admitted_workloads, min(s.evicted_workloads_min) AS evicted_workloads_first, max(s.evicted_workloads_max) AS evicted_workloads_last
FROM queue_samples_1h AS s GROUP BY ts, cluster, scheduler, queue, project
COMMENT 'gpuledger 5129fc02ce5f05dc';

CREATE OR REPLACE VIEW v_queue_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, scheduler AS scheduler, queue AS queue, project AS project, allocated_gpus / 1000 AS allocated_gpus, quota_gpus / 1000 AS quota_gpus, idle_gpus / 1000 AS idle_gpus, utilization_pct / 100 AS utilization_ratio, pending_workloads AS pending_workloads, admitted_workloads AS admitted_workloads, evicted_workloads AS evicted_workloads FROM queue_samples
COMMENT 'gpuledger ddfd5022e8cf72ce';

CREATE OR REPLACE VIEW v_source_runs AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, source AS source, runs AS runs, failures AS failures, rows AS rows, duration_ms / 1000 AS duration_seconds, ifNull(duration_ms_max, duration_ms) / 1000 AS duration_seconds_max, reason AS reason FROM source_runs
COMMENT 'gpuledger 6f45ed78890bef17';

CREATE OR REPLACE VIEW v_agent_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, cpu_ms / 1000 AS cpu_seconds, memory_mib * 1048576 / 1 AS memory_bytes, waiting_entries AS waiting_entries, waiting_mib * 1048576 / 1 AS waiting_bytes, oldest_waiting_ms / 1000 AS oldest_waiting_seconds FROM agent_samples
COMMENT 'gpuledger d0ef3f063bf86e19';

CREATE OR REPLACE VIEW v_spool_losses AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, of AS of, dropped_rows AS dropped_rows, rejected_rows AS rejected_rows FROM spool_losses
COMMENT 'gpuledger 0443cbadcea05bae';

CREATE OR REPLACE VIEW v_quarantine AS
SELECT ts AS ts, cluster AS cluster, node AS node, of AS of, reason AS reason, rows AS rows, first AS first, last AS last, key AS key, body AS body FROM quarantine
COMMENT 'gpuledger e1ee41339ab1f037';

CREATE OR REPLACE VIEW v_backfill_chunks AS
SELECT source AS source, since AS since, until AS until, done AS done, samples AS samples, rows AS rows, state AS state, version AS version FROM backfill_chunks FINAL
COMMENT 'gpuledger ece5782ef82f7e4b';

CREATE OR REPLACE VIEW v_missing_values AS
SELECT cluster AS cluster, node AS node, source AS source, subject AS subject, reading AS reading, reason AS reason, detail AS detail, seen_at AS seen_at, version AS version FROM missing_values FINAL
COMMENT 'gpuledger 3fb8f138ef7eb7c2';

CREATE OR REPLACE VIEW v_assets AS
SELECT gpu_id AS gpu_id, asset_id AS asset_id, cluster AS cluster, node AS node, slot AS slot, model AS model, pool AS pool, provider AS provider, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM assets FINAL
COMMENT 'gpuledger 90051a40cd287773';

CREATE OR REPLACE VIEW v_gpus AS
SELECT gpu_id AS gpu_id, cluster AS cluster, node AS node, slot AS slot, uuid AS uuid, serial AS serial, model AS model, memory_mib * 1048576 / 1 AS memory_bytes, driver AS driver, vendor AS vendor, parent AS parent, profile AS profile, entitlement_milli AS entitlement_milli, mig AS mig, pci AS pci, numa AS numa, nvlink_domain AS nvlink_domain, rack AS rack, part_number AS part_number, vbios AS vbios, seen_at AS seen_at, version AS version FROM gpus FINAL
COMMENT 'gpuledger 98167c1bfa57e625';

CREATE OR REPLACE VIEW v_gpu_links AS
SELECT cluster AS cluster, node AS node, slot AS slot, peer AS peer, path AS path, nvlinks AS nvlinks, seen_at AS seen_at, version AS version FROM gpu_links FINAL
COMMENT 'gpuledger abcc6210a8fe390f';

CREATE OR REPLACE VIEW v_allocations AS
SELECT gpu_id AS gpu_id, alloc_id AS alloc_id, job_id AS job_id, cluster AS cluster, node AS node, share_milli AS share_milli, valid_from AS valid_from, valid_to AS valid_to, source AS source, slice AS slice, seen_at AS seen_at, version AS version FROM allocations FINAL
COMMENT 'gpuledger e78fc4f48c599c40';

CREATE OR REPLACE VIEW v_jobs AS
SELECT job_id AS job_id, cluster AS cluster, name AS name, user AS user, team AS team, pool AS pool, state AS state, reason AS reason, nodes AS nodes, gpus_per_node AS gpus_per_node, cpu_milli AS cpu_milli, memory_mib * 1048576 / 1 AS memory_bytes, gpu_model AS gpu_model, priority AS priority, kind AS kind, qos AS qos, preemptible AS preemptible, reservation AS reservation, gang AS gang, constraints AS constraints, share_milli AS share_milli, restart AS restart, submitted AS submitted, eligible AS eligible, started AS started, ended AS ended, ends_by AS ends_by, seen_at AS seen_at, version AS version FROM jobs FINAL
COMMENT 'gpuledger 95f4d26f427f7576';

CREATE OR REPLACE VIEW v_node_states AS
SELECT cluster AS cluster, node AS node, scheduler AS scheduler, state AS state, reason AS reason, pools AS pools, gpus AS gpus, gpu_model AS gpu_model, shares AS shares, labels AS labels, taints AS taints, rack AS rack, cpu_milli AS cpu_milli, memory_mib * 1048576 / 1 AS memory_bytes, valid_from AS valid_from, valid_to AS valid_to, seen_at AS seen_at, version AS version FROM node_states FINAL
COMMENT 'gpuledger 5d8d03f1aa0155f8';

CREATE OR REPLACE VIEW v_pools AS
SELECT cluster AS cluster, pool AS pool, scheduler AS scheduler, state AS state, nodes AS nodes, priority AS priority, longest_seconds AS longest_seconds, preemptible AS preemptible, seen_at AS seen_at, version AS version FROM pools FINAL
COMMENT 'gpuledger 36f2f6c3d6df35e8';

CREATE OR REPLACE VIEW v_reservations AS
SELECT cluster AS cluster, reservation AS reservation, scheduler AS scheduler, nodes AS nodes, users AS users, teams AS teams, pool AS pool, flags AS flags, valid_from AS valid_from, valid_to AS valid_to, seen_at AS seen_at, version AS version FROM reservations FINAL
COMMENT 'gpuledger a9fe885eef506898';

CREATE OR REPLACE VIEW v_quotas AS
SELECT cluster AS cluster, scheduler AS scheduler, team AS team, queue AS queue, gpu_model AS gpu_model, guaranteed_milli AS guaranteed_milli, limit_milli AS limit_milli, parent AS parent, seen_at AS seen_at, version AS version FROM quotas FINAL
COMMENT 'gpuledger 082fdea554cd2991';

CREATE OR REPLACE VIEW v_prices AS
SELECT model AS model, capacity_value / 1000000 AS capacity_value, energy_price / 1000000 AS energy_price, currency AS currency, valid_from AS valid_from, version AS version FROM prices FINAL
COMMENT 'gpuledger 349fbecccbe9884b';

CREATE OR REPLACE VIEW v_price_book AS
SELECT provider AS provider, pool AS pool, model AS model, capacity_value / 1000000 AS capacity_value, energy_price / 1000000 AS energy_price, pue / 1000 AS pue, carbon_per_kwh / 1000000 AS carbon_per_kwh, currency AS currency, source AS source, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM price_book FINAL
COMMENT 'gpuledger ac6f0813bb317ff4';

CREATE OR REPLACE VIEW v_cloud_bills AS
SELECT provider AS provider, account AS account, resource AS resource, sku AS sku, category AS category, commitment AS commitment, unused AS unused, day AS day, cluster AS cluster, node AS node, pool AS pool, cost / 1000000 AS cost, credit / 1000000 AS credit, currency AS currency, version AS version FROM cloud_bills FINAL
COMMENT 'gpuledger cbfdf7bace6c55b5';

CREATE OR REPLACE VIEW v_rates AS
SELECT cluster AS cluster, node AS node, pool AS pool, model AS model, capacity_value / 1000000 AS capacity_value, energy_price / 1000000 AS energy_price, pue / 1000 AS pue, carbon_per_kwh / 1000000 AS carbon_per_kwh, cash_rate / 1000000 AS cash_rate, avoidable_rate / 1000000 AS avoidable_rate, currency AS currency, valid_from AS valid_from, version AS version FROM rates FINAL
COMMENT 'gpuledger 95602a860aa59d7e';

CREATE OR REPLACE VIEW v_teams AS
SELECT kind AS kind, name AS name, team AS team, lead AS lead, mail AS mail, department AS department, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM teams FINAL
COMMENT 'gpuledger 4f51673b485c15c3';

CREATE OR REPLACE VIEW v_people AS
SELECT user AS user, name AS name, mail AS mail, team AS team, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM people FINAL
COMMENT 'gpuledger 0e4406aa694b49b7';

CREATE OR REPLACE VIEW v_exemptions AS
SELECT subject AS subject, kinds AS kinds, reason AS reason, owner AS owner, approved_by AS approved_by, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM exemptions FINAL
COMMENT 'gpuledger 86659fff1ede9f5a';

CREATE OR REPLACE VIEW v_services AS
SELECT cluster AS cluster, service AS service, team AS team, jobs AS jobs, least_replicas AS least_replicas, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM services FINAL
COMMENT 'gpuledger 08acd5c2c5da6d7a';

CREATE OR REPLACE VIEW v_asset_states AS
SELECT gpu_id AS gpu_id, state AS state, reason AS reason, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM asset_states FINAL
COMMENT 'gpuledger 61f7142eec7f17cc';

CREATE OR REPLACE VIEW v_node_owner AS
SELECT cluster AS cluster, node AS node, scheduler AS scheduler, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM node_owner FINAL
COMMENT 'gpuledger 228566393aabf5df';

CREATE OR REPLACE VIEW v_changes AS
SELECT ts AS ts, cluster AS cluster, node AS node, slot AS slot, kind AS kind, subject AS subject, before AS before, after AS after FROM changes
COMMENT 'gpuledger 1978b12a299b7038';

CREATE OR REPLACE VIEW v_power_floors AS
SELECT gpu_id AS gpu_id, bare_mw / 1000 AS bare_watts, bare_minutes AS bare_minutes, context_mw / 1000 AS context_watts, context_minutes AS context_minutes, learned AS learned, version AS version FROM power_floors FINAL
COMMENT 'gpuledger 2fb3979d7876d46c';

CREATE OR REPLACE VIEW v_startup_times AS
SELECT cluster AS cluster, size_class AS size_class, p95_ms / 1000 AS p95_seconds, jobs AS jobs, learned AS learned, version AS version FROM startup_times FINAL
COMMENT 'gpuledger 3de209a9b87db4a2';

CREATE OR REPLACE VIEW v_job_stats AS
SELECT job_id AS job_id, gpu_id AS gpu_id, first_active AS first_active, busiest AS busiest, sm_active_bp / 10000 AS sm_active_ratio, tensor_active_bp / 10000 AS tensor_active_ratio, power_bp / 10000 AS power_ratio, active_minutes AS active_minutes, upto AS upto, version AS version FROM job_stats FINAL
COMMENT 'gpuledger c0bc3e198c24756e';

CREATE OR REPLACE VIEW v_job_classes AS
SELECT job_id AS job_id, work AS work, confidence_pct / 100 AS confidence_ratio, framework AS framework, model AS model, minutes AS minutes, version AS version FROM job_classes FINAL
COMMENT 'gpuledger 39516dd3bfcb98c5';

CREATE OR REPLACE VIEW v_forecasts AS
SELECT cluster AS cluster, pool AS pool, measure AS measure, horizon_days AS horizon_days, at AS at, step_seconds AS step_seconds, low / 1000 AS low, expected / 1000 AS expected, high / 1000 AS high, method AS method, error_bp / 10000 AS error_ratio, naive_error_bp / 10000 AS naive_error_ratio, cover_bp / 10000 AS cover_ratio, origins AS origins, history_days AS history_days, made AS made, version AS version FROM forecasts FINAL
COMMENT 'gpuledger b44c6e5db420972f';

CREATE OR REPLACE VIEW v_fragmentation_1h AS
SELECT cluster AS cluster, pool AS pool, node AS node, hour AS hour, nodes AS nodes, gpus AS gpus, free_gpus / 1000 AS free_gpus, whole_gpus AS whole_gpus, fragmented_gpus / 1000 AS fragmented_gpus, lacks_cpu_gpus / 1000 AS lacks_cpu_gpus, lacks_gpu_gpus / 1000 AS lacks_gpu_gpus, lacks_both_gpus / 1000 AS lacks_both_gpus, crumbs_gpus / 1000 AS crumbs_gpus, wrong_model_gpus / 1000 AS wrong_model_gpus, no_gpu_asked_gpus / 1000 AS no_gpu_asked_gpus, largest_gpus AS largest_gpus, largest_repacked_gpus AS largest_repacked_gpus, slots_1 AS slots_1, slots_2 AS slots_2, slots_4 AS slots_4, slots_8 AS slots_8, slots_16 AS slots_16, repacked_1 AS repacked_1, repacked_2 AS repacked_2, repacked_4 AS repacked_4, repacked_8 AS repacked_8, repacked_16 AS repacked_16, version AS version FROM fragmentation_1h FINAL
COMMENT 'gpuledger e6073acd9a03deb8';

CREATE OR REPLACE VIEW v_runs AS
SELECT run_id AS run_id, experiment AS experiment, name AS name, user AS user, state AS state, parameters AS parameters, metrics AS metrics, started AS started, ended AS ended, job_id AS job_id, matched_by AS matched_by, match_pct / 100 AS match_ratio, told AS told, version AS version FROM runs FINAL
COMMENT 'gpuledger 67bebec7f4a2fa53';

CREATE OR REPLACE VIEW v_free_states AS
SELECT gpu_id AS gpu_id, valid_from AS valid_from, valid_to AS valid_to, state AS state, cause AS cause, flags AS flags, job_id AS job_id FROM free_states
COMMENT 'gpuledger cc0017016a8115ec';

CREATE OR REPLACE VIEW v_demand_1m AS
SELECT cluster AS cluster, pool AS pool, minute AS minute, unmet_ms / 1000 AS unmet_seconds, refused_ms / 1000 AS refused_seconds, jobs AS jobs FROM demand_1m
COMMENT 'gpuledger 7fceba29e40353c4';

CREATE OR REPLACE VIEW v_recoverable_1m AS
SELECT cluster AS cluster, pool AS pool, minute AS minute, loose_ms / 1000 AS loose_seconds, unmet_ms / 1000 AS unmet_seconds, met_millionths AS met_millionths FROM recoverable_1m
COMMENT 'gpuledger 44aedcc62b4d8871';

CREATE OR REPLACE VIEW v_recoverable_1h AS
SELECT cluster AS cluster, gpu_id AS gpu_id, hour AS hour, alloc_id AS alloc_id, state AS state, flags AS flags, cause AS cause, grade AS grade, recoverable_ms / 1000 AS recoverable_seconds FROM recoverable_1h
COMMENT 'gpuledger 1415c48fb52a8ab1';

CREATE OR REPLACE VIEW v_occupancy AS
SELECT cluster AS cluster, node AS node, gpu_id AS gpu_id, valid_from AS valid_from, valid_to AS valid_to, alloc_id AS alloc_id, job_id AS job_id, slice AS slice, remainder AS remainder, unheld AS unheld, share_milli AS share_milli, upto_milli AS upto_milli, whole_milli AS whole_milli, started AS started, run AS run, vacated AS vacated, place_state AS place_state, node_state AS node_state, reserved AS reserved, heard AS heard, free_state AS free_state, free_cause AS free_cause, free_flags AS free_flags FROM occupancy
COMMENT 'gpuledger d63cc938a01adc54';

CREATE OR REPLACE VIEW v_ledger_1m AS
SELECT cluster AS cluster, node AS node, gpu_id AS gpu_id, minute AS minute, alloc_id AS alloc_id, state AS state, flags AS flags, cause AS cause, grade AS grade, intensity_bp / 10000 AS intensity_ratio, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules FROM ledger_1m
COMMENT 'gpuledger 7a28e15c695d6fef';

CREATE OR REPLACE VIEW v_ledger_1h AS
SELECT cluster AS cluster, node AS node, gpu_id AS gpu_id, hour AS hour, alloc_id AS alloc_id, state AS state, flags AS flags, cause AS cause, grade AS grade, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules FROM ledger_1h
COMMENT 'gpuledger de4b9e5afe14129f';

CREATE OR REPLACE VIEW v_accounts_1h AS
SELECT cluster AS cluster, node AS node, pool AS pool, model AS model, job AS job, job_name AS job_name, user AS user, team AS team, state AS state, flags AS flags, cause AS cause, grade AS grade, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules, recoverable_ms / 1000 AS recoverable_seconds, hour AS hour FROM accounts_1h
COMMENT 'gpuledger 2cb4b91fd177eb1d';

CREATE OR REPLACE VIEW v_accounts_1d AS
SELECT cluster AS cluster, node AS node, pool AS pool, model AS model, job AS job, job_name AS job_name, user AS user, team AS team, state AS state, flags AS flags, cause AS cause, grade AS grade, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules, recoverable_ms / 1000 AS recoverable_seconds, day AS day FROM accounts_1d
COMMENT 'gpuledger a7a1ae6c6fac4493';

CREATE OR REPLACE VIEW v_ledger_adjust AS
SELECT cluster AS cluster, node AS node, pool AS pool, model AS model, job AS job, job_name AS job_name, user AS user, team AS team, state AS state, flags AS flags, cause AS cause, grade AS grade, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules, recoverable_ms / 1000 AS recoverable_seconds, hour AS hour, gpu_id AS gpu_id, alloc_id AS alloc_id, reverses AS reverses, reason AS reason, pair AS pair, adjusted_at AS adjusted_at FROM ledger_adjust
COMMENT 'gpuledger c136c9e0235c7476';

CREATE OR REPLACE VIEW v_free_blocks AS
SELECT cluster AS cluster, pool AS pool, minute AS minute, free_gpus AS free_gpus FROM free_blocks
COMMENT 'gpuledger ad62ce009f30945e';

CREATE OR REPLACE VIEW v_booked_hours AS
SELECT hour AS hour, fingerprint AS fingerprint, formula AS formula, restated AS restated, booked_until AS booked_until, owned_ms / 1000 AS owned_seconds, booked_at AS booked_at, version AS version FROM booked_hours FINAL
COMMENT 'gpuledger 1880e6b32c5be154';

CREATE OR REPLACE VIEW v_findings AS
SELECT finding_id AS finding_id, kind AS kind, subject AS subject, user AS user, team AS team, pool AS pool, since AS since, until AS until, open AS open, gpus AS gpus, gpu_ms / 1000 AS gpu_seconds, capacity_value / 1000000 AS capacity_value, cash_avoidable / 1000000 AS cash_avoidable, currency AS currency, grade AS grade, cause AS cause, owner AS owner, action AS action, asks AS asks, confidence_pct / 100 AS confidence_ratio, summary AS summary, evidence AS evidence, version AS version FROM findings FINAL
COMMENT 'gpuledger 801c3e7bf6d4146c';

CREATE OR REPLACE VIEW v_recommendations AS
SELECT recommendation_id AS recommendation_id, finding_id AS finding_id, kind AS kind, subject AS subject, user AS user, team AS team, status AS status, title AS title, command AS command, undo AS undo, about AS about, resources AS resources, gain_gpu_hours / 1000 AS gain_gpu_hours, gain_capacity_value / 1000000 AS gain_capacity_value, gain_cash_avoidable / 1000000 AS gain_cash_avoidable, gain_low_gpu_hours / 1000 AS gain_low_gpu_hours, gain_high_gpu_hours / 1000 AS gain_high_gpu_hours, gain_wait_ms / 1000 AS gain_wait_seconds, gain_wait_low_ms / 1000 AS gain_wait_low_seconds, gain_wait_high_ms / 1000 AS gain_wait_high_seconds, calibration_bp / 10000 AS calibration_ratio, currency AS currency, horizon_seconds AS horizon_seconds, confidence_pct / 100 AS confidence_ratio, because AS because, created AS created, version AS version FROM recommendations FINAL
COMMENT 'gpuledger 4a48b078ad175668';

CREATE OR REPLACE VIEW v_recommendation_events AS
SELECT recommendation_id AS recommendation_id, turn AS turn, decision AS decision, status AS status, kind AS kind, mutes AS mutes, by AS by, reason AS reason, at AS at, until AS until, version AS version FROM recommendation_events FINAL
COMMENT 'gpuledger 7be0fb5b516f1b27';

CREATE OR REPLACE VIEW v_outcomes AS
SELECT recommendation_id AS recommendation_id, kind AS kind, subject AS subject, team AS team, status AS status, reason AS reason, method AS method, predicted_gpu_hours / 1000 AS predicted_gpu_hours, predicted_low_gpu_hours / 1000 AS predicted_low_gpu_hours, predicted_high_gpu_hours / 1000 AS predicted_high_gpu_hours, calibration_bp / 10000 AS calibration_ratio, measured_gpu_hours / 1000 AS measured_gpu_hours, low_gpu_hours / 1000 AS low_gpu_hours, high_gpu_hours / 1000 AS high_gpu_hours, treated_before AS treated_before, treated_after AS treated_after, matched_before AS matched_before, matched_after AS matched_after, accepted AS accepted, applied AS applied, measured AS measured, version AS version FROM outcomes FINAL
COMMENT 'gpuledger bb73eaa9c6220783';

CREATE OR REPLACE VIEW v_alert_states AS
SELECT rule AS rule, subject AS subject, state AS state, since AS since, fired AS fired, resolved AS resolved, value / 1000 AS value, gpus / 1000 AS gpus, cost_per_hour / 1000000 AS cost_per_hour, currency AS currency, labels AS labels, annotations AS annotations, version AS version FROM alert_states FINAL
COMMENT 'gpuledger 5cf6eecaa9c20dbd';

CREATE OR REPLACE VIEW v_notifications AS
SELECT ts AS ts, rule AS rule, subject AS subject, state AS state, channel AS channel, receiver AS receiver, message AS message, outcome AS outcome FROM notifications
COMMENT 'gpuledger 7626b71094f9bd04';

CREATE OR REPLACE VIEW v_leases AS
SELECT ts AS ts, name AS name, turn AS turn, holder AS holder, decision AS decision, until AS until FROM leases
COMMENT 'gpuledger 2cbf4fbb11d5c342';

CREATE OR REPLACE VIEW v_report_snapshots AS
SELECT week AS week, step AS step, decision AS decision, snapshot_id AS snapshot_id, edition AS edition, state AS state, corrects AS corrects, timezone AS timezone, since AS since, until AS until, settled AS settled, value AS value, sha256 AS sha256, form AS form, by AS by, at AS at, version AS version FROM report_snapshots FINAL
COMMENT 'gpuledger 2b84a41f893e016a';

CREATE OR REPLACE VIEW v_report_pages AS
SELECT week AS week, step AS step, team AS team, decision AS decision, value AS value, form AS form, at AS at, version AS version FROM report_pages FINAL
COMMENT 'gpuledger f3b59e6981296751';

CREATE OR REPLACE VIEW v_report_notes AS
SELECT week AS week, team AS team, note AS note, by AS by, at AS at, version AS version FROM report_notes FINAL
COMMENT 'gpuledger f0221836483d7bd2';

CREATE OR REPLACE VIEW v_report_deliveries AS
SELECT delivery_id AS delivery_id, turn AS turn, decision AS decision, week AS week, edition AS edition, what AS what, channel AS channel, target AS target, state AS state, reason AS reason, at AS at, due AS due, version AS version FROM report_deliveries FINAL
COMMENT 'gpuledger f133ecc7fcc0d1d3';

CREATE OR REPLACE VIEW v_api_tokens AS
SELECT token_id AS token_id, name AS name, role AS role, teams AS teams, cluster AS cluster, node AS node, tables AS tables, secret_sha256 AS secret_sha256, replaces AS replaces, made_by AS made_by, made_at AS made_at, expires_at AS expires_at, revoked_by AS revoked_by, revoked_at AS revoked_at, version AS version FROM api_tokens FINAL
COMMENT 'gpuledger 5a3b2f79e4781cfe';

CREATE OR REPLACE VIEW v_api_token_uses AS
SELECT token_id AS token_id, used_at AS used_at, address AS address, version AS version FROM api_token_uses FINAL
COMMENT 'gpuledger 2a99fb251486693b';

CREATE OR REPLACE VIEW v_audit_log AS
SELECT ts AS ts, who AS who, role AS role, action AS action, subject AS subject, address AS address, before AS before, after AS after, request_id AS request_id FROM audit_log
COMMENT 'gpuledger a9e80daf38d92aa3';

CREATE OR REPLACE VIEW v_job_teams AS
SELECT job_id AS job_id, team AS team, version AS version FROM job_teams FINAL
COMMENT 'gpuledger 287a20ca0c2b81f8';

CREATE OR REPLACE VIEW v_forgotten AS
SELECT pseudonym AS pseudonym, salt AS salt, digest AS digest, forgotten_at AS forgotten_at, version AS version FROM forgotten FINAL
COMMENT 'gpuledger b869dc1c35d4db45';

CREATE OR REPLACE VIEW v_book_1m AS
SELECT c.* EXCEPT (gpu_ms, energy_mj, recoverable_ms, cluster, node, pool, model),
  c.cluster AS cluster, c.node AS node, c.pool AS pool, c.model AS model,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  c.recoverable_ms / 1000 AS recoverable_seconds,
  if(r.version != 0, r.capacity_value, p.capacity_value) / 1e6 AS price,
  if(r.version != 0, r.energy_price, p.energy_price) / 1e6 AS energy_price,
  if(r.version != 0, r.currency, p.currency) AS currency,
  r.pue / 1e3 AS pue, r.carbon_per_kwh / 1e6 AS carbon_per_kwh,
  r.cash_rate / 1e6 AS cash_rate, r.avoidable_rate / 1e6 AS avoidable_rate
FROM (
SELECT c.cluster AS cluster, c.minute AS minute, c.gpu_id AS gpu_id, a.node AS node, a.slot AS slot,
  a.pool AS pool, a.model AS model, l.job_id AS job,
  if(c.alloc_id = 0, '', j.user) AS user,
  multiIf(c.alloc_id = 0, '', j.job_id = '', 'unmapped', j.team) AS team,
  j.name AS job_name, c.state AS state, c.cause AS cause, c.flags AS flags, c.grade AS grade,
  c.gpu_ms AS gpu_ms, c.energy_mj AS energy_mj, NULL AS recoverable_ms
FROM ledger_1m AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id

LEFT JOIN (SELECT * FROM allocations FINAL WHERE true) AS l
  ON l.gpu_id = c.gpu_id AND l.alloc_id = c.alloc_id
LEFT JOIN (
SELECT j.job_id AS job_id, j.name AS name, j.user AS user,
  arrayFirst(x -> x.1 <= j.at AND x.2 > j.at, arrayConcat(o.said, e.said)).3 AS by_account,
  arrayFirst(x -> x.2 <= j.at AND x.3 > j.at, p.said).4 AS by_person,
  multiIf(by_account != '', by_account, by_person != '', by_person,
    j.account = '', 'unmapped', j.account) AS team
FROM (SELECT job_id, name, user, toString(team) AS account, concat(cluster, '/', team) AS ours,
    toUnixTimestamp64Milli(if(started < toDateTime64('2106-01-01', 3, 'UTC'), started, submitted)) AS at
  FROM jobs FINAL) AS j
LEFT JOIN (
SELECT name, arrayReverseSort(groupArray((f, t, team))) AS said FROM (
  SELECT toString(name) AS name, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t, toString(team) AS team FROM teams FINAL
  WHERE kind IN ('account', 'namespace', 'project'))
GROUP BY name
) AS o ON o.name = j.ours
LEFT JOIN (
SELECT name, arrayReverseSort(groupArray((f, t, team))) AS said FROM (
  SELECT toString(name) AS name, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t, toString(team) AS team FROM teams FINAL
  WHERE kind IN ('account', 'namespace', 'project'))
GROUP BY name
) AS e ON e.name = j.account
LEFT JOIN (
SELECT user, arrayReverseSort(groupArray((rank, f, t, team))) AS said FROM (
  SELECT toString(user) AS user, 2 AS rank, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t, toString(team) AS team
  FROM people FINAL WHERE team != ''
  UNION ALL
  SELECT p.user AS user, if(p.known_as = p.mail, 1, 0) AS rank,
    greatest(p.f, m.f) AS f, least(p.t, m.t) AS t, m.team AS team
  FROM (SELECT toString(user) AS user, lower(mail) AS mail, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t,
      arrayJoin([lower(mail), splitByChar('@', lower(mail))[-1]]) AS known_as
    FROM people FINAL WHERE mail != '') AS p
  INNER JOIN (SELECT lower(name) AS name, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t, toString(team) AS team
    FROM teams FINAL WHERE kind = 'mail') AS m ON m.name = p.known_as)
GROUP BY user
) AS p ON p.user = j.user
) AS j ON j.job_id = l.job_id
) AS c
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = c.model AND p.valid_from <= c.minute
ASOF LEFT JOIN (SELECT *, cityHash64(cluster, node, pool, model) AS place FROM rates FINAL) AS r
  ON r.place = cityHash64(c.cluster, c.node, c.pool, c.model) AND r.valid_from <= c.minute
COMMENT 'gpuledger fdd2b3c87d7306d7';

CREATE OR REPLACE VIEW v_book_1h AS
SELECT c.* EXCEPT (gpu_ms, energy_mj, recoverable_ms, cluster, node, pool, model),
  c.cluster AS cluster, c.node AS node, c.pool AS pool, c.model AS model,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  c.recoverable_ms / 1000 AS recoverable_seconds,
  if(r.version != 0, r.capacity_value, p.capacity_value) / 1e6 AS price,
  if(r.version != 0, r.energy_price, p.energy_price) / 1e6 AS energy_price,
  if(r.version != 0, r.currency, p.currency) AS currency,
  r.pue / 1e3 AS pue, r.carbon_per_kwh / 1e6 AS carbon_per_kwh,
  r.cash_rate / 1e6 AS cash_rate, r.avoidable_rate / 1e6 AS avoidable_rate
FROM accounts_1h AS c
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = c.model AND p.valid_from <= c.hour
ASOF LEFT JOIN (SELECT *, cityHash64(cluster, node, pool, model) AS place FROM rates FINAL) AS r
  ON r.place = cityHash64(c.cluster, c.node, c.pool, c.model) AND r.valid_from <= c.hour
COMMENT 'gpuledger cf61a9cc567292f2';

CREATE OR REPLACE VIEW v_book_1d AS
SELECT c.* EXCEPT (gpu_ms, energy_mj, recoverable_ms, cluster, node, pool, model),
  c.cluster AS cluster, c.node AS node, c.pool AS pool, c.model AS model,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  c.recoverable_ms / 1000 AS recoverable_seconds,
  if(r.version != 0, r.capacity_value, p.capacity_value) / 1e6 AS price,
  if(r.version != 0, r.energy_price, p.energy_price) / 1e6 AS energy_price,
  if(r.version != 0, r.currency, p.currency) AS currency,
  r.pue / 1e3 AS pue, r.carbon_per_kwh / 1e6 AS carbon_per_kwh,
  r.cash_rate / 1e6 AS cash_rate, r.avoidable_rate / 1e6 AS avoidable_rate
FROM accounts_1d AS c
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = c.model AND p.valid_from <= c.day
ASOF LEFT JOIN (SELECT *, cityHash64(cluster, node, pool, model) AS place FROM rates FINAL) AS r
  ON r.place = cityHash64(c.cluster, c.node, c.pool, c.model) AND r.valid_from <= c.day
COMMENT 'gpuledger 62a1a8a5b0f0e423';

CREATE OR REPLACE VIEW v_book_adjust AS
SELECT c.* EXCEPT (gpu_ms, energy_mj, recoverable_ms, cluster, node, pool, model),
  c.cluster AS cluster, c.node AS node, c.pool AS pool, c.model AS model,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  c.recoverable_ms / 1000 AS recoverable_seconds,
  if(r.version != 0, r.capacity_value, p.capacity_value) / 1e6 AS price,
  if(r.version != 0, r.energy_price, p.energy_price) / 1e6 AS energy_price,
  if(r.version != 0, r.currency, p.currency) AS currency,
  r.pue / 1e3 AS pue, r.carbon_per_kwh / 1e6 AS carbon_per_kwh,
  r.cash_rate / 1e6 AS cash_rate, r.avoidable_rate / 1e6 AS avoidable_rate
FROM (
SELECT * EXCEPT (reverses, gpu_ms, energy_mj, recoverable_ms), if(reverses = 1, -1, 1) AS sign,
  sign * toInt64(gpu_ms) AS gpu_ms, sign * toInt64(energy_mj) AS energy_mj,
  sign * toInt64(recoverable_ms) AS recoverable_ms
FROM ledger_adjust
) AS c
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = c.model AND p.valid_from <= c.hour
ASOF LEFT JOIN (SELECT *, cityHash64(cluster, node, pool, model) AS place FROM rates FINAL) AS r
  ON r.place = cityHash64(c.cluster, c.node, c.pool, c.model) AND r.valid_from <= c.hour
COMMENT 'gpuledger b2dd342f852822d4';

CREATE OR REPLACE VIEW v_queue_waits AS
SELECT job_id AS job, cluster, user, team, pool, nodes * gpus_per_node AS gpus,
  multiIf(gpus <= 1, '1 GPU', gpus <= 4, '2-4 GPUs', gpus <= 8, '5-8 GPUs', 'over 8 GPUs')
    AS size_class,
  submitted, eligible, started, ended, state,
  dateDiff('second', least(eligible, started), started) AS wait_seconds
FROM (SELECT * FROM jobs FINAL)
WHERE gpus_per_node > 0 AND started < toDateTime64('2106-01-01', 3, 'UTC')
COMMENT 'gpuledger 26b9b289c6e98169';

CREATE OR REPLACE VIEW v_free_nodes AS
SELECT c.cluster AS cluster, c.minute AS minute, a.node AS node, a.pool AS pool,
  floor(sum(c.gpu_ms) / 60000) AS free_gpus
FROM ledger_1m AS c LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
WHERE (state IN ('free_demand', 'free_surplus') OR state = 'stranded' AND cause IN ('gpu_count_on_node', 'topology_island')) AND NOT has(splitByChar(',', toString(flags)), 'powered_down') GROUP BY cluster, minute, node, pool HAVING free_gpus > 0
COMMENT 'gpuledger a940e5c21309f5e6';

CREATE OR REPLACE VIEW v_run_costs AS
SELECT r.run_id AS run_id, any(r.experiment) AS experiment, any(r.name) AS name,
  any(r.user) AS user, any(r.state) AS state, any(r.job_id) AS job, any(r.matched_by) AS matched_by,
  dateDiff('second', any(j.submitted), any(r.ended)) AS result_seconds,
  sum(a.gpu_ms * greatest(0, dateDiff('second', greatest(a.hour, r.started),
    least(a.hour + INTERVAL 1 HOUR, r.ended)))) / 3600 / 3.6e6 AS gpu_hours
FROM (SELECT * FROM runs FINAL WHERE job_id != '') AS r
LEFT JOIN (SELECT job_id, submitted FROM jobs FINAL) AS j ON j.job_id = r.job_id
LEFT JOIN (SELECT job, hour, sum(gpu_ms) AS gpu_ms FROM accounts_1h
  WHERE job IN (SELECT job_id FROM runs) GROUP BY job, hour) AS a ON a.job = r.job_id
GROUP BY run_id
COMMENT 'gpuledger 5ec381cee5f6de99';
