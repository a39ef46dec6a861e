/* conatus perplexity: how well a model foresees a text, in windows of the context. */
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
#include "score.h"
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

static void at_window(void *bar, size_t done, size_t total)
{
    cli_progress_at(bar, (double)done, (double)total);
}

static cn_status score_text(const perplexity_settings *s, const cli_model *m, cn_tokens *ids,
                            eval_text *t, cn_err *err)
{
    cn_session *session = NULL;
    cn_status st = cli_session_new(&session, m, &s->model, err);
    if (st) return st;
    size_t n_ctx = CN_MIN(cn_session_n_ctx(session), s->model.ctx ? UINT32_MAX : 512);
    cli_progress bar = cli_progress_start("perplexity", false);
    st = eval_text_score(t, session, m->model, ids->ids, ids->n, n_ctx,
                         cn_token_bos(m->tokenizer), (size_t)s->chunks, at_window, &bar, err);
    cli_progress_end(&bar);
    cn_session_free(session);
    return st;
}

/* The error of the mean log-probability, carried over to its exponential. */
static void report(const perplexity_settings *s, const eval_text *t)
{
    double n = (double)t->tokens, mean = t->nll / n, ppl = exp(mean);
    double variance = t->nll_squares / n - mean * mean;
    double error = n > 1 && variance > 0 ? ppl * sqrt(variance / (n - 1)) : 0;
    if (!s->common.json) {
        printf(
            "perplexity %.4f +- %.4f  (nll %.6f a token, %zu tokens in %zu windows of %zu)\n",
            ppl, error, mean, t->tokens, t->n, t->window);
        return;
    }
    json_out j = {0};
    json_open(&j, '{');
    json_put_num(&j, "perplexity", ppl);
    json_put_num(&j, "error", error);
    json_put_num(&j, "nll", t->nll);
    json_put_num(&j, "nll_per_token", mean);
    json_put_uint(&j, "tokens", t->tokens);
    json_put_uint(&j, "windows", t->n);
    json_put_uint(&j, "window", t->window);
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
    eval_text t = {0};
    cli_catch_interrupt();
    cn_status st = cli_model_open(&m, s->common.words[0], &s->model, err);
    if (!st) st = cli_read_file(&text, file, (size_t)1 << 30, err);
    if (!st) st = cli_prompt_text(&m, cn_buf_view(&text), &ids, err);
    if (!st) st = score_text(s, &m, &ids, &t, err);
    if (!st) report(s, &t);
    eval_text_deinit(&t);
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
