#include "facts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LABELS "ll"

void facts_begin(facts *f, bool json)
{
    *f = (facts){.json = json};
    if (json)
        json_open(&f->j, '{');
    else
        f->t = cli_table_new(LABELS);
}

static void label(facts *f, const char *key)
{
    char text[64];
    size_t i = 0;
    for (; key[i] && i < sizeof text - 1; i++)
        text[i] = key[i] == '_' ? ' ' : key[i];
    text[i] = '\0';
    cli_table_cell(f->t, "%s", text);
}

void fact_text(facts *f, const char *key, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (f->json) {
        json_put_text(&f->j, key, text);
        return;
    }
    label(f, key);
    cli_table_cell(f->t, "%s", text);
}

void fact_uint(facts *f, const char *key, uint64_t v)
{
    if (f->json)
        json_put_uint(&f->j, key, v);
    else
        fact_text(f, key, "%" PRIu64, v);
}

void fact_count(facts *f, const char *key, uint64_t v)
{
    char text[24];
    if (f->json)
        json_put_uint(&f->j, key, v);
    else
        fact_text(f, key, "%s", cli_count(text, sizeof text, v));
}

void fact_bytes(facts *f, const char *key, uint64_t v)
{
    char text[24];
    if (f->json)
        json_put_uint(&f->j, key, v);
    else
        fact_text(f, key, "%s", cli_bytes(text, sizeof text, v));
}

void fact_num(facts *f, const char *key, double v, const char *unit)
{
    if (f->json)
        json_put_num(&f->j, key, v);
    else
        fact_text(f, key, "%.4g%s%s", v, unit[0] ? " " : "", unit);
}

void fact_bool(facts *f, const char *key, bool v)
{
    if (f->json)
        json_put_bool(&f->j, key, v);
    else
        fact_text(f, key, "%s", v ? "yes" : "no");
}

void facts_flush(facts *f)
{
    if (f->json) return;
    cli_table_print(f->t, stdout);
    cli_table_free(f->t);
    f->t = cli_table_new(LABELS);
}

void facts_end(facts *f)
{
    if (f->json) {
        json_close(&f->j, '}');
        json_print(&f->j);
        return;
    }
    cli_table_print(f->t, stdout);
    cli_table_free(f->t);
    f->t = NULL;
}

void facts_drop(facts *f)
{
    cn_buf_deinit(&f->j.b);
    cli_table_free(f->t);
    f->t = NULL;
}
