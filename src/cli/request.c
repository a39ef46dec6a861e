#include "request.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "jsonl.h"
#include "mem.h"

enum { MAX_STOP = 16, MAX_BIAS = 1024, MAX_TOP = 20 };

void cli_sampling_defaults(cli_sampling *s)
{
    cn_sampling d = cn_sampling_default();
    *s = (cli_sampling){
        .temperature = d.temperature,
        .top_k = d.top_k,
        .top_p = d.top_p,
        .min_p = d.min_p,
        .typical_p = d.typical_p,
        .repeat_penalty = d.repeat_penalty,
        .frequency_penalty = d.frequency_penalty,
        .presence_penalty = d.presence_penalty,
        .penalty_last_n = d.penalty_last_n,
        .seed = d.seed,
        .logprobs = -1,
    };
}

static cn_generate_options from_flags(const cli_sampling *s)
{
    return (cn_generate_options){
        .sampling = {.temperature = s->temperature,
                     .top_k = s->top_k,
                     .top_p = s->top_p,
                     .min_p = s->min_p,
                     .typical_p = s->typical_p,
                     .repeat_penalty = s->repeat_penalty,
                     .frequency_penalty = s->frequency_penalty,
                     .presence_penalty = s->presence_penalty,
                     .penalty_last_n = s->penalty_last_n,
                     .seed = s->seed},
        .max_tokens = (uint32_t)s->max_tokens,
        .min_tokens = (uint32_t)s->min_tokens,
        .logprobs = s->logprobs >= 0,
        .n_top_logprobs = (uint32_t)CN_MAX(s->logprobs, 0),
        .ignore_end = s->ignore_end,
    };
}

static cn_status add_stop(cli_request *r, cn_str text, cn_err *err)
{
    if (r->o.n_stop == MAX_STOP)
        return cn_fail(err, CN_E_ARG, "more than %d stop texts", MAX_STOP);
    if (text.n == 0) return cn_fail(err, CN_E_ARG, "an empty stop text");
    if (strlen(text.p) != text.n) return cn_fail(err, CN_E_ARG, "a stop text with a NUL");
    r->stop[r->o.n_stop++] = text.p;
    return CN_OK;
}

/* "stop": a text or an array of them. */
static cn_status stop_field(cli_request *r, const cn_json *line, cn_err *err)
{
    const cn_json *j = cn_json_get(line, "stop");
    if (cn_json_is_null(j)) return CN_OK;
    r->o.n_stop = 0;
    if (cn_json_kind_of(j) == CN_JSON_STRING) return add_stop(r, cn_json_str(j), err);
    cn_status st = CN_OK;
    for (size_t i = 0; !st && i < cn_json_size(j); i++) {
        cn_str s = cn_json_str(cn_json_at(j, i));
        st = s.p ? add_stop(r, s, err) : cn_fail(err, CN_E_ARG, "\"stop\"[%zu] is no text", i);
    }
    if (!st && cn_json_kind_of(j) != CN_JSON_ARRAY)
        st = cn_fail(err, CN_E_ARG, "\"stop\" must be a text or an array of texts");
    return st;
}

/* "logit_bias": {"ID": number, ...}; -100 and less forbids the token. */
static cn_status bias_field(cli_request *r, const cn_json *line, cn_err *err)
{
    const cn_json *j = cn_json_get(line, "logit_bias");
    size_t n = cn_json_size(j);
    if (cn_json_is_null(j)) return CN_OK;
    if (cn_json_kind_of(j) != CN_JSON_OBJECT || n > MAX_BIAS)
        return cn_fail(err, CN_E_ARG, "\"logit_bias\" must be an object of at most %d ids",
                       MAX_BIAS);
    r->bias = cn_xcalloc(CN_MAX(n, 1), sizeof *r->bias);
    for (cn_json_member m = cn_json_first(j); m.value; m = cn_json_next(j, m)) {
        char *end;
        long id = strtol(m.key.p, &end, 10);
        double bias = cn_json_num(m.value, (double)NAN);
        if (*end || end == m.key.p || id < 0 || id > INT32_MAX || isnan(bias))
            return cn_fail(err, CN_E_ARG,
                           "\"logit_bias\": \"%.*s\" is no token id with a number",
                           CN_STR_ARG(m.key));
        r->bias[r->o.sampling.n_bias++] =
            (cn_logit_bias){(int32_t)id, bias <= -100 ? -INFINITY : (float)bias};
    }
    r->o.sampling.bias = r->bias;
    return CN_OK;
}

/* "logprobs": true, or how many alternatives to tell. */
static cn_status logprobs_field(cli_request *r, const cn_json *line, cn_err *err)
{
    const cn_json *j = cn_json_get(line, "logprobs");
    int64_t n = 0;
    if (cn_json_is_null(j)) return CN_OK;
    r->o.n_top_logprobs = 0;
    if (cn_json_kind_of(j) == CN_JSON_BOOL) {
        r->o.logprobs = cn_json_bool(j, false);
        return CN_OK;
    }
    cn_status st = cli_field_int(line, "logprobs", 0, MAX_TOP, &n, err);
    r->o.logprobs = true;
    r->o.n_top_logprobs = (uint32_t)n;
    return st;
}

static cn_status count_field(const cn_json *line, const char *key, uint32_t *out, cn_err *err)
{
    int64_t v = *out;
    cn_status st = cli_field_int(line, key, 0, UINT32_MAX, &v, err);
    *out = (uint32_t)v;
    return st;
}

static cn_status int_field(const cn_json *line, const char *key, int32_t *out, cn_err *err)
{
    int64_t v = *out;
    cn_status st = cli_field_int(line, key, -1, INT32_MAX, &v, err);
    *out = (int32_t)v;
    return st;
}

static cn_status number_fields(cn_generate_options *o, const cn_json *line, cn_err *err)
{
    cn_sampling *s = &o->sampling;
    const struct {
        const char *key;
        float *out;
    } floats[] = {
        {"temperature", &s->temperature},
        {"top_p", &s->top_p},
        {"min_p", &s->min_p},
        {"typical_p", &s->typical_p},
        {"repeat_penalty", &s->repeat_penalty},
        {"frequency_penalty", &s->frequency_penalty},
        {"presence_penalty", &s->presence_penalty},
    };
    cn_status st = CN_OK;
    for (size_t i = 0; i < CN_ARRAY_LEN(floats) && !st; i++)
        st = cli_field_float(line, floats[i].key, floats[i].out, err);
    if (!st) st = int_field(line, "top_k", &s->top_k, err);
    if (!st) st = int_field(line, "penalty_last_n", &s->penalty_last_n, err);
    if (!st) st = count_field(line, "max_tokens", &o->max_tokens, err);
    if (!st) st = count_field(line, "min_tokens", &o->min_tokens, err);
    int64_t seed = (int64_t)s->seed;
    bool given = !cn_json_is_null(cn_json_get(line, "seed"));
    if (!st && given) st = cli_field_int(line, "seed", 0, INT64_MAX, &seed, err);
    s->seed = (uint64_t)seed;
    return st;
}

static cn_status both(const char *pair, const char *why, cn_err *err)
{
    cn_status st = cn_fail(err, CN_E_ARG, "%s", why);
    cn_ctx(err, st, "%s together", pair);
    return cn_next(err, st, "give one of the two");
}

/* The contract of the line, else of the flags, else none. */
static cn_status grammar_fields(cli_request *r, const cli_sampling *s, const cn_json *line,
                                cli_contract *c, const cn_tokenizer *t, cn_err *err)
{
    const cn_json *schema = cn_json_get(line, "schema"), *gbnf = cn_json_get(line, "grammar");
    cn_buf text = {0};
    bool is_schema = !cn_json_is_null(schema);
    cn_status st = CN_OK;
    if (is_schema && !cn_json_is_null(gbnf))
        return both("\"schema\" and \"grammar\"", "an answer is held to one of them", err);
    if (is_schema) {
        cn_json_write(&text, schema);
    } else if (!cn_json_is_null(gbnf)) {
        cn_str source = {0};
        st = cli_field_text(line, "grammar", true, &source, err);
        if (!st) cn_buf_str(&text, source);
    } else if (s->schema_file || s->grammar_file) {
        is_schema = s->schema_file != NULL;
        st = cli_read_file(&text, is_schema ? s->schema_file : s->grammar_file,
                           (size_t)16 << 20, err);
    }
    if (!st && text.n && r->o.n_stop)
        st = both(is_schema ? "a schema and a stop text" : "a grammar and a stop text",
                  "an answer that is cut at a stop text is not what the rules ask for", err);
    if (!st && text.n) {
        st = cli_contract_set(c, t, cn_buf_view(&text), is_schema, err);
        r->o.grammar = c->grammar;
        r->o.trie = c->trie;
    } else if (!st && c->grammar) {
        cn_grammar_free(c->grammar);
        c->grammar = NULL;
    }
    cn_buf_deinit(&text);
    return st;
}

cn_status cli_request_init(cli_request *r, const cli_sampling *s, const cn_json *line,
                           cli_contract *contract, const cn_tokenizer *t, cn_err *err)
{
    *r = (cli_request){.o = from_flags(s)};
    cn_status st = CN_OK;
    if (s->schema_file && s->grammar_file)
        return both("--schema and --grammar", "an answer is held to one of them", err);
    for (size_t i = 0; i < s->stop.n && !st; i++)
        st = add_stop(r, cn_str_of(s->stop.items[i]), err);
    if (!st && line) {
        st = number_fields(&r->o, line, err);
        if (!st) st = cli_field_bool(line, "ignore_end", &r->o.ignore_end, err);
        if (!st) st = stop_field(r, line, err);
        if (!st) st = logprobs_field(r, line, err);
        if (!st) st = bias_field(r, line, err);
    }
    if (!st) st = grammar_fields(r, s, line, contract, t, err);
    r->o.stop = r->stop;
    if (st) cli_request_deinit(r);
    return st;
}

void cli_request_deinit(cli_request *r)
{
    cn_free(r->bias);
    r->bias = NULL;
}
