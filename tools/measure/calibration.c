/* The labelled dialogues, and how fast the model answers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "dialogue.h"
#include "text.h"

/* What the total has to be, by a part of the dialogue's id. */
static const struct {
    const char *part;
    double target;
    ms_want want;
} wanted_totals[] = {{"_good", 20, MS_AT_LEAST}, {"_bad", 10, MS_AT_MOST}};

/* Figures keep their names: the few dialogues have room here. */
typedef struct label {
    char name[48], what[64];
} label;

static void add_total(ms_run *r, label *l, cn_str id, double total)
{
    snprintf(l->name, sizeof l->name, "%.*s", CN_STR_ARG(id));
    snprintf(l->what, sizeof l->what, "labelled dialogue: total of %.*s", CN_STR_ARG(id));
    ms_figure f = {.name = l->name,
                   .what = l->what,
                   .value = total,
                   .corpus = (double)NAN,
                   .unit = MS_NUMBER,
                   .n = 1};
    for (size_t i = 0; i < sizeof wanted_totals / sizeof *wanted_totals; i++) {
        if (!strstr(l->name, wanted_totals[i].part)) continue;
        f.want = wanted_totals[i].want;
        f.target = wanted_totals[i].target;
    }
    ms_report_add(&r->report, f);
}

/* ,"key":7 */
static void put_mark(cn_buf *out, const char *before, const char *name, double mark)
{
    cn_buf_printf(out, ",\"%s%s\":", before, name);
    isnan(mark) ? cn_buf_lit(out, "null") : cn_buf_printf(out, "%g", mark);
}

static cn_status one(ms_run *r, const cn_json *j, const cn_grammar *grammar, label *l,
                     cn_err *err)
{
    cn_str id = cn_json_str(cn_json_get(j, "id"));
    const co_rule *system = co_rule_find(r->grammar, CN_STR("evaluate.system"));
    ms_how how = {.top_p = 1, .max_tokens = 60, .grammar = grammar};
    ms_marks m;
    if (!system || !system->n)
        return cn_fail(err, CN_E_NOT_FOUND, "the grammar has no rule evaluate.system");
    cn_status st = ms_ask_dialogue(r, system->alts[0].text,
                                   cn_json_str(cn_json_get(j, "dialogue")), &how, err);
    if (st) return st;
    ms_marks_read(&m, cn_buf_view(&r->speaker.text));
    add_total(r, l, id, ms_total(&m));
    cn_buf *out = &r->report.calibration, *notes = &r->report.notes;
    cn_buf_printf(out, "%s\n{\"id\":", out->n ? "," : "");
    cn_buf_json(out, id);
    ms_pad(notes, id, 26, false);
    for (int i = 0; i < 3; i++) {
        double expected = cn_json_num(
            cn_json_get(cn_json_get(j, "expected_scores"), ms_mark_names[i]), (double)NAN);
        put_mark(out, "", ms_mark_names[i], m.mark[i]);
        put_mark(out, "expected_", ms_mark_names[i], expected);
        cn_buf_printf(notes, "  %s %g (expected %g)", ms_mark_names[i], m.mark[i], expected);
    }
    cn_buf_putc(out, '}');
    cn_buf_putc(notes, '\n');
    return CN_OK;
}

cn_status ms_measure_calibration(ms_run *r, cn_err *err)
{
    static label labels[16]; /* figures borrow their names until the program ends */
    cn_grammar *grammar = NULL;
    char *line = NULL;
    size_t room = 0, n = 0;
    ssize_t got;
    FILE *f = r->calibration ? fopen(r->calibration, "r") : NULL;
    if (!f) return CN_OK;
    cn_status st = ms_marks_grammar(&grammar, err);
    while (!st && n < 16 && (got = getline(&line, &room, f)) > 0) {
        cn_json *j = NULL;
        st = cn_json_parse(&j, (cn_str){line, (size_t)got}, err);
        if (!st) st = one(r, j, grammar, &labels[n++], err);
        cn_json_free(j);
    }
    free(line);
    fclose(f);
    cn_grammar_free(grammar);
    return st ? cn_ctx(err, st, "the labelled dialogues of %s", r->calibration) : CN_OK;
}

/* ---- speed ---- */

enum { PROMPT_TOKENS = 300, TRIES = 9 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first 300 tokens of a dialogue to grade, or of several. */
static cn_status long_prompt(ms_run *r, cn_tokens *out, cn_err *err)
{
    ms_records records;
    cn_status st = ms_records_read(&records, &r->source, "game", true, 20, err);
    for (size_t i = 0; i < records.n && !st && out->n < PROMPT_TOKENS; i++) {
        ms_chat chat = {0};
        for (size_t k = 0; k < ms_n_messages(&records.items[i]); k++)
            ms_chat_add(&chat,
                        k == 0  ? "system"
                        : k % 2 ? "user"
                                : "assistant",
                        ms_content(&records.items[i], k));
        st = ms_prompt(&r->speaker, &chat, out, err);
        cn_buf_deinit(&chat.json);
    }
    ms_records_deinit(&records);
    if (!st && out->n < PROMPT_TOKENS) st = cn_fail(err, CN_E_LIMIT, "%zu tokens", out->n);
    return st;
}

cn_status ms_measure_speed(ms_run *r, cn_err *err)
{
    cn_tokens ids = {0};
    double ms[TRIES];
    cn_session *s = r->speaker.session;
    cn_status st = long_prompt(r, &ids, err);
    for (int i = 0; i < TRIES && !st; i++) {
        cn_generate_options o = {.sampling = cn_sampling_default(), .max_tokens = 1};
        cn_generated done;
        cn_session_truncate(s, 0);
        uint64_t start = cn_now_ns();
        st = cn_generate(s, ids.ids, PROMPT_TOKENS, &o, &done, err);
        ms[i] = cn_seconds_since(start) * 1000;
    }
    cn_tokens_free(&ids);
    if (st) return st;
    qsort(ms, TRIES, sizeof *ms, by_size);
    double rate =
        r->speaker.seconds > 0 ? (double)r->speaker.n_tokens / r->speaker.seconds : (double)NAN;
    ms_report_add(&r->report,
                  (ms_figure){"first_token_ms", "first token after 300, median", ms[TRIES / 2],
                              (double)NAN, 0, MS_TOLD, MS_MILLISECONDS, TRIES});
    ms_report_add(&r->report,
                  (ms_figure){"tokens_per_second", "tokens written a second", rate, (double)NAN,
                              0, MS_TOLD, MS_RATE, r->speaker.n_tokens});
    return CN_OK;
}
