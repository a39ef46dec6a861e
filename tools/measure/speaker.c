#include "speaker.h"

#include <string.h>

#include "text.h"

cn_status ms_speaker_open(ms_speaker *s, const char *path, unsigned n_threads, cn_err *err)
{
    *s = (ms_speaker){0};
    cn_model_options o = {.n_threads = n_threads};
    cn_status st = cn_model_open(&s->model, path, &o, err);
    if (st) return st;
    s->tokenizer = cn_model_tokenizer(s->model);
    const char *source = s->tokenizer ? cn_tokenizer_chat_template(s->tokenizer, NULL) : NULL;
    st = source ? cn_template_parse(&s->tmpl, source, strlen(source), err)
                : cn_fail(err, CN_E_UNSUPPORTED, "the model has no chat template");
    if (!st) st = cn_session_new(&s->session, s->model, NULL, err);
    if (!st) st = cn_vocab_trie_new(&s->trie, s->tokenizer, err);
    if (st) ms_speaker_close(s);
    return st;
}

void ms_speaker_close(ms_speaker *s)
{
    cn_vocab_trie_free(s->trie);
    cn_session_free(s->session);
    cn_template_free(s->tmpl);
    cn_model_close(s->model);
    cn_buf_deinit(&s->text);
    *s = (ms_speaker){0};
}

void ms_chat_add(ms_chat *c, const char *role, cn_str content)
{
    cn_buf_printf(&c->json, "%s{\"role\":\"%s\",\"content\":", c->n++ ? "," : "", role);
    cn_buf_json(&c->json, content);
    cn_buf_putc(&c->json, '}');
}

void ms_chat_clear(ms_chat *c)
{
    cn_buf_clear(&c->json);
    c->n = 0;
}

static void put_token(cn_buf *b, const cn_tokenizer *t, const char *key, int32_t id)
{
    size_t n;
    const char *piece = id >= 0 ? cn_token_piece(t, id, &n) : NULL;
    if (!piece) return;
    cn_buf_printf(b, ",\"%s\":", key);
    cn_buf_json(b, (cn_str){piece, n});
}

cn_status ms_prompt(const ms_speaker *s, const ms_chat *c, cn_tokens *out, cn_err *err)
{
    cn_buf b = {0};
    cn_rendered r = {0};
    cn_buf_lit(&b, "{\"messages\":[");
    cn_buf_str(&b, cn_buf_view(&c->json));
    cn_buf_lit(&b, "],\"add_generation_prompt\":true");
    put_token(&b, s->tokenizer, "bos_token", cn_token_bos(s->tokenizer));
    put_token(&b, s->tokenizer, "eos_token", cn_token_eos(s->tokenizer));
    cn_buf_putc(&b, '}');
    cn_status st = b.failed ? cn_fail(err, CN_E_NOMEM, "a conversation")
                            : cn_template_render(s->tmpl, b.p, b.n, 0, NULL, &r, err);
    if (!st)
        st = cn_encode_marked(s->tokenizer, r.text, r.n, r.trusted, CN_PARSE_SPECIAL, out, err);
    cn_rendered_free(&r);
    cn_buf_deinit(&b);
    return st;
}

static bool on_token(void *user, const cn_generated_token *t)
{
    if (t->n) cn_buf_append(user, t->text, t->n);
    return true;
}

static void trim(cn_buf *b)
{
    cn_str s = ms_trim(cn_buf_view(b));
    if (s.n) memmove(b->p, s.p, s.n);
    b->n = s.n;
}

cn_status ms_say(ms_speaker *s, const ms_chat *c, const ms_how *how, cn_err *err)
{
    cn_tokens prompt = {0};
    cn_generated done;
    cn_generate_options o = {
        .sampling = cn_sampling_default(),
        .max_tokens = how->max_tokens,
        .grammar = how->grammar,
        .trie = s->trie,
        .on_token = on_token,
        .user = &s->text,
    };
    o.sampling.temperature = how->temperature;
    o.sampling.top_p = how->top_p;
    o.sampling.top_k = 0;
    o.sampling.min_p = 0;
    o.sampling.seed = how->seed;
    cn_buf_clear(&s->text);
    cn_status st = ms_prompt(s, c, &prompt, err);
    size_t most = cn_session_n_ctx(s->session);
    if (!st && prompt.n + how->max_tokens > most)
        st = cn_fail(err, CN_E_LIMIT, "%zu tokens of %zu", prompt.n + how->max_tokens, most);
    if (!st) st = cn_generate(s->session, prompt.ids, prompt.n, &o, &done, err);
    if (!st) {
        s->n_tokens += done.n_tokens;
        s->seconds += done.generate_seconds;
        trim(&s->text);
    }
    cn_tokens_free(&prompt);
    return st;
}
