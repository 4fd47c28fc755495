/* Field values: each has an id, a scope, a type and a return code of its own. */
#include "world.h"

#include <stdio.h>

#ifndef OLD_DRIVER

enum { ALL_LINKS = -1, MODULE = 1, STRANGE_TYPE = 99 };
enum source { FROM_NUMBER, FROM_RATE, FROM_TOTAL };
/* What a scope means: nothing, all links or one (split evenly), one link only (split evenly),
 * one link (everything happened on link 0), or the same for each link that is up. */
enum scope { BOARD, ANY_LINKS, ONE_LINK, LINK_ZERO, EACH_LINK };

struct field {
    unsigned id;
    enum source source;
    const char *number;
    enum rate rate;
    double factor;
    unsigned type;
    enum scope scope;
    int nvlink_from, nvlink_to; /* generations of NVLink that tell it; 0 = does not matter */
};

#define NUMBER_FIELD(id, name, type) {id, FROM_NUMBER, name, 0, 1, type, BOARD, 0, 0}
#define ULL TYPE_ULONGLONG

enum { ENERGY = 83 };

static const struct field FIELDS[] = {
    NUMBER_FIELD(3, "ecc_sbe_volatile", ULL),
    NUMBER_FIELD(4, "ecc_dbe_volatile", ULL),
    NUMBER_FIELD(5, "ecc_sbe_aggregate", ULL),
    NUMBER_FIELD(6, "ecc_dbe_aggregate", ULL),
    NUMBER_FIELD(29, "retired_sbe", ULL),
    NUMBER_FIELD(30, "retired_dbe", ULL),
    NUMBER_FIELD(74, "throttle_power_ns", ULL),
    NUMBER_FIELD(75, "throttle_thermal_ns", ULL),
    NUMBER_FIELD(76, "throttle_sync_ns", ULL),
    NUMBER_FIELD(77, "throttle_board_ns", ULL),
    NUMBER_FIELD(78, "throttle_low_ns", ULL),
    NUMBER_FIELD(79, "throttle_reliability_ns", ULL),
    NUMBER_FIELD(82, "memory_temperature", TYPE_UINT),
    {ENERGY, FROM_TOTAL, NULL, POWER_W, 1000, ULL, BOARD, 0, 0},
    NUMBER_FIELD(91, "nvlinks", TYPE_UINT),
    NUMBER_FIELD(94, "pcie_replays", TYPE_UINT),
    {138, FROM_TOTAL, NULL, NVLINK_TX_BYTES, 1.0 / 1024, ULL, ANY_LINKS, 1, 4},
    {139, FROM_TOTAL, NULL, NVLINK_RX_BYTES, 1.0 / 1024, ULL, ANY_LINKS, 1, 4},
    NUMBER_FIELD(142, "remapped_correctable", TYPE_UINT),
    NUMBER_FIELD(143, "remapped_uncorrectable", TYPE_UINT),
    NUMBER_FIELD(144, "remapped_pending", TYPE_UINT),
    NUMBER_FIELD(145, "remapped_failure", TYPE_UINT),
    {161, FROM_NUMBER, "nvlink_replays", 0, 1, ULL, LINK_ZERO, 1, 4},
    {162, FROM_NUMBER, "nvlink_recoveries", 0, 1, ULL, LINK_ZERO, 1, 4},
    {163, FROM_NUMBER, "nvlink_crc", 0, 1, ULL, LINK_ZERO, 1, 4},
    {164, FROM_NUMBER, "nvlink_mbps", 0, 1, TYPE_UINT, EACH_LINK, 1, 9},
    {165, FROM_NUMBER, "nvlinks_up", 0, 1, TYPE_UINT, LINK_ZERO, 1, 9},
    NUMBER_FIELD(173, "pcie_correctable", TYPE_UINT),
    NUMBER_FIELD(179, "pcie_nonfatal", TYPE_UINT),
    NUMBER_FIELD(180, "pcie_fatal", TYPE_UINT),
    {185, FROM_RATE, NULL, POWER_W, 1000, TYPE_UINT, BOARD, 0, 0},
    {186, FROM_RATE, NULL, POWER_W, 1000, TYPE_UINT, BOARD, 0, 0},
    {190, FROM_NUMBER, "power_limit_w", 0, 1000, TYPE_UINT, BOARD, 0, 0},
    {197, FROM_TOTAL, NULL, PCIE_TX_BYTES, 1, ULL, BOARD, 0, 0},
    {198, FROM_TOTAL, NULL, PCIE_RX_BYTES, 1, ULL, BOARD, 0, 0},
    {202, FROM_TOTAL, NULL, NVLINK_TX_BYTES, 1, ULL, ONE_LINK, 5, 9},
    {204, FROM_TOTAL, NULL, NVLINK_RX_BYTES, 1, ULL, ONE_LINK, 5, 9},
    {215, FROM_NUMBER, "nvlink_recoveries", 0, 1, ULL, LINK_ZERO, 5, 9},
    {221, FROM_NUMBER, "nvlink_symbols", 0, 1, ULL, LINK_ZERO, 5, 9},
    NUMBER_FIELD(230, "recovery_action", TYPE_UINT),
    NUMBER_FIELD(269, "throttle_sw_thermal_ns", ULL),
    NUMBER_FIELD(270, "throttle_hw_thermal_ns", ULL),
    NUMBER_FIELD(271, "throttle_brake_ns", ULL),
};

static const struct field *find_field(unsigned id) {
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (FIELDS[i].id == id) return &FIELDS[i];
    return NULL;
}

/* The value, or less than 0 where this card does not tell it. */
static double field_value(const struct view *view, const struct field *field, uint32_t scope) {
    const struct gpu *gpu = &view->gpu;
    double links = number(gpu, "nvlinks"), version = number(gpu, "nvlink_version");
    double value = field->source == FROM_NUMBER ? number(gpu, field->number)
                   : field->source == FROM_RATE ? gpu->rate[field->rate]
                                                : view->total[field->rate];
    int all = scope == (uint32_t)ALL_LINKS;
    if (field->id == 186 && scope == MODULE) return number(gpu, "module_power_w") * field->factor;
    if (field->id >= 142 && field->id <= 145 && number(gpu, "mig") == 1) return -1;
    if (field->nvlink_from && (version < field->nvlink_from || version > field->nvlink_to))
        return -1;
    if (field->id == 165) return scope < links ? scope < value : -1;
    switch (field->scope) {
    case BOARD: return value < 0 ? -1 : value * field->factor;
    case ANY_LINKS: return (all ? value : scope < links ? value / links : -1) * field->factor;
    case ONE_LINK: return scope < links ? value / links * field->factor : -1;
    case LINK_ZERO: return scope < links ? (scope == 0 ? value : 0) : -1;
    default: return scope < number(gpu, "nvlinks_up") ? value : -1;
    }
}

static void fill_field(const struct view *view, field_value_t *out) {
    const struct field *field = find_field(out->field_id);
    char name[16];
    snprintf(name, sizeof name, "field:%u", out->field_id);
    out->timestamp_us = (int64_t)(view->now * 1e6);
    out->latency_us = 5;
    out->value.ull = 0;
    out->status = lists(view->gpu.no_permission, name) ? NO_PERMISSION : NOT_SUPPORTED;
    if (field == NULL || out->status == NO_PERMISSION) return;
    if (lists(view->gpu.not_supported, name)) return;
    double value = field_value(view, field, out->scope_id);
    if (value < 0) return;
    out->status = OK;
    out->value_type = lists(view->gpu.malformed, name) ? STRANGE_TYPE : field->type;
    if (field->type == TYPE_UINT) out->value.ui = (uint32_t)(value + 0.5);
    else out->value.ull = (unsigned long long)value;
    if (field->id == ENERGY) journal_energy(view, out->value.ull);
}

API nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, field_value_t *values) {
    ENTER(device);
    for (int i = 0; i < count; i++) fill_field(&view, &values[i]);
    return OK;
}

#endif
