/* Processes: who runs on a card or slice, and how much of it each uses. */
#include "world.h"

nvmlReturn_t give_processes(const struct view *view, enum work work, unsigned *count,
                            process_info_t *out) {
    unsigned room = out == NULL ? 0 : *count;
    long wanted = view->slice ? view->slice - view->gpu.slice : -1;
    *count = 0;
    for (unsigned i = 0; i < view->gpu.processes; i++) {
        const struct process *process = &view->gpu.process[i];
        if (process->work != work || (view->slice && process->slice != wanted)) continue;
        if (*count < room)
            out[*count] = (process_info_t){process->pid, process->memory, ~0u, ~0u};
        ++*count;
    }
    return *count > room ? INSUFFICIENT_SIZE : OK;
}

API nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                            process_info_t *out) {
    ENTER(device);
    return give_processes(&view, COMPUTE, count, out);
}

API nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                             process_info_t *out) {
    ENTER(device);
    return give_processes(&view, GRAPHICS_WORK, count, out);
}

API nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                               process_info_t *out) {
    ENTER(device);
    return give_processes(&view, MPS, count, out);
}

API nvmlDeviceGetProcessUtilization(nvmlDevice_t device, process_utilization_t *samples,
                                    unsigned *count, unsigned long long last_seen_us) {
    ENTER(device);
    if (number(&view.gpu, "mig") == 1) return NOT_SUPPORTED;
    unsigned long long now_us = (unsigned long long)(view.now * 1e6);
    unsigned room = samples == NULL ? 0 : *count;
    *count = now_us > last_seen_us ? view.gpu.processes : 0;
    if (*count == 0) return NOT_FOUND;
    if (room < *count) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < *count; i++)
        samples[i] = (process_utilization_t){.pid = view.gpu.process[i].pid,
                                             .timestamp_us = now_us,
                                             .sm = view.gpu.process[i].sm,
                                             .memory = view.gpu.process[i].memory_use};
    return OK;
}
