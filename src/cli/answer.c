#include "answer.h"

#include <math.h>
#include <string.h>

static void note_logprobs(cli_answer *a, const cn_generated_token *t)
{
    json_out *j = &a->logprobs;
    json_open(j, '{');
    json_key(j, "id");
    json_int(j, t->id);
    json_key(j, "text");
    json_text(j, (cn_str){t->text, t->n});
    json_key(j, "logprob");
    json_float(j, t->logprob);
    json_key(j, "top");
    json_open(j, '[');
    for (size_t i = 0; i < t->n_top; i++) {
        json_open(j, '[');
        json_int(j, t->top[i].id);
        json_float(j, t->top[i].logprob);
        json_close(j, ']');
    }
    json_close(j, ']');
    json_close(j, '}');
}

/* A model's text moves no cursor: of the control characters only line ends and tabs pass. */
static void show_on_terminal(FILE *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i], next = i + 1 < n ? (unsigned char)p[i + 1] : 0;
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        if (c == 0xC2 && next >= 0x80 && next < 0xA0)
            i++;
        else if (!control)
            putc(c, out);
    }
}

static void add_text(cli_answer *a, const char *p, size_t n)
{
    if (n == 0) return;
    cn_buf_append(&a->text, p, n);
    if (!a->show) return;
    if (a->terminal)
        show_on_terminal(a->show, p, n);
    else
        fwrite(p, 1, n, a->show);
    fflush(a->show);
}

static bool on_token(void *user, const cn_generated_token *t)
{
    cli_answer *a = user;
    add_text(a, t->text, t->n);
    if (t->id < 0) return true;
    if (a->want_logprobs) note_logprobs(a, t);
    a->failed = a->text.failed || cn_tokens_push(&a->ids, t->id, NULL);
    return !a->failed;
}

cn_status cli_answer_generate(cli_answer *a, cn_session *s, const cn_tokens *prompt,
                              cli_request *r, cn_err *err)
{
    r->o.on_token = on_token;
    r->o.user = a;
    a->want_logprobs = r->o.logprobs;
    a->max_tokens = r->o.max_tokens;
    cn_status st = cn_generate(s, prompt->ids, prompt->n, &r->o, &a->how, err);
    if (st == CN_E_LIMIT && !err->what[0]) cn_ctx(err, st, "evaluating the prompt");
    if (!st && a->failed) st = cn_fail(err, CN_E_NOMEM, "an answer of %zu tokens", a->ids.n);
    return st;
}

static double rate(size_t n, double seconds)
{
    return seconds > 0 ? round((double)n / seconds * 100) / 100 : 0;
}

static double microseconds(double seconds)
{
    return round(seconds * 1e6) / 1e6;
}

void cli_answer_json(const cli_answer *a, json_out *j)
{
    static const char *const reasons[] = {"stop", "length", "cancelled"};
    const cn_generated *g = &a->how;
    json_open(j, '{');
    json_key(j, "text");
    json_text(j, cn_buf_view(&a->text));
    json_put_ids(j, "ids", a->ids.ids, a->ids.n);
    json_put_text(j, "finish_reason", reasons[g->finish]);
    if (a->want_logprobs) {
        json_key(j, "logprobs");
        json_open(j, '[');
        if (a->logprobs.b.n) json_raw(j, cn_buf_view(&a->logprobs.b));
        json_close(j, ']');
    }
    json_key(j, "usage");
    json_open(j, '{');
    json_put_uint(j, "prompt_tokens", g->n_prompt);
    json_put_uint(j, "cached_tokens", g->n_cached);
    json_put_uint(j, "completion_tokens", g->n_tokens);
    json_put_uint(j, "total_tokens", g->n_prompt + g->n_tokens);
    json_close(j, '}');
    json_key(j, "timings");
    json_open(j, '{');
    json_put_num(j, "prompt_seconds", microseconds(g->prompt_seconds));
    json_put_num(j, "prompt_tokens_per_second",
                 rate(g->n_prompt - g->n_cached, g->prompt_seconds));
    json_put_num(j, "generate_seconds", microseconds(g->generate_seconds));
    json_put_num(j, "generate_tokens_per_second", rate(g->n_tokens, g->generate_seconds));
    json_close(j, '}');
    json_close(j, '}');
}

void cli_answer_note_full(const cli_answer *a, const cn_session *s)
{
    bool asked = a->max_tokens && a->how.n_tokens >= a->max_tokens;
    if (a->how.finish == CN_FINISH_LENGTH && !asked)
        fprintf(stderr, "context of %u tokens is full: --ctx or --keep\n", cn_session_n_ctx(s));
}

void cli_answer_speed(const cli_answer *a, FILE *out)
{
    const cn_generated *g = &a->how;
    fprintf(out,
            "[prompt %zu tokens (%zu kept), %.1f tokens/s; answer %zu tokens, %.1f tokens/s]\n",
            g->n_prompt, g->n_cached, rate(g->n_prompt - g->n_cached, g->prompt_seconds),
            g->n_tokens, rate(g->n_tokens, g->generate_seconds));
}

void cli_answer_deinit(cli_answer *a)
{
    cn_buf_deinit(&a->text);
    cn_tokens_free(&a->ids);
    cn_buf_deinit(&a->logprobs.b);
}
