/* The entry points that came with later drivers; -DOLD_DRIVER leaves this whole file out. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#ifndef OLD_DRIVER

enum { ALL_LINKS = -1, NVLINKS = 18, MEMORY_V2 = 0x02000028, TEMPERATURE_V1 = 0x0100000C };

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

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t, unsigned *, process_info_t *);
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t, unsigned *, process_info_t *);

API nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                            process_info_t *out) {
    ENTER(device);
    return nvmlDeviceGetComputeRunningProcesses_v2(device, count, out);
}

API nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                             process_info_t *out) {
    ENTER(device);
    return nvmlDeviceGetGraphicsRunningProcesses_v2(device, count, out);
}

/* ---- field values ---- */

enum source { FROM_NUMBER, FROM_RATE, FROM_TOTAL };

struct field {
    unsigned id;
    enum source source;
    const char *number;
    enum rate rate;
    double factor;
    unsigned type;
    int by_link;
};

static const struct field FIELDS[] = {
    {3, FROM_NUMBER, "ecc_sbe_volatile", 0, 1, TYPE_ULONGLONG, 0},
    {4, FROM_NUMBER, "ecc_dbe_volatile", 0, 1, TYPE_ULONGLONG, 0},
    {5, FROM_NUMBER, "ecc_sbe_aggregate", 0, 1, TYPE_ULONGLONG, 0},
    {6, FROM_NUMBER, "ecc_dbe_aggregate", 0, 1, TYPE_ULONGLONG, 0},
    {82, FROM_NUMBER, "memory_temperature", 0, 1, TYPE_UINT, 0},
    {83, FROM_TOTAL, NULL, POWER_W, 1000, TYPE_ULONGLONG, 0},
    {138, FROM_TOTAL, NULL, NVLINK_TX_BYTES, 1.0 / 1024, TYPE_ULONGLONG, 1},
    {139, FROM_TOTAL, NULL, NVLINK_RX_BYTES, 1.0 / 1024, TYPE_ULONGLONG, 1},
    {142, FROM_NUMBER, "remapped_correctable", 0, 1, TYPE_UINT, 0},
    {143, FROM_NUMBER, "remapped_uncorrectable", 0, 1, TYPE_UINT, 0},
    {144, FROM_NUMBER, "remapped_pending", 0, 1, TYPE_UINT, 0},
    {145, FROM_NUMBER, "remapped_failure", 0, 1, TYPE_UINT, 0},
    {185, FROM_RATE, NULL, POWER_W, 1000, TYPE_UINT, 0},
    {186, FROM_RATE, NULL, POWER_W, 1000, TYPE_UINT, 0},
    {190, FROM_NUMBER, "power_limit_w", 0, 1000, TYPE_UINT, 0},
    {197, FROM_TOTAL, NULL, PCIE_TX_BYTES, 1, TYPE_ULONGLONG, 0},
    {198, FROM_TOTAL, NULL, PCIE_RX_BYTES, 1, TYPE_ULONGLONG, 0},
    {230, FROM_NUMBER, "recovery_action", 0, 1, TYPE_UINT, 0},
};

static const struct field *find_field(unsigned id) {
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (FIELDS[i].id == id) return &FIELDS[i];
    return NULL;
}

static double field_number(const struct view *view, const struct field *field, uint32_t scope) {
    double value = field->source == FROM_NUMBER ? number(&view->gpu, field->number)
                   : field->source == FROM_RATE ? view->gpu.rate[field->rate]
                                                : view->total[field->rate];
    /* Traffic is spread evenly over the links. */
    if (field->by_link && scope != (uint32_t)ALL_LINKS) value /= NVLINKS;
    return value * field->factor;
}

static void fill_field(const struct view *view, field_value_t *out) {
    const struct field *field = find_field(out->field_id);
    out->timestamp_us = (int64_t)(view->now * 1e6);
    out->latency_us = 5;
    out->value.ull = 0;
    out->status = NOT_SUPPORTED;
    if (field == NULL || strcmp(view->gpu.not_supported, "all") == 0) return;
    double value = field_number(view, field, out->scope_id);
    out->status = OK;
    out->value_type = field->type;
    if (field->type == TYPE_UINT) out->value.ui = (uint32_t)(value + 0.5);
    else out->value.ull = (unsigned long long)value;
}

API nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, field_value_t *values) {
    ENTER(device);
    for (int i = 0; i < count; i++) fill_field(&view, &values[i]);
    return OK;
}

/* ---- GPM: a metric is the difference of two integrals over the time between two samples ---- */

struct gpm_sample {
    double at;
    double total[RATES];
};

static const struct {
    unsigned id;
    enum rate rate;
    double factor;
} METRICS[] = {
    {1, GRAPHICS, 100},
    {2, SM, 100},
    {3, OCCUPANCY, 100},
    {5, TENSOR, 100},
    /* This card's tensor work is nine tenths half precision, the rest integer. */
    {7, TENSOR, 90},
    {9, TENSOR, 10},
    {10, DRAM, 100},
    {11, FP64, 100},
    {12, FP32, 100},
    {13, FP16, 100},
    {20, PCIE_TX_BYTES, 1.0 / (1 << 20)},
    {21, PCIE_RX_BYTES, 1.0 / (1 << 20)},
    {60, NVLINK_RX_BYTES, 1.0 / (1 << 20)},
    {61, NVLINK_TX_BYTES, 1.0 / (1 << 20)},
};

API nvmlGpmQueryDeviceSupport(nvmlDevice_t device, gpm_support_t *support) {
    ENTER(device);
    if (support->version != 1) return VERSION_MISMATCH;
    int poor = lists(view.gpu.not_supported, "all");
    support->is_supported = !poor && number(&view.gpu, "gpm") != 0;
    return OK;
}

API nvmlGpmSampleAlloc(void **sample) {
    *sample = calloc(1, sizeof(struct gpm_sample));
    return *sample == NULL ? UNKNOWN : OK;
}

API nvmlGpmSampleFree(void *sample) {
    free(sample);
    return OK;
}

API nvmlGpmSampleGet(nvmlDevice_t device, void *sample) {
    ENTER(device);
    if (number(&view.gpu, "gpm") == 0) return NOT_SUPPORTED;
    struct gpm_sample *out = sample;
    out->at = view.now;
    memcpy(out->total, view.total, sizeof out->total);
    return OK;
}

static void fill_metric(const struct gpm_sample *a, const struct gpm_sample *b,
                        gpm_metric_t *out) {
    out->status = NOT_SUPPORTED;
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        if (METRICS[i].id != out->metric_id) continue;
        enum rate rate = METRICS[i].rate;
        out->value = METRICS[i].factor * (b->total[rate] - a->total[rate]) / (b->at - a->at);
        out->status = OK;
    }
}

API nvmlGpmMetricsGet(gpm_metrics_get_t *get) {
    const struct gpm_sample *a = get->sample1, *b = get->sample2;
    if (get->version != 1) return VERSION_MISMATCH;
    if (a == NULL || b == NULL || a->at <= 0 || b->at <= a->at) return INVALID_ARGUMENT;
    for (unsigned i = 0; i < get->count; i++) fill_metric(a, b, &get->metrics[i]);
    return OK;
}

#endif
