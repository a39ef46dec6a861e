#include "param.h"

#include <string.h>

#include "compiler.h"
#include "mem.h"

#define PLACE 16 /* values: each parameter starts on a cache line */

param *params_add(param_set *s, const char *name, uint32_t n_rows, uint32_t n_cols,
                  bool trained)
{
    param **all = cn_realloc_array(s->all, s->n + 1, sizeof *all);
    if (!all) return NULL;
    s->all = all;
    param *p = cn_arena_alloc(&s->arena, 1, sizeof *p);
    if (!p) return NULL;
    *p = (param){.name = cn_arena_strndup(&s->arena, name, strlen(name)),
                 .n_rows = n_rows,
                 .n_cols = n_cols,
                 .trained = trained,
                 .decay = n_rows > 1};
    if (!p->name) return NULL;
    if (trained) {
        size_t n = (size_t)n_rows * n_cols;
        p->at = s->n_values;
        s->n_values += (n + PLACE - 1) / PLACE * PLACE;
        s->n_trained += n;
    }
    s->all[s->n++] = p;
    return p;
}

cn_status params_allocate(param_set *s, cn_err *err)
{
    s->w = cn_alloc_array(s->n_values, sizeof *s->w);
    s->g = cn_alloc_array(s->n_values, sizeof *s->g);
    if (!s->w || !s->g)
        return cn_fail(err, CN_E_NOMEM, "%.1f GB for %zu parameters in training",
                       2e-9 * (double)(s->n_values * sizeof *s->w), s->n_values);
    for (size_t i = 0; i < s->n; i++) {
        if (!s->all[i]->trained) continue;
        s->all[i]->w = s->w + s->all[i]->at;
        s->all[i]->g = s->g + s->all[i]->at;
    }
    return CN_OK;
}

void params_deinit(param_set *s)
{
    cn_free(s->w);
    cn_free(s->g);
    cn_free(s->all);
    cn_arena_deinit(&s->arena);
    *s = (param_set){0};
}

param *params_find(const param_set *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->all[i]->name, name) == 0) return s->all[i];
    return NULL;
}

void params_begin_step(param_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->all[i]->fresh = true;
}

void params_end_step(param_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        param *p = s->all[i];
        if (p->trained && p->fresh) memset(p->g, 0, sizeof *p->g * p->n_rows * p->n_cols);
    }
}
