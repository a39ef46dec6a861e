#include "rubric_record.h"

void rubric_record_open(rubric_record *r)
{
    cn_buf_lit(r->out, "{\"messages\":[");
    r->more = false;
}

void rubric_record_message(rubric_record *r, const char *role, cn_str text)
{
    cn_buf_printf(r->out, "%s{\"role\":\"%s\",\"content\":", r->more ? "," : "", role);
    cn_buf_json(r->out, text);
    cn_buf_putc(r->out, '}');
    r->more = true;
}

void rubric_record_close(rubric_record *r, const char *kind, const co_game *g,
                         const rubric_marks *marks)
{
    cn_buf_printf(r->out, "],\"kind\":\"%s\",\"meta\":{", kind);
    if (marks) {
        cn_buf_printf(r->out, "\"marks\":[%d,%d,%d],", marks->comprehension, marks->cooperation,
                      marks->progression);
    }
    co_json_meta(g, r->out);
    cn_buf_lit(r->out, "}}\n");
}
