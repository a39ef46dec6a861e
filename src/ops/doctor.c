#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bandwidth.h"
#include "kernels.h"
#include "sysinfo.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define AS_GIB(bytes) ((double)(bytes) / (double)GIB)

static doctor_check *add(doctor_report *r, const char *name, const char *fmt, ...)
    CN_PRINTF(3, 4);
static doctor_check *add(doctor_report *r, const char *name, const char *fmt, ...)
{
    CN_BUG_ON(r->n_checks == DOCTOR_MAX_CHECKS);
    doctor_check *c = &r->checks[r->n_checks++];
    *c = (doctor_check){.name = name};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof c->text, fmt, ap);
    va_end(ap);
    return c;
}

static void mend(doctor_check *c, doctor_state state, const char *fmt, ...) CN_PRINTF(3, 4);
static void mend(doctor_check *c, doctor_state state, const char *fmt, ...)
{
    c->state = state;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->mend, sizeof c->mend, fmt, ap);
    va_end(ap);
}

/* What follows "key" and its colon in a file of such lines; empty when absent. */
static void value_in(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    out[0] = '\0';
    FILE *f = fopen(path, "re");
    if (!f) return;
    while (!out[0] && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !colon) continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    fclose(f);
}

static void first_line(const char *path, char *out, size_t size)
{
    out[0] = '\0';
    FILE *f = fopen(path, "re");
    if (!f) return;
    if (fgets(out, (int)size, f)) out[strcspn(out, "\n")] = '\0';
    fclose(f);
}

static void processor(doctor_report *r, const doctor_options *o)
{
    char name[96];
    value_in("/proc/cpuinfo", "model name", name, sizeof name);
    unsigned usable = cn_sys_n_cpus();
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    r->n_threads = o->n_threads ? o->n_threads : usable;
    doctor_check *c = add(r, "processor", "%s, %u of %ld processors usable",
                          name[0] ? name : "unnamed", usable, online);
    if (r->n_threads > usable)
        mend(c, DOCTOR_WARNING, "CONATUS_THREADS=%u asks for more than there are: unset it",
             r->n_threads);
}

static void kernels(doctor_report *r, const doctor_options *o)
{
    const kern_table *chosen, *best;
    cn_err err = {0};
    r->features = kern_cpu_features();
    cn_status st = kern_select(&best, NULL, NULL);
    if (!st) st = kern_select(&chosen, o->kernels, &err);
    if (st) {
        mend(add(r, "kernels", "%s", err.why), DOCTOR_PROBLEM, "unset CONATUS_KERNELS");
        return;
    }
    r->kernels = chosen->name;
    doctor_check *c = add(r, "kernels", "%s (processor has: %s)", chosen->name,
                          r->features[0] ? r->features : "no vector instructions of ours");
    if (strcmp(best->name, "ref") == 0)
        mend(c, DOCTOR_WARNING,
             "plain C is several times slower: use a machine with AVX2 (x86) or NEON");
    else if (chosen != best)
        mend(c, DOCTOR_WARNING, "%s is faster here: unset CONATUS_KERNELS", best->name);
}

static void governor(doctor_report *r)
{
    char name[32];
    first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", name, sizeof name);
    if (strcmp(name, "powersave") != 0) return;
    mend(add(r, "frequency", "the processor saves power (governor powersave)"), DOCTOR_WARNING,
         "sudo cpupower frequency-set -g performance");
}

static void memory(doctor_report *r)
{
    cn_sys_memory m = cn_sys_memory_now();
    r->memory_total = m.total;
    r->memory_left = cn_sys_memory_left(&m, &r->memory_limit);
    doctor_check *c = add(r, "memory", "%.1f GiB, %.1f GiB free for a model (%s)",
                          AS_GIB(m.total), AS_GIB(r->memory_left), r->memory_limit);
    if (r->memory_left < 256 * MIB)
        mend(c, DOCTOR_PROBLEM, "end other programs; see them with: ps aux --sort=-rss");
    else if (r->memory_left < 2 * GIB)
        mend(c, DOCTOR_WARNING, "small models only; see what uses memory: ps aux --sort=-rss");
    if (m.cgroup_limit != UINT64_MAX) {
        c = add(r, "cgroup", "this process's group may use %.1f GiB, uses %.1f GiB",
                AS_GIB(m.cgroup_limit), AS_GIB(m.cgroup_used));
        if (m.cgroup_limit < 2 * GIB)
            mend(c, DOCTOR_WARNING,
                 "raise MemoryMax of the service, or --memory of the container");
    }
    if (m.address_limit != UINT64_MAX)
        mend(add(r, "ulimit -v", "address space is limited to %.1f GiB; mapped weights count",
                 AS_GIB(m.address_limit)),
             DOCTOR_WARNING, "ulimit -v unlimited");
}

static void open_files(doctor_report *r)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur == RLIM_INFINITY) return;
    doctor_check *c =
        add(r, "ulimit -n", "%" PRIu64 " files may be open", (uint64_t)l.rlim_cur);
    if (l.rlim_cur < 256) mend(c, DOCTOR_WARNING, "ulimit -n 1024");
}

/* The nearest folder above `path` that exists, in out. */
static void existing_parent(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%s", path);
    while (access(out, F_OK) != 0) {
        char *slash = strrchr(out, '/');
        if (!slash || slash == out) {
            snprintf(out, size, "%s", slash ? "/" : ".");
            return;
        }
        *slash = '\0';
    }
}

static void disk(doctor_report *r, const char *store)
{
    char parent[1024];
    struct statvfs fs;
    existing_parent(store, parent, sizeof parent);
    if (statvfs(parent, &fs)) {
        mend(add(r, "disk", "the store %s: %s", store, strerror(errno)), DOCTOR_PROBLEM,
             "export CONATUS_HOME=FOLDER on another disk");
        return;
    }
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    doctor_check *c = add(r, "disk", "%.1f GiB free for models in %s%s", AS_GIB(left), store,
                          strcmp(parent, store) == 0 ? "" : " (not there yet)");
    if (access(parent, W_OK) != 0)
        mend(c, DOCTOR_WARNING, "not writable: export CONATUS_HOME=FOLDER of yours");
    else if (left < GIB / 4)
        mend(c, DOCTOR_PROBLEM, "free some space, or export CONATUS_HOME=FOLDER elsewhere");
    else if (left < 8 * GIB)
        mend(c, DOCTOR_WARNING, "room for small models only: du -sh %s/*", store);
}

static void gpu(doctor_report *r)
{
    char version[200];
    first_line("/proc/driver/nvidia/version", version, sizeof version);
    if (access("/dev/nvidia0", F_OK) == 0)
        add(r, "gpu", "NVIDIA, %.120s; this version computes on the processor",
            version[0] ? version : "driver version unknown");
    else
        add(r, "gpu", "none found; the processor does all the work");
}

static void bandwidth(doctor_report *r)
{
    cn_err err = {0};
    cn_status st = cn_memory_bandwidth(&r->bandwidth, r->n_threads, &err);
    if (st) {
        mend(add(r, "bandwidth", "not measured: %s", err.why), DOCTOR_WARNING,
             "end other programs and ask again");
        return;
    }
    doctor_check *c = add(r, "bandwidth", "%.1f GB/s read by %u threads (measured)",
                          r->bandwidth * 1e-9, r->n_threads);
    if (r->bandwidth < 4e9)
        mend(c, DOCTOR_WARNING, "slow or busy now: check with uptime, then ask again");
}

/* Sizes of the published files, and keys and values in F16 for 4096 positions. A token reads
 * all weights once; 0.8 of the plain reading rate is what decoding reaches. */
static void yardsticks(doctor_report *r)
{
    static const struct {
        const char *name;
        unsigned weights_mb, cache_mib;
    } known[DOCTOR_N_MODELS] = {
        {"SmolLM2-135M Q8_0", 145, 90},    {"Qwen2.5-0.5B Q4_K_M", 398, 48},
        {"phi-2 2.7B Q4_K_M", 1789, 1280}, {"Mistral-7B Q4_K_M", 4368, 512},
        {"Mistral-7B Q8_0", 7696, 512},    {"Llama-2-13B Q4_K_M", 7866, 3200},
        {"Mistral-7B F16", 14485, 512},
    };
    for (size_t i = 0; i < DOCTOR_N_MODELS; i++) {
        doctor_model *m = &r->models[i];
        m->name = known[i].name;
        m->bytes = known[i].weights_mb * (uint64_t)1000000;
        m->memory = m->bytes + known[i].cache_mib * MIB + 128 * MIB;
        m->fits = m->memory <= r->memory_left;
        m->tokens_per_second = 0.8 * r->bandwidth / (double)m->bytes;
    }
}

void doctor_examine(doctor_report *out, const doctor_options *o)
{
    *out = (doctor_report){0};
    processor(out, o);
    kernels(out, o);
    governor(out);
    memory(out);
    open_files(out);
    disk(out, o->store);
    gpu(out);
    bandwidth(out);
    yardsticks(out);
}
