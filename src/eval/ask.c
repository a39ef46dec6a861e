#include "ask.h"

#include <math.h>
#include <stdio.h>

#include "compiler.h"
#include "mem.h"

typedef struct asker {
    const eval_asking *how;
    const eval_task *task;
    cn_vocab_trie *trie; /* made for the first case that is constrained */
    cn_buf text;
} asker;

static bool on_token(void *user, const cn_generated_token *t)
{
    cn_buf *text = user;
    if (t->n) cn_buf_append(text, t->text, t->n);
    return !text->failed;
}

static cn_status options_of(asker *a, const eval_case *c, cn_generate_options *o, cn_err *err)
{
    *o = (cn_generate_options){
        .sampling = cn_sampling_default(),
        .max_tokens = c->max_tokens,
        .stop = c->stop,
        .n_stop = c->n_stop,
        .on_token = on_token,
        .user = &a->text,
    };
    o->sampling.temperature = c->temperature;
    o->sampling.seed = c->has_seed ? c->seed : a->how->seed;
    if (!c->constrain) return CN_OK;
    cn_status st = a->trie ? CN_OK : cn_vocab_trie_new(&a->trie, a->how->tokenizer, err);
    o->grammar = c->schema->grammar;
    o->trie = a->trie;
    return st;
}

static cn_status generate(asker *a, const eval_case *c, cn_generated *how, cn_err *err)
{
    cn_generate_options o;
    cn_tokens prompt = {0};
    cn_buf_clear(&a->text);
    if (!a->how->reuse) cn_session_truncate(a->how->session, 0);
    cn_status st = options_of(a, c, &o, err);
    if (!st) st = a->how->prompt(a->how->user, c, &prompt, err);
    if (!st) st = cn_generate(a->how->session, prompt.ids, prompt.n, &o, how, err);
    if (!st && a->text.failed) st = cn_fail(err, CN_E_NOMEM, "a reply");
    if (!st && how->finish == CN_FINISH_CANCELLED)
        st = cn_fail(err, CN_E_CANCELLED, "interrupted");
    cn_tokens_free(&prompt);
    return st;
}

/* No reply came: nothing of what was expected is there. */
static void no_reply(eval_reply *r, const eval_task *t, const eval_case *c, double *marks,
                     const cn_err *why)
{
    r->verdict.failed = c->kinds;
    snprintf(r->verdict.why, sizeof r->verdict.why, "no reply: %.200s", why->why);
    for (size_t k = 0; k < t->n_marks; k++)
        marks[k] = (double)NAN;
}

static cn_status ask_case(asker *a, eval_run *run, size_t i, cn_err *err)
{
    const eval_task *t = a->task;
    const eval_case *c = &t->cases[i];
    eval_reply *r = &run->replies[run->n++];
    double *marks = run->marks + i * t->n_marks;
    cn_generated how = {0};
    cn_err e = {0};
    char name[96];
    cn_status st = generate(a, c, &how, &e);
    if (st == CN_E_LIMIT || st == CN_E_REFUSED) {
        no_reply(r, t, c, marks, &e);
        return CN_OK;
    }
    if (st) {
        *err = e;
        return cn_ctx(err, st, "asking case %s", eval_case_name(name, sizeof name, c));
    }
    run->prompt_tokens += how.n_prompt - how.n_cached;
    run->tokens += how.n_tokens;
    run->prompt_seconds += how.prompt_seconds;
    run->seconds += how.generate_seconds;
    r->n_tokens = how.n_tokens;
    r->finish = how.finish;
    r->n = a->text.n;
    st = eval_judge(&r->verdict, t, c, cn_buf_view(&a->text), marks, err);
    if (r->n) r->text = cn_buf_take(&a->text);
    return st;
}

cn_status eval_ask(eval_run *out, const eval_task *t, const eval_asking *how, cn_err *err)
{
    asker a = {.how = how, .task = t};
    cn_status st = CN_OK;
    *out = (eval_run){
        .replies = cn_alloc_array(t->n, sizeof *out->replies),
        .marks = cn_alloc_array(t->n, CN_MAX(t->n_marks, (size_t)1) * sizeof *out->marks),
    };
    if (!out->replies || !out->marks)
        st = cn_fail(err, CN_E_NOMEM, "the replies to %zu cases", t->n);
    for (size_t i = 0; i < t->n && !st; i++) {
        st = ask_case(&a, out, i, err);
        if (how->progress) how->progress(how->user, i + 1, t->n);
    }
    cn_vocab_trie_free(a.trie);
    cn_buf_deinit(&a.text);
    if (st) eval_run_deinit(out);
    return st;
}

void eval_run_deinit(eval_run *r)
{
    for (size_t i = 0; i < r->n; i++)
        cn_free(r->replies[i].text);
    cn_free(r->replies);
    cn_free(r->marks);
    *r = (eval_run){0};
}
