/* conatus perplexity: how well a model foresees a text, in windows of the context. The second
 * half of every window counts, as each of its tokens then has at least half a window before it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "file.h"
#include "input.h"
#include "interrupt.h"
#include "json_out.h"
#include "mem.h"
#include "model.h"
#include "progress.h"
#include "scoring.h"
#include "verbs.h"

typedef struct perplexity_settings {
    cli_common common;
    cli_model_options model;
    int32_t chunks;
} perplexity_settings;

static const cli_option options[] = {
    {.name = "chunks",
     .kind = CLI_INT,
     .value = "N",
     .help = "only the first N windows (0: all)",
     .offset = offsetof(perplexity_settings, chunks),
     .max = INT32_MAX},
    CLI_MODEL_OPTIONS(perplexity_settings),
    CLI_COMMON_OPTIONS(perplexity_settings),
};

typedef struct totals {
    double nll, squares;
    size_t tokens, windows;
} totals;

/* The first token of every window is the beginning-of-text where the model has one. */
static cn_status score_window(cn_session *session, const cli_model *m, int32_t *window,
                              size_t n, totals *t, cn_err *err)
{
    score s;
    int32_t bos = cn_token_bos(m->tokenizer), kept = window[0];
    size_t first = n / 2 + 1;
    if (bos >= 0 && t->windows > 0) window[0] = bos;
    cn_session_truncate(session, 0);
    cn_status st = cli_score(session, m->model, window, n, first, &s, err);
    window[0] = kept;
    if (st) return st;
    t->nll += s.nll;
    t->squares += s.nll_squares;
    t->tokens += n - first;
    t->windows++;
    return CN_OK;
}

static cn_status score_text(const perplexity_settings *s, const cli_model *m, cn_tokens *ids,
                            totals *t, size_t *n_ctx, cn_err *err)
{
    cn_session *session = NULL;
    cn_status st = cli_session_new(&session, m, &s->model, err);
    if (st) return st;
    *n_ctx = CN_MIN(cn_session_n_ctx(session), s->model.ctx ? UINT32_MAX : 512);
    size_t windows = ids->n / *n_ctx;
    if (windows == 0) {
        st = cn_fail(err, CN_E_ARG, "the text has %zu tokens, a window needs %zu", ids->n,
                     *n_ctx);
        cn_next(err, st, "use a longer text or a smaller --ctx");
    }
    if (s->chunks) windows = CN_MIN(windows, (size_t)s->chunks);
    cli_progress bar = cli_progress_start("perplexity", false);
    for (size_t i = 0; i < windows && !st; i++) {
        st = score_window(session, m, ids->ids + i * *n_ctx, *n_ctx, t, err);
        cli_progress_at(&bar, (double)(i + 1), (double)windows);
    }
    cli_progress_end(&bar);
    cn_session_free(session);
    return st;
}

/* The error of the mean log-probability, carried over to its exponential. */
static void report(const perplexity_settings *s, const totals *t, size_t n_ctx)
{
    double n = (double)t->tokens, mean = t->nll / n, ppl = exp(mean);
    double variance = t->squares / n - mean * mean;
    double error = n > 1 && variance > 0 ? ppl * sqrt(variance / (n - 1)) : 0;
    if (!s->common.json) {
        printf(
            "perplexity %.4f +- %.4f  (nll %.6f a token, %zu tokens in %zu windows of %zu)\n",
            ppl, error, mean, t->tokens, t->windows, n_ctx);
        return;
    }
    json_out j = {0};
    json_open(&j, '{');
    json_put_num(&j, "perplexity", ppl);
    json_put_num(&j, "error", error);
    json_put_num(&j, "nll", t->nll);
    json_put_num(&j, "nll_per_token", mean);
    json_put_uint(&j, "tokens", t->tokens);
    json_put_uint(&j, "windows", t->windows);
    json_put_uint(&j, "window", n_ctx);
    json_close(&j, '}');
    json_print(&j);
}

static cn_status run(const void *settings, cn_err *err)
{
    const perplexity_settings *s = settings;
    const char *file = s->common.n_words > 1 ? s->common.words[1] : "-";
    cli_model m = {0};
    cn_buf text = {0};
    cn_tokens ids = {0};
    totals t = {0};
    size_t n_ctx = 0;
    cli_catch_interrupt();
    cn_status st = cli_model_open(&m, s->common.words[0], &s->model, err);
    if (!st) st = cli_read_file(&text, file, (size_t)1 << 30, err);
    if (!st) st = cli_prompt_text(&m, cn_buf_view(&text), &ids, err);
    if (!st) st = score_text(s, &m, &ids, &t, &n_ctx, err);
    if (!st) report(s, &t, n_ctx);
    cn_tokens_free(&ids);
    cn_buf_deinit(&text);
    cli_model_close(&m);
    return st;
}

const cli_verb verb_perplexity = {
    .name = "perplexity",
    .words = "MODEL [FILE]",
    .summary = "How well a model foresees a text.",
    .details =
        "Windows have 512 tokens unless --ctx says otherwise; the second half of each counts.\n"
        "Without FILE the text is read from standard input.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = 2,
    .settings_size = sizeof(perplexity_settings),
    .run = run,
};
