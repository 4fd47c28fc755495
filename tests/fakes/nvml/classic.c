/* One call for each reading, as drivers had them before field values. */
#include "world.h"

API nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned *percent, unsigned *period_us) {
    ENTER(device);
    *period_us = 167000;
    GIVE(*percent, unsigned, "encoder");
}

API nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned *percent, unsigned *period_us) {
    ENTER(device);
    *period_us = 167000;
    GIVE(*percent, unsigned, "decoder");
}

API nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned kind, unsigned counter,
                                unsigned long long *count) {
    static const char *const KEYS[2][2] = {{"ecc_sbe_volatile", "ecc_sbe_aggregate"},
                                           {"ecc_dbe_volatile", "ecc_dbe_aggregate"}};
    ENTER(device);
    if (kind > 1 || counter > 1) return INVALID_ARGUMENT;
    GIVE(*count, unsigned long long, KEYS[kind][counter]);
}

API nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected,
                              unsigned *pending, unsigned *failed) {
    ENTER(device);
    if (number(&view.gpu, "mig") == 1) return NOT_SUPPORTED;
    *corrected = (unsigned)number(&view.gpu, "remapped_correctable");
    *uncorrected = (unsigned)number(&view.gpu, "remapped_uncorrectable");
    *pending = (unsigned)number(&view.gpu, "remapped_pending");
    GIVE(*failed, unsigned, "remapped_failure");
}

API nvmlDeviceGetPcieReplayCounter(nvmlDevice_t device, unsigned *count) {
    ENTER(device);
    GIVE(*count, unsigned, "pcie_replays");
}

API nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device, unsigned *generation) {
    ENTER(device);
    GIVE(*generation, unsigned, "pcie_generation");
}

API nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned *generation) {
    ENTER(device);
    GIVE(*generation, unsigned, "pcie_generation_max");
}

API nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device, unsigned *width) {
    ENTER(device);
    GIVE(*width, unsigned, "pcie_width");
}

API nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned *width) {
    ENTER(device);
    GIVE(*width, unsigned, "pcie_width_max");
}

API nvmlDeviceGetViolationStatus(nvmlDevice_t device, unsigned policy, violation_t *violation) {
    static const char *const KEYS[] = {
        "throttle_power_ns", "throttle_thermal_ns", "throttle_sync_ns",
        "throttle_board_ns", "throttle_low_ns",     "throttle_reliability_ns",
    };
    ENTER(device);
    if (policy >= sizeof KEYS / sizeof *KEYS) return INVALID_ARGUMENT;
    violation->reference_us = (unsigned long long)(view.now * 1e6);
    GIVE(violation->violation_ns, unsigned long long, KEYS[policy]);
}

API nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned *percent) {
    ENTER(device);
    GIVE(*percent, unsigned, "fan");
}

API nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, unsigned threshold, unsigned *celsius) {
    ENTER(device);
    if (threshold != 1) return NOT_SUPPORTED;
    GIVE(*celsius, unsigned, "slowdown_threshold");
}

API nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned link, unsigned *active) {
    ENTER(device);
    if (link >= number(&view.gpu, "nvlinks")) return INVALID_ARGUMENT;
    *active = link < number(&view.gpu, "nvlinks_up");
    return OK;
}

API nvmlDeviceGetBoardPartNumber(nvmlDevice_t device, char *buffer, unsigned size) {
    ENTER(device);
    return give_text(view.gpu.part_number, buffer, size);
}

API nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char *buffer, unsigned size) {
    ENTER(device);
    return give_text(view.gpu.vbios, buffer, size);
}
