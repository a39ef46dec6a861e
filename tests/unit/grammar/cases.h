/* Reading the JSON files of cases that these tests share. */
#ifndef TEST_GRAMMAR_CASES_H
#define TEST_GRAMMAR_CASES_H

#include "compact.h"
#include "constraint.h"
#include "json.h"

typedef struct tally {
    unsigned compiled, refused, wrong, values;
} tally;

static inline cn_buf text_of(const cn_json *j)
{
    cn_buf b = {0};
    cn_json_write(&b, j);
    return b;
}

static inline cn_grammar *compile_schema(const cn_json *json, uint32_t white_space,
                                         cn_grammar_report *report)
{
    cn_buf text = text_of(json);
    cn_grammar_limits limits = {.max_whitespace = white_space};
    cn_grammar *g = NULL;
    cn_status st = cn_grammar_from_schema(&g, text.p, text.n, &limits, report, NULL);
    cn_buf_deinit(&text);
    return st ? NULL : g;
}

/* Does the automaton accept the value, its members in the schema's order? */
static inline bool accepts_value(const cn_grammar *g, const cn_json *value)
{
    cn_buf text = {0};
    bool ok = grammar_compact_in_order(&text, g, value, NULL) == CN_OK &&
              cn_grammar_accepts(g, text.p, text.n);
    cn_buf_deinit(&text);
    return ok;
}

#endif
