#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "near.h"

typedef struct parser {
    const cli_option *options;
    size_t n;
    char *settings;
    cn_err *err;
} parser;

static const cli_option *by_name(const parser *p, const char *name, size_t n)
{
    for (size_t i = 0; i < p->n; i++)
        if (strlen(p->options[i].name) == n && memcmp(p->options[i].name, name, n) == 0)
            return &p->options[i];
    return NULL;
}

static const cli_option *by_letter(const parser *p, char letter)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->options[i].letter == letter) return &p->options[i];
    return NULL;
}

static cn_status bad_value(const parser *p, const cli_option *o, const char *given,
                           const char *want)
{
    cn_status st = cn_fail(p->err, CN_E_ARG, "the option takes %s", want);
    return cn_ctx(p->err, st, "--%s \"%.60s\"", o->name, given);
}

static cn_status no_value(const parser *p, const cli_option *o)
{
    cn_status st = cn_fail(p->err, CN_E_ARG, "the option takes a value: %s", o->value);
    return cn_ctx(p->err, st, "--%s without a value", o->name);
}

static cn_status bad_number(const parser *p, const cli_option *o, const char *given)
{
    char want[96];
    if (o->kind == CLI_INT)
        snprintf(want, sizeof want, "a whole number from %.0f to %.0f", o->min, o->max);
    else
        snprintf(want, sizeof want, "a number from %g to %g", o->min, o->max);
    return bad_value(p, o, given, want);
}

static cn_status set_number(const parser *p, const cli_option *o, const char *text)
{
    char *end;
    double v = strtod(text, &end);
    bool whole = o->kind == CLI_INT;
    bool bad = end == text || *end || isnan(v) || (whole && v != trunc(v));
    if (bad || v < o->min || v > o->max) return bad_number(p, o, text);
    if (whole)
        *(int32_t *)(void *)(p->settings + o->offset) = (int32_t)v;
    else
        *(float *)(void *)(p->settings + o->offset) = (float)v;
    return CN_OK;
}

static cn_status set_seed(const parser *p, const cli_option *o, const char *text)
{
    char *end;
    errno = 0;
    uint64_t v = strtoull(text, &end, 10);
    if (end == text || *end || errno || strchr(text, '-'))
        return bad_value(p, o, text, "a whole number from 0 to 18446744073709551615");
    *(uint64_t *)(void *)(p->settings + o->offset) = v;
    return CN_OK;
}

static cn_status add_to_list(const parser *p, const cli_option *o, const char *text)
{
    cli_list *list = (cli_list *)(void *)(p->settings + o->offset);
    if (list->n == CLI_LIST_MAX)
        return cn_ctx(
            p->err, cn_fail(p->err, CN_E_ARG, "the option may be given %d times", CLI_LIST_MAX),
            "--%s given more than %d times", o->name, CLI_LIST_MAX);
    list->items[list->n++] = text;
    return CN_OK;
}

static cn_status set(const parser *p, const cli_option *o, const char *text)
{
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)(p->settings + o->offset) = true;
        return CN_OK;
    case CLI_TEXT:
        *(const char **)(void *)(p->settings + o->offset) = text;
        return CN_OK;
    case CLI_LIST:
        return add_to_list(p, o, text);
    case CLI_SEED:
        return set_seed(p, o, text);
    default:
        return set_number(p, o, text);
    }
}

/* A flag is on for 1, true, yes, on; off for 0, false, no, off and nothing. */
static cn_status set_env_flag(const parser *p, const cli_option *o, const char *text)
{
    static const char *const on[] = {"1", "true", "yes", "on"}, *const off[] = {"", "0",
                                                                                "false", "no",
                                                                                "off"};
    for (size_t i = 0; i < CN_ARRAY_LEN(on); i++)
        if (strcmp(text, on[i]) == 0) return set(p, o, text);
    for (size_t i = 0; i < CN_ARRAY_LEN(off); i++)
        if (strcmp(text, off[i]) == 0) return CN_OK;
    return bad_value(p, o, text, "1 or 0");
}

static cn_status set_from_env(const parser *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const cli_option *o = &p->options[i];
        const char *text = o->env ? getenv(o->env) : NULL;
        if (!text) continue;
        cn_status st = CN_OK;
        if (o->kind == CLI_FLAG)
            st = set_env_flag(p, o, text);
        else if (*text)
            st = set(p, o, text);
        if (st) return cn_ctx(p->err, st, "the variable %s", o->env);
    }
    return CN_OK;
}

/* name as typed: --name or -n. */
static cn_status unknown(const parser *p, const char *name)
{
    const char *best = NULL;
    for (size_t i = 0; i < p->n; i++)
        best = cli_nearer(name + strspn(name, "-"), best, p->options[i].name);
    cn_buf known = {0};
    for (size_t i = 0; i < p->n; i++)
        cn_buf_printf(&known, "%s--%s", i ? ", " : "", p->options[i].name);
    cn_status st = cn_fail(p->err, CN_E_ARG, "the options are %s", known.p ? known.p : "none");
    cn_buf_deinit(&known);
    cn_ctx(p->err, st, "no option %s", name);
    return best ? cn_next(p->err, st, "did you mean --%s?", best) : st;
}

/* --name, --name value, --name=value. Takes the next word when the value is not attached. */
static cn_status long_option(const parser *p, const char *word, const char *next, bool *took)
{
    size_t n = strcspn(word, "=");
    const cli_option *o = by_name(p, word, n);
    if (!o) {
        char name[64];
        snprintf(name, sizeof name, "--%.*s", (int)CN_MIN(n, 60), word);
        return unknown(p, name);
    }
    const char *attached = word[n] == '=' ? word + n + 1 : NULL;
    if (o->kind == CLI_FLAG) {
        if (attached) return bad_value(p, o, attached, "no value");
        return set(p, o, NULL);
    }
    *took = !attached;
    const char *text = attached ? attached : next;
    if (!text) return no_value(p, o);
    return set(p, o, text);
}

/* -x, -x value, -xvalue, -xy for flags. */
static cn_status short_options(const parser *p, const char *word, const char *next, bool *took)
{
    for (; *word; word++) {
        const cli_option *o = by_letter(p, *word);
        if (!o) return unknown(p, (const char[]){'-', *word, '\0'});
        if (o->kind == CLI_FLAG) {
            cn_status st = set(p, o, NULL);
            if (st) return st;
            continue;
        }
        *took = !word[1];
        const char *text = word[1] ? word + 1 : next;
        if (!text) return no_value(p, o);
        return set(p, o, text);
    }
    return CN_OK;
}

cn_status cli_parse(const cli_option *options, size_t n, int argc, char **argv, void *settings,
                    size_t *n_words, cn_err *err)
{
    parser p = {options, n, settings, err};
    bool ended = false;
    *n_words = 0;
    cn_status st = set_from_env(&p);
    for (int i = 0; i < argc && !st; i++) {
        char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        bool took = false;
        if (ended || word[0] != '-' || !word[1])
            argv[(*n_words)++] = word;
        else if (strcmp(word, "--") == 0)
            ended = true;
        else if (word[1] == '-')
            st = long_option(&p, word + 2, next, &took);
        else
            st = short_options(&p, word + 1, next, &took);
        i += took;
    }
    return st;
}
