/* What the scenario file says, as a pure function of the file and the time. */
#ifndef FAKE_NVML_WORLD_H
#define FAKE_NVML_WORLD_H

#include "nvml.h"

#define MAX_GPUS 16
#define MAX_PROCESSES 32
#define MAX_EVENTS 8
#define MAX_SLICES 8
#define MAX_NUMBERS 128
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

enum work { COMPUTE, GRAPHICS_WORK, MPS };

/* `slice` is the index of its MIG slice, -1 = the whole card. */
struct process {
    unsigned pid, sm, memory_use;
    unsigned long long memory;
    enum work work;
    int slice;
};

/* One MIG slice; activities are ratios of the slice's own hardware. */
struct slice {
    int there;
    char uuid[TEXT], profile[TEXT];
    unsigned gpu_instance, compute_instance, sms;
    unsigned long long memory, used;
    double sm, occupancy, tensor, dram;
};

struct event {
    unsigned long long type, data;
    unsigned count, gpu_instance, compute_instance;
};

struct gpu {
    char uuid[TEXT], serial[TEXT], name[TEXT], bus_id[TEXT], state[TEXT];
    char not_supported[SYMBOLS], no_permission[SYMBOLS], stall_call[TEXT];
    char fabric[TEXT], chassis[TEXT], part_number[TEXT], vbios[TEXT], malformed[TEXT];
    char fail_call[TEXT];
    double number[MAX_NUMBERS];
    double rate[RATES], total[RATES];
    struct process process[MAX_PROCESSES];
    unsigned processes;
    struct event event[MAX_EVENTS];
    unsigned events;
    struct slice slice[MAX_SLICES];
};

/* From `type:data:count:gpu_instance:compute_instance`; in events.c. */
void add_event(struct gpu *gpu, const char *value);

/* Plain numbers of a GPU, read with number(gpu, "key"). */
double number(const struct gpu *gpu, const char *key);

struct world {
    char driver_version[TEXT], nvml_version[TEXT], tick_call[TEXT];
    double at, cuda_version, count, init_error, driver_load, reload_error;
    struct gpu gpu[MAX_GPUS];
};

/* One GPU as one call sees it. */
struct view {
    struct gpu gpu;
    unsigned index;
    double now;
    double total[RATES];
    const struct slice *slice; /* NULL where the handle is that of a whole card */
};

/* Write down what was told, where FAKE_NVML_JOURNAL names a file; in journal.c. */
void journal_energy(const struct view *view, unsigned long long millijoules);

double wall_clock(void);
nvmlReturn_t world_start(void);
nvmlReturn_t world_stop(void);
/* Everything but the cards. */
nvmlReturn_t world_read(struct world *out);
nvmlReturn_t world_enter(nvmlDevice_t device, const char *call, struct view *out);
nvmlDevice_t world_handle(unsigned index);
nvmlDevice_t world_slice_handle(unsigned index, unsigned slice);
nvmlReturn_t give_text(const char *text, char *buffer, unsigned size);
nvmlReturn_t give_processes(const struct view *view, enum work work, unsigned *count,
                            process_info_t *out);
int lists(const char *symbols, const char *call);

#define API __attribute__((visibility("default"))) nvmlReturn_t

/* Leaves the entry point with a number of the scenario; a negative one is not supported. */
#define GIVE(target, type, key)                       \
    do {                                              \
        double told = number(&view.gpu, key);         \
        if (told < 0) return NOT_SUPPORTED;           \
        target = (type)(told);                        \
        return OK;                                    \
    } while (0)

/* Declares `view` and leaves the calling entry point when the world refuses the call. */
#define ENTER(device)                                             \
    struct view view;                                             \
    {                                                             \
        nvmlReturn_t status = world_enter(device, __func__, &view); \
        if (status != OK) return status;                          \
    }

#endif
