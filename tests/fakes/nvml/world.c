/* Reads the scenario file again whenever it changes, and judges what one call may see. */
#define _GNU_SOURCE
#include "world.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char *const RATE_NAMES[RATES] = {
    "power_w",       "graphics",      "sm",              "occupancy",       "tensor",
    "dram",          "fp64",          "fp32",            "fp16",            "pcie_tx_bytes",
    "pcie_rx_bytes", "nvlink_tx_bytes", "nvlink_rx_bytes",
};

static const char *const NUMBER_NAMES[] = {
    "minor", "utilization", "memory_utilization", "memory_total", "memory_used",
    "memory_reserved", "power_limit_w", "temperature", "memory_temperature", "clock_graphics",
    "clock_sm", "clock_memory", "clock_video", "max_clock_graphics", "max_clock_sm",
    "max_clock_memory", "max_clock_video", "performance_state", "clock_reasons",
    "recovery_action", "ecc_sbe_volatile", "ecc_dbe_volatile", "ecc_sbe_aggregate",
    "ecc_dbe_aggregate", "remapped_correctable", "remapped_uncorrectable", "remapped_pending",
    "remapped_failure", "gpm", "mig", "persistence", "lost_after_ticks", "back_after_ticks",
    "lost_after_s", "back_after_s", "stall_s", "fail_code", "encoder", "decoder", "margin",
    "slowdown_threshold", "fan", "pcie_generation", "pcie_generation_max", "pcie_width",
    "pcie_width_max", "pcie_replays", "pcie_correctable", "pcie_nonfatal", "pcie_fatal",
    "retired_sbe", "retired_dbe", "nvlinks", "nvlinks_up", "nvlink_version", "nvlink_mbps",
    "nvlink_peer", "nvlink_replays", "nvlink_recoveries", "nvlink_crc", "nvlink_symbols",
    "throttle_power_ns", "throttle_thermal_ns", "throttle_sync_ns", "throttle_board_ns",
    "throttle_low_ns", "throttle_reliability_ns", "throttle_sw_thermal_ns",
    "throttle_hw_thermal_ns", "throttle_brake_ns", "module_power_w", "numa", "pci_switch", "sms",
    "fabric_state", "fabric_clique", "gpm_cumulative",
};

enum { NUMBERS = sizeof NUMBER_NAMES / sizeof *NUMBER_NAMES };
_Static_assert(NUMBERS <= sizeof((struct gpu *)0)->number / sizeof(double), "numbers fit");

/* Even the poorest card answers these; FieldValues and Gpm refuse inside their answers. */
static const char ALWAYS_ANSWERED[] =
    "nvmlDeviceGetHandleByIndex_v2,nvmlDeviceGetHandleByUUID,nvmlDeviceGetUUID,nvmlDeviceGetName,"
    "nvmlDeviceGetPciInfo_v3,nvmlDeviceGetMinorNumber,nvmlDeviceGetIndex,"
    "nvmlDeviceGetFieldValues,nvmlGpmQueryDeviceSupport";

struct text_key {
    const char *name;
    size_t offset, size;
};

#define GPU_TEXT(name, field) {name, offsetof(struct gpu, field), sizeof((struct gpu *)0)->field}
static const struct text_key GPU_TEXTS[] = {
    GPU_TEXT("uuid", uuid),
    GPU_TEXT("serial", serial),
    GPU_TEXT("name", name),
    GPU_TEXT("bus_id", bus_id),
    GPU_TEXT("state", state),
    GPU_TEXT("not_supported", not_supported),
    GPU_TEXT("no_permission", no_permission),
    GPU_TEXT("stall_call", stall_call),
    GPU_TEXT("fail_call", fail_call),
    GPU_TEXT("malformed", malformed),
    GPU_TEXT("fabric", fabric),
    GPU_TEXT("chassis", chassis),
    GPU_TEXT("part_number", part_number),
    GPU_TEXT("vbios", vbios),
};

static struct {
    pthread_mutex_t lock;
    struct world world;
    struct stat seen;
    int users;
    unsigned ticks[MAX_GPUS];
    /* Only the addresses matter: they are the handles. */
    char device[MAX_GPUS], slice[MAX_GPUS * MAX_SLICES];
    double passed, load;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

double wall_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 + state.passed;
}

/* For tests: time passes at once. */
__attribute__((visibility("default"))) void fake_nvml_pass(double seconds);
void fake_nvml_pass(double seconds) { state.passed += seconds; }

static int position(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

double number(const struct gpu *gpu, const char *key) {
    int i = position(NUMBER_NAMES, NUMBERS, key);
    if (i >= 0) return gpu->number[i];
    fprintf(stderr, "fake nvml: no number called %s\n", key);
    abort();
}

static void copy_text(char *target, size_t size, const char *value) {
    snprintf(target, size, "%s", value);
}

static void add_process(struct gpu *gpu, const char *value, enum work work) {
    struct process process = {.work = work, .slice = -1};
    if (gpu->processes == MAX_PROCESSES) return;
    sscanf(value, "%u:%llu:%u:%u:%d", &process.pid, &process.memory, &process.sm,
           &process.memory_use, &process.slice);
    gpu->process[gpu->processes++] = process;
}

static void add_slice(struct gpu *gpu, const char *value) {
    struct slice slice = {.there = 1};
    unsigned index;
    if (sscanf(value, "%u:%95[^:]:%u:%u:%95[^:]:%u:%llu:%llu:%lf:%lf:%lf:%lf", &index, slice.uuid,
               &slice.gpu_instance, &slice.compute_instance, slice.profile, &slice.sms,
               &slice.memory, &slice.used, &slice.sm, &slice.occupancy, &slice.tensor,
               &slice.dram) == 12)
        gpu->slice[index % MAX_SLICES] = slice;
}

static int set_rate(struct gpu *gpu, const char *key, double value) {
    char base[TEXT];
    char *suffix;
    copy_text(base, sizeof base, key);
    suffix = strstr(base, "_total");
    int whole = suffix != NULL && suffix[6] == '\0';
    if (whole) *suffix = '\0';
    int i = position(RATE_NAMES, RATES, base);
    if (i < 0) return 0;
    (whole ? gpu->total : gpu->rate)[i] = value;
    return 1;
}

static int set_text(struct gpu *gpu, const char *key, const char *value) {
    for (size_t i = 0; i < sizeof GPU_TEXTS / sizeof *GPU_TEXTS; i++) {
        const struct text_key *text = &GPU_TEXTS[i];
        if (strcmp(text->name, key) != 0) continue;
        copy_text((char *)gpu + text->offset, text->size, value);
        return 1;
    }
    return 0;
}

static int set_gpu(struct gpu *gpu, const char *key, const char *value) {
    int i = position(NUMBER_NAMES, NUMBERS, key);
    if (i >= 0) {
        gpu->number[i] = atof(value);
        return 1;
    }
    if (strcmp(key, "process") == 0) add_process(gpu, value, COMPUTE);
    else if (strcmp(key, "graphics_process") == 0) add_process(gpu, value, GRAPHICS_WORK);
    else if (strcmp(key, "mps_process") == 0) add_process(gpu, value, MPS);
    else if (strcmp(key, "slice") == 0) add_slice(gpu, value);
    else if (strcmp(key, "event") == 0) add_event(gpu, value);
    else return set_text(gpu, key, value) || set_rate(gpu, key, atof(value));
    return 1;
}

static int set_world(struct world *world, const char *key, const char *value) {
    if (strcmp(key, "driver_version") == 0) copy_text(world->driver_version, TEXT, value);
    else if (strcmp(key, "nvml_version") == 0) copy_text(world->nvml_version, TEXT, value);
    else if (strcmp(key, "tick_call") == 0) copy_text(world->tick_call, TEXT, value);
    else if (strcmp(key, "cuda_version") == 0) world->cuda_version = atof(value);
    else if (strcmp(key, "count") == 0) world->count = atof(value);
    else if (strcmp(key, "init_error") == 0) world->init_error = atof(value);
    else if (strcmp(key, "driver_load") == 0) world->driver_load = atof(value);
    else if (strcmp(key, "reload_error") == 0) world->reload_error = atof(value);
    else if (strcmp(key, "at") == 0) world->at = atof(value);
    else return 0;
    return 1;
}

static void parse_line(struct world *world, struct gpu **gpu, char *line) {
    char *value = strchr(line, '=');
    line[strcspn(line, "\r\n")] = '\0';
    if (value == NULL || *line == '#') return;
    *value++ = '\0';
    if (strcmp(line, "gpu") == 0) {
        *gpu = &world->gpu[(unsigned)atoi(value) % MAX_GPUS];
        return;
    }
    if (!(*gpu ? set_gpu(*gpu, line, value) : set_world(world, line, value)))
        fprintf(stderr, "fake nvml: unknown key %s\n", line);
}

static int parse_file(const char *path, double at, struct world *world) {
    char line[SYMBOLS + TEXT];
    struct gpu *gpu = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    memset(world, 0, sizeof *world);
    world->at = at;
    copy_text(world->tick_call, TEXT, "nvmlDeviceGetUtilizationRates");
    while (fgets(line, sizeof line, file) != NULL) parse_line(world, &gpu, line);
    fclose(file);
    return 1;
}

static int same_file(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static nvmlReturn_t refresh(void) {
    const char *path = getenv("FAKE_NVML_SCENARIO");
    struct stat now;
    if (path == NULL || stat(path, &now) != 0) return DRIVER_NOT_LOADED;
    if (same_file(&now, &state.seen)) return OK;
    double at = (double)now.st_mtim.tv_sec + (double)now.st_mtim.tv_nsec / 1e9;
    if (!parse_file(path, at, &state.world)) return DRIVER_NOT_LOADED;
    state.seen = now;
    memset(state.ticks, 0, sizeof state.ticks);
    return OK;
}

nvmlReturn_t world_start(void) {
    pthread_mutex_lock(&state.lock);
    nvmlReturn_t status = refresh();
    if (status == OK) status = (nvmlReturn_t)state.world.init_error;
    if (status == OK && state.users++ == 0) state.load = state.world.driver_load;
    pthread_mutex_unlock(&state.lock);
    return status;
}

nvmlReturn_t world_stop(void) {
    pthread_mutex_lock(&state.lock);
    nvmlReturn_t status = state.users > 0 ? OK : UNINITIALIZED;
    if (status == OK) state.users--;
    pthread_mutex_unlock(&state.lock);
    return status;
}

/* A session that began before the driver was loaded again is over, or its handles are dead. */
static nvmlReturn_t session(int needs_handle) {
    nvmlReturn_t status = state.users > 0 ? refresh() : UNINITIALIZED;
    if (status != OK || state.load == state.world.driver_load) return status;
    nvmlReturn_t error = (nvmlReturn_t)state.world.reload_error;
    return error == INVALID_ARGUMENT && !needs_handle ? OK : error;
}

nvmlReturn_t world_read(struct world *out) {
    pthread_mutex_lock(&state.lock);
    nvmlReturn_t status = session(0);
    /* Not the cards: they are large, and looked at one by one. */
    if (status == OK) memcpy(out, &state.world, offsetof(struct world, gpu));
    pthread_mutex_unlock(&state.lock);
    return status;
}

nvmlDevice_t world_handle(unsigned index) { return &state.device[index]; }

nvmlDevice_t world_slice_handle(unsigned index, unsigned slice) {
    return &state.slice[index * MAX_SLICES + slice];
}

int lists(const char *symbols, const char *call) {
    size_t length = strlen(call);
    if (strcmp(symbols, "all") == 0) return 1;
    for (const char *at = strstr(symbols, call); at != NULL; at = strstr(at + 1, call))
        if ((at == symbols || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return 1;
    return 0;
}

static int between(double value, double first, double last) {
    return first > 0 && value > first && (last <= 0 || value <= last);
}

static int is_lost(const struct gpu *gpu, double age_s, unsigned ticks) {
    return strcmp(gpu->state, "lost") == 0 ||
           between(age_s, number(gpu, "lost_after_s"), number(gpu, "back_after_s")) ||
           between(ticks, number(gpu, "lost_after_ticks"), number(gpu, "back_after_ticks"));
}

static nvmlReturn_t judge(const struct gpu *gpu, const char *call) {
    if (strcmp(gpu->state, "reset_required") == 0) return RESET_REQUIRED;
    if (strcmp(gpu->state, "unknown") == 0) return UNKNOWN;
    if (lists(gpu->no_permission, call)) return NO_PERMISSION;
    if (strcmp(gpu->fail_call, call) == 0) return (nvmlReturn_t)number(gpu, "fail_code");
    if (strcmp(gpu->not_supported, "all") == 0 && lists(ALWAYS_ANSWERED, call)) return OK;
    return lists(gpu->not_supported, call) ? NOT_SUPPORTED : OK;
}

static nvmlReturn_t look(unsigned index, const char *call, struct view *out) {
    const struct world *world = &state.world;
    if (index >= world->count) return INVALID_ARGUMENT;
    out->gpu = world->gpu[index];
    out->index = index;
    out->now = wall_clock();
    for (int i = 0; i < RATES; i++)
        out->total[i] = out->gpu.total[i] + out->gpu.rate[i] * (out->now - world->at);
    if (strcmp(world->tick_call, call) == 0) state.ticks[index]++;
    if (is_lost(&out->gpu, out->now - world->at, state.ticks[index])) return GPU_IS_LOST;
    return judge(&out->gpu, call);
}

/* A driver that hangs holds up the caller only: the lock is already free here. */
static void stall(const struct gpu *gpu, const char *call) {
    double seconds = number(gpu, "stall_s");
    if (seconds <= 0 || strcmp(gpu->stall_call, call) != 0) return;
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&pause, NULL);
}

nvmlReturn_t world_enter(nvmlDevice_t device, const char *call, struct view *out) {
    long index = (char *)device - state.device, place = (char *)device - state.slice;
    int is_slice = place >= 0 && place < MAX_GPUS * MAX_SLICES;
    if (is_slice) index = place / MAX_SLICES;
    else if (index < 0 || index >= MAX_GPUS) return INVALID_ARGUMENT;
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&state.lock);
    nvmlReturn_t status = session(1);
    if (status == OK) status = look((unsigned)index, call, out);
    if (is_slice) out->slice = &out->gpu.slice[place % MAX_SLICES];
    if (status == OK && is_slice && !out->slice->there) status = INVALID_ARGUMENT;
    pthread_mutex_unlock(&state.lock);
    stall(&out->gpu, call);
    return status;
}
