#include "report.h"

#include <math.h>

#include "compiler.h"
#include "text.h"

void ms_report_deinit(ms_report *r)
{
    cn_buf_deinit(&r->calibration);
    cn_buf_deinit(&r->notes);
}

void ms_report_add(ms_report *r, ms_figure f)
{
    CN_BUG_ON(r->n == CN_ARRAY_LEN(r->figures));
    r->figures[r->n++] = f;
}

bool ms_figure_reached(const ms_figure *f)
{
    switch (f->want) {
    case MS_AT_LEAST:
        return f->value >= f->target; /* false for NaN */
    case MS_BELOW:
        return f->value < f->target;
    case MS_AT_MOST:
        return f->value <= f->target;
    default:
        return true;
    }
}

unsigned ms_report_missed(const ms_report *r)
{
    unsigned missed = 0;
    for (unsigned i = 0; i < r->n; i++)
        missed += !ms_figure_reached(&r->figures[i]);
    return missed;
}

static void put_value(cn_buf *out, double v, ms_unit unit, const char *sign)
{
    static const struct {
        const char *after;
        int digits;
        double scale;
    } units[] = {{" %", 1, 100}, {"", 2, 1}, {" ms", 1, 1}, {"/s", 0, 1}};
    cn_buf cell = {0};
    if (isnan(v))
        cn_buf_lit(&cell, "-");
    else
        cn_buf_printf(&cell, "%s%.*f%s", sign, units[unit].digits, v * units[unit].scale,
                      units[unit].after);
    ms_pad(out, cn_buf_view(&cell), 12, true);
    cn_buf_deinit(&cell);
}

void ms_report_table(const ms_report *r, cn_buf *out)
{
    static const char *const signs[] = {"", ">= ", "< ", "<= "};
    cn_buf_printf(out, "%-50s%7s%12s%12s%12s\n", "", "of", "model", "target", "corpus");
    for (unsigned i = 0; i < r->n; i++) {
        const ms_figure *f = &r->figures[i];
        ms_pad(out, cn_str_of(f->what), 50, false);
        cn_buf_printf(out, "%7lu", f->n);
        put_value(out, f->value, f->unit, "");
        put_value(out, f->want == MS_TOLD ? (double)NAN : f->target, f->unit, signs[f->want]);
        put_value(out, f->corpus, f->unit, "");
        cn_buf_str(out, cn_str_of(f->want == MS_TOLD     ? "\n"
                                  : ms_figure_reached(f) ? "  ok\n"
                                                         : "  MISSED\n"));
    }
    cn_buf_str(out, cn_buf_view(&r->notes));
}

static void json_number(cn_buf *out, const char *key, double v)
{
    if (!isnan(v)) cn_buf_printf(out, ",\"%s\":%.6g", key, v);
}

void ms_report_json(const ms_report *r, cn_str head, cn_buf *out)
{
    static const char *const wants[] = {"", "at least", "below", "at most"};
    cn_buf_putc(out, '{');
    cn_buf_str(out, head);
    cn_buf_lit(out, "\"figures\":{");
    for (unsigned i = 0; i < r->n; i++) {
        const ms_figure *f = &r->figures[i];
        cn_buf_printf(out, "%s\n\"%s\":{\"what\":", i ? "," : "", f->name);
        cn_buf_json(out, cn_str_of(f->what));
        cn_buf_printf(out, ",\"n\":%lu", f->n);
        json_number(out, "value", f->value);
        json_number(out, "corpus", f->corpus);
        if (f->want != MS_TOLD)
            cn_buf_printf(out, ",\"want\":\"%s\",\"target\":%g,\"reached\":%s", wants[f->want],
                          f->target, ms_figure_reached(f) ? "true" : "false");
        cn_buf_putc(out, '}');
    }
    cn_buf_lit(out, "},\n\"calibration\":[");
    cn_buf_str(out, cn_buf_view(&r->calibration));
    cn_buf_printf(out, "],\n\"missed\":%u}\n", ms_report_missed(r));
}
