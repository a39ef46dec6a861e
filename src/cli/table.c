#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "mem.h"

enum { MAX_COLUMNS = 16 };

struct cli_table {
    char columns[MAX_COLUMNS + 1];
    size_t n_columns, n_cells;
    size_t width[MAX_COLUMNS];
    cn_buf cells; /* NUL-terminated one after the other */
};

cli_table *cli_table_new(const char *columns)
{
    cli_table *t = cn_xcalloc(1, sizeof *t);
    t->n_columns = CN_MIN(strlen(columns), (size_t)MAX_COLUMNS);
    memcpy(t->columns, columns, t->n_columns);
    return t;
}

void cli_table_free(cli_table *t)
{
    if (t) cn_buf_deinit(&t->cells);
    cn_free(t);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

void cli_table_cell(cli_table *t, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t *width = &t->width[t->n_cells++ % t->n_columns];
    *width = CN_MAX(*width, width_of(text));
    cn_buf_append(&t->cells, text, strlen(text) + 1);
}

void cli_table_print(const cli_table *t, FILE *out)
{
    const char *cell = t->cells.p;
    for (size_t i = 0; i < t->n_cells; i++, cell += strlen(cell) + 1) {
        size_t column = i % t->n_columns;
        bool last = column + 1 == t->n_columns;
        int pad = (int)(t->width[column] - width_of(cell));
        if (t->columns[column] == 'r')
            fprintf(out, "%*s%s", pad, "", cell);
        else
            fprintf(out, "%s%*s", cell, last ? 0 : pad, "");
        fputs(last ? "\n" : "  ", out);
    }
}

static const char *scaled(char *out, size_t size, double v, double step,
                          const char *const *units)
{
    size_t i = 0;
    while (v >= step * 0.9995 && units[i + 1]) {
        v /= step;
        i++;
    }
    int digits = i == 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
    snprintf(out, size, "%.*f%s%s", digits, v, units[i][0] ? " " : "", units[i]);
    return out;
}

const char *cli_bytes(char *out, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", NULL};
    return scaled(out, size, (double)bytes, 1024, units);
}

const char *cli_count(char *out, size_t size, uint64_t n)
{
    static const char *const units[] = {"", "K", "M", "B", "T", NULL};
    return scaled(out, size, (double)n, 1000, units);
}
