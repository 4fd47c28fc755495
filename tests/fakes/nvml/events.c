/* Events: a scenario's `event=type:data:count:gpu_instance:compute_instance` lines happen at the
 * moment it is written, and are told to the sets that a GPU was registered with before. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT = 10, NO_SLICE = 0xFFFFFFFF };
#ifdef OLD_DRIVER
enum { SUPPORTED = 0x1 | 0x2 | 0x8 };
#else
enum { SUPPORTED = 0xFF9F };
#endif

typedef struct {
    nvmlDevice_t device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
} event_data_t;

struct set {
    unsigned long long types[MAX_GPUS];
    double since[MAX_GPUS];
    double scenario;
    unsigned told[MAX_GPUS][MAX_EVENTS];
};

void add_event(struct gpu *gpu, const char *value) {
    struct event event = {.count = 1, .gpu_instance = NO_SLICE, .compute_instance = NO_SLICE};
    if (gpu->events == MAX_EVENTS) return;
    sscanf(value, "%llu:%llu:%u:%u:%u", &event.type, &event.data, &event.count,
           &event.gpu_instance, &event.compute_instance);
    gpu->event[gpu->events++] = event;
}

API nvmlEventSetCreate(void **set) {
    struct world world;
    nvmlReturn_t status = world_read(&world);
    if (status != OK) return status;
    *set = calloc(1, sizeof(struct set));
    return *set == NULL ? UNKNOWN : OK;
}

API nvmlEventSetFree(void *set) {
    free(set);
    return OK;
}

API nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types) {
    ENTER(device);
    *types = SUPPORTED;
    return OK;
}

API nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, void *set) {
    ENTER(device);
    if (types & ~(unsigned long long)SUPPORTED) return NOT_SUPPORTED;
    struct set *events = set;
    events->types[view.index] |= types;
    events->since[view.index] = view.now;
    return OK;
}

static int tell(struct set *set, const struct view *view, event_data_t *out) {
    for (unsigned i = 0; i < view->gpu.events; i++) {
        const struct event *event = &view->gpu.event[i];
        if (!(set->types[view->index] & event->type)) continue;
        if (set->told[view->index][i] == event->count) continue;
        set->told[view->index][i]++;
        *out = (event_data_t){world_handle(view->index), event->type, event->data,
                              event->gpu_instance, event->compute_instance};
        return 1;
    }
    return 0;
}

API nvmlEventSetWait_v2(void *set, event_data_t *out, unsigned timeout_ms) {
    struct set *events = set;
    struct world world;
    nvmlReturn_t status = world_read(&world);
    (void)timeout_ms;
    if (status != OK) return status;
    if (events->scenario != world.at) memset(events->told, 0, sizeof events->told);
    events->scenario = world.at;
    for (unsigned i = 0; i < (unsigned)world.count; i++) {
        struct view view;
        if (!events->types[i]) continue;
        status = world_enter(world_handle(i), __func__, &view);
        /* What a card told before it was lost is still waiting. */
        if (status != OK && status != GPU_IS_LOST) return status;
        if (world.at > events->since[i] && tell(events, &view, out)) return OK;
        if (status != OK) return status;
    }
    return TIMEOUT;
}
