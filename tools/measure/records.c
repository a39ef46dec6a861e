#include "records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static cn_status read_line(ms_record *r, cn_str line, cn_err *err)
{
    cn_status st = cn_json_parse(&r->root, line, err);
    if (st) return st;
    r->messages = cn_json_get(r->root, "messages");
    r->meta = cn_json_get(r->root, "meta");
    if (cn_json_size(r->messages) < 2) return cn_fail(err, CN_E_FORMAT, "no two messages");
    return CN_OK;
}

/* The shell sees the program's path in single quotes. */
static FILE *start(const ms_source *from, const char *kind, bool heldout, size_t n)
{
    cn_buf command = {0};
    cn_buf_printf(&command, "exec '%s' --seed %" PRIu64 " --games %zu --kind %s --split %s",
                  from->program, from->seed, n, kind, heldout ? "heldout" : "train");
    FILE *f = strchr(from->program, '\'') ? NULL : popen(command.p, "r");
    cn_buf_deinit(&command);
    return f;
}

cn_status ms_records_read(ms_records *out, const ms_source *from, const char *kind,
                          bool heldout, size_t n, cn_err *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    cn_status st = CN_OK;
    *out = (ms_records){.items = cn_alloc_array(n ? n : 1, sizeof *out->items)};
    if (!out->items) return cn_fail(err, CN_E_NOMEM, "%zu records", n);
    FILE *f = start(from, kind, heldout, n);
    while (f && !st && out->n < n && (got = getline(&line, &room, f)) > 0)
        st = read_line(&out->items[out->n++], (cn_str){line, (size_t)got}, err);
    free(line);
    int ended = f ? pclose(f) : -1;
    if (!st && (out->n < n || ended))
        st = cn_fail(err, CN_E_NOT_FOUND, "%s gave %zu records of %zu", from->program, out->n,
                     n);
    if (st) ms_records_deinit(out);
    return st ? cn_ctx(err, st, "the records of kind %s", kind) : CN_OK;
}

void ms_records_deinit(ms_records *r)
{
    for (size_t i = 0; i < r->n; i++)
        cn_json_free(r->items[i].root);
    cn_free(r->items);
    *r = (ms_records){0};
}

cn_str ms_role(const ms_record *r, size_t i)
{
    return cn_json_str(cn_json_get(cn_json_at(r->messages, i), "role"));
}

cn_str ms_content(const ms_record *r, size_t i)
{
    return cn_json_str(cn_json_get(cn_json_at(r->messages, i), "content"));
}

size_t ms_n_messages(const ms_record *r)
{
    return cn_json_size(r->messages);
}

cn_str ms_turn(const ms_record *r, size_t turn, const char *what)
{
    return cn_json_str(cn_json_get(cn_json_at(cn_json_get(r->meta, "turns"), turn), what));
}
