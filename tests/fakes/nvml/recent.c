/* The entry points that came with later drivers; -DOLD_DRIVER leaves this whole file out. */
#include "world.h"

#ifndef OLD_DRIVER

enum { MEMORY_V2 = 0x02000028, TEMPERATURE_V1 = 0x0100000C, MARGIN_V1 = 0x01000008 };

API nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, memory_v2_t *memory) {
    ENTER(device);
    if (memory->version != MEMORY_V2) return VERSION_MISMATCH;
    memory->total = (unsigned long long)number(&view.gpu, "memory_total");
    memory->reserved = (unsigned long long)number(&view.gpu, "memory_reserved");
    memory->used = (unsigned long long)number(&view.gpu, "memory_used");
    memory->free = memory->total - memory->reserved - memory->used;
    return OK;
}

API nvmlDeviceGetTemperatureV(nvmlDevice_t device, temperature_v1_t *temperature) {
    ENTER(device);
    if (temperature->version != TEMPERATURE_V1) return VERSION_MISMATCH;
    if (temperature->sensor != 0) return INVALID_ARGUMENT;
    temperature->temperature = (int)number(&view.gpu, "temperature");
    return OK;
}

API nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons) {
    ENTER(device);
    *reasons = (unsigned long long)number(&view.gpu, "clock_reasons");
    return OK;
}

API nvmlDeviceGetMarginTemperature(nvmlDevice_t device, margin_t *margin) {
    ENTER(device);
    if (margin->version != MARGIN_V1) return VERSION_MISMATCH;
    GIVE(margin->celsius, int, "margin");
}

API nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                            process_info_t *out) {
    ENTER(device);
    return give_processes(&view, COMPUTE, count, out);
}

API nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                             process_info_t *out) {
    ENTER(device);
    return give_processes(&view, GRAPHICS_WORK, count, out);
}

API nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                               process_info_t *out) {
    ENTER(device);
    return give_processes(&view, MPS, count, out);
}

#endif
