/* Reading /proc and the cgroup files. */
#include "sysinfo.h"

#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "compiler.h"

/* "MemAvailable:   123 kB" in a /proc file, as bytes; 0 when absent. */
static uint64_t proc_kb(const char *path, const char *key)
{
    char line[256];
    uint64_t kb = 0;
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    size_t n = strlen(key);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, n) == 0 && line[n] == ':') {
            kb = strtoull(line + n + 1, NULL, 10);
            break;
        }
    fclose(f);
    return kb * 1024;
}

/* The number in a one-line file; UINT64_MAX for "max", absence, or anything else. */
static uint64_t number_in(const char *path)
{
    char text[64] = "";
    char *end;
    FILE *f = fopen(path, "re");
    if (!f) return UINT64_MAX;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    uint64_t v = strtoull(text, &end, 10);
    return end == text ? UINT64_MAX : v;
}

/* This process's path in the hierarchy of `controller` ("" for cgroup v2). */
static bool cgroup_path(const char *controller, char *out, size_t size)
{
    char line[1024];
    bool found = false;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f) return false;
    while (!found && fgets(line, sizeof line, f)) {
        char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
        if (!second) continue;
        *second = '\0';
        second[1 + strcspn(second + 1, "\n")] = '\0';
        bool v2 = first[1] == '\0';
        found = *controller ? !v2 && strstr(first + 1, controller) : v2;
        if (found) snprintf(out, size, "%s", second + 1);
    }
    fclose(f);
    return found;
}

typedef struct cgroup_files {
    const char *root, *controller, *limit, *used;
} cgroup_files;

/* Walks from the process's own group to the root, keeping the tightest limit. */
static void tighten(cn_sys_memory *m, const cgroup_files *files)
{
    char group[768], path[1024];
    if (!cgroup_path(files->controller, group, sizeof group)) return;
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", files->root, group, files->limit);
        uint64_t limit = number_in(path);
        if (limit < m->cgroup_limit) {
            m->cgroup_limit = limit;
            snprintf(path, sizeof path, "%s%s/%s", files->root, group, files->used);
            uint64_t used = number_in(path);
            m->cgroup_used = used == UINT64_MAX ? 0 : used;
        }
        char *slash = strrchr(group, '/');
        if (!slash) return;
        if (slash == group && group[1] == '\0') return;
        *slash = '\0';
        if (slash == group) group[0] = '\0';
    }
}

cn_sys_memory cn_sys_memory_now(void)
{
    static const cgroup_files v2 = {"/sys/fs/cgroup", "", "memory.max", "memory.current"};
    static const cgroup_files v1 = {"/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes",
                                    "memory.usage_in_bytes"};
    cn_sys_memory m = {
        .total = proc_kb("/proc/meminfo", "MemTotal"),
        .available = proc_kb("/proc/meminfo", "MemAvailable"),
        .cgroup_limit = UINT64_MAX,
        .address_limit = UINT64_MAX,
        .address_used = proc_kb("/proc/self/status", "VmSize"),
    };
    tighten(&m, &v2);
    tighten(&m, &v1);
    if (m.cgroup_limit >= m.total && m.total) m.cgroup_limit = UINT64_MAX; /* v1 writes 2^63 */
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        m.address_limit = r.rlim_cur;
    return m;
}

uint64_t cn_sys_memory_left(const cn_sys_memory *m, const char **why)
{
    uint64_t left = m->available;
    *why = "machine memory";
    /* Page cache counts as used by the group but can be dropped: judge by the limit itself. */
    if (m->cgroup_limit < left) {
        left = m->cgroup_limit;
        *why = "cgroup limit";
    }
    if (m->address_limit != UINT64_MAX) {
        uint64_t room =
            m->address_limit > m->address_used ? m->address_limit - m->address_used : 0;
        if (room < left) {
            left = room;
            *why = "ulimit -v";
        }
    }
    return left;
}

/* cgroup v2: "200000 100000" is two processors. */
static unsigned cgroup_cpu_quota(void)
{
    char group[768], path[1024];
    unsigned best = UINT32_MAX;
    if (!cgroup_path("", group, sizeof group)) return best;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
    FILE *f = fopen(path, "re");
    if (!f) return best;
    uint64_t quota, period;
    if (fscanf(f, "%" SCNu64 " %" SCNu64, &quota, &period) == 2 && period)
        best = (unsigned)CN_MAX(1, (quota + period - 1) / period);
    fclose(f);
    return best;
}

unsigned cn_sys_n_cpus(void)
{
    cpu_set_t set;
    unsigned n = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = (unsigned)CN_MAX(1, CPU_COUNT(&set));
    return CN_MIN(n, cgroup_cpu_quota());
}
