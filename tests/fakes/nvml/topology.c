/* Where a card sits: PCIe ancestors, NVLink peers, fabric and platform. */
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { SINGLE = 10, NODE = 40, SYSTEM = 50, GPU = 0, SWITCH = 2 };
enum { FABRIC_V2 = 0x02000024, PLATFORM_V2 = 0x0200002c };

API nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t one, nvmlDevice_t other, unsigned *level) {
    ENTER(one);
    struct view that;
    nvmlReturn_t status = world_enter(other, __func__, &that);
    if (status != OK) return status;
    if (number(&view.gpu, "pci_switch") == number(&that.gpu, "pci_switch")) *level = SINGLE;
    else *level = number(&view.gpu, "numa") == number(&that.gpu, "numa") ? NODE : SYSTEM;
    return OK;
}

API nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned link, unsigned *type) {
    ENTER(device);
    if (link >= number(&view.gpu, "nvlinks_up")) return NOT_SUPPORTED;
    *type = number(&view.gpu, "nvlink_peer") < 0 ? SWITCH : GPU;
    return OK;
}

API nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned link, pci_info_t *pci) {
    ENTER(device);
    double peer = number(&view.gpu, "nvlink_peer");
    if (link >= number(&view.gpu, "nvlinks_up") || peer < 0) return NOT_SUPPORTED;
    struct view that;
    nvmlReturn_t status = world_enter(world_handle((unsigned)peer), __func__, &that);
    if (status != OK) return status;
    memset(pci, 0, sizeof *pci);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%s", that.gpu.bus_id);
    return OK;
}

#ifndef OLD_DRIVER

API nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned *node) {
    ENTER(device);
    GIVE(*node, unsigned, "numa");
}

API nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, fabric_t *fabric) {
    ENTER(device);
    if (fabric->version != FABRIC_V2) return VERSION_MISMATCH;
    if (number(&view.gpu, "fabric_state") < 0) return NOT_SUPPORTED;
    fabric->state = (uint8_t)number(&view.gpu, "fabric_state");
    fabric->clique = (uint32_t)number(&view.gpu, "fabric_clique");
    fabric->status = OK;
    for (int i = 0; i < 16; i++) {
        unsigned byte = 0;
        sscanf(view.gpu.fabric + 2 * i, "%2x", &byte);
        fabric->cluster[i] = (uint8_t)byte;
    }
    return OK;
}

API nvmlDeviceGetPlatformInfo(nvmlDevice_t device, platform_t *platform) {
    ENTER(device);
    if (platform->version != PLATFORM_V2) return VERSION_MISMATCH;
    if (view.gpu.chassis[0] == '\0') return NOT_SUPPORTED;
    memset(platform->chassis, 0, sizeof platform->chassis);
    memcpy(platform->chassis, view.gpu.chassis, strnlen(view.gpu.chassis, 16));
    return OK;
}

#endif
