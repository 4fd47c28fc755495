/* GPM: a metric is the difference of two integrals over the time between two samples. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef OLD_DRIVER

#define MIB (1 << 20)
#define CYCLES_PER_S 1.755e9
#define SHORTEST_S 0.1

struct gpm_sample {
    double at;
    double total[RATES];
    int cumulative;
    char refused[TEXT];
    struct slice slice; /* of a whole card: not there */
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
    {20, PCIE_TX_BYTES, 1.0 / MIB},
    {21, PCIE_RX_BYTES, 1.0 / MIB},
    {60, NVLINK_RX_BYTES, 1.0 / MIB},
    {61, NVLINK_TX_BYTES, 1.0 / MIB},
};

/* Cycles since reboot. */
static const struct {
    unsigned id;
    enum rate rate;
    double factor;
} TOTALS[] = {
    {249, SM, 1},   {250, TENSOR, 1}, {252, TENSOR, 0.9}, {253, TENSOR, 0.1},
    {258, FP64, 1}, {259, FP32, 1},   {260, FP16, 1},
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

static void take(const struct view *view, struct gpm_sample *out) {
    out->at = view->now;
    out->cumulative = (int)number(&view->gpu, "gpm_cumulative");
    out->slice.there = 0;
    snprintf(out->refused, sizeof out->refused, "%s", view->gpu.not_supported);
    memcpy(out->total, view->total, sizeof out->total);
}

API nvmlGpmSampleGet(nvmlDevice_t device, void *sample) {
    ENTER(device);
    if (number(&view.gpu, "gpm") == 0) return NOT_SUPPORTED;
    take(&view, sample);
    return OK;
}

API nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned instance, void *sample) {
    ENTER(device);
    if (number(&view.gpu, "gpm") == 0) return NOT_SUPPORTED;
    for (unsigned i = 0; i < MAX_SLICES; i++) {
        const struct slice *slice = &view.gpu.slice[i];
        if (!slice->there || slice->gpu_instance != instance) continue;
        take(&view, sample);
        ((struct gpm_sample *)sample)->slice = *slice;
        return OK;
    }
    return INVALID_ARGUMENT;
}

/* A slice's activity is of its own hardware, and what it is now. */
static int slice_metric(const struct slice *slice, gpm_metric_t *out) {
    switch (out->metric_id) {
    case 2: out->value = 100 * slice->sm; return 1;
    case 3: out->value = 100 * slice->occupancy; return 1;
    case 5: out->value = 100 * slice->tensor; return 1;
    case 10: out->value = 100 * slice->dram; return 1;
    default: return 0;
    }
}

static int window_metric(const struct gpm_sample *a, const struct gpm_sample *b,
                         gpm_metric_t *out) {
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        if (METRICS[i].id != out->metric_id) continue;
        enum rate rate = METRICS[i].rate;
        out->value = METRICS[i].factor * (b->total[rate] - a->total[rate]) / (b->at - a->at);
        return 1;
    }
    return 0;
}

/* `gpm_cumulative`: 0 = an older driver, 1 = right, 2 = a driver that counts nonsense. */
static int total_metric(const struct gpm_sample *b, gpm_metric_t *out) {
    if (b->cumulative == 0) return 0;
    if (out->metric_id == 248) {
        out->value = b->at * CYCLES_PER_S;
        return 1;
    }
    for (size_t i = 0; i < sizeof TOTALS / sizeof *TOTALS; i++) {
        if (TOTALS[i].id != out->metric_id) continue;
        double scale = b->cumulative == 2 ? 0.1 : 1;
        out->value = scale * TOTALS[i].factor * b->total[TOTALS[i].rate] * CYCLES_PER_S;
        return 1;
    }
    return 0;
}

API nvmlGpmMetricsGet(gpm_metrics_get_t *get) {
    const struct gpm_sample *a = get->sample1, *b = get->sample2;
    if (get->version != 1) return VERSION_MISMATCH;
    if (a == NULL || b == NULL || a->at <= 0 || b->at - a->at < SHORTEST_S)
        return INVALID_ARGUMENT;
    for (unsigned i = 0; i < get->count; i++) {
        gpm_metric_t *out = &get->metrics[i];
        int told = b->slice.there ? slice_metric(&b->slice, out)
                                  : window_metric(a, b, out) || total_metric(b, out);
        char name[24];
        snprintf(name, sizeof name, "metric:%u", out->metric_id);
        out->status = told && !lists(b->refused, name) ? OK : NOT_SUPPORTED;
    }
    return OK;
}

#endif
