/* conatus bench: how fast a model is here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "compiler.h"
#include "facts.h"
#include "interrupt.h"
#include "mem.h"
#include "model.h"
#include "progress.h"
#include "rng.h"
#include "verbs.h"

typedef struct bench_settings {
    cli_common common;
    cli_model_options model;
    int32_t prompt, generate, repeat;
} bench_settings;

static const cli_option options[] = {
    {.name = "prompt",
     .letter = 'p',
     .kind = CLI_INT,
     .value = "N",
     .help = "tokens of the prompt (512)",
     .offset = offsetof(bench_settings, prompt),
     .min = 1,
     .max = 1 << 20},
    {.name = "generate",
     .letter = 'n',
     .kind = CLI_INT,
     .value = "N",
     .help = "tokens to generate (128)",
     .offset = offsetof(bench_settings, generate),
     .min = 1,
     .max = 1 << 20},
    {.name = "repeat",
     .letter = 'r',
     .kind = CLI_INT,
     .value = "N",
     .help = "repetitions; the median counts (5)",
     .offset = offsetof(bench_settings, repeat),
     .min = 1,
     .max = 1000},
    CLI_MODEL_OPTIONS(bench_settings),
    CLI_COMMON_OPTIONS(bench_settings),
};

static void defaults(void *settings)
{
    bench_settings *s = settings;
    s->prompt = 512;
    s->generate = 128;
    s->repeat = 5;
}

/* Prompt and answer within the model's context. */
typedef struct lengths {
    int32_t prompt, generate;
} lengths;

static lengths lengths_for(const bench_settings *s, const cn_model_info *m)
{
    int32_t limit = (int32_t)CN_MIN(s->model.ctx ? (uint32_t)s->model.ctx : m->n_ctx_train,
                                    (uint32_t)INT32_MAX);
    lengths l = {s->prompt, s->generate};
    if (limit < 2 || l.prompt + l.generate <= limit) return l;
    l.generate = CN_MIN(l.generate, CN_MAX(limit / 4, 1));
    l.prompt = CN_MIN(l.prompt, limit - l.generate);
    return l;
}

typedef struct samples {
    double *prompt, *generate; /* tokens a second of each repetition */
    size_t n;
} samples;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* One prompt from nothing, then tokens one at a time; random ids, as the text does not matter.
 */
static cn_status repetition(cn_session *session, const lengths *s, uint32_t n_vocab,
                            int32_t *ids, samples *out, cn_err *err)
{
    cn_rng rng = cn_rng_seeded(out->n + 1);
    const float *logits;
    for (int32_t i = 0; i < s->prompt; i++)
        ids[i] = (int32_t)cn_rng_below(&rng, n_vocab);
    cn_session_truncate(session, 0);
    uint64_t start = cn_now_ns();
    cn_status st = cn_session_eval(session, ids, (size_t)s->prompt, false, &logits, err);
    if (st) return st;
    out->prompt[out->n] = s->prompt / cn_seconds_since(start);
    start = cn_now_ns();
    for (int32_t i = 0; i < s->generate && !st; i++) {
        int32_t id = (int32_t)cn_rng_below(&rng, n_vocab);
        st = cn_session_eval(session, &id, 1, false, &logits, err);
    }
    if (st) return st;
    out->generate[out->n++] = s->generate / cn_seconds_since(start);
    return CN_OK;
}

static cn_status measure(const bench_settings *s, const cli_model *m, const lengths *l,
                         samples *out, cn_err *err)
{
    cn_session *session = NULL;
    uint32_t n_vocab = cn_model_info_of(m->model)->n_vocab;
    int32_t *ids = cn_alloc_array((size_t)l->prompt, sizeof *ids);
    cli_model_options o = s->model;
    if (!o.ctx) o.ctx = l->prompt + l->generate;
    cn_status st = ids ? cli_session_new(&session, m, &o, err)
                       : cn_fail(err, CN_E_NOMEM, "a prompt of %d tokens", l->prompt);
    cli_progress bar = cli_progress_start("measuring", false);
    for (int32_t i = 0; i < s->repeat && !st; i++) {
        st = repetition(session, l, n_vocab, ids, out, err);
        cli_progress_at(&bar, i + 1, s->repeat);
    }
    cli_progress_end(&bar);
    cn_session_free(session);
    cn_free(ids);
    return st;
}

static uint64_t peak_memory(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : (uint64_t)u.ru_maxrss * 1024;
}

static void report(const bench_settings *s, const cli_model *m, const lengths *l, samples *x)
{
    const cn_model_info *info = cn_model_info_of(m->model);
    facts f;
    facts_begin(&f, s->common.json);
    fact_text(&f, "model", "%s", info->name[0] ? info->name : s->common.words[0]);
    fact_text(&f, "architecture", "%s", info->architecture);
    fact_text(&f, "weights", "%s", info->weights);
    fact_count(&f, "parameters", info->n_params);
    fact_bytes(&f, "weight_bytes", info->weight_bytes);
    fact_num(&f, "load_seconds", m->load_seconds, "");
    fact_uint(&f, "prompt_tokens", (uint64_t)l->prompt);
    fact_num(&f, "prompt_tokens_per_second", median(x->prompt, x->n), "");
    fact_uint(&f, "generate_tokens", (uint64_t)l->generate);
    fact_num(&f, "generate_tokens_per_second", median(x->generate, x->n), "");
    fact_uint(&f, "repetitions", x->n);
    fact_bytes(&f, "peak_memory", peak_memory());
    facts_end(&f);
}

static cn_status run(const void *settings, cn_err *err)
{
    const bench_settings *s = settings;
    cli_model m = {0};
    samples x = {0};
    cli_catch_interrupt();
    x.prompt = cn_xcalloc((size_t)s->repeat, sizeof *x.prompt);
    x.generate = cn_xcalloc((size_t)s->repeat, sizeof *x.generate);
    cn_status st = cli_model_open(&m, s->common.words[0], &s->model, err);
    if (!st) {
        lengths l = lengths_for(s, cn_model_info_of(m.model));
        st = measure(s, &m, &l, &x, err);
        if (!st) report(s, &m, &l, &x);
    }
    cn_free(x.prompt);
    cn_free(x.generate);
    cli_model_close(&m);
    return st;
}

const cli_verb verb_bench = {
    .name = "bench",
    .words = "MODEL",
    .summary = "Measure prompt and generation speed, load time and memory.",
    .details = "Both lengths shrink where the context is smaller.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = 1,
    .settings_size = sizeof(bench_settings),
    .defaults = defaults,
    .run = run,
};
