/* Prints as JSON: microseconds to parse and to render a ChatML template with ten messages, and
 * a long template with tools. bench_template TEMPLATE-WITH-TOOLS
 * (tests/fixtures/template/tools.jinja) Medians of nine runs. */
#include <conatus/template.h>

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "file.h"
#include "mem.h"
#include "template_builtin.h"

enum { RUNS = 9, TIMES = 200, MESSAGES = 10 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, RUNS, sizeof *v, by_value);
    return v[RUNS / 2];
}

static cn_buf conversation(bool tools)
{
    cn_buf b = {0};
    cn_buf_lit(&b, "{\"bos_token\": \"<s>\", \"add_generation_prompt\": true, \"messages\": [");
    for (int i = 0; i < MESSAGES; i++)
        cn_buf_printf(&b,
                      "%s{\"role\": \"%s\", \"content\": \"Message %d, of a usual length: two "
                      "sentences or so. It says little, but it says it in some words.\"}",
                      i ? ", " : "", i % 2 ? "assistant" : "user", i);
    cn_buf_lit(&b, "]");
    for (int i = 0; tools && i < 8; i++)
        cn_buf_printf(
            &b,
            "%s{\"type\": \"function\", \"function\": {\"name\": \"tool_%d\", "
            "\"description\": \"What it does.\", \"parameters\": {\"type\": \"object\", "
            "\"properties\": {\"city\": {\"type\": \"string\"}, \"days\": {\"type\": "
            "\"array\", \"items\": {\"enum\": [\"mon\", \"tue\"]}}, \"deep\": {\"type\": "
            "\"object\", \"properties\": {\"x\": {\"type\": \"number\"}}}}, "
            "\"required\": [\"city\"]}}}",
            i ? ", " : ", \"tools\": [", i);
    cn_buf_str(&b, tools ? CN_STR("]}") : CN_STR("}"));
    return b;
}

typedef struct result {
    double parse_us, render_us;
    size_t bytes;
} result;

static cn_status measure(cn_str source, bool tools, result *out, cn_err *err)
{
    double parse[RUNS], render[RUNS];
    cn_buf vars = conversation(tools);
    cn_template *t = NULL;
    cn_status st = CN_OK;
    for (int run = 0; run < RUNS && !st; run++) {
        uint64_t start = cn_now_ns();
        for (int i = 0; i < TIMES && !st; i++) {
            cn_template_free(t);
            st = cn_template_parse(&t, source.p, source.n, err);
        }
        parse[run] = cn_seconds_since(start) / TIMES;
        start = cn_now_ns();
        for (int i = 0; i < TIMES && !st; i++) {
            cn_rendered r;
            st = cn_template_render(t, vars.p, vars.n, 0, NULL, &r, err);
            out->bytes = r.n;
            cn_rendered_free(&r);
        }
        render[run] = cn_seconds_since(start) / TIMES;
    }
    cn_template_free(t);
    cn_buf_deinit(&vars);
    if (st) return st;
    out->parse_us = 1e6 * median(parse);
    out->render_us = 1e6 * median(render);
    return CN_OK;
}

int main(int argc, char **argv)
{
    cn_err err = {0};
    cn_buf file = {0};
    result chat, tools;
    if (argc != 2) return fprintf(stderr, "usage: bench_template TEMPLATE\n"), 2;
    cn_status st = cn_file_read(&file, argv[1], 4 << 20, &err);
    if (!st) st = measure(cn_str_of(template_fallback_chatml()), false, &chat, &err);
    if (!st) st = measure(cn_buf_view(&file), true, &tools, &err);
    cn_buf_deinit(&file);
    if (st) return fprintf(stderr, "bench_template: %s: %s\n", err.what, err.why), 1;
    printf("{\"messages\":%d,\"chatml\":{\"parse_us\":%.1f,\"render_us\":%.1f,\"bytes\":%zu},"
           "\"tools\":{\"parse_us\":%.1f,\"render_us\":%.1f,\"bytes\":%zu}}\n",
           MESSAGES, chat.parse_us, chat.render_us, chat.bytes, tools.parse_us, tools.render_us,
           tools.bytes);
    return 0;
}
