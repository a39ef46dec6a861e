/* Checkpoints. An input that begins with 'r' is repaired first: filled up to stripes, its size
 * and checksum put right, so that what lies behind them is reached. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkpoint_priv.h"
#include "mem.h"

static void read_parts(const checkpoint *c)
{
    static uint8_t room[1 << 16];
    checkpoint_part parts[] = {{"weights", room, 0}, {"adam.m", room, 5}};
    for (size_t n = 0; n <= CN_ARRAY_LEN(parts); n++) {
        cn_err err;
        if (checkpoint_read(c, parts, n, &err)) CN_BUG_ON(!err.why[0]);
    }
}

static void open_bytes(const uint8_t *p, size_t n)
{
    char path[64];
    int fd = memfd_create("checkpoint", MFD_CLOEXEC);
    CN_BUG_ON(fd < 0 || write(fd, p, n) != (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    checkpoint *c;
    cn_err err;
    if (checkpoint_open(&c, path, &err)) {
        CN_BUG_ON(c || !err.why[0]);
    } else {
        CN_BUG_ON(cn_json_kind_of(checkpoint_state(c)) != CN_JSON_OBJECT);
        read_parts(c);
    }
    checkpoint_close(c);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || data[0] != 'r') {
        open_bytes(data, size);
        return 0;
    }
    size_t end = checkpoint_padded(size - 1);
    end = CN_MAX(end, CHECKPOINT_STRIPE);
    uint8_t *p = cn_alloc_array(end + 8, 1);
    CN_BUG_ON(!p);
    memcpy(p, data + 1, size - 1);
    checkpoint_header *h = (checkpoint_header *)p;
    memcpy(h->magic, CHECKPOINT_MAGIC, sizeof h->magic);
    h->version = CHECKPOINT_VERSION;
    h->file_size = end + 8;
    checkpoint_sum sum = checkpoint_sum_new();
    checkpoint_sum_add(&sum, p, end);
    uint64_t last = checkpoint_sum_end(&sum);
    memcpy(p + end, &last, 8);
    open_bytes(p, end + 8);
    cn_free(p);
    return 0;
}
