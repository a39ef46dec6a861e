/* Held-out dialogues: their marks under the grammar and without it; their final messages. */
#include <math.h>

#include "dialogue.h"
#include "eval/stats.h"
#include "mem.h"
#include "stats.h"
#include "text.h"

/* ---- marks ---- */

typedef struct grades {
    double *given[4], *wanted[4]; /* the three marks and the total */
    size_t n, parsed, free_parsed, free_same, schema_same;
} grades;

static cn_status grades_init(grades *g, size_t n, cn_err *err)
{
    *g = (grades){0};
    bool fine = true;
    for (int i = 0; i < 4; i++) {
        g->given[i] = cn_alloc_array(n + 1, sizeof(double));
        g->wanted[i] = cn_alloc_array(n + 1, sizeof(double));
        fine = fine && g->given[i] && g->wanted[i];
    }
    return fine ? CN_OK : cn_fail(err, CN_E_NOMEM, "marks of %zu dialogues", n);
}

static void grades_deinit(grades *g)
{
    for (int i = 0; i < 4; i++) {
        cn_free(g->given[i]);
        cn_free(g->wanted[i]);
    }
}

/* One dialogue's marks; *read says whether they were JSON with marks from 0 to 10. */
static cn_status ask(ms_run *r, const ms_record *q, const cn_grammar *grammar, ms_marks *out,
                     bool *read, cn_err *err)
{
    ms_how how = {.top_p = 1, .max_tokens = 60, .grammar = grammar};
    cn_status st = ms_ask_dialogue(r, ms_content(q, 0), ms_content(q, 1), &how, err);
    *read = !st && ms_marks_read(out, cn_buf_view(&r->speaker.text));
    return st;
}

static cn_status grade(ms_run *r, const ms_record *q, const cn_grammar *grammar,
                       const cn_grammar *schema, grades *g, cn_err *err)
{
    ms_marks given, other, wanted;
    bool parsed, read;
    cn_status st = ask(r, q, grammar, &given, &parsed, err);
    if (!st) st = ask(r, q, schema, &other, &read, err);
    if (st) return st;
    g->parsed += parsed;
    g->schema_same += parsed && read && memcmp(&other, &given, sizeof given) == 0;
    st = ask(r, q, NULL, &other, &read, err);
    if (st) return st;
    g->free_parsed += read;
    g->free_same += parsed && read && memcmp(&other, &given, sizeof given) == 0;
    if (!parsed || !ms_marks_read(&wanted, ms_content(q, 2))) return CN_OK;
    for (int i = 0; i < 4; i++) {
        g->given[i][g->n] = i < 3 ? given.mark[i] : ms_total(&given);
        g->wanted[i][g->n] = i < 3 ? wanted.mark[i] : ms_total(&wanted);
    }
    g->n++;
    return CN_OK;
}

static double mean_error(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(x[i] - y[i]);
    return n ? sum / (double)n : (double)NAN;
}

static cn_status report(ms_report *to, const grades *g, size_t asked, cn_err *err)
{
    static const char *const errors[][2] = {
        {"comprehension_error", "marks: mean error, compréhension"},
        {"cooperation_error", "marks: mean error, coopération"},
        {"progression_error", "marks: mean error, progression"},
        {"total_error", "marks: mean error, total of 30"}};
    static const char *const ranks[][2] = {
        {"comprehension_rank", "marks: rank correlation, compréhension"},
        {"cooperation_rank", "marks: rank correlation, coopération"},
        {"progression_rank", "marks: rank correlation, progression"},
        {"total_rank", "marks: rank correlation, total"}};
    const ms_figure shares[] = {
        {"parsed", "marks: JSON that parses", ms_share(g->parsed, asked), (double)NAN, 1,
         MS_AT_LEAST, MS_SHARE, asked},
        {"free_parsed", "marks: JSON that parses without the grammar",
         ms_share(g->free_parsed, asked), (double)NAN, 0, MS_TOLD, MS_SHARE, asked},
        {"free_same", "marks: the same without the grammar", ms_share(g->free_same, asked),
         (double)NAN, 0, MS_TOLD, MS_SHARE, asked},
        {"schema_same", "marks: the same under a JSON Schema", ms_share(g->schema_same, asked),
         (double)NAN, 0, MS_TOLD, MS_SHARE, asked},
    };
    ms_figure f;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        ms_report_add(to, shares[i]);
    for (int i = 0; i < 4; i++) {
        f = (ms_figure){.name = errors[i][0],
                        .what = errors[i][1],
                        .value = mean_error(g->given[i], g->wanted[i], g->n),
                        .corpus = (double)NAN,
                        .target = 1.5,
                        .want = i < 3 ? MS_BELOW : MS_TOLD,
                        .unit = MS_NUMBER,
                        .n = g->n};
        ms_report_add(to, f);
    }
    for (int i = 0; i < 4; i++) {
        f = (ms_figure){.name = ranks[i][0],
                        .what = ranks[i][1],
                        .corpus = (double)NAN,
                        .target = 0.8,
                        .want = MS_AT_LEAST,
                        .unit = MS_NUMBER,
                        .n = g->n};
        cn_status st = eval_spearman(&f.value, g->given[i], g->wanted[i], g->n, err);
        if (st) return st;
        ms_report_add(to, f);
    }
    return CN_OK;
}

cn_status ms_measure_grades(ms_run *r, cn_err *err)
{
    ms_records records = {0};
    cn_grammar *grammar = NULL, *schema = NULL;
    grades g;
    cn_status st = grades_init(&g, r->grades, err);
    if (!st) st = ms_marks_grammar(&grammar, err);
    if (!st) st = ms_marks_schema(&schema, err);
    if (!st) st = ms_records_read(&records, &r->source, "evaluate", true, r->grades, err);
    for (size_t i = 0; i < records.n && !st; i++)
        st = grade(r, &records.items[i], grammar, schema, &g, err);
    if (!st) st = report(&r->report, &g, records.n, err);
    ms_records_deinit(&records);
    cn_grammar_free(grammar);
    cn_grammar_free(schema);
    grades_deinit(&g);
    return st;
}

/* ---- final messages ---- */

typedef struct letters {
    size_t n, sentences, keyed, copied, known, same;
    ms_words said;
} letters;

/* Does the text name what the pupil spoke of in some turn? */
static bool names_a_key(const ms_record *q, cn_str text)
{
    for (size_t t = 0; ms_turn(q, t, "act").n; t++)
        if (ms_holds(text, ms_turn(q, t, "key"))) return true;
    return false;
}

static void tally(letters *l, const ms_run *r, const ms_record *q, cn_str text)
{
    ms_words own = {0};
    char word[96];
    int sentences = co_sentences(text);
    bool keyed = names_a_key(q, ms_content(q, 2));
    ms_words_learn(&own, ms_content(q, 1));
    l->n++;
    l->sentences += sentences >= 1 && sentences <= 3;
    l->keyed += keyed;
    l->copied += keyed && names_a_key(q, text);
    l->known += !ms_words_unknown(&r->words, &own, text, word);
    l->same += !ms_words_add(&l->said, text);
    ms_words_deinit(&own);
}

static void report_messages(ms_report *to, const letters *m, const letters *c)
{
    const ms_figure figures[] = {
        {"message_sentences", "messages: at most three sentences", ms_share(m->sentences, m->n),
         ms_share(c->sentences, c->n), 0.99, MS_AT_LEAST, MS_SHARE, m->n},
        {"message_key", "messages: a key word of the pupil", ms_share(m->copied, m->keyed),
         ms_share(c->copied, c->keyed), 0.60, MS_AT_LEAST, MS_SHARE, m->keyed},
        {"message_words", "messages without invented words", ms_share(m->known, m->n),
         ms_share(c->known, c->n), 0.99, MS_AT_LEAST, MS_SHARE, m->n},
        {"message_same", "messages that came before", ms_share(m->same, m->n),
         ms_share(c->same, c->n), 0.05, MS_BELOW, MS_SHARE, m->n},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        ms_report_add(to, figures[i]);
}

cn_status ms_measure_messages(ms_run *r, cn_err *err)
{
    ms_records records;
    letters model = {0}, corpus = {0};
    cn_status st = ms_records_read(&records, &r->source, "message", true, r->messages, err);
    for (size_t i = 0; i < records.n && !st; i++) {
        const ms_record *q = &records.items[i];
        ms_how how = {.temperature = 0.7f, .top_p = 0.9f, .max_tokens = 120};
        how.seed = r->source.seed * 100000 + i;
        st = ms_ask_dialogue(r, ms_content(q, 0), ms_content(q, 1), &how, err);
        if (st) break;
        tally(&model, r, q, cn_buf_view(&r->speaker.text));
        tally(&corpus, r, q, ms_content(q, 2));
        if (i < r->show)
            fprintf(r->out, "## %.*s\nmessage: %s\n\n", (int)ms_content(q, 1).n,
                    ms_content(q, 1).p, r->speaker.text.n ? r->speaker.text.p : "");
    }
    if (!st) report_messages(&r->report, &model, &corpus);
    ms_words_deinit(&model.said);
    ms_words_deinit(&corpus.said);
    ms_records_deinit(&records);
    return st;
}
