/* The part of NVML's ABI that the fake answers; layouts follow nvidia-ml-py's pynvml.py. */
#ifndef FAKE_NVML_H
#define FAKE_NVML_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned int nvmlReturn_t;
typedef void *nvmlDevice_t;

enum {
    OK = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    RESET_REQUIRED = 16,
    VERSION_MISMATCH = 25,
    UNKNOWN = 999,
};

enum { TYPE_UINT = 1, TYPE_ULONGLONG = 3 };

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} pci_info_t;

typedef struct {
    unsigned long long total, free, used;
} memory_t;

typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used;
} memory_v2_t;

typedef struct {
    unsigned gpu, memory;
} utilization_t;

typedef struct {
    unsigned pid;
    unsigned long long used_memory;
    unsigned gpu_instance, compute_instance;
} process_info_t;

typedef struct {
    unsigned pid;
    unsigned long long timestamp_us;
    unsigned sm, memory, encoder, decoder;
} process_utilization_t;

typedef struct {
    unsigned version, sensor;
    int temperature;
} temperature_v1_t;

typedef struct {
    uint32_t field_id, scope_id;
    int64_t timestamp_us, latency_us;
    uint32_t value_type, status;
    union {
        double d;
        uint32_t ui;
        unsigned long long ull;
    } value;
} field_value_t;

typedef struct {
    unsigned metric_id, status;
    double value;
    const char *short_name, *long_name, *unit;
} gpm_metric_t;

typedef struct {
    unsigned version, count;
    void *sample1, *sample2;
    gpm_metric_t metrics[];
} gpm_metrics_get_t;

typedef struct {
    unsigned version, is_supported;
} gpm_support_t;

typedef struct {
    unsigned version;
    int celsius;
} margin_t;

typedef struct {
    unsigned long long reference_us, violation_ns;
} violation_t;

typedef struct {
    unsigned sms, copy_engines, decoders, encoders, jpegs, flows, gpu_slices, compute_slices;
    unsigned long long memory_mib;
} attributes_t;

typedef struct {
    unsigned version;
    uint8_t cluster[16];
    nvmlReturn_t status;
    uint32_t clique;
    uint8_t state;
    uint32_t health;
} fabric_t;

typedef struct {
    unsigned version;
    char ib_guid[16], chassis[16], slot, tray, host, peer, module;
} platform_t;

_Static_assert(sizeof(fabric_t) == 0x24, "nvmlGpuFabricInfo_v2_t");
_Static_assert(sizeof(platform_t) == 0x2c, "nvmlPlatformInfo_v2_t");
_Static_assert(sizeof(attributes_t) == 40, "nvmlDeviceAttributes_t");
_Static_assert(sizeof(pci_info_t) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(memory_v2_t) == 0x28, "nvmlMemory_v2_t");
_Static_assert(sizeof(process_info_t) == 24, "nvmlProcessInfo_v2_t");
_Static_assert(sizeof(process_utilization_t) == 32, "nvmlProcessUtilizationSample_t");
_Static_assert(sizeof(field_value_t) == 40, "nvmlFieldValue_t");
_Static_assert(sizeof(gpm_metric_t) == 40, "nvmlGpmMetric_t");

#endif
