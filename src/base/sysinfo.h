/* What this process may use: processors, memory, the limits of its cgroup and of ulimit. */
#ifndef BASE_SYSINFO_H
#define BASE_SYSINFO_H

#include <stdint.h>

typedef struct cn_sys_memory {
    uint64_t total;     /* bytes of the machine */
    uint64_t available; /* what the kernel would give without swapping (MemAvailable) */
    uint64_t
        cgroup_limit; /* the tightest limit of this process's cgroups; UINT64_MAX without one */
    uint64_t cgroup_used;   /* what its cgroup already uses; 0 without a limit */
    uint64_t address_limit; /* ulimit -v; UINT64_MAX without one */
    uint64_t address_used;  /* address space in use (VmSize) */
} cn_sys_memory;

cn_sys_memory cn_sys_memory_now(void);
/* Bytes that this process may still use, and in `*why` what limits it ("machine memory",
 * "cgroup limit", "ulimit -v"), a constant string. */
uint64_t cn_sys_memory_left(const cn_sys_memory *m, const char **why);
/* Processors this process may run on: affinity and cgroup quota, at least 1. */
unsigned cn_sys_n_cpus(void);

#endif
