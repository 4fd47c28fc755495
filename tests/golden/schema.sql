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
  `processes` Nullable(UInt16) COMMENT 'compute processes on the slice' CODEC(T64, ZSTD(1))
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
  `persistence_mode` Nullable(UInt8) COMMENT '1 if the driver stays loaded without clients' CODEC(T64, ZSTD(1))
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
  `container` String COMMENT 'job, pod or container id in its cgroup' CODEC(ZSTD(3))
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
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_occupancy_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `tensor_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `dram_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `graphics_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `graphics_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp16_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp16_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp32_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp32_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp64_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp64_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `hmma_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `hmma_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `imma_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `imma_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `encoder_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `encoder_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `decoder_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `decoder_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
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
  `power_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `power_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `thermal_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `thermal_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `brake_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `brake_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(ZSTD(1)),
  `source` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1m_mv TO gpu_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.uuid) AS `uuid`, sum(toUInt64(s.utilization_pct) * s.interval_ms) AS `utilization_pct_wsum`, sumIf(s.interval_ms, s.utilization_pct IS NOT NULL) AS `utilization_pct_cover_ms`, sum(toUInt64(s.memory_utilization_pct) * s.interval_ms) AS `memory_utilization_pct_wsum`, sumIf(s.interval_ms, s.memory_utilization_pct IS NOT NULL) AS `memory_utilization_pct_cover_ms`, sum(toUInt64(s.sm_active_bp) * s.interval_ms) AS `sm_active_bp_wsum`, sumIf(s.interval_ms, s.sm_active_bp IS NOT NULL) AS `sm_active_bp_cover_ms`, sum(toUInt64(s.sm_occupancy_bp) * s.interval_ms) AS `sm_occupancy_bp_wsum`, sumIf(s.interval_ms, s.sm_occupancy_bp IS NOT NULL) AS `sm_occupancy_bp_cover_ms`, sum(toUInt64(s.tensor_active_bp) * s.interval_ms) AS `tensor_active_bp_wsum`, sumIf(s.interval_ms, s.tensor_active_bp IS NOT NULL) AS `tensor_active_bp_cover_ms`, sum(toUInt64(s.dram_active_bp) * s.interval_ms) AS `dram_active_bp_wsum`, sumIf(s.interval_ms, s.dram_active_bp IS NOT NULL) AS `dram_active_bp_cover_ms`, sum(toUInt64(s.graphics_active_bp) * s.interval_ms) AS `graphics_active_bp_wsum`, sumIf(s.interval_ms, s.graphics_active_bp IS NOT NULL) AS `graphics_active_bp_cover_ms`, sum(toUInt64(s.fp16_active_bp) * s.interval_ms) AS `fp16_active_bp_wsum`, sumIf(s.interval_ms, s.fp16_active_bp IS NOT NULL) AS `fp16_active_bp_cover_ms`, sum(toUInt64(s.fp32_active_bp) * s.interval_ms) AS `fp32_active_bp_wsum`, sumIf(s.interval_ms, s.fp32_active_bp IS NOT NULL) AS `fp32_active_bp_cover_ms`, sum(toUInt64(s.fp64_active_bp) * s.interval_ms) AS `fp64_active_bp_wsum`, sumIf(s.interval_ms, s.fp64_active_bp IS NOT NULL) AS `fp64_active_bp_cover_ms`, sum(toUInt64(s.hmma_active_bp) * s.interval_ms) AS `hmma_active_bp_wsum`, sumIf(s.interval_ms, s.hmma_active_bp IS NOT NULL) AS `hmma_active_bp_cover_ms`, sum(toUInt64(s.imma_active_bp) * s.interval_ms) AS `imma_active_bp_wsum`, sumIf(s.interval_ms, s.imma_active_bp IS NOT NULL) AS `imma_active_bp_cover_ms`, sum(toUInt64(s.encoder_pct) * s.interval_ms) AS `encoder_pct_wsum`, sumIf(s.interval_ms, s.encoder_pct IS NOT NULL) AS `encoder_pct_cover_ms`, sum(toUInt64(s.decoder_pct) * s.interval_ms) AS `decoder_pct_wsum`, sumIf(s.interval_ms, s.decoder_pct IS NOT NULL) AS `decoder_pct_cover_ms`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(toUInt64(s.memory_used_mib) * s.interval_ms) AS `memory_used_mib_wsum`, sumIf(s.interval_ms, s.memory_used_mib IS NOT NULL) AS `memory_used_mib_cover_ms`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(toUInt64(s.memory_total_mib) * s.interval_ms) AS `memory_total_mib_wsum`, sumIf(s.interval_ms, s.memory_total_mib IS NOT NULL) AS `memory_total_mib_cover_ms`, sum(toUInt64(s.power_mw) * s.interval_ms) AS `power_mw_wsum`, sumIf(s.interval_ms, s.power_mw IS NOT NULL) AS `power_mw_cover_ms`, max(s.power_mw_max) AS `power_mw_max`, sum(toUInt64(s.power_limit_mw) * s.interval_ms) AS `power_limit_mw_wsum`, sumIf(s.interval_ms, s.power_limit_mw IS NOT NULL) AS `power_limit_mw_cover_ms`, min(s.energy_mj) AS `energy_mj_min`, max(s.energy_mj) AS `energy_mj_max`, sum(toUInt64(s.temperature_celsius) * s.interval_ms) AS `temperature_celsius_wsum`, sumIf(s.interval_ms, s.temperature_celsius IS NOT NULL) AS `temperature_celsius_cover_ms`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, sum(toUInt64(s.memory_temperature_celsius) * s.interval_ms) AS `memory_temperature_celsius_wsum`, sumIf(s.interval_ms, s.memory_temperature_celsius IS NOT NULL) AS `memory_temperature_celsius_cover_ms`, max(s.memory_temperature_celsius_max) AS `memory_temperature_celsius_max`, sum(toUInt64(s.sm_clock_mhz) * s.interval_ms) AS `sm_clock_mhz_wsum`, sumIf(s.interval_ms, s.sm_clock_mhz IS NOT NULL) AS `sm_clock_mhz_cover_ms`, sum(toUInt64(s.memory_clock_mhz) * s.interval_ms) AS `memory_clock_mhz_wsum`, sumIf(s.interval_ms, s.memory_clock_mhz IS NOT NULL) AS `memory_clock_mhz_cover_ms`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, min(s.power_throttle_ms) AS `power_throttle_ms_min`, max(s.power_throttle_ms) AS `power_throttle_ms_max`, min(s.thermal_throttle_ms) AS `thermal_throttle_ms_min`, max(s.thermal_throttle_ms) AS `thermal_throttle_ms_max`, min(s.brake_throttle_ms) AS `brake_throttle_ms_min`, max(s.brake_throttle_ms) AS `brake_throttle_ms_max`, min(s.pcie_receive_bytes) AS `pcie_receive_bytes_min`, max(s.pcie_receive_bytes) AS `pcie_receive_bytes_max`, min(s.pcie_transmit_bytes) AS `pcie_transmit_bytes_min`, max(s.pcie_transmit_bytes) AS `pcie_transmit_bytes_max`, min(s.nvlink_receive_bytes) AS `nvlink_receive_bytes_min`, max(s.nvlink_receive_bytes) AS `nvlink_receive_bytes_max`, min(s.nvlink_transmit_bytes) AS `nvlink_transmit_bytes_min`, max(s.nvlink_transmit_bytes) AS `nvlink_transmit_bytes_max`, sum(toUInt64(s.processes) * s.interval_ms) AS `processes_wsum`, sumIf(s.interval_ms, s.processes IS NOT NULL) AS `processes_cover_ms`, max(s.processes_max) AS `processes_max`, anyLast(s.source) AS `source`
FROM gpu_samples AS s GROUP BY bucket, cluster, node, slot, epoch);

CREATE OR REPLACE VIEW v_gpu_samples_1m AS
SELECT ts, cluster, node, slot, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.uuid) AS uuid, sum(s.utilization_pct_wsum) / nullIf(sum(s.utilization_pct_cover_ms), 0) / 100 AS utilization_ratio, sum(s.memory_utilization_pct_wsum) / nullIf(sum(s.memory_utilization_pct_cover_ms), 0) / 100 AS memory_utilization_ratio, sum(s.sm_active_bp_wsum) / nullIf(sum(s.sm_active_bp_cover_ms), 0) / 10000 AS sm_active_ratio, sum(s.sm_occupancy_bp_wsum) / nullIf(sum(s.sm_occupancy_bp_cover_ms), 0) / 10000 AS sm_occupancy_ratio, sum(s.tensor_active_bp_wsum) / nullIf(sum(s.tensor_active_bp_cover_ms), 0) / 10000 AS tensor_active_ratio, sum(s.dram_active_bp_wsum) / nullIf(sum(s.dram_active_bp_cover_ms), 0) / 10000 AS dram_active_ratio, sum(s.graphics_active_bp_wsum) / nullIf(sum(s.graphics_active_bp_cover_ms), 0) / 10000 AS graphics_active_ratio, sum(s.fp16_active_bp_wsum) / nullIf(sum(s.fp16_active_bp_cover_ms), 0) / 10000 AS fp16_active_ratio, sum(s.fp32_active_bp_wsum) / nullIf(sum(s.fp32_active_bp_cover_ms), 0) / 10000 AS fp32_active_ratio, sum(s.fp64_active_bp_wsum) / nullIf(sum(s.fp64_active_bp_cover_ms), 0) / 10000 AS fp64_active_ratio, sum(s.hmma_active_bp_wsum) / nullIf(sum(s.hmma_active_bp_cover_ms), 0) / 10000 AS hmma_active_ratio, sum(s.imma_active_bp_wsum) / nullIf(sum(s.imma_active_bp_cover_ms), 0) / 10000 AS imma_active_ratio, sum(s.encoder_pct_wsum) / nullIf(sum(s.encoder_pct_cover_ms), 0) / 100 AS encoder_ratio, sum(s.decoder_pct_wsum) / nullIf(sum(s.decoder_pct_cover_ms), 0) / 100 AS decoder_ratio, sum(s.active_ms) / 1000 AS active_seconds, sum(s.lost_ms) / 1000 AS lost_seconds, sum(s.memory_used_mib_wsum) / nullIf(sum(s.memory_used_mib_cover_ms), 0) * 1048576 / 1 AS memory_used_bytes, max(s.memory_used_mib_max) * 1048576 / 1 AS memory_used_bytes_max, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.power_mw_wsum) / nullIf(sum(s.power_mw_cover_ms), 0) / 1000 AS power_watts, max(s.power_mw_max) / 1000 AS power_watts_max, sum(s.power_limit_mw_wsum) / nullIf(sum(s.power_limit_mw_cover_ms), 0) / 1000 AS power_limit_watts, min(s.energy_mj_min) / 1000 AS energy_joules_first, max(s.energy_mj_max) / 1000 AS energy_joules_last, sum(s.temperature_celsius_wsum) / nullIf(sum(s.temperature_celsius_cover_ms), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, sum(s.memory_temperature_celsius_wsum) / nullIf(sum(s.memory_temperature_celsius_cover_ms), 0) AS memory_temperature_celsius, max(s.memory_temperature_celsius_max) AS memory_temperature_celsius_max, sum(s.sm_clock_mhz_wsum) / nullIf(sum(s.sm_clock_mhz_cover_ms), 0) * 1000000 / 1 AS sm_clock_hertz, sum(s.memory_clock_mhz_wsum) / nullIf(sum(s.memory_clock_mhz_cover_ms), 0) * 1000000 / 1 AS memory_clock_hertz, groupBitOr(s.throttle_reasons) AS throttle_reasons, min(s.power_throttle_ms_min) / 1000 AS power_throttle_seconds_first, max(s.power_throttle_ms_max) / 1000 AS power_throttle_seconds_last, min(s.thermal_throttle_ms_min) / 1000 AS thermal_throttle_seconds_first, max(s.thermal_throttle_ms_max) / 1000 AS thermal_throttle_seconds_last, min(s.brake_throttle_ms_min) / 1000 AS brake_throttle_seconds_first, max(s.brake_throttle_ms_max) / 1000 AS brake_throttle_seconds_last, min(s.pcie_receive_bytes_min) AS pcie_receive_bytes_first, max(s.pcie_receive_bytes_max) AS pcie_receive_bytes_last, min(s.pcie_transmit_bytes_min) AS pcie_transmit_bytes_first, max(s.pcie_transmit_bytes_max) AS pcie_transmit_bytes_last, min(s.nvlink_receive_bytes_min) AS nvlink_receive_bytes_first, max(s.nvlink_receive_bytes_max) AS nvlink_receive_bytes_last, min(s.nvlink_transmit_bytes_min) AS nvlink_transmit_bytes_first, max(s.nvlink_transmit_bytes_max) AS nvlink_transmit_bytes_last, sum(s.processes_wsum) / nullIf(sum(s.processes_cover_ms), 0) AS processes, max(s.processes_max) AS processes_max, anyLast(s.source) AS source
FROM gpu_samples_1m AS s GROUP BY ts, cluster, node, slot;

CREATE TABLE IF NOT EXISTS gpu_samples_1h (
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
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_occupancy_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `tensor_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `dram_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `graphics_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `graphics_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp16_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp16_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp32_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp32_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp64_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp64_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `hmma_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `hmma_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `imma_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `imma_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `encoder_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `encoder_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `decoder_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `decoder_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
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
  `power_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `power_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `thermal_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `thermal_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `brake_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `brake_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(ZSTD(1)),
  `source` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot) ORDER BY (node, slot, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1h_mv TO gpu_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.uuid) AS `uuid`, sum(s.utilization_pct_wsum) AS `utilization_pct_wsum`, sum(s.utilization_pct_cover_ms) AS `utilization_pct_cover_ms`, sum(s.memory_utilization_pct_wsum) AS `memory_utilization_pct_wsum`, sum(s.memory_utilization_pct_cover_ms) AS `memory_utilization_pct_cover_ms`, sum(s.sm_active_bp_wsum) AS `sm_active_bp_wsum`, sum(s.sm_active_bp_cover_ms) AS `sm_active_bp_cover_ms`, sum(s.sm_occupancy_bp_wsum) AS `sm_occupancy_bp_wsum`, sum(s.sm_occupancy_bp_cover_ms) AS `sm_occupancy_bp_cover_ms`, sum(s.tensor_active_bp_wsum) AS `tensor_active_bp_wsum`, sum(s.tensor_active_bp_cover_ms) AS `tensor_active_bp_cover_ms`, sum(s.dram_active_bp_wsum) AS `dram_active_bp_wsum`, sum(s.dram_active_bp_cover_ms) AS `dram_active_bp_cover_ms`, sum(s.graphics_active_bp_wsum) AS `graphics_active_bp_wsum`, sum(s.graphics_active_bp_cover_ms) AS `graphics_active_bp_cover_ms`, sum(s.fp16_active_bp_wsum) AS `fp16_active_bp_wsum`, sum(s.fp16_active_bp_cover_ms) AS `fp16_active_bp_cover_ms`, sum(s.fp32_active_bp_wsum) AS `fp32_active_bp_wsum`, sum(s.fp32_active_bp_cover_ms) AS `fp32_active_bp_cover_ms`, sum(s.fp64_active_bp_wsum) AS `fp64_active_bp_wsum`, sum(s.fp64_active_bp_cover_ms) AS `fp64_active_bp_cover_ms`, sum(s.hmma_active_bp_wsum) AS `hmma_active_bp_wsum`, sum(s.hmma_active_bp_cover_ms) AS `hmma_active_bp_cover_ms`, sum(s.imma_active_bp_wsum) AS `imma_active_bp_wsum`, sum(s.imma_active_bp_cover_ms) AS `imma_active_bp_cover_ms`, sum(s.encoder_pct_wsum) AS `encoder_pct_wsum`, sum(s.encoder_pct_cover_ms) AS `encoder_pct_cover_ms`, sum(s.decoder_pct_wsum) AS `decoder_pct_wsum`, sum(s.decoder_pct_cover_ms) AS `decoder_pct_cover_ms`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(s.memory_used_mib_wsum) AS `memory_used_mib_wsum`, sum(s.memory_used_mib_cover_ms) AS `memory_used_mib_cover_ms`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.memory_total_mib_cover_ms) AS `memory_total_mib_cover_ms`, sum(s.power_mw_wsum) AS `power_mw_wsum`, sum(s.power_mw_cover_ms) AS `power_mw_cover_ms`, max(s.power_mw_max) AS `power_mw_max`, sum(s.power_limit_mw_wsum) AS `power_limit_mw_wsum`, sum(s.power_limit_mw_cover_ms) AS `power_limit_mw_cover_ms`, min(s.energy_mj_min) AS `energy_mj_min`, max(s.energy_mj_max) AS `energy_mj_max`, sum(s.temperature_celsius_wsum) AS `temperature_celsius_wsum`, sum(s.temperature_celsius_cover_ms) AS `temperature_celsius_cover_ms`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, sum(s.memory_temperature_celsius_wsum) AS `memory_temperature_celsius_wsum`, sum(s.memory_temperature_celsius_cover_ms) AS `memory_temperature_celsius_cover_ms`, max(s.memory_temperature_celsius_max) AS `memory_temperature_celsius_max`, sum(s.sm_clock_mhz_wsum) AS `sm_clock_mhz_wsum`, sum(s.sm_clock_mhz_cover_ms) AS `sm_clock_mhz_cover_ms`, sum(s.memory_clock_mhz_wsum) AS `memory_clock_mhz_wsum`, sum(s.memory_clock_mhz_cover_ms) AS `memory_clock_mhz_cover_ms`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, min(s.power_throttle_ms_min) AS `power_throttle_ms_min`, max(s.power_throttle_ms_max) AS `power_throttle_ms_max`, min(s.thermal_throttle_ms_min) AS `thermal_throttle_ms_min`, max(s.thermal_throttle_ms_max) AS `thermal_throttle_ms_max`, min(s.brake_throttle_ms_min) AS `brake_throttle_ms_min`, max(s.brake_throttle_ms_max) AS `brake_throttle_ms_max`, min(s.pcie_receive_bytes_min) AS `pcie_receive_bytes_min`, max(s.pcie_receive_bytes_max) AS `pcie_receive_bytes_max`, min(s.pcie_transmit_bytes_min) AS `pcie_transmit_bytes_min`, max(s.pcie_transmit_bytes_max) AS `pcie_transmit_bytes_max`, min(s.nvlink_receive_bytes_min) AS `nvlink_receive_bytes_min`, max(s.nvlink_receive_bytes_max) AS `nvlink_receive_bytes_max`, min(s.nvlink_transmit_bytes_min) AS `nvlink_transmit_bytes_min`, max(s.nvlink_transmit_bytes_max) AS `nvlink_transmit_bytes_max`, sum(s.processes_wsum) AS `processes_wsum`, sum(s.processes_cover_ms) AS `processes_cover_ms`, max(s.processes_max) AS `processes_max`, anyLast(s.source) AS `source`
FROM gpu_samples_1m AS s GROUP BY bucket, cluster, node, slot, epoch);

CREATE OR REPLACE VIEW v_gpu_samples_1h AS
SELECT ts, cluster, node, slot, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.uuid) AS uuid, sum(s.utilization_pct_wsum) / nullIf(sum(s.utilization_pct_cover_ms), 0) / 100 AS utilization_ratio, sum(s.memory_utilization_pct_wsum) / nullIf(sum(s.memory_utilization_pct_cover_ms), 0) / 100 AS memory_utilization_ratio, sum(s.sm_active_bp_wsum) / nullIf(sum(s.sm_active_bp_cover_ms), 0) / 10000 AS sm_active_ratio, sum(s.sm_occupancy_bp_wsum) / nullIf(sum(s.sm_occupancy_bp_cover_ms), 0) / 10000 AS sm_occupancy_ratio, sum(s.tensor_active_bp_wsum) / nullIf(sum(s.tensor_active_bp_cover_ms), 0) / 10000 AS tensor_active_ratio, sum(s.dram_active_bp_wsum) / nullIf(sum(s.dram_active_bp_cover_ms), 0) / 10000 AS dram_active_ratio, sum(s.graphics_active_bp_wsum) / nullIf(sum(s.graphics_active_bp_cover_ms), 0) / 10000 AS graphics_active_ratio, sum(s.fp16_active_bp_wsum) / nullIf(sum(s.fp16_active_bp_cover_ms), 0) / 10000 AS fp16_active_ratio, sum(s.fp32_active_bp_wsum) / nullIf(sum(s.fp32_active_bp_cover_ms), 0) / 10000 AS fp32_active_ratio, sum(s.fp64_active_bp_wsum) / nullIf(sum(s.fp64_active_bp_cover_ms), 0) / 10000 AS fp64_active_ratio, sum(s.hmma_active_bp_wsum) / nullIf(sum(s.hmma_active_bp_cover_ms), 0) / 10000 AS hmma_active_ratio, sum(s.imma_active_bp_wsum) / nullIf(sum(s.imma_active_bp_cover_ms), 0) / 10000 AS imma_active_ratio, sum(s.encoder_pct_wsum) / nullIf(sum(s.encoder_pct_cover_ms), 0) / 100 AS encoder_ratio, sum(s.decoder_pct_wsum) / nullIf(sum(s.decoder_pct_cover_ms), 0) / 100 AS decoder_ratio, sum(s.active_ms) / 1000 AS active_seconds, sum(s.lost_ms) / 1000 AS lost_seconds, sum(s.memory_used_mib_wsum) / nullIf(sum(s.memory_used_mib_cover_ms), 0) * 1048576 / 1 AS memory_used_bytes, max(s.memory_used_mib_max) * 1048576 / 1 AS memory_used_bytes_max, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.power_mw_wsum) / nullIf(sum(s.power_mw_cover_ms), 0) / 1000 AS power_watts, max(s.power_mw_max) / 1000 AS power_watts_max, sum(s.power_limit_mw_wsum) / nullIf(sum(s.power_limit_mw_cover_ms), 0) / 1000 AS power_limit_watts, min(s.energy_mj_min) / 1000 AS energy_joules_first, max(s.energy_mj_max) / 1000 AS energy_joules_last, sum(s.temperature_celsius_wsum) / nullIf(sum(s.temperature_celsius_cover_ms), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, sum(s.memory_temperature_celsius_wsum) / nullIf(sum(s.memory_temperature_celsius_cover_ms), 0) AS memory_temperature_celsius, max(s.memory_temperature_celsius_max) AS memory_temperature_celsius_max, sum(s.sm_clock_mhz_wsum) / nullIf(sum(s.sm_clock_mhz_cover_ms), 0) * 1000000 / 1 AS sm_clock_hertz, sum(s.memory_clock_mhz_wsum) / nullIf(sum(s.memory_clock_mhz_cover_ms), 0) * 1000000 / 1 AS memory_clock_hertz, groupBitOr(s.throttle_reasons) AS throttle_reasons, min(s.power_throttle_ms_min) / 1000 AS power_throttle_seconds_first, max(s.power_throttle_ms_max) / 1000 AS power_throttle_seconds_last, min(s.thermal_throttle_ms_min) / 1000 AS thermal_throttle_seconds_first, max(s.thermal_throttle_ms_max) / 1000 AS thermal_throttle_seconds_last, min(s.brake_throttle_ms_min) / 1000 AS brake_throttle_seconds_first, max(s.brake_throttle_ms_max) / 1000 AS brake_throttle_seconds_last, min(s.pcie_receive_bytes_min) AS pcie_receive_bytes_first, max(s.pcie_receive_bytes_max) AS pcie_receive_bytes_last, min(s.pcie_transmit_bytes_min) AS pcie_transmit_bytes_first, max(s.pcie_transmit_bytes_max) AS pcie_transmit_bytes_last, min(s.nvlink_receive_bytes_min) AS nvlink_receive_bytes_first, max(s.nvlink_receive_bytes_max) AS nvlink_receive_bytes_last, min(s.nvlink_transmit_bytes_min) AS nvlink_transmit_bytes_first, max(s.nvlink_transmit_bytes_max) AS nvlink_transmit_bytes_last, sum(s.processes_wsum) / nullIf(sum(s.processes_cover_ms), 0) AS processes, max(s.processes_max) AS processes_max, anyLast(s.source) AS source
FROM gpu_samples_1h AS s GROUP BY ts, cluster, node, slot;

CREATE TABLE IF NOT EXISTS gpu_samples_1d (
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
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_occupancy_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `tensor_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `dram_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `graphics_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `graphics_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp16_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp16_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp32_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp32_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fp64_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fp64_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `hmma_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `hmma_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `imma_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `imma_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `encoder_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `encoder_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `decoder_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `decoder_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
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
  `power_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `power_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `thermal_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `thermal_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `brake_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `brake_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_receive_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_receive_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_transmit_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_transmit_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `processes_max` SimpleAggregateFunction(max, Nullable(UInt16)) CODEC(ZSTD(1)),
  `source` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot) ORDER BY (node, slot, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_samples_1d_mv TO gpu_samples_1d AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfDay(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.uuid) AS `uuid`, sum(s.utilization_pct_wsum) AS `utilization_pct_wsum`, sum(s.utilization_pct_cover_ms) AS `utilization_pct_cover_ms`, sum(s.memory_utilization_pct_wsum) AS `memory_utilization_pct_wsum`, sum(s.memory_utilization_pct_cover_ms) AS `memory_utilization_pct_cover_ms`, sum(s.sm_active_bp_wsum) AS `sm_active_bp_wsum`, sum(s.sm_active_bp_cover_ms) AS `sm_active_bp_cover_ms`, sum(s.sm_occupancy_bp_wsum) AS `sm_occupancy_bp_wsum`, sum(s.sm_occupancy_bp_cover_ms) AS `sm_occupancy_bp_cover_ms`, sum(s.tensor_active_bp_wsum) AS `tensor_active_bp_wsum`, sum(s.tensor_active_bp_cover_ms) AS `tensor_active_bp_cover_ms`, sum(s.dram_active_bp_wsum) AS `dram_active_bp_wsum`, sum(s.dram_active_bp_cover_ms) AS `dram_active_bp_cover_ms`, sum(s.graphics_active_bp_wsum) AS `graphics_active_bp_wsum`, sum(s.graphics_active_bp_cover_ms) AS `graphics_active_bp_cover_ms`, sum(s.fp16_active_bp_wsum) AS `fp16_active_bp_wsum`, sum(s.fp16_active_bp_cover_ms) AS `fp16_active_bp_cover_ms`, sum(s.fp32_active_bp_wsum) AS `fp32_active_bp_wsum`, sum(s.fp32_active_bp_cover_ms) AS `fp32_active_bp_cover_ms`, sum(s.fp64_active_bp_wsum) AS `fp64_active_bp_wsum`, sum(s.fp64_active_bp_cover_ms) AS `fp64_active_bp_cover_ms`, sum(s.hmma_active_bp_wsum) AS `hmma_active_bp_wsum`, sum(s.hmma_active_bp_cover_ms) AS `hmma_active_bp_cover_ms`, sum(s.imma_active_bp_wsum) AS `imma_active_bp_wsum`, sum(s.imma_active_bp_cover_ms) AS `imma_active_bp_cover_ms`, sum(s.encoder_pct_wsum) AS `encoder_pct_wsum`, sum(s.encoder_pct_cover_ms) AS `encoder_pct_cover_ms`, sum(s.decoder_pct_wsum) AS `decoder_pct_wsum`, sum(s.decoder_pct_cover_ms) AS `decoder_pct_cover_ms`, sum(s.active_ms) AS `active_ms`, sum(s.lost_ms) AS `lost_ms`, sum(s.memory_used_mib_wsum) AS `memory_used_mib_wsum`, sum(s.memory_used_mib_cover_ms) AS `memory_used_mib_cover_ms`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.memory_total_mib_cover_ms) AS `memory_total_mib_cover_ms`, sum(s.power_mw_wsum) AS `power_mw_wsum`, sum(s.power_mw_cover_ms) AS `power_mw_cover_ms`, max(s.power_mw_max) AS `power_mw_max`, sum(s.power_limit_mw_wsum) AS `power_limit_mw_wsum`, sum(s.power_limit_mw_cover_ms) AS `power_limit_mw_cover_ms`, min(s.energy_mj_min) AS `energy_mj_min`, max(s.energy_mj_max) AS `energy_mj_max`, sum(s.temperature_celsius_wsum) AS `temperature_celsius_wsum`, sum(s.temperature_celsius_cover_ms) AS `temperature_celsius_cover_ms`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, sum(s.memory_temperature_celsius_wsum) AS `memory_temperature_celsius_wsum`, sum(s.memory_temperature_celsius_cover_ms) AS `memory_temperature_celsius_cover_ms`, max(s.memory_temperature_celsius_max) AS `memory_temperature_celsius_max`, sum(s.sm_clock_mhz_wsum) AS `sm_clock_mhz_wsum`, sum(s.sm_clock_mhz_cover_ms) AS `sm_clock_mhz_cover_ms`, sum(s.memory_clock_mhz_wsum) AS `memory_clock_mhz_wsum`, sum(s.memory_clock_mhz_cover_ms) AS `memory_clock_mhz_cover_ms`, groupBitOr(s.throttle_reasons) AS `throttle_reasons`, min(s.power_throttle_ms_min) AS `power_throttle_ms_min`, max(s.power_throttle_ms_max) AS `power_throttle_ms_max`, min(s.thermal_throttle_ms_min) AS `thermal_throttle_ms_min`, max(s.thermal_throttle_ms_max) AS `thermal_throttle_ms_max`, min(s.brake_throttle_ms_min) AS `brake_throttle_ms_min`, max(s.brake_throttle_ms_max) AS `brake_throttle_ms_max`, min(s.pcie_receive_bytes_min) AS `pcie_receive_bytes_min`, max(s.pcie_receive_bytes_max) AS `pcie_receive_bytes_max`, min(s.pcie_transmit_bytes_min) AS `pcie_transmit_bytes_min`, max(s.pcie_transmit_bytes_max) AS `pcie_transmit_bytes_max`, min(s.nvlink_receive_bytes_min) AS `nvlink_receive_bytes_min`, max(s.nvlink_receive_bytes_max) AS `nvlink_receive_bytes_max`, min(s.nvlink_transmit_bytes_min) AS `nvlink_transmit_bytes_min`, max(s.nvlink_transmit_bytes_max) AS `nvlink_transmit_bytes_max`, sum(s.processes_wsum) AS `processes_wsum`, sum(s.processes_cover_ms) AS `processes_cover_ms`, max(s.processes_max) AS `processes_max`, anyLast(s.source) AS `source`
FROM gpu_samples_1h AS s GROUP BY bucket, cluster, node, slot, epoch);

CREATE OR REPLACE VIEW v_gpu_samples_1d AS
SELECT ts, cluster, node, slot, least(sum(s.interval_ms), 86400000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.uuid) AS uuid, sum(s.utilization_pct_wsum) / nullIf(sum(s.utilization_pct_cover_ms), 0) / 100 AS utilization_ratio, sum(s.memory_utilization_pct_wsum) / nullIf(sum(s.memory_utilization_pct_cover_ms), 0) / 100 AS memory_utilization_ratio, sum(s.sm_active_bp_wsum) / nullIf(sum(s.sm_active_bp_cover_ms), 0) / 10000 AS sm_active_ratio, sum(s.sm_occupancy_bp_wsum) / nullIf(sum(s.sm_occupancy_bp_cover_ms), 0) / 10000 AS sm_occupancy_ratio, sum(s.tensor_active_bp_wsum) / nullIf(sum(s.tensor_active_bp_cover_ms), 0) / 10000 AS tensor_active_ratio, sum(s.dram_active_bp_wsum) / nullIf(sum(s.dram_active_bp_cover_ms), 0) / 10000 AS dram_active_ratio, sum(s.graphics_active_bp_wsum) / nullIf(sum(s.graphics_active_bp_cover_ms), 0) / 10000 AS graphics_active_ratio, sum(s.fp16_active_bp_wsum) / nullIf(sum(s.fp16_active_bp_cover_ms), 0) / 10000 AS fp16_active_ratio, sum(s.fp32_active_bp_wsum) / nullIf(sum(s.fp32_active_bp_cover_ms), 0) / 10000 AS fp32_active_ratio, sum(s.fp64_active_bp_wsum) / nullIf(sum(s.fp64_active_bp_cover_ms), 0) / 10000 AS fp64_active_ratio, sum(s.hmma_active_bp_wsum) / nullIf(sum(s.hmma_active_bp_cover_ms), 0) / 10000 AS hmma_active_ratio, sum(s.imma_active_bp_wsum) / nullIf(sum(s.imma_active_bp_cover_ms), 0) / 10000 AS imma_active_ratio, sum(s.encoder_pct_wsum) / nullIf(sum(s.encoder_pct_cover_ms), 0) / 100 AS encoder_ratio, sum(s.decoder_pct_wsum) / nullIf(sum(s.decoder_pct_cover_ms), 0) / 100 AS decoder_ratio, sum(s.active_ms) / 1000 AS active_seconds, sum(s.lost_ms) / 1000 AS lost_seconds, sum(s.memory_used_mib_wsum) / nullIf(sum(s.memory_used_mib_cover_ms), 0) * 1048576 / 1 AS memory_used_bytes, max(s.memory_used_mib_max) * 1048576 / 1 AS memory_used_bytes_max, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.power_mw_wsum) / nullIf(sum(s.power_mw_cover_ms), 0) / 1000 AS power_watts, max(s.power_mw_max) / 1000 AS power_watts_max, sum(s.power_limit_mw_wsum) / nullIf(sum(s.power_limit_mw_cover_ms), 0) / 1000 AS power_limit_watts, min(s.energy_mj_min) / 1000 AS energy_joules_first, max(s.energy_mj_max) / 1000 AS energy_joules_last, sum(s.temperature_celsius_wsum) / nullIf(sum(s.temperature_celsius_cover_ms), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, sum(s.memory_temperature_celsius_wsum) / nullIf(sum(s.memory_temperature_celsius_cover_ms), 0) AS memory_temperature_celsius, max(s.memory_temperature_celsius_max) AS memory_temperature_celsius_max, sum(s.sm_clock_mhz_wsum) / nullIf(sum(s.sm_clock_mhz_cover_ms), 0) * 1000000 / 1 AS sm_clock_hertz, sum(s.memory_clock_mhz_wsum) / nullIf(sum(s.memory_clock_mhz_cover_ms), 0) * 1000000 / 1 AS memory_clock_hertz, groupBitOr(s.throttle_reasons) AS throttle_reasons, min(s.power_throttle_ms_min) / 1000 AS power_throttle_seconds_first, max(s.power_throttle_ms_max) / 1000 AS power_throttle_seconds_last, min(s.thermal_throttle_ms_min) / 1000 AS thermal_throttle_seconds_first, max(s.thermal_throttle_ms_max) / 1000 AS thermal_throttle_seconds_last, min(s.brake_throttle_ms_min) / 1000 AS brake_throttle_seconds_first, max(s.brake_throttle_ms_max) / 1000 AS brake_throttle_seconds_last, min(s.pcie_receive_bytes_min) AS pcie_receive_bytes_first, max(s.pcie_receive_bytes_max) AS pcie_receive_bytes_last, min(s.pcie_transmit_bytes_min) AS pcie_transmit_bytes_first, max(s.pcie_transmit_bytes_max) AS pcie_transmit_bytes_last, min(s.nvlink_receive_bytes_min) AS nvlink_receive_bytes_first, max(s.nvlink_receive_bytes_max) AS nvlink_receive_bytes_last, min(s.nvlink_transmit_bytes_min) AS nvlink_transmit_bytes_first, max(s.nvlink_transmit_bytes_max) AS nvlink_transmit_bytes_last, sum(s.processes_wsum) / nullIf(sum(s.processes_cover_ms), 0) AS processes, max(s.processes_max) AS processes_max, anyLast(s.source) AS source
FROM gpu_samples_1d AS s GROUP BY ts, cluster, node, slot;

CREATE OR REPLACE VIEW v_gpu_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, uuid AS uuid, utilization_pct / 100 AS utilization_ratio, memory_utilization_pct / 100 AS memory_utilization_ratio, sm_active_bp / 10000 AS sm_active_ratio, sm_occupancy_bp / 10000 AS sm_occupancy_ratio, tensor_active_bp / 10000 AS tensor_active_ratio, dram_active_bp / 10000 AS dram_active_ratio, graphics_active_bp / 10000 AS graphics_active_ratio, fp16_active_bp / 10000 AS fp16_active_ratio, fp32_active_bp / 10000 AS fp32_active_ratio, fp64_active_bp / 10000 AS fp64_active_ratio, hmma_active_bp / 10000 AS hmma_active_ratio, imma_active_bp / 10000 AS imma_active_ratio, encoder_pct / 100 AS encoder_ratio, decoder_pct / 100 AS decoder_ratio, active_ms / 1000 AS active_seconds, lost_ms / 1000 AS lost_seconds, memory_used_mib * 1048576 / 1 AS memory_used_bytes, memory_used_mib_max * 1048576 / 1 AS memory_used_bytes_max, memory_total_mib * 1048576 / 1 AS memory_total_bytes, power_mw / 1000 AS power_watts, power_mw_max / 1000 AS power_watts_max, power_limit_mw / 1000 AS power_limit_watts, energy_mj / 1000 AS energy_joules, temperature_celsius AS temperature_celsius, temperature_celsius_max AS temperature_celsius_max, memory_temperature_celsius AS memory_temperature_celsius, memory_temperature_celsius_max AS memory_temperature_celsius_max, sm_clock_mhz * 1000000 / 1 AS sm_clock_hertz, memory_clock_mhz * 1000000 / 1 AS memory_clock_hertz, throttle_reasons AS throttle_reasons, power_throttle_ms / 1000 AS power_throttle_seconds, thermal_throttle_ms / 1000 AS thermal_throttle_seconds, brake_throttle_ms / 1000 AS brake_throttle_seconds, pcie_receive_bytes AS pcie_receive_bytes, pcie_transmit_bytes AS pcie_transmit_bytes, nvlink_receive_bytes AS nvlink_receive_bytes, nvlink_transmit_bytes AS nvlink_transmit_bytes, processes AS processes, processes_max AS processes_max, source AS source FROM gpu_samples;

CREATE TABLE IF NOT EXISTS slice_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `slot` UInt16 CODEC(ZSTD(1)),
  `uuid` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `gpu_id` SimpleAggregateFunction(anyLast, UInt64) CODEC(ZSTD(1)),
  `profile` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `gpu_instance` SimpleAggregateFunction(anyLast, UInt16) CODEC(ZSTD(1)),
  `compute_instance` SimpleAggregateFunction(anyLast, UInt16) CODEC(ZSTD(1)),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_occupancy_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `tensor_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `dram_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_used_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_total_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `processes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot, uuid) ORDER BY (toStartOfHour(ts), node, slot, uuid, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS slice_samples_1m_mv TO slice_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.profile) AS `profile`, anyLast(s.gpu_instance) AS `gpu_instance`, anyLast(s.compute_instance) AS `compute_instance`, sum(toUInt64(s.sm_active_bp) * s.interval_ms) AS `sm_active_bp_wsum`, sumIf(s.interval_ms, s.sm_active_bp IS NOT NULL) AS `sm_active_bp_cover_ms`, sum(toUInt64(s.sm_occupancy_bp) * s.interval_ms) AS `sm_occupancy_bp_wsum`, sumIf(s.interval_ms, s.sm_occupancy_bp IS NOT NULL) AS `sm_occupancy_bp_cover_ms`, sum(toUInt64(s.tensor_active_bp) * s.interval_ms) AS `tensor_active_bp_wsum`, sumIf(s.interval_ms, s.tensor_active_bp IS NOT NULL) AS `tensor_active_bp_cover_ms`, sum(toUInt64(s.dram_active_bp) * s.interval_ms) AS `dram_active_bp_wsum`, sumIf(s.interval_ms, s.dram_active_bp IS NOT NULL) AS `dram_active_bp_cover_ms`, sum(s.active_ms) AS `active_ms`, sum(toUInt64(s.memory_used_mib) * s.interval_ms) AS `memory_used_mib_wsum`, sumIf(s.interval_ms, s.memory_used_mib IS NOT NULL) AS `memory_used_mib_cover_ms`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(toUInt64(s.memory_total_mib) * s.interval_ms) AS `memory_total_mib_wsum`, sumIf(s.interval_ms, s.memory_total_mib IS NOT NULL) AS `memory_total_mib_cover_ms`, sum(toUInt64(s.processes) * s.interval_ms) AS `processes_wsum`, sumIf(s.interval_ms, s.processes IS NOT NULL) AS `processes_cover_ms`
FROM slice_samples AS s GROUP BY bucket, cluster, node, slot, uuid, epoch);

CREATE OR REPLACE VIEW v_slice_samples_1m AS
SELECT ts, cluster, node, slot, uuid, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.profile) AS profile, anyLast(s.gpu_instance) AS gpu_instance, anyLast(s.compute_instance) AS compute_instance, sum(s.sm_active_bp_wsum) / nullIf(sum(s.sm_active_bp_cover_ms), 0) / 10000 AS sm_active_ratio, sum(s.sm_occupancy_bp_wsum) / nullIf(sum(s.sm_occupancy_bp_cover_ms), 0) / 10000 AS sm_occupancy_ratio, sum(s.tensor_active_bp_wsum) / nullIf(sum(s.tensor_active_bp_cover_ms), 0) / 10000 AS tensor_active_ratio, sum(s.dram_active_bp_wsum) / nullIf(sum(s.dram_active_bp_cover_ms), 0) / 10000 AS dram_active_ratio, sum(s.active_ms) / 1000 AS active_seconds, sum(s.memory_used_mib_wsum) / nullIf(sum(s.memory_used_mib_cover_ms), 0) * 1048576 / 1 AS memory_used_bytes, max(s.memory_used_mib_max) * 1048576 / 1 AS memory_used_bytes_max, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.processes_wsum) / nullIf(sum(s.processes_cover_ms), 0) AS processes
FROM slice_samples_1m AS s GROUP BY ts, cluster, node, slot, uuid;

CREATE TABLE IF NOT EXISTS slice_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `slot` UInt16 CODEC(ZSTD(1)),
  `uuid` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `gpu_id` SimpleAggregateFunction(anyLast, UInt64) CODEC(ZSTD(1)),
  `profile` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `gpu_instance` SimpleAggregateFunction(anyLast, UInt16) CODEC(ZSTD(1)),
  `compute_instance` SimpleAggregateFunction(anyLast, UInt16) CODEC(ZSTD(1)),
  `sm_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `sm_occupancy_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sm_occupancy_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `tensor_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `tensor_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `dram_active_bp_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `dram_active_bp_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `active_ms` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_used_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_used_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_used_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `memory_total_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_total_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `processes_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `processes_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot, uuid) ORDER BY (node, slot, uuid, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS slice_samples_1h_mv TO slice_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.uuid AS `uuid`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.profile) AS `profile`, anyLast(s.gpu_instance) AS `gpu_instance`, anyLast(s.compute_instance) AS `compute_instance`, sum(s.sm_active_bp_wsum) AS `sm_active_bp_wsum`, sum(s.sm_active_bp_cover_ms) AS `sm_active_bp_cover_ms`, sum(s.sm_occupancy_bp_wsum) AS `sm_occupancy_bp_wsum`, sum(s.sm_occupancy_bp_cover_ms) AS `sm_occupancy_bp_cover_ms`, sum(s.tensor_active_bp_wsum) AS `tensor_active_bp_wsum`, sum(s.tensor_active_bp_cover_ms) AS `tensor_active_bp_cover_ms`, sum(s.dram_active_bp_wsum) AS `dram_active_bp_wsum`, sum(s.dram_active_bp_cover_ms) AS `dram_active_bp_cover_ms`, sum(s.active_ms) AS `active_ms`, sum(s.memory_used_mib_wsum) AS `memory_used_mib_wsum`, sum(s.memory_used_mib_cover_ms) AS `memory_used_mib_cover_ms`, max(s.memory_used_mib_max) AS `memory_used_mib_max`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.memory_total_mib_cover_ms) AS `memory_total_mib_cover_ms`, sum(s.processes_wsum) AS `processes_wsum`, sum(s.processes_cover_ms) AS `processes_cover_ms`
FROM slice_samples_1m AS s GROUP BY bucket, cluster, node, slot, uuid, epoch);

CREATE OR REPLACE VIEW v_slice_samples_1h AS
SELECT ts, cluster, node, slot, uuid, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.profile) AS profile, anyLast(s.gpu_instance) AS gpu_instance, anyLast(s.compute_instance) AS compute_instance, sum(s.sm_active_bp_wsum) / nullIf(sum(s.sm_active_bp_cover_ms), 0) / 10000 AS sm_active_ratio, sum(s.sm_occupancy_bp_wsum) / nullIf(sum(s.sm_occupancy_bp_cover_ms), 0) / 10000 AS sm_occupancy_ratio, sum(s.tensor_active_bp_wsum) / nullIf(sum(s.tensor_active_bp_cover_ms), 0) / 10000 AS tensor_active_ratio, sum(s.dram_active_bp_wsum) / nullIf(sum(s.dram_active_bp_cover_ms), 0) / 10000 AS dram_active_ratio, sum(s.active_ms) / 1000 AS active_seconds, sum(s.memory_used_mib_wsum) / nullIf(sum(s.memory_used_mib_cover_ms), 0) * 1048576 / 1 AS memory_used_bytes, max(s.memory_used_mib_max) * 1048576 / 1 AS memory_used_bytes_max, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.processes_wsum) / nullIf(sum(s.processes_cover_ms), 0) AS processes
FROM slice_samples_1h AS s GROUP BY ts, cluster, node, slot, uuid;

CREATE OR REPLACE VIEW v_slice_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, uuid AS uuid, gpu_id AS gpu_id, profile AS profile, gpu_instance AS gpu_instance, compute_instance AS compute_instance, sm_active_bp / 10000 AS sm_active_ratio, sm_occupancy_bp / 10000 AS sm_occupancy_ratio, tensor_active_bp / 10000 AS tensor_active_ratio, dram_active_bp / 10000 AS dram_active_ratio, active_ms / 1000 AS active_seconds, memory_used_mib * 1048576 / 1 AS memory_used_bytes, memory_used_mib_max * 1048576 / 1 AS memory_used_bytes_max, memory_total_mib * 1048576 / 1 AS memory_total_bytes, processes AS processes FROM slice_samples;

CREATE TABLE IF NOT EXISTS gpu_health_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `slot` UInt16 CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `gpu_id` SimpleAggregateFunction(anyLast, UInt64) CODEC(ZSTD(1)),
  `uuid` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `ecc_corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_uncorrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_uncorrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_corrected_lifetime_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_corrected_lifetime_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `ecc_uncorrected_lifetime_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_uncorrected_lifetime_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remapped_rows_corrected_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remapped_rows_corrected_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remapped_rows_uncorrected_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remapped_rows_uncorrected_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remap_pending_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remap_pending_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remap_failed_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remap_failed_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `retired_pages_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retired_pages_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `recovery_action_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `recovery_action_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pcie_generation_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_generation_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pcie_generation_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `pcie_width_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_width_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pcie_width_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `pcie_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_correctable_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_correctable_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_nonfatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_nonfatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_fatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_fatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlinks_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlinks_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `nvlinks_up_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlinks_up_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `nvlink_speed_mb_per_s_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_speed_mb_per_s_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `nvlink_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sync_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sync_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `board_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `board_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `reliability_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `reliability_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `low_utilization_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `low_utilization_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `slowdown_margin_celsius_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `slowdown_margin_celsius_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fan_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fan_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `performance_state_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `performance_state_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `persistence_mode_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `persistence_mode_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, slot) ORDER BY (toStartOfHour(ts), node, slot, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_health_samples_1m_mv TO gpu_health_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.uuid) AS `uuid`, min(s.ecc_corrected_errors) AS `ecc_corrected_errors_min`, max(s.ecc_corrected_errors) AS `ecc_corrected_errors_max`, min(s.ecc_uncorrected_errors) AS `ecc_uncorrected_errors_min`, max(s.ecc_uncorrected_errors) AS `ecc_uncorrected_errors_max`, sum(toUInt64(s.ecc_corrected_lifetime) * s.interval_ms) AS `ecc_corrected_lifetime_wsum`, sumIf(s.interval_ms, s.ecc_corrected_lifetime IS NOT NULL) AS `ecc_corrected_lifetime_cover_ms`, sum(toUInt64(s.ecc_uncorrected_lifetime) * s.interval_ms) AS `ecc_uncorrected_lifetime_wsum`, sumIf(s.interval_ms, s.ecc_uncorrected_lifetime IS NOT NULL) AS `ecc_uncorrected_lifetime_cover_ms`, sum(toUInt64(s.remapped_rows_corrected) * s.interval_ms) AS `remapped_rows_corrected_wsum`, sumIf(s.interval_ms, s.remapped_rows_corrected IS NOT NULL) AS `remapped_rows_corrected_cover_ms`, sum(toUInt64(s.remapped_rows_uncorrected) * s.interval_ms) AS `remapped_rows_uncorrected_wsum`, sumIf(s.interval_ms, s.remapped_rows_uncorrected IS NOT NULL) AS `remapped_rows_uncorrected_cover_ms`, sum(toUInt64(s.remap_pending) * s.interval_ms) AS `remap_pending_wsum`, sumIf(s.interval_ms, s.remap_pending IS NOT NULL) AS `remap_pending_cover_ms`, sum(toUInt64(s.remap_failed) * s.interval_ms) AS `remap_failed_wsum`, sumIf(s.interval_ms, s.remap_failed IS NOT NULL) AS `remap_failed_cover_ms`, sum(toUInt64(s.retired_pages) * s.interval_ms) AS `retired_pages_wsum`, sumIf(s.interval_ms, s.retired_pages IS NOT NULL) AS `retired_pages_cover_ms`, sum(toUInt64(s.recovery_action) * s.interval_ms) AS `recovery_action_wsum`, sumIf(s.interval_ms, s.recovery_action IS NOT NULL) AS `recovery_action_cover_ms`, sum(toUInt64(s.pcie_generation) * s.interval_ms) AS `pcie_generation_wsum`, sumIf(s.interval_ms, s.pcie_generation IS NOT NULL) AS `pcie_generation_cover_ms`, max(s.pcie_generation_max) AS `pcie_generation_max`, sum(toUInt64(s.pcie_width) * s.interval_ms) AS `pcie_width_wsum`, sumIf(s.interval_ms, s.pcie_width IS NOT NULL) AS `pcie_width_cover_ms`, max(s.pcie_width_max) AS `pcie_width_max`, min(s.pcie_replays) AS `pcie_replays_min`, max(s.pcie_replays) AS `pcie_replays_max`, min(s.pcie_correctable_errors) AS `pcie_correctable_errors_min`, max(s.pcie_correctable_errors) AS `pcie_correctable_errors_max`, min(s.pcie_nonfatal_errors) AS `pcie_nonfatal_errors_min`, max(s.pcie_nonfatal_errors) AS `pcie_nonfatal_errors_max`, min(s.pcie_fatal_errors) AS `pcie_fatal_errors_min`, max(s.pcie_fatal_errors) AS `pcie_fatal_errors_max`, sum(toUInt64(s.nvlinks) * s.interval_ms) AS `nvlinks_wsum`, sumIf(s.interval_ms, s.nvlinks IS NOT NULL) AS `nvlinks_cover_ms`, sum(toUInt64(s.nvlinks_up) * s.interval_ms) AS `nvlinks_up_wsum`, sumIf(s.interval_ms, s.nvlinks_up IS NOT NULL) AS `nvlinks_up_cover_ms`, sum(toUInt64(s.nvlink_speed_mb_per_s) * s.interval_ms) AS `nvlink_speed_mb_per_s_wsum`, sumIf(s.interval_ms, s.nvlink_speed_mb_per_s IS NOT NULL) AS `nvlink_speed_mb_per_s_cover_ms`, min(s.nvlink_replays) AS `nvlink_replays_min`, max(s.nvlink_replays) AS `nvlink_replays_max`, min(s.nvlink_recoveries) AS `nvlink_recoveries_min`, max(s.nvlink_recoveries) AS `nvlink_recoveries_max`, min(s.nvlink_crc_errors) AS `nvlink_crc_errors_min`, max(s.nvlink_crc_errors) AS `nvlink_crc_errors_max`, min(s.nvlink_symbol_errors) AS `nvlink_symbol_errors_min`, max(s.nvlink_symbol_errors) AS `nvlink_symbol_errors_max`, min(s.sync_throttle_ms) AS `sync_throttle_ms_min`, max(s.sync_throttle_ms) AS `sync_throttle_ms_max`, min(s.board_throttle_ms) AS `board_throttle_ms_min`, max(s.board_throttle_ms) AS `board_throttle_ms_max`, min(s.reliability_throttle_ms) AS `reliability_throttle_ms_min`, max(s.reliability_throttle_ms) AS `reliability_throttle_ms_max`, min(s.low_utilization_ms) AS `low_utilization_ms_min`, max(s.low_utilization_ms) AS `low_utilization_ms_max`, sum(toUInt64(s.slowdown_margin_celsius) * s.interval_ms) AS `slowdown_margin_celsius_wsum`, sumIf(s.interval_ms, s.slowdown_margin_celsius IS NOT NULL) AS `slowdown_margin_celsius_cover_ms`, sum(toUInt64(s.fan_pct) * s.interval_ms) AS `fan_pct_wsum`, sumIf(s.interval_ms, s.fan_pct IS NOT NULL) AS `fan_pct_cover_ms`, sum(toUInt64(s.performance_state) * s.interval_ms) AS `performance_state_wsum`, sumIf(s.interval_ms, s.performance_state IS NOT NULL) AS `performance_state_cover_ms`, sum(toUInt64(s.persistence_mode) * s.interval_ms) AS `persistence_mode_wsum`, sumIf(s.interval_ms, s.persistence_mode IS NOT NULL) AS `persistence_mode_cover_ms`
FROM gpu_health_samples AS s GROUP BY bucket, cluster, node, slot, epoch);

CREATE OR REPLACE VIEW v_gpu_health_samples_1m AS
SELECT ts, cluster, node, slot, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.uuid) AS uuid, min(s.ecc_corrected_errors_min) AS ecc_corrected_errors_first, max(s.ecc_corrected_errors_max) AS ecc_corrected_errors_last, min(s.ecc_uncorrected_errors_min) AS ecc_uncorrected_errors_first, max(s.ecc_uncorrected_errors_max) AS ecc_uncorrected_errors_last, sum(s.ecc_corrected_lifetime_wsum) / nullIf(sum(s.ecc_corrected_lifetime_cover_ms), 0) AS ecc_corrected_lifetime, sum(s.ecc_uncorrected_lifetime_wsum) / nullIf(sum(s.ecc_uncorrected_lifetime_cover_ms), 0) AS ecc_uncorrected_lifetime, sum(s.remapped_rows_corrected_wsum) / nullIf(sum(s.remapped_rows_corrected_cover_ms), 0) AS remapped_rows_corrected, sum(s.remapped_rows_uncorrected_wsum) / nullIf(sum(s.remapped_rows_uncorrected_cover_ms), 0) AS remapped_rows_uncorrected, sum(s.remap_pending_wsum) / nullIf(sum(s.remap_pending_cover_ms), 0) AS remap_pending, sum(s.remap_failed_wsum) / nullIf(sum(s.remap_failed_cover_ms), 0) AS remap_failed, sum(s.retired_pages_wsum) / nullIf(sum(s.retired_pages_cover_ms), 0) AS retired_pages, sum(s.recovery_action_wsum) / nullIf(sum(s.recovery_action_cover_ms), 0) AS recovery_action, sum(s.pcie_generation_wsum) / nullIf(sum(s.pcie_generation_cover_ms), 0) AS pcie_generation, max(s.pcie_generation_max) AS pcie_generation_max, sum(s.pcie_width_wsum) / nullIf(sum(s.pcie_width_cover_ms), 0) AS pcie_width, max(s.pcie_width_max) AS pcie_width_max, min(s.pcie_replays_min) AS pcie_replays_first, max(s.pcie_replays_max) AS pcie_replays_last, min(s.pcie_correctable_errors_min) AS pcie_correctable_errors_first, max(s.pcie_correctable_errors_max) AS pcie_correctable_errors_last, min(s.pcie_nonfatal_errors_min) AS pcie_nonfatal_errors_first, max(s.pcie_nonfatal_errors_max) AS pcie_nonfatal_errors_last, min(s.pcie_fatal_errors_min) AS pcie_fatal_errors_first, max(s.pcie_fatal_errors_max) AS pcie_fatal_errors_last, sum(s.nvlinks_wsum) / nullIf(sum(s.nvlinks_cover_ms), 0) AS nvlinks, sum(s.nvlinks_up_wsum) / nullIf(sum(s.nvlinks_up_cover_ms), 0) AS nvlinks_up, sum(s.nvlink_speed_mb_per_s_wsum) / nullIf(sum(s.nvlink_speed_mb_per_s_cover_ms), 0) * 1000000 / 1 AS nvlink_speed_bytes_per_second, min(s.nvlink_replays_min) AS nvlink_replays_first, max(s.nvlink_replays_max) AS nvlink_replays_last, min(s.nvlink_recoveries_min) AS nvlink_recoveries_first, max(s.nvlink_recoveries_max) AS nvlink_recoveries_last, min(s.nvlink_crc_errors_min) AS nvlink_crc_errors_first, max(s.nvlink_crc_errors_max) AS nvlink_crc_errors_last, min(s.nvlink_symbol_errors_min) AS nvlink_symbol_errors_first, max(s.nvlink_symbol_errors_max) AS nvlink_symbol_errors_last, min(s.sync_throttle_ms_min) / 1000 AS sync_throttle_seconds_first, max(s.sync_throttle_ms_max) / 1000 AS sync_throttle_seconds_last, min(s.board_throttle_ms_min) / 1000 AS board_throttle_seconds_first, max(s.board_throttle_ms_max) / 1000 AS board_throttle_seconds_last, min(s.reliability_throttle_ms_min) / 1000 AS reliability_throttle_seconds_first, max(s.reliability_throttle_ms_max) / 1000 AS reliability_throttle_seconds_last, min(s.low_utilization_ms_min) / 1000 AS low_utilization_seconds_first, max(s.low_utilization_ms_max) / 1000 AS low_utilization_seconds_last, sum(s.slowdown_margin_celsius_wsum) / nullIf(sum(s.slowdown_margin_celsius_cover_ms), 0) AS slowdown_margin_celsius, sum(s.fan_pct_wsum) / nullIf(sum(s.fan_pct_cover_ms), 0) / 100 AS fan_ratio, sum(s.performance_state_wsum) / nullIf(sum(s.performance_state_cover_ms), 0) AS performance_state, sum(s.persistence_mode_wsum) / nullIf(sum(s.persistence_mode_cover_ms), 0) AS persistence_mode
FROM gpu_health_samples_1m AS s GROUP BY ts, cluster, node, slot;

CREATE TABLE IF NOT EXISTS gpu_health_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `slot` UInt16 CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `gpu_id` SimpleAggregateFunction(anyLast, UInt64) CODEC(ZSTD(1)),
  `uuid` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `ecc_corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_uncorrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_uncorrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_corrected_lifetime_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_corrected_lifetime_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `ecc_uncorrected_lifetime_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecc_uncorrected_lifetime_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remapped_rows_corrected_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remapped_rows_corrected_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remapped_rows_uncorrected_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remapped_rows_uncorrected_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remap_pending_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remap_pending_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `remap_failed_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remap_failed_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `retired_pages_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retired_pages_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `recovery_action_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `recovery_action_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pcie_generation_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_generation_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pcie_generation_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `pcie_width_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_width_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pcie_width_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `pcie_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_correctable_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_correctable_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_nonfatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_nonfatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_fatal_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pcie_fatal_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlinks_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlinks_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `nvlinks_up_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlinks_up_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `nvlink_speed_mb_per_s_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_speed_mb_per_s_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `nvlink_replays_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_replays_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `nvlink_symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sync_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sync_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `board_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `board_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `reliability_throttle_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `reliability_throttle_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `low_utilization_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `low_utilization_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `slowdown_margin_celsius_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `slowdown_margin_celsius_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `fan_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `fan_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `performance_state_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `performance_state_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `persistence_mode_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `persistence_mode_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, slot) ORDER BY (node, slot, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS gpu_health_samples_1h_mv TO gpu_health_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.slot AS `slot`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.gpu_id) AS `gpu_id`, anyLast(s.uuid) AS `uuid`, min(s.ecc_corrected_errors_min) AS `ecc_corrected_errors_min`, max(s.ecc_corrected_errors_max) AS `ecc_corrected_errors_max`, min(s.ecc_uncorrected_errors_min) AS `ecc_uncorrected_errors_min`, max(s.ecc_uncorrected_errors_max) AS `ecc_uncorrected_errors_max`, sum(s.ecc_corrected_lifetime_wsum) AS `ecc_corrected_lifetime_wsum`, sum(s.ecc_corrected_lifetime_cover_ms) AS `ecc_corrected_lifetime_cover_ms`, sum(s.ecc_uncorrected_lifetime_wsum) AS `ecc_uncorrected_lifetime_wsum`, sum(s.ecc_uncorrected_lifetime_cover_ms) AS `ecc_uncorrected_lifetime_cover_ms`, sum(s.remapped_rows_corrected_wsum) AS `remapped_rows_corrected_wsum`, sum(s.remapped_rows_corrected_cover_ms) AS `remapped_rows_corrected_cover_ms`, sum(s.remapped_rows_uncorrected_wsum) AS `remapped_rows_uncorrected_wsum`, sum(s.remapped_rows_uncorrected_cover_ms) AS `remapped_rows_uncorrected_cover_ms`, sum(s.remap_pending_wsum) AS `remap_pending_wsum`, sum(s.remap_pending_cover_ms) AS `remap_pending_cover_ms`, sum(s.remap_failed_wsum) AS `remap_failed_wsum`, sum(s.remap_failed_cover_ms) AS `remap_failed_cover_ms`, sum(s.retired_pages_wsum) AS `retired_pages_wsum`, sum(s.retired_pages_cover_ms) AS `retired_pages_cover_ms`, sum(s.recovery_action_wsum) AS `recovery_action_wsum`, sum(s.recovery_action_cover_ms) AS `recovery_action_cover_ms`, sum(s.pcie_generation_wsum) AS `pcie_generation_wsum`, sum(s.pcie_generation_cover_ms) AS `pcie_generation_cover_ms`, max(s.pcie_generation_max) AS `pcie_generation_max`, sum(s.pcie_width_wsum) AS `pcie_width_wsum`, sum(s.pcie_width_cover_ms) AS `pcie_width_cover_ms`, max(s.pcie_width_max) AS `pcie_width_max`, min(s.pcie_replays_min) AS `pcie_replays_min`, max(s.pcie_replays_max) AS `pcie_replays_max`, min(s.pcie_correctable_errors_min) AS `pcie_correctable_errors_min`, max(s.pcie_correctable_errors_max) AS `pcie_correctable_errors_max`, min(s.pcie_nonfatal_errors_min) AS `pcie_nonfatal_errors_min`, max(s.pcie_nonfatal_errors_max) AS `pcie_nonfatal_errors_max`, min(s.pcie_fatal_errors_min) AS `pcie_fatal_errors_min`, max(s.pcie_fatal_errors_max) AS `pcie_fatal_errors_max`, sum(s.nvlinks_wsum) AS `nvlinks_wsum`, sum(s.nvlinks_cover_ms) AS `nvlinks_cover_ms`, sum(s.nvlinks_up_wsum) AS `nvlinks_up_wsum`, sum(s.nvlinks_up_cover_ms) AS `nvlinks_up_cover_ms`, sum(s.nvlink_speed_mb_per_s_wsum) AS `nvlink_speed_mb_per_s_wsum`, sum(s.nvlink_speed_mb_per_s_cover_ms) AS `nvlink_speed_mb_per_s_cover_ms`, min(s.nvlink_replays_min) AS `nvlink_replays_min`, max(s.nvlink_replays_max) AS `nvlink_replays_max`, min(s.nvlink_recoveries_min) AS `nvlink_recoveries_min`, max(s.nvlink_recoveries_max) AS `nvlink_recoveries_max`, min(s.nvlink_crc_errors_min) AS `nvlink_crc_errors_min`, max(s.nvlink_crc_errors_max) AS `nvlink_crc_errors_max`, min(s.nvlink_symbol_errors_min) AS `nvlink_symbol_errors_min`, max(s.nvlink_symbol_errors_max) AS `nvlink_symbol_errors_max`, min(s.sync_throttle_ms_min) AS `sync_throttle_ms_min`, max(s.sync_throttle_ms_max) AS `sync_throttle_ms_max`, min(s.board_throttle_ms_min) AS `board_throttle_ms_min`, max(s.board_throttle_ms_max) AS `board_throttle_ms_max`, min(s.reliability_throttle_ms_min) AS `reliability_throttle_ms_min`, max(s.reliability_throttle_ms_max) AS `reliability_throttle_ms_max`, min(s.low_utilization_ms_min) AS `low_utilization_ms_min`, max(s.low_utilization_ms_max) AS `low_utilization_ms_max`, sum(s.slowdown_margin_celsius_wsum) AS `slowdown_margin_celsius_wsum`, sum(s.slowdown_margin_celsius_cover_ms) AS `slowdown_margin_celsius_cover_ms`, sum(s.fan_pct_wsum) AS `fan_pct_wsum`, sum(s.fan_pct_cover_ms) AS `fan_pct_cover_ms`, sum(s.performance_state_wsum) AS `performance_state_wsum`, sum(s.performance_state_cover_ms) AS `performance_state_cover_ms`, sum(s.persistence_mode_wsum) AS `persistence_mode_wsum`, sum(s.persistence_mode_cover_ms) AS `persistence_mode_cover_ms`
FROM gpu_health_samples_1m AS s GROUP BY bucket, cluster, node, slot, epoch);

CREATE OR REPLACE VIEW v_gpu_health_samples_1h AS
SELECT ts, cluster, node, slot, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.gpu_id) AS gpu_id, anyLast(s.uuid) AS uuid, min(s.ecc_corrected_errors_min) AS ecc_corrected_errors_first, max(s.ecc_corrected_errors_max) AS ecc_corrected_errors_last, min(s.ecc_uncorrected_errors_min) AS ecc_uncorrected_errors_first, max(s.ecc_uncorrected_errors_max) AS ecc_uncorrected_errors_last, sum(s.ecc_corrected_lifetime_wsum) / nullIf(sum(s.ecc_corrected_lifetime_cover_ms), 0) AS ecc_corrected_lifetime, sum(s.ecc_uncorrected_lifetime_wsum) / nullIf(sum(s.ecc_uncorrected_lifetime_cover_ms), 0) AS ecc_uncorrected_lifetime, sum(s.remapped_rows_corrected_wsum) / nullIf(sum(s.remapped_rows_corrected_cover_ms), 0) AS remapped_rows_corrected, sum(s.remapped_rows_uncorrected_wsum) / nullIf(sum(s.remapped_rows_uncorrected_cover_ms), 0) AS remapped_rows_uncorrected, sum(s.remap_pending_wsum) / nullIf(sum(s.remap_pending_cover_ms), 0) AS remap_pending, sum(s.remap_failed_wsum) / nullIf(sum(s.remap_failed_cover_ms), 0) AS remap_failed, sum(s.retired_pages_wsum) / nullIf(sum(s.retired_pages_cover_ms), 0) AS retired_pages, sum(s.recovery_action_wsum) / nullIf(sum(s.recovery_action_cover_ms), 0) AS recovery_action, sum(s.pcie_generation_wsum) / nullIf(sum(s.pcie_generation_cover_ms), 0) AS pcie_generation, max(s.pcie_generation_max) AS pcie_generation_max, sum(s.pcie_width_wsum) / nullIf(sum(s.pcie_width_cover_ms), 0) AS pcie_width, max(s.pcie_width_max) AS pcie_width_max, min(s.pcie_replays_min) AS pcie_replays_first, max(s.pcie_replays_max) AS pcie_replays_last, min(s.pcie_correctable_errors_min) AS pcie_correctable_errors_first, max(s.pcie_correctable_errors_max) AS pcie_correctable_errors_last, min(s.pcie_nonfatal_errors_min) AS pcie_nonfatal_errors_first, max(s.pcie_nonfatal_errors_max) AS pcie_nonfatal_errors_last, min(s.pcie_fatal_errors_min) AS pcie_fatal_errors_first, max(s.pcie_fatal_errors_max) AS pcie_fatal_errors_last, sum(s.nvlinks_wsum) / nullIf(sum(s.nvlinks_cover_ms), 0) AS nvlinks, sum(s.nvlinks_up_wsum) / nullIf(sum(s.nvlinks_up_cover_ms), 0) AS nvlinks_up, sum(s.nvlink_speed_mb_per_s_wsum) / nullIf(sum(s.nvlink_speed_mb_per_s_cover_ms), 0) * 1000000 / 1 AS nvlink_speed_bytes_per_second, min(s.nvlink_replays_min) AS nvlink_replays_first, max(s.nvlink_replays_max) AS nvlink_replays_last, min(s.nvlink_recoveries_min) AS nvlink_recoveries_first, max(s.nvlink_recoveries_max) AS nvlink_recoveries_last, min(s.nvlink_crc_errors_min) AS nvlink_crc_errors_first, max(s.nvlink_crc_errors_max) AS nvlink_crc_errors_last, min(s.nvlink_symbol_errors_min) AS nvlink_symbol_errors_first, max(s.nvlink_symbol_errors_max) AS nvlink_symbol_errors_last, min(s.sync_throttle_ms_min) / 1000 AS sync_throttle_seconds_first, max(s.sync_throttle_ms_max) / 1000 AS sync_throttle_seconds_last, min(s.board_throttle_ms_min) / 1000 AS board_throttle_seconds_first, max(s.board_throttle_ms_max) / 1000 AS board_throttle_seconds_last, min(s.reliability_throttle_ms_min) / 1000 AS reliability_throttle_seconds_first, max(s.reliability_throttle_ms_max) / 1000 AS reliability_throttle_seconds_last, min(s.low_utilization_ms_min) / 1000 AS low_utilization_seconds_first, max(s.low_utilization_ms_max) / 1000 AS low_utilization_seconds_last, sum(s.slowdown_margin_celsius_wsum) / nullIf(sum(s.slowdown_margin_celsius_cover_ms), 0) AS slowdown_margin_celsius, sum(s.fan_pct_wsum) / nullIf(sum(s.fan_pct_cover_ms), 0) / 100 AS fan_ratio, sum(s.performance_state_wsum) / nullIf(sum(s.performance_state_cover_ms), 0) AS performance_state, sum(s.persistence_mode_wsum) / nullIf(sum(s.persistence_mode_cover_ms), 0) AS persistence_mode
FROM gpu_health_samples_1h AS s GROUP BY ts, cluster, node, slot;

CREATE OR REPLACE VIEW v_gpu_health_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, uuid AS uuid, ecc_corrected_errors AS ecc_corrected_errors, ecc_uncorrected_errors AS ecc_uncorrected_errors, ecc_corrected_lifetime AS ecc_corrected_lifetime, ecc_uncorrected_lifetime AS ecc_uncorrected_lifetime, remapped_rows_corrected AS remapped_rows_corrected, remapped_rows_uncorrected AS remapped_rows_uncorrected, remap_pending AS remap_pending, remap_failed AS remap_failed, retired_pages AS retired_pages, recovery_action AS recovery_action, pcie_generation AS pcie_generation, pcie_generation_max AS pcie_generation_max, pcie_width AS pcie_width, pcie_width_max AS pcie_width_max, pcie_replays AS pcie_replays, pcie_correctable_errors AS pcie_correctable_errors, pcie_nonfatal_errors AS pcie_nonfatal_errors, pcie_fatal_errors AS pcie_fatal_errors, nvlinks AS nvlinks, nvlinks_up AS nvlinks_up, nvlink_speed_mb_per_s * 1000000 / 1 AS nvlink_speed_bytes_per_second, nvlink_replays AS nvlink_replays, nvlink_recoveries AS nvlink_recoveries, nvlink_crc_errors AS nvlink_crc_errors, nvlink_symbol_errors AS nvlink_symbol_errors, sync_throttle_ms / 1000 AS sync_throttle_seconds, board_throttle_ms / 1000 AS board_throttle_seconds, reliability_throttle_ms / 1000 AS reliability_throttle_seconds, low_utilization_ms / 1000 AS low_utilization_seconds, slowdown_margin_celsius AS slowdown_margin_celsius, fan_pct / 100 AS fan_ratio, performance_state AS performance_state, persistence_mode AS persistence_mode FROM gpu_health_samples;

CREATE OR REPLACE VIEW v_process_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, slot AS slot, gpu_id AS gpu_id, pid AS pid, user AS user, executable AS executable, started AS started, memory_used_mib * 1048576 / 1 AS memory_used_bytes, sm_pct / 100 AS sm_ratio, memory_pct / 100 AS memory_ratio, slice AS slice, runtime AS runtime, container AS container FROM process_samples;

CREATE OR REPLACE VIEW v_gpu_events AS
SELECT ts AS ts, cluster AS cluster, node AS node, slot AS slot, gpu_id AS gpu_id, kind AS kind, code AS code, cause AS cause, recovery AS recovery, count AS count, told_by AS told_by, detail AS detail FROM gpu_events;

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
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `interrupt_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `interrupt_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `swap_used_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `swap_used_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `clock_error_us_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `clock_error_us_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `clock_synchronized_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `clock_synchronized_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS host_samples_1m_mv TO host_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, sum(toUInt64(s.cpus) * s.interval_ms) AS `cpus_wsum`, sumIf(s.interval_ms, s.cpus IS NOT NULL) AS `cpus_cover_ms`, sum(toUInt64(s.cpu_busy_bp) * s.interval_ms) AS `cpu_busy_bp_wsum`, sumIf(s.interval_ms, s.cpu_busy_bp IS NOT NULL) AS `cpu_busy_bp_cover_ms`, max(s.cpu_busy_bp_max) AS `cpu_busy_bp_max`, sum(toUInt64(s.cpu_iowait_bp) * s.interval_ms) AS `cpu_iowait_bp_wsum`, sumIf(s.interval_ms, s.cpu_iowait_bp IS NOT NULL) AS `cpu_iowait_bp_cover_ms`, sum(toUInt64(s.load1) * s.interval_ms) AS `load1_wsum`, sumIf(s.interval_ms, s.load1 IS NOT NULL) AS `load1_cover_ms`, sum(toUInt64(s.memory_total_mib) * s.interval_ms) AS `memory_total_mib_wsum`, sumIf(s.interval_ms, s.memory_total_mib IS NOT NULL) AS `memory_total_mib_cover_ms`, sum(toUInt64(s.memory_available_mib) * s.interval_ms) AS `memory_available_mib_wsum`, sumIf(s.interval_ms, s.memory_available_mib IS NOT NULL) AS `memory_available_mib_cover_ms`, min(s.cpu_pressure_us) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us) AS `cpu_pressure_us_max`, min(s.io_pressure_us) AS `io_pressure_us_min`, max(s.io_pressure_us) AS `io_pressure_us_max`, min(s.memory_pressure_us) AS `memory_pressure_us_min`, max(s.memory_pressure_us) AS `memory_pressure_us_max`, min(s.io_stall_us) AS `io_stall_us_min`, max(s.io_stall_us) AS `io_stall_us_max`, min(s.memory_stall_us) AS `memory_stall_us_min`, max(s.memory_stall_us) AS `memory_stall_us_max`, min(s.interrupt_stall_us) AS `interrupt_stall_us_min`, max(s.interrupt_stall_us) AS `interrupt_stall_us_max`, sum(toUInt64(s.swap_used_mib) * s.interval_ms) AS `swap_used_mib_wsum`, sumIf(s.interval_ms, s.swap_used_mib IS NOT NULL) AS `swap_used_mib_cover_ms`, sum(toUInt64(s.clock_error_us) * s.interval_ms) AS `clock_error_us_wsum`, sumIf(s.interval_ms, s.clock_error_us IS NOT NULL) AS `clock_error_us_cover_ms`, sum(toUInt64(s.clock_synchronized) * s.interval_ms) AS `clock_synchronized_wsum`, sumIf(s.interval_ms, s.clock_synchronized IS NOT NULL) AS `clock_synchronized_cover_ms`
FROM host_samples AS s GROUP BY bucket, cluster, node, epoch);

CREATE OR REPLACE VIEW v_host_samples_1m AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, sum(s.cpus_wsum) / nullIf(sum(s.cpus_cover_ms), 0) AS cpus, sum(s.cpu_busy_bp_wsum) / nullIf(sum(s.cpu_busy_bp_cover_ms), 0) / 10000 AS cpu_busy_ratio, max(s.cpu_busy_bp_max) / 10000 AS cpu_busy_ratio_max, sum(s.cpu_iowait_bp_wsum) / nullIf(sum(s.cpu_iowait_bp_cover_ms), 0) / 10000 AS cpu_iowait_ratio, sum(s.load1_wsum) / nullIf(sum(s.load1_cover_ms), 0) / 100 AS load1, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.memory_available_mib_wsum) / nullIf(sum(s.memory_available_mib_cover_ms), 0) * 1048576 / 1 AS memory_available_bytes, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last, min(s.io_stall_us_min) / 1000000 AS io_stall_seconds_first, max(s.io_stall_us_max) / 1000000 AS io_stall_seconds_last, min(s.memory_stall_us_min) / 1000000 AS memory_stall_seconds_first, max(s.memory_stall_us_max) / 1000000 AS memory_stall_seconds_last, min(s.interrupt_stall_us_min) / 1000000 AS interrupt_stall_seconds_first, max(s.interrupt_stall_us_max) / 1000000 AS interrupt_stall_seconds_last, sum(s.swap_used_mib_wsum) / nullIf(sum(s.swap_used_mib_cover_ms), 0) * 1048576 / 1 AS swap_used_bytes, sum(s.clock_error_us_wsum) / nullIf(sum(s.clock_error_us_cover_ms), 0) / 1000000 AS clock_error_seconds, sum(s.clock_synchronized_wsum) / nullIf(sum(s.clock_synchronized_cover_ms), 0) AS clock_synchronized
FROM host_samples_1m AS s GROUP BY ts, cluster, node;

CREATE TABLE IF NOT EXISTS host_samples_1h (
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
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `interrupt_stall_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `interrupt_stall_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `swap_used_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `swap_used_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `clock_error_us_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `clock_error_us_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `clock_synchronized_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `clock_synchronized_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node) ORDER BY (node, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS host_samples_1h_mv TO host_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, sum(s.cpus_wsum) AS `cpus_wsum`, sum(s.cpus_cover_ms) AS `cpus_cover_ms`, sum(s.cpu_busy_bp_wsum) AS `cpu_busy_bp_wsum`, sum(s.cpu_busy_bp_cover_ms) AS `cpu_busy_bp_cover_ms`, max(s.cpu_busy_bp_max) AS `cpu_busy_bp_max`, sum(s.cpu_iowait_bp_wsum) AS `cpu_iowait_bp_wsum`, sum(s.cpu_iowait_bp_cover_ms) AS `cpu_iowait_bp_cover_ms`, sum(s.load1_wsum) AS `load1_wsum`, sum(s.load1_cover_ms) AS `load1_cover_ms`, sum(s.memory_total_mib_wsum) AS `memory_total_mib_wsum`, sum(s.memory_total_mib_cover_ms) AS `memory_total_mib_cover_ms`, sum(s.memory_available_mib_wsum) AS `memory_available_mib_wsum`, sum(s.memory_available_mib_cover_ms) AS `memory_available_mib_cover_ms`, min(s.cpu_pressure_us_min) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us_max) AS `cpu_pressure_us_max`, min(s.io_pressure_us_min) AS `io_pressure_us_min`, max(s.io_pressure_us_max) AS `io_pressure_us_max`, min(s.memory_pressure_us_min) AS `memory_pressure_us_min`, max(s.memory_pressure_us_max) AS `memory_pressure_us_max`, min(s.io_stall_us_min) AS `io_stall_us_min`, max(s.io_stall_us_max) AS `io_stall_us_max`, min(s.memory_stall_us_min) AS `memory_stall_us_min`, max(s.memory_stall_us_max) AS `memory_stall_us_max`, min(s.interrupt_stall_us_min) AS `interrupt_stall_us_min`, max(s.interrupt_stall_us_max) AS `interrupt_stall_us_max`, sum(s.swap_used_mib_wsum) AS `swap_used_mib_wsum`, sum(s.swap_used_mib_cover_ms) AS `swap_used_mib_cover_ms`, sum(s.clock_error_us_wsum) AS `clock_error_us_wsum`, sum(s.clock_error_us_cover_ms) AS `clock_error_us_cover_ms`, sum(s.clock_synchronized_wsum) AS `clock_synchronized_wsum`, sum(s.clock_synchronized_cover_ms) AS `clock_synchronized_cover_ms`
FROM host_samples_1m AS s GROUP BY bucket, cluster, node, epoch);

CREATE OR REPLACE VIEW v_host_samples_1h AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, sum(s.cpus_wsum) / nullIf(sum(s.cpus_cover_ms), 0) AS cpus, sum(s.cpu_busy_bp_wsum) / nullIf(sum(s.cpu_busy_bp_cover_ms), 0) / 10000 AS cpu_busy_ratio, max(s.cpu_busy_bp_max) / 10000 AS cpu_busy_ratio_max, sum(s.cpu_iowait_bp_wsum) / nullIf(sum(s.cpu_iowait_bp_cover_ms), 0) / 10000 AS cpu_iowait_ratio, sum(s.load1_wsum) / nullIf(sum(s.load1_cover_ms), 0) / 100 AS load1, sum(s.memory_total_mib_wsum) / nullIf(sum(s.memory_total_mib_cover_ms), 0) * 1048576 / 1 AS memory_total_bytes, sum(s.memory_available_mib_wsum) / nullIf(sum(s.memory_available_mib_cover_ms), 0) * 1048576 / 1 AS memory_available_bytes, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last, min(s.io_stall_us_min) / 1000000 AS io_stall_seconds_first, max(s.io_stall_us_max) / 1000000 AS io_stall_seconds_last, min(s.memory_stall_us_min) / 1000000 AS memory_stall_seconds_first, max(s.memory_stall_us_max) / 1000000 AS memory_stall_seconds_last, min(s.interrupt_stall_us_min) / 1000000 AS interrupt_stall_seconds_first, max(s.interrupt_stall_us_max) / 1000000 AS interrupt_stall_seconds_last, sum(s.swap_used_mib_wsum) / nullIf(sum(s.swap_used_mib_cover_ms), 0) * 1048576 / 1 AS swap_used_bytes, sum(s.clock_error_us_wsum) / nullIf(sum(s.clock_error_us_cover_ms), 0) / 1000000 AS clock_error_seconds, sum(s.clock_synchronized_wsum) / nullIf(sum(s.clock_synchronized_cover_ms), 0) AS clock_synchronized
FROM host_samples_1h AS s GROUP BY ts, cluster, node;

CREATE OR REPLACE VIEW v_host_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, cpus AS cpus, cpu_busy_bp / 10000 AS cpu_busy_ratio, cpu_busy_bp_max / 10000 AS cpu_busy_ratio_max, cpu_iowait_bp / 10000 AS cpu_iowait_ratio, load1 / 100 AS load1, memory_total_mib * 1048576 / 1 AS memory_total_bytes, memory_available_mib * 1048576 / 1 AS memory_available_bytes, cpu_pressure_us / 1000000 AS cpu_pressure_seconds, io_pressure_us / 1000000 AS io_pressure_seconds, memory_pressure_us / 1000000 AS memory_pressure_seconds, io_stall_us / 1000000 AS io_stall_seconds, memory_stall_us / 1000000 AS memory_stall_seconds, interrupt_stall_us / 1000000 AS interrupt_stall_seconds, swap_used_mib * 1048576 / 1 AS swap_used_bytes, clock_error_us / 1000000 AS clock_error_seconds, clock_synchronized AS clock_synchronized FROM host_samples;

CREATE TABLE IF NOT EXISTS cgroup_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `runtime` LowCardinality(String) CODEC(ZSTD(1)),
  `name` String CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `cpu_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_throttled_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_throttled_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `memory_limit_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_limit_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `out_of_memory_kills_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_memory_kills_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, runtime, name) ORDER BY (toStartOfHour(ts), node, runtime, name, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cgroup_samples_1m_mv TO cgroup_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.runtime AS `runtime`, s.name AS `name`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.cpu_us) AS `cpu_us_min`, max(s.cpu_us) AS `cpu_us_max`, min(s.cpu_throttled_us) AS `cpu_throttled_us_min`, max(s.cpu_throttled_us) AS `cpu_throttled_us_max`, sum(toUInt64(s.memory_mib) * s.interval_ms) AS `memory_mib_wsum`, sumIf(s.interval_ms, s.memory_mib IS NOT NULL) AS `memory_mib_cover_ms`, max(s.memory_mib_max) AS `memory_mib_max`, sum(toUInt64(s.memory_limit_mib) * s.interval_ms) AS `memory_limit_mib_wsum`, sumIf(s.interval_ms, s.memory_limit_mib IS NOT NULL) AS `memory_limit_mib_cover_ms`, min(s.out_of_memory_kills) AS `out_of_memory_kills_min`, max(s.out_of_memory_kills) AS `out_of_memory_kills_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.cpu_pressure_us) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us) AS `cpu_pressure_us_max`, min(s.io_pressure_us) AS `io_pressure_us_min`, max(s.io_pressure_us) AS `io_pressure_us_max`, min(s.memory_pressure_us) AS `memory_pressure_us_min`, max(s.memory_pressure_us) AS `memory_pressure_us_max`
FROM cgroup_samples AS s GROUP BY bucket, cluster, node, runtime, name, epoch);

CREATE OR REPLACE VIEW v_cgroup_samples_1m AS
SELECT ts, cluster, node, runtime, name, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.cpu_us_min) / 1000000 AS cpu_seconds_first, max(s.cpu_us_max) / 1000000 AS cpu_seconds_last, min(s.cpu_throttled_us_min) / 1000000 AS cpu_throttled_seconds_first, max(s.cpu_throttled_us_max) / 1000000 AS cpu_throttled_seconds_last, sum(s.memory_mib_wsum) / nullIf(sum(s.memory_mib_cover_ms), 0) * 1048576 / 1 AS memory_bytes, max(s.memory_mib_max) * 1048576 / 1 AS memory_bytes_max, sum(s.memory_limit_mib_wsum) / nullIf(sum(s.memory_limit_mib_cover_ms), 0) * 1048576 / 1 AS memory_limit_bytes, min(s.out_of_memory_kills_min) AS out_of_memory_kills_first, max(s.out_of_memory_kills_max) AS out_of_memory_kills_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last
FROM cgroup_samples_1m AS s GROUP BY ts, cluster, node, runtime, name;

CREATE TABLE IF NOT EXISTS cgroup_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `runtime` LowCardinality(String) CODEC(ZSTD(1)),
  `name` String CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `cpu_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_throttled_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_throttled_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `memory_mib_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `memory_limit_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_limit_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `out_of_memory_kills_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_memory_kills_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cpu_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `io_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_pressure_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `memory_pressure_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, runtime, name) ORDER BY (node, runtime, name, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cgroup_samples_1h_mv TO cgroup_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.runtime AS `runtime`, s.name AS `name`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.cpu_us_min) AS `cpu_us_min`, max(s.cpu_us_max) AS `cpu_us_max`, min(s.cpu_throttled_us_min) AS `cpu_throttled_us_min`, max(s.cpu_throttled_us_max) AS `cpu_throttled_us_max`, sum(s.memory_mib_wsum) AS `memory_mib_wsum`, sum(s.memory_mib_cover_ms) AS `memory_mib_cover_ms`, max(s.memory_mib_max) AS `memory_mib_max`, sum(s.memory_limit_mib_wsum) AS `memory_limit_mib_wsum`, sum(s.memory_limit_mib_cover_ms) AS `memory_limit_mib_cover_ms`, min(s.out_of_memory_kills_min) AS `out_of_memory_kills_min`, max(s.out_of_memory_kills_max) AS `out_of_memory_kills_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, min(s.cpu_pressure_us_min) AS `cpu_pressure_us_min`, max(s.cpu_pressure_us_max) AS `cpu_pressure_us_max`, min(s.io_pressure_us_min) AS `io_pressure_us_min`, max(s.io_pressure_us_max) AS `io_pressure_us_max`, min(s.memory_pressure_us_min) AS `memory_pressure_us_min`, max(s.memory_pressure_us_max) AS `memory_pressure_us_max`
FROM cgroup_samples_1m AS s GROUP BY bucket, cluster, node, runtime, name, epoch);

CREATE OR REPLACE VIEW v_cgroup_samples_1h AS
SELECT ts, cluster, node, runtime, name, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, min(s.cpu_us_min) / 1000000 AS cpu_seconds_first, max(s.cpu_us_max) / 1000000 AS cpu_seconds_last, min(s.cpu_throttled_us_min) / 1000000 AS cpu_throttled_seconds_first, max(s.cpu_throttled_us_max) / 1000000 AS cpu_throttled_seconds_last, sum(s.memory_mib_wsum) / nullIf(sum(s.memory_mib_cover_ms), 0) * 1048576 / 1 AS memory_bytes, max(s.memory_mib_max) * 1048576 / 1 AS memory_bytes_max, sum(s.memory_limit_mib_wsum) / nullIf(sum(s.memory_limit_mib_cover_ms), 0) * 1048576 / 1 AS memory_limit_bytes, min(s.out_of_memory_kills_min) AS out_of_memory_kills_first, max(s.out_of_memory_kills_max) AS out_of_memory_kills_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.cpu_pressure_us_min) / 1000000 AS cpu_pressure_seconds_first, max(s.cpu_pressure_us_max) / 1000000 AS cpu_pressure_seconds_last, min(s.io_pressure_us_min) / 1000000 AS io_pressure_seconds_first, max(s.io_pressure_us_max) / 1000000 AS io_pressure_seconds_last, min(s.memory_pressure_us_min) / 1000000 AS memory_pressure_seconds_first, max(s.memory_pressure_us_max) / 1000000 AS memory_pressure_seconds_last
FROM cgroup_samples_1h AS s GROUP BY ts, cluster, node, runtime, name;

CREATE OR REPLACE VIEW v_cgroup_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, runtime AS runtime, name AS name, cpu_us / 1000000 AS cpu_seconds, cpu_throttled_us / 1000000 AS cpu_throttled_seconds, memory_mib * 1048576 / 1 AS memory_bytes, memory_mib_max * 1048576 / 1 AS memory_bytes_max, memory_limit_mib * 1048576 / 1 AS memory_limit_bytes, out_of_memory_kills AS out_of_memory_kills, read_bytes AS read_bytes, write_bytes AS write_bytes, cpu_pressure_us / 1000000 AS cpu_pressure_seconds, io_pressure_us / 1000000 AS io_pressure_seconds, memory_pressure_us / 1000000 AS memory_pressure_seconds FROM cgroup_samples;

CREATE TABLE IF NOT EXISTS network_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `device` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `kind` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `interface` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
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
  `link_downs_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `carrier_changes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `carrier_changes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pause_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pause_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_integrity_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_integrity_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `buffer_overruns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `buffer_overruns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remote_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remote_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `constraint_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `constraint_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecn_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecn_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_handled_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_handled_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_sequence_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_sequence_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sequence_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sequence_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ack_timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ack_timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `rnr_retries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `rnr_retries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `duplicate_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `duplicate_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `implied_naks_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `implied_naks_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_buffer_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_buffer_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `completion_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `completion_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS network_samples_1m_mv TO network_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.kind) AS `kind`, anyLast(s.interface) AS `interface`, sum(toUInt64(s.up_pct) * s.interval_ms) AS `up_pct_wsum`, sumIf(s.interval_ms, s.up_pct IS NOT NULL) AS `up_pct_cover_ms`, sum(toUInt64(s.speed_mb_per_s) * s.interval_ms) AS `speed_mb_per_s_wsum`, sumIf(s.interval_ms, s.speed_mb_per_s IS NOT NULL) AS `speed_mb_per_s_cover_ms`, min(s.receive_bytes) AS `receive_bytes_min`, max(s.receive_bytes) AS `receive_bytes_max`, min(s.transmit_bytes) AS `transmit_bytes_min`, max(s.transmit_bytes) AS `transmit_bytes_max`, min(s.receive_packets) AS `receive_packets_min`, max(s.receive_packets) AS `receive_packets_max`, min(s.transmit_packets) AS `transmit_packets_min`, max(s.transmit_packets) AS `transmit_packets_max`, min(s.receive_errors) AS `receive_errors_min`, max(s.receive_errors) AS `receive_errors_max`, min(s.transmit_errors) AS `transmit_errors_min`, max(s.transmit_errors) AS `transmit_errors_max`, min(s.transmit_wait) AS `transmit_wait_min`, max(s.transmit_wait) AS `transmit_wait_max`, min(s.link_downs) AS `link_downs_min`, max(s.link_downs) AS `link_downs_max`, min(s.carrier_changes) AS `carrier_changes_min`, max(s.carrier_changes) AS `carrier_changes_max`, min(s.receive_discards) AS `receive_discards_min`, max(s.receive_discards) AS `receive_discards_max`, min(s.crc_errors) AS `crc_errors_min`, max(s.crc_errors) AS `crc_errors_max`, min(s.symbol_errors) AS `symbol_errors_min`, max(s.symbol_errors) AS `symbol_errors_max`, min(s.corrected_errors) AS `corrected_errors_min`, max(s.corrected_errors) AS `corrected_errors_max`, min(s.receive_pauses) AS `receive_pauses_min`, max(s.receive_pauses) AS `receive_pauses_max`, min(s.transmit_pauses) AS `transmit_pauses_min`, max(s.transmit_pauses) AS `transmit_pauses_max`, min(s.pause_us) AS `pause_us_min`, max(s.pause_us) AS `pause_us_max`, min(s.link_recoveries) AS `link_recoveries_min`, max(s.link_recoveries) AS `link_recoveries_max`, min(s.link_integrity_errors) AS `link_integrity_errors_min`, max(s.link_integrity_errors) AS `link_integrity_errors_max`, min(s.buffer_overruns) AS `buffer_overruns_min`, max(s.buffer_overruns) AS `buffer_overruns_max`, min(s.remote_errors) AS `remote_errors_min`, max(s.remote_errors) AS `remote_errors_max`, min(s.constraint_errors) AS `constraint_errors_min`, max(s.constraint_errors) AS `constraint_errors_max`, min(s.ecn_packets) AS `ecn_packets_min`, max(s.ecn_packets) AS `ecn_packets_max`, min(s.cnp_sent) AS `cnp_sent_min`, max(s.cnp_sent) AS `cnp_sent_max`, min(s.cnp_handled) AS `cnp_handled_min`, max(s.cnp_handled) AS `cnp_handled_max`, min(s.out_of_sequence) AS `out_of_sequence_min`, max(s.out_of_sequence) AS `out_of_sequence_max`, min(s.sequence_errors) AS `sequence_errors_min`, max(s.sequence_errors) AS `sequence_errors_max`, min(s.ack_timeouts) AS `ack_timeouts_min`, max(s.ack_timeouts) AS `ack_timeouts_max`, min(s.rnr_retries) AS `rnr_retries_min`, max(s.rnr_retries) AS `rnr_retries_max`, min(s.duplicate_requests) AS `duplicate_requests_min`, max(s.duplicate_requests) AS `duplicate_requests_max`, min(s.implied_naks) AS `implied_naks_min`, max(s.implied_naks) AS `implied_naks_max`, min(s.out_of_buffer) AS `out_of_buffer_min`, max(s.out_of_buffer) AS `out_of_buffer_max`, min(s.retransmits) AS `retransmits_min`, max(s.retransmits) AS `retransmits_max`, min(s.completion_errors) AS `completion_errors_min`, max(s.completion_errors) AS `completion_errors_max`
FROM network_samples AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_network_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.kind) AS kind, anyLast(s.interface) AS interface, sum(s.up_pct_wsum) / nullIf(sum(s.up_pct_cover_ms), 0) / 100 AS up_ratio, sum(s.speed_mb_per_s_wsum) / nullIf(sum(s.speed_mb_per_s_cover_ms), 0) * 1000000 / 1 AS speed_bytes_per_second, min(s.receive_bytes_min) AS receive_bytes_first, max(s.receive_bytes_max) AS receive_bytes_last, min(s.transmit_bytes_min) AS transmit_bytes_first, max(s.transmit_bytes_max) AS transmit_bytes_last, min(s.receive_packets_min) AS receive_packets_first, max(s.receive_packets_max) AS receive_packets_last, min(s.transmit_packets_min) AS transmit_packets_first, max(s.transmit_packets_max) AS transmit_packets_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.transmit_errors_min) AS transmit_errors_first, max(s.transmit_errors_max) AS transmit_errors_last, min(s.transmit_wait_min) AS transmit_wait_first, max(s.transmit_wait_max) AS transmit_wait_last, min(s.link_downs_min) AS link_downs_first, max(s.link_downs_max) AS link_downs_last, min(s.carrier_changes_min) AS carrier_changes_first, max(s.carrier_changes_max) AS carrier_changes_last, min(s.receive_discards_min) AS receive_discards_first, max(s.receive_discards_max) AS receive_discards_last, min(s.crc_errors_min) AS crc_errors_first, max(s.crc_errors_max) AS crc_errors_last, min(s.symbol_errors_min) AS symbol_errors_first, max(s.symbol_errors_max) AS symbol_errors_last, min(s.corrected_errors_min) AS corrected_errors_first, max(s.corrected_errors_max) AS corrected_errors_last, min(s.receive_pauses_min) AS receive_pauses_first, max(s.receive_pauses_max) AS receive_pauses_last, min(s.transmit_pauses_min) AS transmit_pauses_first, max(s.transmit_pauses_max) AS transmit_pauses_last, min(s.pause_us_min) / 1000000 AS pause_seconds_first, max(s.pause_us_max) / 1000000 AS pause_seconds_last, min(s.link_recoveries_min) AS link_recoveries_first, max(s.link_recoveries_max) AS link_recoveries_last, min(s.link_integrity_errors_min) AS link_integrity_errors_first, max(s.link_integrity_errors_max) AS link_integrity_errors_last, min(s.buffer_overruns_min) AS buffer_overruns_first, max(s.buffer_overruns_max) AS buffer_overruns_last, min(s.remote_errors_min) AS remote_errors_first, max(s.remote_errors_max) AS remote_errors_last, min(s.constraint_errors_min) AS constraint_errors_first, max(s.constraint_errors_max) AS constraint_errors_last, min(s.ecn_packets_min) AS ecn_packets_first, max(s.ecn_packets_max) AS ecn_packets_last, min(s.cnp_sent_min) AS cnp_sent_first, max(s.cnp_sent_max) AS cnp_sent_last, min(s.cnp_handled_min) AS cnp_handled_first, max(s.cnp_handled_max) AS cnp_handled_last, min(s.out_of_sequence_min) AS out_of_sequence_first, max(s.out_of_sequence_max) AS out_of_sequence_last, min(s.sequence_errors_min) AS sequence_errors_first, max(s.sequence_errors_max) AS sequence_errors_last, min(s.ack_timeouts_min) AS ack_timeouts_first, max(s.ack_timeouts_max) AS ack_timeouts_last, min(s.rnr_retries_min) AS rnr_retries_first, max(s.rnr_retries_max) AS rnr_retries_last, min(s.duplicate_requests_min) AS duplicate_requests_first, max(s.duplicate_requests_max) AS duplicate_requests_last, min(s.implied_naks_min) AS implied_naks_first, max(s.implied_naks_max) AS implied_naks_last, min(s.out_of_buffer_min) AS out_of_buffer_first, max(s.out_of_buffer_max) AS out_of_buffer_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.completion_errors_min) AS completion_errors_first, max(s.completion_errors_max) AS completion_errors_last
FROM network_samples_1m AS s GROUP BY ts, cluster, node, device;

CREATE TABLE IF NOT EXISTS network_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `device` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `kind` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `interface` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
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
  `link_downs_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `carrier_changes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `carrier_changes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `crc_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `crc_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `symbol_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `symbol_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `corrected_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `corrected_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_pauses_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `transmit_pauses_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pause_us_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pause_us_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_recoveries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_recoveries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_integrity_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `link_integrity_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `buffer_overruns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `buffer_overruns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remote_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `remote_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `constraint_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `constraint_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecn_packets_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ecn_packets_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_handled_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `cnp_handled_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_sequence_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_sequence_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sequence_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `sequence_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ack_timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `ack_timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `rnr_retries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `rnr_retries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `duplicate_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `duplicate_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `implied_naks_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `implied_naks_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_buffer_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `out_of_buffer_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `completion_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `completion_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, device) ORDER BY (node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS network_samples_1h_mv TO network_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.kind) AS `kind`, anyLast(s.interface) AS `interface`, sum(s.up_pct_wsum) AS `up_pct_wsum`, sum(s.up_pct_cover_ms) AS `up_pct_cover_ms`, sum(s.speed_mb_per_s_wsum) AS `speed_mb_per_s_wsum`, sum(s.speed_mb_per_s_cover_ms) AS `speed_mb_per_s_cover_ms`, min(s.receive_bytes_min) AS `receive_bytes_min`, max(s.receive_bytes_max) AS `receive_bytes_max`, min(s.transmit_bytes_min) AS `transmit_bytes_min`, max(s.transmit_bytes_max) AS `transmit_bytes_max`, min(s.receive_packets_min) AS `receive_packets_min`, max(s.receive_packets_max) AS `receive_packets_max`, min(s.transmit_packets_min) AS `transmit_packets_min`, max(s.transmit_packets_max) AS `transmit_packets_max`, min(s.receive_errors_min) AS `receive_errors_min`, max(s.receive_errors_max) AS `receive_errors_max`, min(s.transmit_errors_min) AS `transmit_errors_min`, max(s.transmit_errors_max) AS `transmit_errors_max`, min(s.transmit_wait_min) AS `transmit_wait_min`, max(s.transmit_wait_max) AS `transmit_wait_max`, min(s.link_downs_min) AS `link_downs_min`, max(s.link_downs_max) AS `link_downs_max`, min(s.carrier_changes_min) AS `carrier_changes_min`, max(s.carrier_changes_max) AS `carrier_changes_max`, min(s.receive_discards_min) AS `receive_discards_min`, max(s.receive_discards_max) AS `receive_discards_max`, min(s.crc_errors_min) AS `crc_errors_min`, max(s.crc_errors_max) AS `crc_errors_max`, min(s.symbol_errors_min) AS `symbol_errors_min`, max(s.symbol_errors_max) AS `symbol_errors_max`, min(s.corrected_errors_min) AS `corrected_errors_min`, max(s.corrected_errors_max) AS `corrected_errors_max`, min(s.receive_pauses_min) AS `receive_pauses_min`, max(s.receive_pauses_max) AS `receive_pauses_max`, min(s.transmit_pauses_min) AS `transmit_pauses_min`, max(s.transmit_pauses_max) AS `transmit_pauses_max`, min(s.pause_us_min) AS `pause_us_min`, max(s.pause_us_max) AS `pause_us_max`, min(s.link_recoveries_min) AS `link_recoveries_min`, max(s.link_recoveries_max) AS `link_recoveries_max`, min(s.link_integrity_errors_min) AS `link_integrity_errors_min`, max(s.link_integrity_errors_max) AS `link_integrity_errors_max`, min(s.buffer_overruns_min) AS `buffer_overruns_min`, max(s.buffer_overruns_max) AS `buffer_overruns_max`, min(s.remote_errors_min) AS `remote_errors_min`, max(s.remote_errors_max) AS `remote_errors_max`, min(s.constraint_errors_min) AS `constraint_errors_min`, max(s.constraint_errors_max) AS `constraint_errors_max`, min(s.ecn_packets_min) AS `ecn_packets_min`, max(s.ecn_packets_max) AS `ecn_packets_max`, min(s.cnp_sent_min) AS `cnp_sent_min`, max(s.cnp_sent_max) AS `cnp_sent_max`, min(s.cnp_handled_min) AS `cnp_handled_min`, max(s.cnp_handled_max) AS `cnp_handled_max`, min(s.out_of_sequence_min) AS `out_of_sequence_min`, max(s.out_of_sequence_max) AS `out_of_sequence_max`, min(s.sequence_errors_min) AS `sequence_errors_min`, max(s.sequence_errors_max) AS `sequence_errors_max`, min(s.ack_timeouts_min) AS `ack_timeouts_min`, max(s.ack_timeouts_max) AS `ack_timeouts_max`, min(s.rnr_retries_min) AS `rnr_retries_min`, max(s.rnr_retries_max) AS `rnr_retries_max`, min(s.duplicate_requests_min) AS `duplicate_requests_min`, max(s.duplicate_requests_max) AS `duplicate_requests_max`, min(s.implied_naks_min) AS `implied_naks_min`, max(s.implied_naks_max) AS `implied_naks_max`, min(s.out_of_buffer_min) AS `out_of_buffer_min`, max(s.out_of_buffer_max) AS `out_of_buffer_max`, min(s.retransmits_min) AS `retransmits_min`, max(s.retransmits_max) AS `retransmits_max`, min(s.completion_errors_min) AS `completion_errors_min`, max(s.completion_errors_max) AS `completion_errors_max`
FROM network_samples_1m AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_network_samples_1h AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.kind) AS kind, anyLast(s.interface) AS interface, sum(s.up_pct_wsum) / nullIf(sum(s.up_pct_cover_ms), 0) / 100 AS up_ratio, sum(s.speed_mb_per_s_wsum) / nullIf(sum(s.speed_mb_per_s_cover_ms), 0) * 1000000 / 1 AS speed_bytes_per_second, min(s.receive_bytes_min) AS receive_bytes_first, max(s.receive_bytes_max) AS receive_bytes_last, min(s.transmit_bytes_min) AS transmit_bytes_first, max(s.transmit_bytes_max) AS transmit_bytes_last, min(s.receive_packets_min) AS receive_packets_first, max(s.receive_packets_max) AS receive_packets_last, min(s.transmit_packets_min) AS transmit_packets_first, max(s.transmit_packets_max) AS transmit_packets_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.transmit_errors_min) AS transmit_errors_first, max(s.transmit_errors_max) AS transmit_errors_last, min(s.transmit_wait_min) AS transmit_wait_first, max(s.transmit_wait_max) AS transmit_wait_last, min(s.link_downs_min) AS link_downs_first, max(s.link_downs_max) AS link_downs_last, min(s.carrier_changes_min) AS carrier_changes_first, max(s.carrier_changes_max) AS carrier_changes_last, min(s.receive_discards_min) AS receive_discards_first, max(s.receive_discards_max) AS receive_discards_last, min(s.crc_errors_min) AS crc_errors_first, max(s.crc_errors_max) AS crc_errors_last, min(s.symbol_errors_min) AS symbol_errors_first, max(s.symbol_errors_max) AS symbol_errors_last, min(s.corrected_errors_min) AS corrected_errors_first, max(s.corrected_errors_max) AS corrected_errors_last, min(s.receive_pauses_min) AS receive_pauses_first, max(s.receive_pauses_max) AS receive_pauses_last, min(s.transmit_pauses_min) AS transmit_pauses_first, max(s.transmit_pauses_max) AS transmit_pauses_last, min(s.pause_us_min) / 1000000 AS pause_seconds_first, max(s.pause_us_max) / 1000000 AS pause_seconds_last, min(s.link_recoveries_min) AS link_recoveries_first, max(s.link_recoveries_max) AS link_recoveries_last, min(s.link_integrity_errors_min) AS link_integrity_errors_first, max(s.link_integrity_errors_max) AS link_integrity_errors_last, min(s.buffer_overruns_min) AS buffer_overruns_first, max(s.buffer_overruns_max) AS buffer_overruns_last, min(s.remote_errors_min) AS remote_errors_first, max(s.remote_errors_max) AS remote_errors_last, min(s.constraint_errors_min) AS constraint_errors_first, max(s.constraint_errors_max) AS constraint_errors_last, min(s.ecn_packets_min) AS ecn_packets_first, max(s.ecn_packets_max) AS ecn_packets_last, min(s.cnp_sent_min) AS cnp_sent_first, max(s.cnp_sent_max) AS cnp_sent_last, min(s.cnp_handled_min) AS cnp_handled_first, max(s.cnp_handled_max) AS cnp_handled_last, min(s.out_of_sequence_min) AS out_of_sequence_first, max(s.out_of_sequence_max) AS out_of_sequence_last, min(s.sequence_errors_min) AS sequence_errors_first, max(s.sequence_errors_max) AS sequence_errors_last, min(s.ack_timeouts_min) AS ack_timeouts_first, max(s.ack_timeouts_max) AS ack_timeouts_last, min(s.rnr_retries_min) AS rnr_retries_first, max(s.rnr_retries_max) AS rnr_retries_last, min(s.duplicate_requests_min) AS duplicate_requests_first, max(s.duplicate_requests_max) AS duplicate_requests_last, min(s.implied_naks_min) AS implied_naks_first, max(s.implied_naks_max) AS implied_naks_last, min(s.out_of_buffer_min) AS out_of_buffer_first, max(s.out_of_buffer_max) AS out_of_buffer_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.completion_errors_min) AS completion_errors_first, max(s.completion_errors_max) AS completion_errors_last
FROM network_samples_1h AS s GROUP BY ts, cluster, node, device;

CREATE OR REPLACE VIEW v_network_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, kind AS kind, interface AS interface, up_pct / 100 AS up_ratio, speed_mb_per_s * 1000000 / 1 AS speed_bytes_per_second, receive_bytes AS receive_bytes, transmit_bytes AS transmit_bytes, receive_packets AS receive_packets, transmit_packets AS transmit_packets, receive_errors AS receive_errors, transmit_errors AS transmit_errors, transmit_wait AS transmit_wait, link_downs AS link_downs, carrier_changes AS carrier_changes, receive_discards AS receive_discards, crc_errors AS crc_errors, symbol_errors AS symbol_errors, corrected_errors AS corrected_errors, receive_pauses AS receive_pauses, transmit_pauses AS transmit_pauses, pause_us / 1000000 AS pause_seconds, link_recoveries AS link_recoveries, link_integrity_errors AS link_integrity_errors, buffer_overruns AS buffer_overruns, remote_errors AS remote_errors, constraint_errors AS constraint_errors, ecn_packets AS ecn_packets, cnp_sent AS cnp_sent, cnp_handled AS cnp_handled, out_of_sequence AS out_of_sequence, sequence_errors AS sequence_errors, ack_timeouts AS ack_timeouts, rnr_retries AS rnr_retries, duplicate_requests AS duplicate_requests, implied_naks AS implied_naks, out_of_buffer AS out_of_buffer, retransmits AS retransmits, completion_errors AS completion_errors FROM network_samples;

CREATE TABLE IF NOT EXISTS tcp_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `connections_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `connections_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `segments_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `segments_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `syn_retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `syn_retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `listen_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `listen_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node) ORDER BY (toStartOfHour(ts), node, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcp_samples_1m_mv TO tcp_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, sum(toUInt64(s.connections) * s.interval_ms) AS `connections_wsum`, sumIf(s.interval_ms, s.connections IS NOT NULL) AS `connections_cover_ms`, min(s.segments_sent) AS `segments_sent_min`, max(s.segments_sent) AS `segments_sent_max`, min(s.retransmits) AS `retransmits_min`, max(s.retransmits) AS `retransmits_max`, min(s.receive_errors) AS `receive_errors_min`, max(s.receive_errors) AS `receive_errors_max`, min(s.timeouts) AS `timeouts_min`, max(s.timeouts) AS `timeouts_max`, min(s.syn_retransmits) AS `syn_retransmits_min`, max(s.syn_retransmits) AS `syn_retransmits_max`, min(s.listen_drops) AS `listen_drops_min`, max(s.listen_drops) AS `listen_drops_max`, min(s.receive_drops) AS `receive_drops_min`, max(s.receive_drops) AS `receive_drops_max`
FROM tcp_samples AS s GROUP BY bucket, cluster, node, epoch);

CREATE OR REPLACE VIEW v_tcp_samples_1m AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, sum(s.connections_wsum) / nullIf(sum(s.connections_cover_ms), 0) AS connections, min(s.segments_sent_min) AS segments_sent_first, max(s.segments_sent_max) AS segments_sent_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.syn_retransmits_min) AS syn_retransmits_first, max(s.syn_retransmits_max) AS syn_retransmits_last, min(s.listen_drops_min) AS listen_drops_first, max(s.listen_drops_max) AS listen_drops_last, min(s.receive_drops_min) AS receive_drops_first, max(s.receive_drops_max) AS receive_drops_last
FROM tcp_samples_1m AS s GROUP BY ts, cluster, node;

CREATE TABLE IF NOT EXISTS tcp_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `connections_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `connections_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `segments_sent_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `segments_sent_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `syn_retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `syn_retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `listen_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `listen_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_drops_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `receive_drops_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node) ORDER BY (node, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcp_samples_1h_mv TO tcp_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, sum(s.connections_wsum) AS `connections_wsum`, sum(s.connections_cover_ms) AS `connections_cover_ms`, min(s.segments_sent_min) AS `segments_sent_min`, max(s.segments_sent_max) AS `segments_sent_max`, min(s.retransmits_min) AS `retransmits_min`, max(s.retransmits_max) AS `retransmits_max`, min(s.receive_errors_min) AS `receive_errors_min`, max(s.receive_errors_max) AS `receive_errors_max`, min(s.timeouts_min) AS `timeouts_min`, max(s.timeouts_max) AS `timeouts_max`, min(s.syn_retransmits_min) AS `syn_retransmits_min`, max(s.syn_retransmits_max) AS `syn_retransmits_max`, min(s.listen_drops_min) AS `listen_drops_min`, max(s.listen_drops_max) AS `listen_drops_max`, min(s.receive_drops_min) AS `receive_drops_min`, max(s.receive_drops_max) AS `receive_drops_max`
FROM tcp_samples_1m AS s GROUP BY bucket, cluster, node, epoch);

CREATE OR REPLACE VIEW v_tcp_samples_1h AS
SELECT ts, cluster, node, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, sum(s.connections_wsum) / nullIf(sum(s.connections_cover_ms), 0) AS connections, min(s.segments_sent_min) AS segments_sent_first, max(s.segments_sent_max) AS segments_sent_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.receive_errors_min) AS receive_errors_first, max(s.receive_errors_max) AS receive_errors_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.syn_retransmits_min) AS syn_retransmits_first, max(s.syn_retransmits_max) AS syn_retransmits_last, min(s.listen_drops_min) AS listen_drops_first, max(s.listen_drops_max) AS listen_drops_last, min(s.receive_drops_min) AS receive_drops_first, max(s.receive_drops_max) AS receive_drops_last
FROM tcp_samples_1h AS s GROUP BY ts, cluster, node;

CREATE OR REPLACE VIEW v_tcp_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, connections AS connections, segments_sent AS segments_sent, retransmits AS retransmits, receive_errors AS receive_errors, timeouts AS timeouts, syn_retransmits AS syn_retransmits, listen_drops AS listen_drops, receive_drops AS receive_drops FROM tcp_samples;

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
  `busy_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `in_flight_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flushes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flushes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flush_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flush_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS block_samples_1m_mv TO block_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.reads) AS `reads_min`, max(s.reads) AS `reads_max`, min(s.writes) AS `writes_min`, max(s.writes) AS `writes_max`, min(s.read_ms) AS `read_ms_min`, max(s.read_ms) AS `read_ms_max`, min(s.write_ms) AS `write_ms_min`, max(s.write_ms) AS `write_ms_max`, min(s.busy_ms) AS `busy_ms_min`, max(s.busy_ms) AS `busy_ms_max`, min(s.queue_ms) AS `queue_ms_min`, max(s.queue_ms) AS `queue_ms_max`, sum(toUInt64(s.in_flight) * s.interval_ms) AS `in_flight_wsum`, sumIf(s.interval_ms, s.in_flight IS NOT NULL) AS `in_flight_cover_ms`, max(s.in_flight_max) AS `in_flight_max`, min(s.discards) AS `discards_min`, max(s.discards) AS `discards_max`, min(s.flushes) AS `flushes_min`, max(s.flushes) AS `flushes_max`, min(s.flush_ms) AS `flush_ms_min`, max(s.flush_ms) AS `flush_ms_max`
FROM block_samples AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_block_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.reads_min) AS reads_first, max(s.reads_max) AS reads_last, min(s.writes_min) AS writes_first, max(s.writes_max) AS writes_last, min(s.read_ms_min) / 1000 AS read_seconds_first, max(s.read_ms_max) / 1000 AS read_seconds_last, min(s.write_ms_min) / 1000 AS write_seconds_first, max(s.write_ms_max) / 1000 AS write_seconds_last, min(s.busy_ms_min) / 1000 AS busy_seconds_first, max(s.busy_ms_max) / 1000 AS busy_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, sum(s.in_flight_wsum) / nullIf(sum(s.in_flight_cover_ms), 0) AS in_flight, max(s.in_flight_max) AS in_flight_max, min(s.discards_min) AS discards_first, max(s.discards_max) AS discards_last, min(s.flushes_min) AS flushes_first, max(s.flushes_max) AS flushes_last, min(s.flush_ms_min) / 1000 AS flush_seconds_first, max(s.flush_ms_max) / 1000 AS flush_seconds_last
FROM block_samples_1m AS s GROUP BY ts, cluster, node, device;

CREATE TABLE IF NOT EXISTS block_samples_1h (
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
  `busy_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `in_flight_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `discards_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `discards_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flushes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flushes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flush_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `flush_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, device) ORDER BY (node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS block_samples_1h_mv TO block_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, min(s.reads_min) AS `reads_min`, max(s.reads_max) AS `reads_max`, min(s.writes_min) AS `writes_min`, max(s.writes_max) AS `writes_max`, min(s.read_ms_min) AS `read_ms_min`, max(s.read_ms_max) AS `read_ms_max`, min(s.write_ms_min) AS `write_ms_min`, max(s.write_ms_max) AS `write_ms_max`, min(s.busy_ms_min) AS `busy_ms_min`, max(s.busy_ms_max) AS `busy_ms_max`, min(s.queue_ms_min) AS `queue_ms_min`, max(s.queue_ms_max) AS `queue_ms_max`, sum(s.in_flight_wsum) AS `in_flight_wsum`, sum(s.in_flight_cover_ms) AS `in_flight_cover_ms`, max(s.in_flight_max) AS `in_flight_max`, min(s.discards_min) AS `discards_min`, max(s.discards_max) AS `discards_max`, min(s.flushes_min) AS `flushes_min`, max(s.flushes_max) AS `flushes_max`, min(s.flush_ms_min) AS `flush_ms_min`, max(s.flush_ms_max) AS `flush_ms_max`
FROM block_samples_1m AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_block_samples_1h AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.reads_min) AS reads_first, max(s.reads_max) AS reads_last, min(s.writes_min) AS writes_first, max(s.writes_max) AS writes_last, min(s.read_ms_min) / 1000 AS read_seconds_first, max(s.read_ms_max) / 1000 AS read_seconds_last, min(s.write_ms_min) / 1000 AS write_seconds_first, max(s.write_ms_max) / 1000 AS write_seconds_last, min(s.busy_ms_min) / 1000 AS busy_seconds_first, max(s.busy_ms_max) / 1000 AS busy_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, sum(s.in_flight_wsum) / nullIf(sum(s.in_flight_cover_ms), 0) AS in_flight, max(s.in_flight_max) AS in_flight_max, min(s.discards_min) AS discards_first, max(s.discards_max) AS discards_last, min(s.flushes_min) AS flushes_first, max(s.flushes_max) AS flushes_last, min(s.flush_ms_min) / 1000 AS flush_seconds_first, max(s.flush_ms_max) / 1000 AS flush_seconds_last
FROM block_samples_1h AS s GROUP BY ts, cluster, node, device;

CREATE OR REPLACE VIEW v_block_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, read_bytes AS read_bytes, write_bytes AS write_bytes, reads AS reads, writes AS writes, read_ms / 1000 AS read_seconds, write_ms / 1000 AS write_seconds, busy_ms / 1000 AS busy_seconds, queue_ms / 1000 AS queue_seconds, in_flight AS in_flight, in_flight_max AS in_flight_max, discards AS discards, flushes AS flushes, flush_ms / 1000 AS flush_seconds FROM block_samples;

CREATE TABLE IF NOT EXISTS nvme_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `device` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `model` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `serial` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `firmware` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `state` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `temperature_celsius_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `critical_warning` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(ZSTD(1)),
  `used_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `used_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `spare_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `spare_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `spare_threshold_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `spare_threshold_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `media_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `media_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `error_log_entries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `error_log_entries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `unsafe_shutdowns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `unsafe_shutdowns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, device) ORDER BY (toStartOfHour(ts), node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS nvme_samples_1m_mv TO nvme_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.model) AS `model`, anyLast(s.serial) AS `serial`, anyLast(s.firmware) AS `firmware`, anyLast(s.state) AS `state`, sum(toUInt64(s.temperature_celsius) * s.interval_ms) AS `temperature_celsius_wsum`, sumIf(s.interval_ms, s.temperature_celsius IS NOT NULL) AS `temperature_celsius_cover_ms`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, groupBitOr(s.critical_warning) AS `critical_warning`, sum(toUInt64(s.used_pct) * s.interval_ms) AS `used_pct_wsum`, sumIf(s.interval_ms, s.used_pct IS NOT NULL) AS `used_pct_cover_ms`, sum(toUInt64(s.spare_pct) * s.interval_ms) AS `spare_pct_wsum`, sumIf(s.interval_ms, s.spare_pct IS NOT NULL) AS `spare_pct_cover_ms`, sum(toUInt64(s.spare_threshold_pct) * s.interval_ms) AS `spare_threshold_pct_wsum`, sumIf(s.interval_ms, s.spare_threshold_pct IS NOT NULL) AS `spare_threshold_pct_cover_ms`, min(s.media_errors) AS `media_errors_min`, max(s.media_errors) AS `media_errors_max`, min(s.error_log_entries) AS `error_log_entries_min`, max(s.error_log_entries) AS `error_log_entries_max`, min(s.unsafe_shutdowns) AS `unsafe_shutdowns_min`, max(s.unsafe_shutdowns) AS `unsafe_shutdowns_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`
FROM nvme_samples AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_nvme_samples_1m AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.model) AS model, anyLast(s.serial) AS serial, anyLast(s.firmware) AS firmware, anyLast(s.state) AS state, sum(s.temperature_celsius_wsum) / nullIf(sum(s.temperature_celsius_cover_ms), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, groupBitOr(s.critical_warning) AS critical_warning, sum(s.used_pct_wsum) / nullIf(sum(s.used_pct_cover_ms), 0) / 100 AS used_ratio, sum(s.spare_pct_wsum) / nullIf(sum(s.spare_pct_cover_ms), 0) / 100 AS spare_ratio, sum(s.spare_threshold_pct_wsum) / nullIf(sum(s.spare_threshold_pct_cover_ms), 0) / 100 AS spare_threshold_ratio, min(s.media_errors_min) AS media_errors_first, max(s.media_errors_max) AS media_errors_last, min(s.error_log_entries_min) AS error_log_entries_first, max(s.error_log_entries_max) AS error_log_entries_last, min(s.unsafe_shutdowns_min) AS unsafe_shutdowns_first, max(s.unsafe_shutdowns_max) AS unsafe_shutdowns_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last
FROM nvme_samples_1m AS s GROUP BY ts, cluster, node, device;

CREATE TABLE IF NOT EXISTS nvme_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `device` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `model` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `serial` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `firmware` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `state` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `temperature_celsius_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `temperature_celsius_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `temperature_celsius_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `critical_warning` SimpleAggregateFunction(groupBitOr, Nullable(UInt64)) CODEC(ZSTD(1)),
  `used_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `used_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `spare_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `spare_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `spare_threshold_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `spare_threshold_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `media_errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `media_errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `error_log_entries_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `error_log_entries_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `unsafe_shutdowns_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `unsafe_shutdowns_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, device) ORDER BY (node, device, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS nvme_samples_1h_mv TO nvme_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.device AS `device`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.model) AS `model`, anyLast(s.serial) AS `serial`, anyLast(s.firmware) AS `firmware`, anyLast(s.state) AS `state`, sum(s.temperature_celsius_wsum) AS `temperature_celsius_wsum`, sum(s.temperature_celsius_cover_ms) AS `temperature_celsius_cover_ms`, max(s.temperature_celsius_max) AS `temperature_celsius_max`, groupBitOr(s.critical_warning) AS `critical_warning`, sum(s.used_pct_wsum) AS `used_pct_wsum`, sum(s.used_pct_cover_ms) AS `used_pct_cover_ms`, sum(s.spare_pct_wsum) AS `spare_pct_wsum`, sum(s.spare_pct_cover_ms) AS `spare_pct_cover_ms`, sum(s.spare_threshold_pct_wsum) AS `spare_threshold_pct_wsum`, sum(s.spare_threshold_pct_cover_ms) AS `spare_threshold_pct_cover_ms`, min(s.media_errors_min) AS `media_errors_min`, max(s.media_errors_max) AS `media_errors_max`, min(s.error_log_entries_min) AS `error_log_entries_min`, max(s.error_log_entries_max) AS `error_log_entries_max`, min(s.unsafe_shutdowns_min) AS `unsafe_shutdowns_min`, max(s.unsafe_shutdowns_max) AS `unsafe_shutdowns_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`
FROM nvme_samples_1m AS s GROUP BY bucket, cluster, node, device, epoch);

CREATE OR REPLACE VIEW v_nvme_samples_1h AS
SELECT ts, cluster, node, device, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.model) AS model, anyLast(s.serial) AS serial, anyLast(s.firmware) AS firmware, anyLast(s.state) AS state, sum(s.temperature_celsius_wsum) / nullIf(sum(s.temperature_celsius_cover_ms), 0) AS temperature_celsius, max(s.temperature_celsius_max) AS temperature_celsius_max, groupBitOr(s.critical_warning) AS critical_warning, sum(s.used_pct_wsum) / nullIf(sum(s.used_pct_cover_ms), 0) / 100 AS used_ratio, sum(s.spare_pct_wsum) / nullIf(sum(s.spare_pct_cover_ms), 0) / 100 AS spare_ratio, sum(s.spare_threshold_pct_wsum) / nullIf(sum(s.spare_threshold_pct_cover_ms), 0) / 100 AS spare_threshold_ratio, min(s.media_errors_min) AS media_errors_first, max(s.media_errors_max) AS media_errors_last, min(s.error_log_entries_min) AS error_log_entries_first, max(s.error_log_entries_max) AS error_log_entries_last, min(s.unsafe_shutdowns_min) AS unsafe_shutdowns_first, max(s.unsafe_shutdowns_max) AS unsafe_shutdowns_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last
FROM nvme_samples_1h AS s GROUP BY ts, cluster, node, device;

CREATE OR REPLACE VIEW v_nvme_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, device AS device, model AS model, serial AS serial, firmware AS firmware, state AS state, temperature_celsius AS temperature_celsius, temperature_celsius_max AS temperature_celsius_max, critical_warning AS critical_warning, used_pct / 100 AS used_ratio, spare_pct / 100 AS spare_ratio, spare_threshold_pct / 100 AS spare_threshold_ratio, media_errors AS media_errors, error_log_entries AS error_log_entries, unsafe_shutdowns AS unsafe_shutdowns, read_bytes AS read_bytes, write_bytes AS write_bytes FROM nvme_samples;

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

CREATE TABLE IF NOT EXISTS filesystem_samples_1h (
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
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, mount) ORDER BY (node, mount, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS filesystem_samples_1h_mv TO filesystem_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.mount AS `mount`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.device) AS `device`, anyLast(s.filesystem) AS `filesystem`, sum(s.size_mib_wsum) AS `size_mib_wsum`, sum(s.size_mib_cover_ms) AS `size_mib_cover_ms`, sum(s.available_mib_wsum) AS `available_mib_wsum`, sum(s.available_mib_cover_ms) AS `available_mib_cover_ms`, sum(s.inodes_wsum) AS `inodes_wsum`, sum(s.inodes_cover_ms) AS `inodes_cover_ms`, sum(s.inodes_free_wsum) AS `inodes_free_wsum`, sum(s.inodes_free_cover_ms) AS `inodes_free_cover_ms`
FROM filesystem_samples_1m AS s GROUP BY bucket, cluster, node, mount, epoch);

CREATE OR REPLACE VIEW v_filesystem_samples_1h AS
SELECT ts, cluster, node, mount, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.device) AS device, anyLast(s.filesystem) AS filesystem, sum(s.size_mib_wsum) / nullIf(sum(s.size_mib_cover_ms), 0) * 1048576 / 1 AS size_bytes, sum(s.available_mib_wsum) / nullIf(sum(s.available_mib_cover_ms), 0) * 1048576 / 1 AS available_bytes, sum(s.inodes_wsum) / nullIf(sum(s.inodes_cover_ms), 0) AS inodes, sum(s.inodes_free_wsum) / nullIf(sum(s.inodes_free_cover_ms), 0) AS inodes_free
FROM filesystem_samples_1h AS s GROUP BY ts, cluster, node, mount;

CREATE OR REPLACE VIEW v_filesystem_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, mount AS mount, device AS device, filesystem AS filesystem, size_mib * 1048576 / 1 AS size_bytes, available_mib * 1048576 / 1 AS available_bytes, inodes AS inodes, inodes_free AS inodes_free FROM filesystem_samples;

CREATE TABLE IF NOT EXISTS netfs_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `kind` LowCardinality(String) CODEC(ZSTD(1)),
  `mount` LowCardinality(String) CODEC(ZSTD(1)),
  `operation` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `device` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `operations_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `operations_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `server_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `server_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `total_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `total_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, kind, mount, operation) ORDER BY (toStartOfHour(ts), node, kind, mount, operation, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS netfs_samples_1m_mv TO netfs_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.kind AS `kind`, s.mount AS `mount`, s.operation AS `operation`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.device) AS `device`, min(s.operations) AS `operations_min`, max(s.operations) AS `operations_max`, min(s.errors) AS `errors_min`, max(s.errors) AS `errors_max`, min(s.retransmits) AS `retransmits_min`, max(s.retransmits) AS `retransmits_max`, min(s.timeouts) AS `timeouts_min`, max(s.timeouts) AS `timeouts_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, min(s.queue_ms) AS `queue_ms_min`, max(s.queue_ms) AS `queue_ms_max`, min(s.server_ms) AS `server_ms_min`, max(s.server_ms) AS `server_ms_max`, min(s.total_ms) AS `total_ms_min`, max(s.total_ms) AS `total_ms_max`, sum(toUInt64(s.in_flight) * s.interval_ms) AS `in_flight_wsum`, sumIf(s.interval_ms, s.in_flight IS NOT NULL) AS `in_flight_cover_ms`
FROM netfs_samples AS s GROUP BY bucket, cluster, node, kind, mount, operation, epoch);

CREATE OR REPLACE VIEW v_netfs_samples_1m AS
SELECT ts, cluster, node, kind, mount, operation, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.device) AS device, min(s.operations_min) AS operations_first, max(s.operations_max) AS operations_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, min(s.server_ms_min) / 1000 AS server_seconds_first, max(s.server_ms_max) / 1000 AS server_seconds_last, min(s.total_ms_min) / 1000 AS total_seconds_first, max(s.total_ms_max) / 1000 AS total_seconds_last, sum(s.in_flight_wsum) / nullIf(sum(s.in_flight_cover_ms), 0) / 100 AS in_flight
FROM netfs_samples_1m AS s GROUP BY ts, cluster, node, kind, mount, operation;

CREATE TABLE IF NOT EXISTS netfs_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `kind` LowCardinality(String) CODEC(ZSTD(1)),
  `mount` LowCardinality(String) CODEC(ZSTD(1)),
  `operation` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `device` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `operations_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `operations_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `retransmits_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `timeouts_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `server_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `server_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `total_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `total_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `in_flight_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, kind, mount, operation) ORDER BY (node, kind, mount, operation, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS netfs_samples_1h_mv TO netfs_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.kind AS `kind`, s.mount AS `mount`, s.operation AS `operation`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.device) AS `device`, min(s.operations_min) AS `operations_min`, max(s.operations_max) AS `operations_max`, min(s.errors_min) AS `errors_min`, max(s.errors_max) AS `errors_max`, min(s.retransmits_min) AS `retransmits_min`, max(s.retransmits_max) AS `retransmits_max`, min(s.timeouts_min) AS `timeouts_min`, max(s.timeouts_max) AS `timeouts_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, min(s.queue_ms_min) AS `queue_ms_min`, max(s.queue_ms_max) AS `queue_ms_max`, min(s.server_ms_min) AS `server_ms_min`, max(s.server_ms_max) AS `server_ms_max`, min(s.total_ms_min) AS `total_ms_min`, max(s.total_ms_max) AS `total_ms_max`, sum(s.in_flight_wsum) AS `in_flight_wsum`, sum(s.in_flight_cover_ms) AS `in_flight_cover_ms`
FROM netfs_samples_1m AS s GROUP BY bucket, cluster, node, kind, mount, operation, epoch);

CREATE OR REPLACE VIEW v_netfs_samples_1h AS
SELECT ts, cluster, node, kind, mount, operation, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.device) AS device, min(s.operations_min) AS operations_first, max(s.operations_max) AS operations_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.retransmits_min) AS retransmits_first, max(s.retransmits_max) AS retransmits_last, min(s.timeouts_min) AS timeouts_first, max(s.timeouts_max) AS timeouts_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last, min(s.server_ms_min) / 1000 AS server_seconds_first, max(s.server_ms_max) / 1000 AS server_seconds_last, min(s.total_ms_min) / 1000 AS total_seconds_first, max(s.total_ms_max) / 1000 AS total_seconds_last, sum(s.in_flight_wsum) / nullIf(sum(s.in_flight_cover_ms), 0) / 100 AS in_flight
FROM netfs_samples_1h AS s GROUP BY ts, cluster, node, kind, mount, operation;

CREATE OR REPLACE VIEW v_netfs_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, kind AS kind, mount AS mount, device AS device, operation AS operation, operations AS operations, errors AS errors, retransmits AS retransmits, timeouts AS timeouts, read_bytes AS read_bytes, write_bytes AS write_bytes, queue_ms / 1000 AS queue_seconds, server_ms / 1000 AS server_seconds, total_ms / 1000 AS total_seconds, in_flight / 100 AS in_flight FROM netfs_samples;

CREATE TABLE IF NOT EXISTS object_store_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `store` LowCardinality(String) CODEC(ZSTD(1)),
  `bucket_name` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `node` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `size_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `size_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `objects_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `objects_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `free_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `free_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `latency_us_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `latency_us_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), store, bucket_name) ORDER BY (toStartOfHour(ts), store, bucket_name, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS object_store_samples_1m_mv TO object_store_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.store AS `store`, s.bucket_name AS `bucket_name`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.node) AS `node`, sum(toUInt64(s.size_mib) * s.interval_ms) AS `size_mib_wsum`, sumIf(s.interval_ms, s.size_mib IS NOT NULL) AS `size_mib_cover_ms`, sum(toUInt64(s.objects) * s.interval_ms) AS `objects_wsum`, sumIf(s.interval_ms, s.objects IS NOT NULL) AS `objects_cover_ms`, sum(toUInt64(s.free_mib) * s.interval_ms) AS `free_mib_wsum`, sumIf(s.interval_ms, s.free_mib IS NOT NULL) AS `free_mib_cover_ms`, min(s.requests) AS `requests_min`, max(s.requests) AS `requests_max`, min(s.errors) AS `errors_min`, max(s.errors) AS `errors_max`, min(s.read_bytes) AS `read_bytes_min`, max(s.read_bytes) AS `read_bytes_max`, min(s.write_bytes) AS `write_bytes_min`, max(s.write_bytes) AS `write_bytes_max`, sum(toUInt64(s.latency_us) * s.interval_ms) AS `latency_us_wsum`, sumIf(s.interval_ms, s.latency_us IS NOT NULL) AS `latency_us_cover_ms`
FROM object_store_samples AS s GROUP BY bucket, cluster, store, bucket_name, epoch);

CREATE OR REPLACE VIEW v_object_store_samples_1m AS
SELECT ts, cluster, store, bucket_name, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.node) AS node, sum(s.size_mib_wsum) / nullIf(sum(s.size_mib_cover_ms), 0) * 1048576 / 1 AS size_bytes, sum(s.objects_wsum) / nullIf(sum(s.objects_cover_ms), 0) AS objects, sum(s.free_mib_wsum) / nullIf(sum(s.free_mib_cover_ms), 0) * 1048576 / 1 AS free_bytes, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, sum(s.latency_us_wsum) / nullIf(sum(s.latency_us_cover_ms), 0) / 1000000 AS latency_seconds
FROM object_store_samples_1m AS s GROUP BY ts, cluster, store, bucket_name;

CREATE TABLE IF NOT EXISTS object_store_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `store` LowCardinality(String) CODEC(ZSTD(1)),
  `bucket_name` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `node` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `size_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `size_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `objects_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `objects_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `free_mib_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `free_mib_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `errors_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `read_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `write_bytes_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `latency_us_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `latency_us_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (store, bucket_name) ORDER BY (store, bucket_name, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS object_store_samples_1h_mv TO object_store_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.store AS `store`, s.bucket_name AS `bucket_name`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.node) AS `node`, sum(s.size_mib_wsum) AS `size_mib_wsum`, sum(s.size_mib_cover_ms) AS `size_mib_cover_ms`, sum(s.objects_wsum) AS `objects_wsum`, sum(s.objects_cover_ms) AS `objects_cover_ms`, sum(s.free_mib_wsum) AS `free_mib_wsum`, sum(s.free_mib_cover_ms) AS `free_mib_cover_ms`, min(s.requests_min) AS `requests_min`, max(s.requests_max) AS `requests_max`, min(s.errors_min) AS `errors_min`, max(s.errors_max) AS `errors_max`, min(s.read_bytes_min) AS `read_bytes_min`, max(s.read_bytes_max) AS `read_bytes_max`, min(s.write_bytes_min) AS `write_bytes_min`, max(s.write_bytes_max) AS `write_bytes_max`, sum(s.latency_us_wsum) AS `latency_us_wsum`, sum(s.latency_us_cover_ms) AS `latency_us_cover_ms`
FROM object_store_samples_1m AS s GROUP BY bucket, cluster, store, bucket_name, epoch);

CREATE OR REPLACE VIEW v_object_store_samples_1h AS
SELECT ts, cluster, store, bucket_name, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.node) AS node, sum(s.size_mib_wsum) / nullIf(sum(s.size_mib_cover_ms), 0) * 1048576 / 1 AS size_bytes, sum(s.objects_wsum) / nullIf(sum(s.objects_cover_ms), 0) AS objects, sum(s.free_mib_wsum) / nullIf(sum(s.free_mib_cover_ms), 0) * 1048576 / 1 AS free_bytes, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.errors_min) AS errors_first, max(s.errors_max) AS errors_last, min(s.read_bytes_min) AS read_bytes_first, max(s.read_bytes_max) AS read_bytes_last, min(s.write_bytes_min) AS write_bytes_first, max(s.write_bytes_max) AS write_bytes_last, sum(s.latency_us_wsum) / nullIf(sum(s.latency_us_cover_ms), 0) / 1000000 AS latency_seconds
FROM object_store_samples_1h AS s GROUP BY ts, cluster, store, bucket_name;

CREATE OR REPLACE VIEW v_object_store_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, store AS store, bucket_name AS bucket_name, size_mib * 1048576 / 1 AS size_bytes, objects AS objects, free_mib * 1048576 / 1 AS free_bytes, requests AS requests, errors AS errors, read_bytes AS read_bytes, write_bytes AS write_bytes, latency_us / 1000000 AS latency_seconds FROM object_store_samples;

CREATE TABLE IF NOT EXISTS serving_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `service` LowCardinality(String) CODEC(ZSTD(1)),
  `model` LowCardinality(String) CODEC(ZSTD(1)),
  `instance` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `failed_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `failed_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `running_requests_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `running_requests_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `running_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `waiting_requests_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `waiting_requests_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `waiting_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `prompt_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `prompt_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `generated_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `generated_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `preemptions_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `preemptions_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `kv_cache_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `kv_cache_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `kv_cache_pct_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `first_token_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `first_token_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `request_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `request_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), node, service, model, instance) ORDER BY (toStartOfHour(ts), node, service, model, instance, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS serving_samples_1m_mv TO serving_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.service AS `service`, s.model AS `model`, s.instance AS `instance`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.requests) AS `requests_min`, max(s.requests) AS `requests_max`, min(s.failed_requests) AS `failed_requests_min`, max(s.failed_requests) AS `failed_requests_max`, sum(toUInt64(s.running_requests) * s.interval_ms) AS `running_requests_wsum`, sumIf(s.interval_ms, s.running_requests IS NOT NULL) AS `running_requests_cover_ms`, max(s.running_requests_max) AS `running_requests_max`, sum(toUInt64(s.waiting_requests) * s.interval_ms) AS `waiting_requests_wsum`, sumIf(s.interval_ms, s.waiting_requests IS NOT NULL) AS `waiting_requests_cover_ms`, max(s.waiting_requests_max) AS `waiting_requests_max`, min(s.prompt_tokens) AS `prompt_tokens_min`, max(s.prompt_tokens) AS `prompt_tokens_max`, min(s.generated_tokens) AS `generated_tokens_min`, max(s.generated_tokens) AS `generated_tokens_max`, min(s.preemptions) AS `preemptions_min`, max(s.preemptions) AS `preemptions_max`, sum(toUInt64(s.kv_cache_pct) * s.interval_ms) AS `kv_cache_pct_wsum`, sumIf(s.interval_ms, s.kv_cache_pct IS NOT NULL) AS `kv_cache_pct_cover_ms`, max(s.kv_cache_pct_max) AS `kv_cache_pct_max`, min(s.first_token_ms) AS `first_token_ms_min`, max(s.first_token_ms) AS `first_token_ms_max`, min(s.request_ms) AS `request_ms_min`, max(s.request_ms) AS `request_ms_max`, min(s.queue_ms) AS `queue_ms_min`, max(s.queue_ms) AS `queue_ms_max`
FROM serving_samples AS s GROUP BY bucket, cluster, node, service, model, instance, epoch);

CREATE OR REPLACE VIEW v_serving_samples_1m AS
SELECT ts, cluster, node, service, model, instance, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.failed_requests_min) AS failed_requests_first, max(s.failed_requests_max) AS failed_requests_last, sum(s.running_requests_wsum) / nullIf(sum(s.running_requests_cover_ms), 0) AS running_requests, max(s.running_requests_max) AS running_requests_max, sum(s.waiting_requests_wsum) / nullIf(sum(s.waiting_requests_cover_ms), 0) AS waiting_requests, max(s.waiting_requests_max) AS waiting_requests_max, min(s.prompt_tokens_min) AS prompt_tokens_first, max(s.prompt_tokens_max) AS prompt_tokens_last, min(s.generated_tokens_min) AS generated_tokens_first, max(s.generated_tokens_max) AS generated_tokens_last, min(s.preemptions_min) AS preemptions_first, max(s.preemptions_max) AS preemptions_last, sum(s.kv_cache_pct_wsum) / nullIf(sum(s.kv_cache_pct_cover_ms), 0) / 100 AS kv_cache_ratio, max(s.kv_cache_pct_max) / 100 AS kv_cache_ratio_max, min(s.first_token_ms_min) / 1000 AS first_token_seconds_first, max(s.first_token_ms_max) / 1000 AS first_token_seconds_last, min(s.request_ms_min) / 1000 AS request_seconds_first, max(s.request_ms_max) / 1000 AS request_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last
FROM serving_samples_1m AS s GROUP BY ts, cluster, node, service, model, instance;

CREATE TABLE IF NOT EXISTS serving_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `node` LowCardinality(String) CODEC(ZSTD(1)),
  `service` LowCardinality(String) CODEC(ZSTD(1)),
  `model` LowCardinality(String) CODEC(ZSTD(1)),
  `instance` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `failed_requests_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `failed_requests_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `running_requests_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `running_requests_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `running_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `waiting_requests_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `waiting_requests_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `waiting_requests_max` SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
  `prompt_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `prompt_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `generated_tokens_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `generated_tokens_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `preemptions_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `preemptions_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `kv_cache_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `kv_cache_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `kv_cache_pct_max` SimpleAggregateFunction(max, Nullable(UInt8)) CODEC(ZSTD(1)),
  `first_token_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `first_token_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `request_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `request_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `queue_ms_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (node, service, model, instance) ORDER BY (node, service, model, instance, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS serving_samples_1h_mv TO serving_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.node AS `node`, s.service AS `service`, s.model AS `model`, s.instance AS `instance`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, min(s.requests_min) AS `requests_min`, max(s.requests_max) AS `requests_max`, min(s.failed_requests_min) AS `failed_requests_min`, max(s.failed_requests_max) AS `failed_requests_max`, sum(s.running_requests_wsum) AS `running_requests_wsum`, sum(s.running_requests_cover_ms) AS `running_requests_cover_ms`, max(s.running_requests_max) AS `running_requests_max`, sum(s.waiting_requests_wsum) AS `waiting_requests_wsum`, sum(s.waiting_requests_cover_ms) AS `waiting_requests_cover_ms`, max(s.waiting_requests_max) AS `waiting_requests_max`, min(s.prompt_tokens_min) AS `prompt_tokens_min`, max(s.prompt_tokens_max) AS `prompt_tokens_max`, min(s.generated_tokens_min) AS `generated_tokens_min`, max(s.generated_tokens_max) AS `generated_tokens_max`, min(s.preemptions_min) AS `preemptions_min`, max(s.preemptions_max) AS `preemptions_max`, sum(s.kv_cache_pct_wsum) AS `kv_cache_pct_wsum`, sum(s.kv_cache_pct_cover_ms) AS `kv_cache_pct_cover_ms`, max(s.kv_cache_pct_max) AS `kv_cache_pct_max`, min(s.first_token_ms_min) AS `first_token_ms_min`, max(s.first_token_ms_max) AS `first_token_ms_max`, min(s.request_ms_min) AS `request_ms_min`, max(s.request_ms_max) AS `request_ms_max`, min(s.queue_ms_min) AS `queue_ms_min`, max(s.queue_ms_max) AS `queue_ms_max`
FROM serving_samples_1m AS s GROUP BY bucket, cluster, node, service, model, instance, epoch);

CREATE OR REPLACE VIEW v_serving_samples_1h AS
SELECT ts, cluster, node, service, model, instance, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, min(s.requests_min) AS requests_first, max(s.requests_max) AS requests_last, min(s.failed_requests_min) AS failed_requests_first, max(s.failed_requests_max) AS failed_requests_last, sum(s.running_requests_wsum) / nullIf(sum(s.running_requests_cover_ms), 0) AS running_requests, max(s.running_requests_max) AS running_requests_max, sum(s.waiting_requests_wsum) / nullIf(sum(s.waiting_requests_cover_ms), 0) AS waiting_requests, max(s.waiting_requests_max) AS waiting_requests_max, min(s.prompt_tokens_min) AS prompt_tokens_first, max(s.prompt_tokens_max) AS prompt_tokens_last, min(s.generated_tokens_min) AS generated_tokens_first, max(s.generated_tokens_max) AS generated_tokens_last, min(s.preemptions_min) AS preemptions_first, max(s.preemptions_max) AS preemptions_last, sum(s.kv_cache_pct_wsum) / nullIf(sum(s.kv_cache_pct_cover_ms), 0) / 100 AS kv_cache_ratio, max(s.kv_cache_pct_max) / 100 AS kv_cache_ratio_max, min(s.first_token_ms_min) / 1000 AS first_token_seconds_first, max(s.first_token_ms_max) / 1000 AS first_token_seconds_last, min(s.request_ms_min) / 1000 AS request_seconds_first, max(s.request_ms_max) / 1000 AS request_seconds_last, min(s.queue_ms_min) / 1000 AS queue_seconds_first, max(s.queue_ms_max) / 1000 AS queue_seconds_last
FROM serving_samples_1h AS s GROUP BY ts, cluster, node, service, model, instance;

CREATE OR REPLACE VIEW v_serving_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, service AS service, model AS model, instance AS instance, requests AS requests, failed_requests AS failed_requests, running_requests AS running_requests, running_requests_max AS running_requests_max, waiting_requests AS waiting_requests, waiting_requests_max AS waiting_requests_max, prompt_tokens AS prompt_tokens, generated_tokens AS generated_tokens, preemptions AS preemptions, kv_cache_pct / 100 AS kv_cache_ratio, kv_cache_pct_max / 100 AS kv_cache_ratio_max, first_token_ms / 1000 AS first_token_seconds, request_ms / 1000 AS request_seconds, queue_ms / 1000 AS queue_seconds FROM serving_samples;

CREATE TABLE IF NOT EXISTS queue_samples_1m (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) CODEC(ZSTD(1)),
  `queue` LowCardinality(String) CODEC(ZSTD(1)),
  `project` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `node` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `allocated_gpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `allocated_gpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `quota_gpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `quota_gpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `idle_gpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `idle_gpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `utilization_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pending_workloads_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pending_workloads_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `admitted_workloads_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `admitted_workloads_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `evicted_workloads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `evicted_workloads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)
PRIMARY KEY (toStartOfHour(ts), scheduler, queue, project) ORDER BY (toStartOfHour(ts), scheduler, queue, project, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS queue_samples_1m_mv TO queue_samples_1m AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND) AS bucket, s.cluster AS `cluster`, s.scheduler AS `scheduler`, s.queue AS `queue`, s.project AS `project`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.node) AS `node`, sum(toUInt64(s.allocated_gpus) * s.interval_ms) AS `allocated_gpus_wsum`, sumIf(s.interval_ms, s.allocated_gpus IS NOT NULL) AS `allocated_gpus_cover_ms`, sum(toUInt64(s.quota_gpus) * s.interval_ms) AS `quota_gpus_wsum`, sumIf(s.interval_ms, s.quota_gpus IS NOT NULL) AS `quota_gpus_cover_ms`, sum(toUInt64(s.idle_gpus) * s.interval_ms) AS `idle_gpus_wsum`, sumIf(s.interval_ms, s.idle_gpus IS NOT NULL) AS `idle_gpus_cover_ms`, sum(toUInt64(s.utilization_pct) * s.interval_ms) AS `utilization_pct_wsum`, sumIf(s.interval_ms, s.utilization_pct IS NOT NULL) AS `utilization_pct_cover_ms`, sum(toUInt64(s.pending_workloads) * s.interval_ms) AS `pending_workloads_wsum`, sumIf(s.interval_ms, s.pending_workloads IS NOT NULL) AS `pending_workloads_cover_ms`, sum(toUInt64(s.admitted_workloads) * s.interval_ms) AS `admitted_workloads_wsum`, sumIf(s.interval_ms, s.admitted_workloads IS NOT NULL) AS `admitted_workloads_cover_ms`, min(s.evicted_workloads) AS `evicted_workloads_min`, max(s.evicted_workloads) AS `evicted_workloads_max`
FROM queue_samples AS s GROUP BY bucket, cluster, scheduler, queue, project, epoch);

CREATE OR REPLACE VIEW v_queue_samples_1m AS
SELECT ts, cluster, scheduler, queue, project, least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds, anyLast(s.node) AS node, sum(s.allocated_gpus_wsum) / nullIf(sum(s.allocated_gpus_cover_ms), 0) / 1000 AS allocated_gpus, sum(s.quota_gpus_wsum) / nullIf(sum(s.quota_gpus_cover_ms), 0) / 1000 AS quota_gpus, sum(s.idle_gpus_wsum) / nullIf(sum(s.idle_gpus_cover_ms), 0) / 1000 AS idle_gpus, sum(s.utilization_pct_wsum) / nullIf(sum(s.utilization_pct_cover_ms), 0) / 100 AS utilization_ratio, sum(s.pending_workloads_wsum) / nullIf(sum(s.pending_workloads_cover_ms), 0) AS pending_workloads, sum(s.admitted_workloads_wsum) / nullIf(sum(s.admitted_workloads_cover_ms), 0) AS admitted_workloads, min(s.evicted_workloads_min) AS evicted_workloads_first, max(s.evicted_workloads_max) AS evicted_workloads_last
FROM queue_samples_1m AS s GROUP BY ts, cluster, scheduler, queue, project;

CREATE TABLE IF NOT EXISTS queue_samples_1h (
  `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  `cluster` LowCardinality(String) CODEC(ZSTD(1)),
  `scheduler` LowCardinality(String) CODEC(ZSTD(1)),
  `queue` LowCardinality(String) CODEC(ZSTD(1)),
  `project` LowCardinality(String) CODEC(ZSTD(1)),
  `epoch` UInt32 CODEC(ZSTD(1)),
  `interval_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `node` SimpleAggregateFunction(anyLast, LowCardinality(String)) CODEC(ZSTD(1)),
  `allocated_gpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `allocated_gpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `quota_gpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `quota_gpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `idle_gpus_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `idle_gpus_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `utilization_pct_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `utilization_pct_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `pending_workloads_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `pending_workloads_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `admitted_workloads_wsum` SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(ZSTD(1)),
  `admitted_workloads_cover_ms` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  `evicted_workloads_min` SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
  `evicted_workloads_max` SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree PARTITION BY toYear(ts)
PRIMARY KEY (scheduler, queue, project) ORDER BY (scheduler, queue, project, ts, cluster, epoch)
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS queue_samples_1h_mv TO queue_samples_1h AS
SELECT bucket AS ts, * EXCEPT (bucket) FROM (
SELECT toStartOfHour(s.ts) AS bucket, s.cluster AS `cluster`, s.scheduler AS `scheduler`, s.queue AS `queue`, s.project AS `project`, s.epoch AS `epoch`, sum(s.interval_ms) AS `interval_ms`, anyLast(s.node) AS `node`, sum(s.allocated_gpus_wsum) AS `allocated_gpus_wsum`, sum(s.allocated_gpus_cover_ms) AS `allocated_gpus_cover_ms`, sum(s.quota_gpus_wsum) AS `quota_gpus_wsum`, sum(s.quota_gpus_cover_ms) AS `quota_gpus_cover_ms`, sum(s.idle_gpus_wsum) AS `idle_gpus_wsum`, sum(s.idle_gpus_cover_ms) AS `idle_gpus_cover_ms`, sum(s.utilization_pct_wsum) AS `utilization_pct_wsum`, sum(s.utilization_pct_cover_ms) AS `utilization_pct_cover_ms`, sum(s.pending_workloads_wsum) AS `pending_workloads_wsum`, sum(s.pending_workloads_cover_ms) AS `pending_workloads_cover_ms`, sum(s.admitted_workloads_wsum) AS `admitted_workloads_wsum`, sum(s.admitted_workloads_cover_ms) AS `admitted_workloads_cover_ms`, min(s.evicted_workloads_min) AS `evicted_workloads_min`, max(s.evicted_workloads_max) AS `evicted_workloads_max`
FROM queue_samples_1m AS s GROUP BY bucket, cluster, scheduler, queue, project, epoch);

CREATE OR REPLACE VIEW v_queue_samples_1h AS
SELECT ts, cluster, scheduler, queue, project, least(sum(s.interval_ms), 3600000) / 1000 AS covered_seconds, anyLast(s.node) AS node, sum(s.allocated_gpus_wsum) / nullIf(sum(s.allocated_gpus_cover_ms), 0) / 1000 AS allocated_gpus, sum(s.quota_gpus_wsum) / nullIf(sum(s.quota_gpus_cover_ms), 0) / 1000 AS quota_gpus, sum(s.idle_gpus_wsum) / nullIf(sum(s.idle_gpus_cover_ms), 0) / 1000 AS idle_gpus, sum(s.utilization_pct_wsum) / nullIf(sum(s.utilization_pct_cover_ms), 0) / 100 AS utilization_ratio, sum(s.pending_workloads_wsum) / nullIf(sum(s.pending_workloads_cover_ms), 0) AS pending_workloads, sum(s.admitted_workloads_wsum) / nullIf(sum(s.admitted_workloads_cover_ms), 0) AS admitted_workloads, min(s.evicted_workloads_min) AS evicted_workloads_first, max(s.evicted_workloads_max) AS evicted_workloads_last
FROM queue_samples_1h AS s GROUP BY ts, cluster, scheduler, queue, project;

CREATE OR REPLACE VIEW v_queue_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, scheduler AS scheduler, queue AS queue, project AS project, allocated_gpus / 1000 AS allocated_gpus, quota_gpus / 1000 AS quota_gpus, idle_gpus / 1000 AS idle_gpus, utilization_pct / 100 AS utilization_ratio, pending_workloads AS pending_workloads, admitted_workloads AS admitted_workloads, evicted_workloads AS evicted_workloads FROM queue_samples;

CREATE OR REPLACE VIEW v_source_runs AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, source AS source, runs AS runs, failures AS failures, rows AS rows, duration_ms / 1000 AS duration_seconds, duration_ms_max / 1000 AS duration_seconds_max, reason AS reason FROM source_runs;

CREATE OR REPLACE VIEW v_agent_samples AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, cpu_ms / 1000 AS cpu_seconds, memory_mib * 1048576 / 1 AS memory_bytes, waiting_entries AS waiting_entries, waiting_mib * 1048576 / 1 AS waiting_bytes, oldest_waiting_ms / 1000 AS oldest_waiting_seconds FROM agent_samples;

CREATE OR REPLACE VIEW v_spool_losses AS
SELECT ts AS ts, interval_ms / 1000 AS interval_seconds, cluster AS cluster, node AS node, epoch AS epoch, of AS of, dropped_rows AS dropped_rows, rejected_rows AS rejected_rows FROM spool_losses;

CREATE OR REPLACE VIEW v_missing_values AS
SELECT cluster AS cluster, node AS node, source AS source, subject AS subject, reading AS reading, reason AS reason, detail AS detail, seen_at AS seen_at, version AS version FROM missing_values FINAL;

CREATE OR REPLACE VIEW v_assets AS
SELECT gpu_id AS gpu_id, asset_id AS asset_id, cluster AS cluster, node AS node, slot AS slot, model AS model, pool AS pool, valid_from AS valid_from, valid_to AS valid_to, version AS version FROM assets FINAL;

CREATE OR REPLACE VIEW v_gpus AS
SELECT gpu_id AS gpu_id, cluster AS cluster, node AS node, slot AS slot, uuid AS uuid, serial AS serial, model AS model, memory_mib * 1048576 / 1 AS memory_bytes, driver AS driver, vendor AS vendor, parent AS parent, profile AS profile, entitlement_milli AS entitlement_milli, mig AS mig, pci AS pci, numa AS numa, nvlink_domain AS nvlink_domain, rack AS rack, part_number AS part_number, vbios AS vbios, seen_at AS seen_at, version AS version FROM gpus FINAL;

CREATE OR REPLACE VIEW v_gpu_links AS
SELECT cluster AS cluster, node AS node, slot AS slot, peer AS peer, path AS path, nvlinks AS nvlinks, seen_at AS seen_at, version AS version FROM gpu_links FINAL;

CREATE OR REPLACE VIEW v_allocations AS
SELECT gpu_id AS gpu_id, alloc_id AS alloc_id, job_id AS job_id, cluster AS cluster, node AS node, share_milli AS share_milli, valid_from AS valid_from, valid_to AS valid_to, source AS source, slice AS slice, seen_at AS seen_at, version AS version FROM allocations FINAL;

CREATE OR REPLACE VIEW v_jobs AS
SELECT job_id AS job_id, cluster AS cluster, name AS name, user AS user, team AS team, pool AS pool, state AS state, reason AS reason, nodes AS nodes, gpus_per_node AS gpus_per_node, cpu_milli AS cpu_milli, memory_mib * 1048576 / 1 AS memory_bytes, gpu_model AS gpu_model, priority AS priority, kind AS kind, qos AS qos, preemptible AS preemptible, reservation AS reservation, gang AS gang, constraints AS constraints, share_milli AS share_milli, restart AS restart, submitted AS submitted, eligible AS eligible, started AS started, ended AS ended, ends_by AS ends_by, seen_at AS seen_at, version AS version FROM jobs FINAL;

CREATE OR REPLACE VIEW v_node_states AS
SELECT cluster AS cluster, node AS node, scheduler AS scheduler, state AS state, reason AS reason, pools AS pools, gpus AS gpus, gpu_model AS gpu_model, shares AS shares, labels AS labels, taints AS taints, rack AS rack, cpu_milli AS cpu_milli, memory_mib * 1048576 / 1 AS memory_bytes, valid_from AS valid_from, valid_to AS valid_to, seen_at AS seen_at, version AS version FROM node_states FINAL;

CREATE OR REPLACE VIEW v_pools AS
SELECT cluster AS cluster, pool AS pool, scheduler AS scheduler, state AS state, nodes AS nodes, priority AS priority, longest_seconds AS longest_seconds, preemptible AS preemptible, seen_at AS seen_at, version AS version FROM pools FINAL;

CREATE OR REPLACE VIEW v_reservations AS
SELECT cluster AS cluster, reservation AS reservation, scheduler AS scheduler, nodes AS nodes, users AS users, teams AS teams, pool AS pool, flags AS flags, valid_from AS valid_from, valid_to AS valid_to, seen_at AS seen_at, version AS version FROM reservations FINAL;

CREATE OR REPLACE VIEW v_quotas AS
SELECT cluster AS cluster, scheduler AS scheduler, team AS team, queue AS queue, gpu_model AS gpu_model, guaranteed_milli AS guaranteed_milli, limit_milli AS limit_milli, parent AS parent, seen_at AS seen_at, version AS version FROM quotas FINAL;

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
  if(c.alloc_id = 0, '', j.user) AS user,
  multiIf(c.alloc_id = 0, '', j.job_id = '', 'unmapped', j.team) AS team,
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
  if(c.alloc_id = 0, '', j.user) AS user,
  multiIf(c.alloc_id = 0, '', j.job_id = '', 'unmapped', j.team) AS team,
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
