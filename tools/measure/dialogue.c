#include "dialogue.h"

#include <math.h>

const char *const ms_mark_names[3] = {"comprehension", "cooperation", "progression"};

double ms_share(size_t hits, size_t n)
{
    return n ? (double)hits / (double)n : (double)NAN;
}

double ms_total(const ms_marks *m)
{
    return m->mark[0] + m->mark[1] + m->mark[2];
}

bool ms_marks_read(ms_marks *out, cn_str json)
{
    cn_json *j = NULL;
    bool fine = cn_json_parse(&j, json, NULL) == CN_OK && cn_json_size(j) == 4;
    for (int i = 0; i < 3; i++) {
        int64_t mark = cn_json_int(cn_json_get(j, ms_mark_names[i]), -1);
        fine = fine && mark >= 0 && mark <= 10;
        out->mark[i] = fine ? (double)mark : (double)NAN;
    }
    cn_json_free(j);
    return fine;
}

cn_status ms_marks_schema(cn_grammar **out, cn_err *err)
{
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{"
        "\"comprehension\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10},"
        "\"cooperation\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10},"
        "\"progression\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10},"
        "\"total\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":30}},"
        "\"required\":[\"comprehension\",\"cooperation\",\"progression\",\"total\"],"
        "\"additionalProperties\":false}";
    return cn_grammar_from_schema(out, schema, sizeof schema - 1, NULL, NULL, err);
}

cn_status ms_marks_grammar(cn_grammar **out, cn_err *err)
{
    static const char gbnf[] =
        "root ::= \" \"? \"{\\\"comprehension\\\":\" mark \",\\\"cooperation\\\":\" mark "
        "\",\\\"progression\\\":\" mark \",\\\"total\\\":\" total \"}\"\n"
        "mark ::= [0-9] | \"10\"\n"
        "total ::= [0-9] | [12] [0-9] | \"30\"\n";
    return cn_grammar_from_gbnf(out, gbnf, sizeof gbnf - 1, NULL, NULL, err);
}

cn_status ms_ask_dialogue(ms_run *r, cn_str system, cn_str dialogue, const ms_how *how,
                          cn_err *err)
{
    ms_chat chat = {0};
    bool whole = true;
    cn_status st;
    do {
        ms_chat_clear(&chat);
        ms_chat_add(&chat, "system", system);
        ms_chat_add(&chat, "user", dialogue);
        st = ms_say(&r->speaker, &chat, how, err);
        const char *line = st == CN_E_LIMIT ? memchr(dialogue.p, '\n', dialogue.n) : NULL;
        if (!line) break;
        dialogue = cn_str_skip(dialogue, (size_t)(line - dialogue.p) + 1);
        whole = false;
    } while (true);
    r->shortened += !whole;
    cn_buf_deinit(&chat.json);
    return st;
}
