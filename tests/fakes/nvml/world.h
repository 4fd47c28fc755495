/* What the scenario file says, as a pure function of the file and the time. */
#ifndef FAKE_NVML_WORLD_H
#define FAKE_NVML_WORLD_H

#include "nvml.h"

#define MAX_GPUS 16
#define MAX_PROCESSES 32
#define TEXT 96
#define SYMBOLS 1024

/* Quantities with a rate; `<name>` is the rate, `<name>_total` its integral at time `at`. */
enum rate {
    POWER_W,
    GRAPHICS,
    SM,
    OCCUPANCY,
    TENSOR,
    DRAM,
    FP64,
    FP32,
    FP16,
    PCIE_TX_BYTES,
    PCIE_RX_BYTES,
    NVLINK_TX_BYTES,
    NVLINK_RX_BYTES,
    RATES,
};

struct process {
    unsigned pid, sm;
    unsigned long long memory;
    int graphics;
};

struct gpu {
    char uuid[TEXT], serial[TEXT], name[TEXT], bus_id[TEXT], state[TEXT];
    char not_supported[SYMBOLS], no_permission[SYMBOLS], stall_call[TEXT];
    double number[64];
    double rate[RATES], total[RATES];
    struct process process[MAX_PROCESSES];
    unsigned processes;
};

/* Plain numbers of a GPU, read with number(gpu, "key"). */
double number(const struct gpu *gpu, const char *key);

struct world {
    char driver_version[TEXT], nvml_version[TEXT], tick_call[TEXT];
    double at, cuda_version, count, init_error;
    struct gpu gpu[MAX_GPUS];
};

/* One GPU as one call sees it. */
struct view {
    struct gpu gpu;
    unsigned index;
    double now;
    double total[RATES];
};

double wall_clock(void);
nvmlReturn_t world_start(void);
nvmlReturn_t world_stop(void);
nvmlReturn_t world_read(struct world *out);
nvmlReturn_t world_enter(nvmlDevice_t device, const char *call, struct view *out);
nvmlDevice_t world_handle(unsigned index);
int lists(const char *symbols, const char *call);

#define API __attribute__((visibility("default"))) nvmlReturn_t

/* Declares `view` and leaves the calling entry point when the world refuses the call. */
#define ENTER(device)                                             \
    struct view view;                                             \
    {                                                             \
        nvmlReturn_t status = world_enter(device, __func__, &view); \
        if (status != OK) return status;                          \
    }

#endif
