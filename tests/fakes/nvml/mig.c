/* MIG: slices by index, with holes; a handle stands for whatever slice has its index now. */
#include "world.h"

API nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
    ENTER(device);
    *count = number(&view.gpu, "mig") < 0 ? 0 : 7;
    return OK;
}

API nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *slice) {
    ENTER(device);
    if (number(&view.gpu, "mig") != 1) return NOT_SUPPORTED;
    if (index >= MAX_SLICES) return INVALID_ARGUMENT;
    if (!view.gpu.slice[index].there) return NOT_FOUND;
    *slice = world_slice_handle(view.index, index);
    return OK;
}

API nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id) {
    ENTER(device);
    if (view.slice == NULL) return NOT_SUPPORTED;
    *id = view.slice->gpu_instance;
    return OK;
}

API nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id) {
    ENTER(device);
    if (view.slice == NULL) return NOT_SUPPORTED;
    *id = view.slice->compute_instance;
    return OK;
}

API nvmlDeviceGetAttributes_v2(nvmlDevice_t device, attributes_t *attributes) {
    ENTER(device);
    *attributes = (attributes_t){.sms = (unsigned)number(&view.gpu, "sms")};
    if (view.slice) {
        attributes->sms = view.slice->sms;
        attributes->gpu_slices = (unsigned)(view.slice->profile[0] - '0');
        attributes->memory_mib = view.slice->memory >> 20;
    }
    return OK;
}
