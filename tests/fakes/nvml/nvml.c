/* A fake libnvidia-ml.so.1: the entry points that nvidia-ml-py looks up, answered from a scenario. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define NUMBER(key) number(&view.gpu, key)

nvmlReturn_t give_text(const char *text, char *buffer, unsigned size) {
    if (strlen(text) >= size) return INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return OK;
}

/* ---- library and driver ---- */

API nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    return world_start();
}

API nvmlShutdown(void) { return world_stop(); }

static const struct {
    nvmlReturn_t status;
    const char *text;
} ERRORS[] = {
    {OK, "Success"},
    {UNINITIALIZED, "Uninitialized"},
    {INVALID_ARGUMENT, "Invalid Argument"},
    {NOT_SUPPORTED, "Not Supported"},
    {NO_PERMISSION, "Insufficient Permissions"},
    {NOT_FOUND, "Not Found"},
    {INSUFFICIENT_SIZE, "Insufficient Size"},
    {DRIVER_NOT_LOADED, "Driver Not Loaded"},
    {GPU_IS_LOST, "GPU is lost"},
    {RESET_REQUIRED, "GPU requires reset"},
    {VERSION_MISMATCH, "Argument version mismatch"},
};

__attribute__((visibility("default"))) const char *nvmlErrorString(nvmlReturn_t status) {
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (ERRORS[i].status == status) return ERRORS[i].text;
    return "Unknown Error";
}

API nvmlSystemGetDriverVersion(char *buffer, unsigned size) {
    struct world world;
    nvmlReturn_t status = world_read(&world);
    return status != OK ? status : give_text(world.driver_version, buffer, size);
}

API nvmlSystemGetNVMLVersion(char *buffer, unsigned size) {
    struct world world;
    nvmlReturn_t status = world_read(&world);
    return status != OK ? status : give_text(world.nvml_version, buffer, size);
}

API nvmlSystemGetCudaDriverVersion(int *version) {
    struct world world;
    nvmlReturn_t status = world_read(&world);
    if (status == OK) *version = (int)world.cuda_version;
    return status;
}

API nvmlDeviceGetCount_v2(unsigned *count) {
    struct world world;
    nvmlReturn_t status = world_read(&world);
    if (status == OK) *count = (unsigned)world.count;
    return status;
}

/* ---- identity ---- */

API nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    if (index >= MAX_GPUS) return INVALID_ARGUMENT;
    ENTER(world_handle(index));
    *device = world_handle(index);
    return OK;
}

API nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    struct world world;
    nvmlReturn_t status = world_read(&world);
    if (status != OK) return status;
    for (unsigned i = 0; i < (unsigned)world.count; i++) {
        struct view view;
        status = world_enter(world_handle(i), __func__, &view);
        if (strcmp(view.gpu.uuid, uuid) != 0) continue;
        if (status == OK) *device = world_handle(i);
        return status;
    }
    return NOT_FOUND;
}

API nvmlDeviceGetUUID(nvmlDevice_t device, char *buffer, unsigned size) {
    ENTER(device);
    return give_text(view.slice ? view.slice->uuid : view.gpu.uuid, buffer, size);
}

API nvmlDeviceGetSerial(nvmlDevice_t device, char *buffer, unsigned size) {
    ENTER(device);
    return give_text(view.gpu.serial, buffer, size);
}

API nvmlDeviceGetName(nvmlDevice_t device, char *buffer, unsigned size) {
    ENTER(device);
    if (view.slice == NULL) return give_text(view.gpu.name, buffer, size);
    char name[2 * TEXT + 8];
    snprintf(name, sizeof name, "%s MIG %s", view.gpu.name, view.slice->profile);
    return give_text(name, buffer, size);
}

API nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) {
    ENTER(device);
    *minor = (unsigned)NUMBER("minor");
    return OK;
}

API nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    ENTER(device);
    *index = view.index;
    return OK;
}

API nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, pci_info_t *pci) {
    ENTER(device);
    memset(pci, 0, sizeof *pci);
    if (sscanf(view.gpu.bus_id, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device) != 3)
        return UNKNOWN;
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:%02X.0", pci->domain, pci->bus,
             pci->device);
    snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "%04X:%02X:%02X.0",
             pci->domain & 0xFFFF, pci->bus & 0xFF, pci->device & 0xFF);
    pci->pci_device_id = 0x233010DE;
    return OK;
}

/* ---- gauges ---- */

API nvmlDeviceGetMemoryInfo(nvmlDevice_t device, memory_t *memory) {
    ENTER(device);
    if (view.slice) {
        *memory = (memory_t){view.slice->memory, view.slice->memory - view.slice->used,
                             view.slice->used};
        return OK;
    }
    memory->total = (unsigned long long)NUMBER("memory_total");
    /* The first version of this call counts the driver's own share as used. */
    memory->used = (unsigned long long)(NUMBER("memory_used") + NUMBER("memory_reserved"));
    memory->free = memory->total - memory->used;
    return OK;
}

API nvmlDeviceGetUtilizationRates(nvmlDevice_t device, utilization_t *utilization) {
    ENTER(device);
    if (NUMBER("mig") == 1) return NOT_SUPPORTED;
    utilization->gpu = (unsigned)NUMBER("utilization");
    utilization->memory = (unsigned)NUMBER("memory_utilization");
    return OK;
}

API nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts) {
    ENTER(device);
    *milliwatts = (unsigned)(view.gpu.rate[POWER_W] * 1000 + 0.5);
    return OK;
}

API nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts) {
    ENTER(device);
    *milliwatts = (unsigned)(NUMBER("power_limit_w") * 1000 + 0.5);
    return OK;
}

API nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *millijoules) {
    ENTER(device);
    *millijoules = (unsigned long long)(view.total[POWER_W] * 1000);
    journal_energy(&view, *millijoules);
    return OK;
}

API nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *celsius) {
    ENTER(device);
    if (sensor != 0) return INVALID_ARGUMENT;
    *celsius = (unsigned)NUMBER("temperature");
    return OK;
}

static double clock_mhz(const struct gpu *gpu, unsigned domain, int maximum) {
    static const char *const KEYS[][2] = {
        {"clock_graphics", "max_clock_graphics"},
        {"clock_sm", "max_clock_sm"},
        {"clock_memory", "max_clock_memory"},
        {"clock_video", "max_clock_video"},
    };
    return domain < 4 ? number(gpu, KEYS[domain][maximum]) : -1;
}

API nvmlDeviceGetClockInfo(nvmlDevice_t device, unsigned domain, unsigned *mhz) {
    ENTER(device);
    double clock = clock_mhz(&view.gpu, domain, 0);
    if (clock < 0) return INVALID_ARGUMENT;
    *mhz = (unsigned)clock;
    return OK;
}

API nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, unsigned domain, unsigned *mhz) {
    ENTER(device);
    double clock = clock_mhz(&view.gpu, domain, 1);
    if (clock < 0) return INVALID_ARGUMENT;
    *mhz = (unsigned)clock;
    return OK;
}

API nvmlDeviceGetPerformanceState(nvmlDevice_t device, unsigned *performance_state) {
    ENTER(device);
    *performance_state = (unsigned)NUMBER("performance_state");
    return OK;
}

API nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons) {
    ENTER(device);
    *reasons = (unsigned long long)NUMBER("clock_reasons");
    return OK;
}

API nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    ENTER(device);
    GIVE(*current = *pending, unsigned, "mig");
}

API nvmlDeviceGetPersistenceMode(nvmlDevice_t device, unsigned *mode) {
    ENTER(device);
    *mode = (unsigned)NUMBER("persistence");
    return OK;
}
