/* The token loop: logits, mask, choice, text, until an end, a stop string, a limit or the
 * caller says so. */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "session_priv.h"
#include "stop.h"

#define MAX_TOP_LOGPROBS 20

/* One answer under way. */
typedef struct generation {
    cn_session *s;
    const cn_generate_options *o;
    const cn_tokenizer *tok; /* NULL: ids only */
    cn_sampler *sampler;
    cn_decoder *decoder;
    cn_constraint *constraint;
    uint32_t *mask;
    float *
        raw; /* the logits before any setting touches them, when log-probabilities are wanted */
    stop_filter stop;
    int32_t n_vocab; /* tokens that have both a logit and a name */
    int32_t *ends;   /* end tokens, for min_tokens */
    size_t n_ends;
    cn_logprob top[MAX_TOP_LOGPROBS];
    cn_generated *out;
    cn_err *err;
} generation;

static cn_status check_options(const generation *g)
{
    const cn_generate_options *o = g->o;
    if (o->n_top_logprobs > MAX_TOP_LOGPROBS)
        return cn_fail(g->err, CN_E_ARG, "n_top_logprobs is %u, at most %d", o->n_top_logprobs,
                       MAX_TOP_LOGPROBS);
    if (o->max_tokens && o->min_tokens > o->max_tokens)
        return cn_fail(g->err, CN_E_ARG, "min_tokens %u is over max_tokens %u", o->min_tokens,
                       o->max_tokens);
    if (o->grammar && (!o->trie || !g->tok))
        return cn_fail(g->err, CN_E_ARG,
                       "a grammar needs the vocabulary of the model's tokenizer");
    return CN_OK;
}

static size_t longest_piece(const generation *g)
{
    size_t longest = 0, n;
    for (int32_t i = 0; g->tok && i < g->n_vocab; i++) {
        cn_token_piece(g->tok, i, &n); /* by name a control token is longer than its bytes */
        longest = CN_MAX(longest, n);
    }
    return 4 * longest + 64; /* U+FFFD for single bytes, and what the decoder held back */
}

static cn_status collect_ends(generation *g)
{
    if (!g->o->min_tokens || !g->tok) return CN_OK;
    g->ends = cn_alloc_array((size_t)g->n_vocab, sizeof *g->ends);
    if (!g->ends) return cn_fail(g->err, CN_E_NOMEM, "end tokens");
    for (int32_t i = 0; i < g->n_vocab; i++)
        if (cn_token_is_end(g->tok, i)) g->ends[g->n_ends++] = i;
    return CN_OK;
}

/* After control tokens only, the answer begins the text: the blank that some vocabularies put
 * before a first word is none of its own. (A grammar has counted that blank.) */
static unsigned decoding_flags(const generation *g, const int32_t *prompt, size_t n)
{
    size_t i = 0;
    while (i < n && cn_token_is_control(g->tok, prompt[i]))
        i++;
    return (i < n || g->o->grammar ? CN_DECODE_KEEP_SPACE : 0) |
           (g->o->show_special ? CN_DECODE_SPECIAL : 0);
}

/* Everything that the loop will need is allocated here. */
static cn_status prepare(generation *g, const int32_t *prompt, size_t n)
{
    const cn_generate_options *o = g->o;
    cn_status st = check_options(g);
    int32_t n_logits = (int32_t)g->s->m->hp.n_vocab;
    g->n_vocab = g->tok ? CN_MIN(n_logits, cn_n_vocab(g->tok)) : n_logits;
    if (!st) st = cn_sampler_new(&g->sampler, &o->sampling, g->n_vocab, g->err);
    if (!st && g->tok)
        st = cn_decoder_new(&g->decoder, g->tok, decoding_flags(g, prompt, n), g->err);
    if (!st && o->grammar) {
        size_t words = ((size_t)CN_MAX(n_logits, cn_n_vocab(g->tok)) + 31) / 32;
        g->mask = cn_alloc_array(words, sizeof *g->mask);
        st = g->mask ? cn_constraint_new(&g->constraint, o->grammar, o->trie, g->err)
                     : cn_fail(g->err, CN_E_NOMEM, "token mask");
    }
    if (!st && o->logprobs && !(g->raw = cn_alloc_array((size_t)n_logits, sizeof *g->raw)))
        st = cn_fail(g->err, CN_E_NOMEM, "logits");
    if (!st) st = stop_init(&g->stop, o->stop, o->n_stop, longest_piece(g), g->err);
    return st ? st : collect_ends(g);
}

static void release(generation *g)
{
    cn_sampler_free(g->sampler);
    cn_decoder_free(g->decoder);
    cn_constraint_free(g->constraint);
    cn_free(g->mask);
    cn_free(g->raw);
    cn_free(g->ends);
    stop_deinit(&g->stop);
}

/* Evaluates what the session does not hold yet of the prompt; at least one token, for its
 * logits. */
static cn_status read_prompt(generation *g, const int32_t *prompt, size_t n,
                             const float **logits)
{
    cn_session *s = g->s;
    size_t same = 0;
    if (n == 0) return cn_fail(g->err, CN_E_ARG, "an empty prompt");
    while (same < n - 1 && same < s->n && s->ids[same] == prompt[same])
        same++;
    cn_session_truncate(s, same);
    g->out->n_prompt = n;
    g->out->n_cached = same;
    for (size_t i = 0; i < n; i++)
        cn_sampler_saw(g->sampler, prompt[i]);
    return cn_session_eval(s, prompt + same, n - same, false, logits, g->err);
}

static size_t tokens_left(const generation *g)
{
    const cn_session *s = g->s;
    size_t room = s->keep ? SIZE_MAX : s->n_ctx - g->out->n_prompt - g->out->n_tokens;
    size_t asked = g->o->max_tokens ? g->o->max_tokens - g->out->n_tokens : SIZE_MAX;
    return CN_MIN(room, asked);
}

static int32_t choose(generation *g, float *logits)
{
    if (g->out->n_tokens < g->o->min_tokens &&
        !(g->constraint && cn_constraint_finished(g->constraint)))
        for (size_t i = 0; i < g->n_ends; i++)
            logits[g->ends[i]] = -INFINITY;
    if (g->constraint) cn_constraint_mask(g->constraint, tokens_left(g), g->mask);
    return cn_sampler_next(g->sampler, logits, g->mask);
}

static bool tell(const generation *g, int32_t id, cn_str text, float logprob, size_t n_top)
{
    if (!g->o->on_token) return true;
    cn_generated_token t = {id, text.p ? text.p : "", text.n, logprob, g->top, n_top};
    return g->o->on_token(g->o->user, &t);
}

/* Turns the token into text, tells the caller; false ends the answer. */
static cn_status show(generation *g, int32_t id, float logprob, size_t n_top, bool *go_on)
{
    cn_str text = {0};
    if (g->decoder) {
        cn_status st = cn_decoder_next(g->decoder, id, &text.p, &text.n, g->err);
        if (st) return st;
    }
    text = stop_add(&g->stop, text);
    cn_alloc_permit(); /* the caller may do as it likes */
    *go_on = tell(g, id, text, logprob, n_top);
    cn_alloc_forbid();
    return CN_OK;
}

static cn_status nothing_allowed(const generation *g)
{
    return cn_fail(g->err, CN_E_REFUSED,
                   "no token is allowed after %zu (grammar, biases or NaN logits)",
                   g->out->n_tokens);
}

/* One token from `logits`; *finished when the answer has ended. */
static cn_status step(generation *g, float *logits, int32_t *id, bool *finished)
{
    const cn_generate_options *o = g->o;
    const int32_t n_logits = (int32_t)g->s->m->hp.n_vocab;
    bool go_on = true;
    size_t n_top = cn_top_logprobs(logits, n_logits, g->top, o->n_top_logprobs);
    if (o->logprobs) memcpy(g->raw, logits, (size_t)n_logits * sizeof *logits);
    *finished = true;
    *id = choose(g, logits);
    if (*id < 0) return nothing_allowed(g);
    if (!o->ignore_end && g->tok && cn_token_is_end(g->tok, *id)) {
        g->out->finish = CN_FINISH_STOP;
        return CN_OK;
    }
    cn_sampler_saw(g->sampler, *id);
    cn_status st = g->constraint ? cn_constraint_accept(g->constraint, *id, g->err) : CN_OK;
    float logprob = o->logprobs ? cn_logprob_of(g->raw, n_logits, *id) : 0;
    if (!st) st = show(g, *id, logprob, n_top, &go_on);
    if (st) return st;
    g->out->n_tokens++;
    if (!go_on)
        g->out->finish = CN_FINISH_CANCELLED;
    else if (g->stop.stopped || (g->constraint && cn_constraint_finished(g->constraint)))
        g->out->finish = CN_FINISH_STOP;
    else if (tokens_left(g) == 0)
        g->out->finish = CN_FINISH_LENGTH;
    else
        *finished = false;
    return CN_OK;
}

static cn_status token_loop(generation *g, const float *logits)
{
    cn_status st = CN_OK;
    bool finished = tokens_left(g) == 0;
    if (finished) g->out->finish = CN_FINISH_LENGTH;
    cn_alloc_forbid();
    while (!finished && !st) {
        int32_t id;
        st = step(g, (float *)(uintptr_t)logits, &id, &finished); /* the session's own array */
        if (!st && !finished) st = cn_session_eval(g->s, &id, 1, false, &logits, g->err);
    }
    cn_alloc_permit();
    return st;
}

/* What the decoder and the stop filter held back. */
static void show_rest(generation *g)
{
    cn_str text = {0};
    if (g->decoder) cn_decoder_end(g->decoder, &text.p, &text.n);
    if (g->stop.stopped) return;
    cn_str sure = stop_add(&g->stop, text);
    if (sure.n) tell(g, -1, sure, 0, 0);
    sure = stop_rest(&g->stop);
    if (sure.n) tell(g, -1, sure, 0, 0);
}

cn_status cn_generate(cn_session *s, const int32_t *prompt, size_t n,
                      const cn_generate_options *o, cn_generated *out, cn_err *err)
{
    const float *logits;
    generation g = {.s = s, .o = o, .tok = s->m->tokenizer, .out = out, .err = err};
    *out = (cn_generated){0};
    uint64_t start = cn_now_ns();
    cn_status st = prepare(&g, prompt, n);
    if (!st) st = read_prompt(&g, prompt, n, &logits);
    out->prompt_seconds = cn_seconds_since(start);
    start = cn_now_ns();
    if (!st) st = token_loop(&g, logits);
    if (st == CN_E_CANCELLED) {
        out->finish = CN_FINISH_CANCELLED;
        st = CN_OK;
    }
    if (!st) show_rest(&g);
    out->generate_seconds = cn_seconds_since(start);
    release(&g);
    return st;
}
