#include "settings.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"

typedef enum field_kind {
    F_U32,
    F_U64,
    F_FLOAT,
    F_DOUBLE,
    F_BOOL,
    F_MODE,
    F_SCHEDULE,
    F_SITES
} field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    size_t at;
    double least, most;
} field;

#define AT(member) offsetof(train_settings, member)
static const field fields[] = {
    {"mode", F_MODE, AT(mode), 0, 0},
    {"rank", F_U32, AT(lora.rank), 1, 1024},
    {"alpha", F_FLOAT, AT(lora.alpha), 0, 1e6},
    {"dropout", F_FLOAT, AT(lora.dropout), 0, 0.9},
    {"rslora", F_BOOL, AT(lora.rslora), 0, 1},
    {"targets", F_SITES, AT(lora.sites), 0, 0},
    {"context", F_U32, AT(n_ctx), 2, 1 << 20},
    {"batch", F_U32, AT(batch), 1, 65536},
    {"accumulate", F_U32, AT(accumulate), 1, 65536},
    {"epochs", F_DOUBLE, AT(epochs), 0, 1e6},
    {"steps", F_U64, AT(n_steps), 0, 1e12},
    {"lr", F_DOUBLE, AT(lr), 0, 10},
    {"lr-floor", F_DOUBLE, AT(lr_floor), 0, 1},
    {"schedule", F_SCHEDULE, AT(schedule), 0, 0},
    {"warmup", F_DOUBLE, AT(warmup), 0, 1e9},
    {"beta1", F_FLOAT, AT(beta1), 0, 0.999999},
    {"beta2", F_FLOAT, AT(beta2), 0, 0.999999},
    {"weight-decay", F_FLOAT, AT(weight_decay), 0, 10},
    {"clip", F_FLOAT, AT(clip), 0, 1e9},
    {"adam-8bit", F_BOOL, AT(eight_bit), 0, 1},
    {"checkpointing", F_BOOL, AT(checkpointing), 0, 1},
    {"bf16", F_BOOL, AT(bf16), 0, 1},
    {"pack", F_BOOL, AT(pack), 0, 1},
    {"eval-every", F_U32, AT(eval_every), 0, 4e9},
    {"eval-batches", F_U32, AT(eval_batches), 0, 4e9},
    {"save-every", F_U32, AT(save_every), 0, 4e9},
    {"keep", F_U32, AT(keep), 1, 1000},
    {"patience", F_U32, AT(patience), 0, 1e6},
    {"min-gain", F_DOUBLE, AT(min_gain), 0, 1e3},
    {"seed", F_U64, AT(seed), 0, 9007199254740992.0},
};

static const char *const mode_names[] = {"lora", "full", "scratch"};
static const char *const schedule_names[] = {"cosine", "linear", "constant"};

train_settings train_settings_default(train_mode mode)
{
    bool lora = mode == TRAIN_LORA, scratch = mode == TRAIN_SCRATCH;
    return (train_settings){
        .mode = mode,
        .lora = {.rank = lora ? 16 : 0,
                 .alpha = 32,
                 .dropout = 0,
                 .sites = (1u << SITES_PER_LAYER) - 1},
        .n_ctx = 1024,
        .batch = 4,
        .accumulate = 1,
        .epochs = scratch ? 1 : 3,
        .lr = lora      ? 2e-4
              : scratch ? 1e-3
                        : 2e-5,
        .lr_floor = 0.1,
        .schedule = SCHEDULE_COSINE,
        .warmup = 0.03,
        .beta1 = 0.9F,
        .beta2 = scratch ? 0.95F : 0.999F,
        .weight_decay = scratch ? 0.1F : 0,
        .clip = 1,
        .bf16 = true,
        .pack = true,
        .eval_every = 100,
        .save_every = 100,
        .keep = 2,
        .min_gain = 0,
        .seed = 1,
    };
}

static const char *site_names[SITES_PER_LAYER] = {"q", "k", "v", "o", "gate", "up", "down"};

typedef struct alias {
    const char *name;
    uint32_t sites;
} alias;

#define S(site) (1u << (site))
static const alias aliases[] = {
    {"all", S(SITES_PER_LAYER) - 1},
    {"all-linear", S(SITES_PER_LAYER) - 1},
    {"attention", S(SITE_Q) | S(SITE_K) | S(SITE_V) | S(SITE_O)},
    {"mlp", S(SITE_GATE) | S(SITE_UP) | S(SITE_DOWN)},
    {"q_proj", S(SITE_Q)},
    {"k_proj", S(SITE_K)},
    {"v_proj", S(SITE_V)},
    {"o_proj", S(SITE_O)},
    {"dense", S(SITE_O)},
    {"gate_proj", S(SITE_GATE)},
    {"up_proj", S(SITE_UP)},
    {"down_proj", S(SITE_DOWN)},
    {"fc1", S(SITE_UP)},
    {"fc2", S(SITE_DOWN)},
    {"c_attn", S(SITE_Q) | S(SITE_K) | S(SITE_V)},
    {"c_fc", S(SITE_UP)},
    {"c_proj", S(SITE_O) | S(SITE_DOWN)},
};

static uint32_t sites_named(const char *p, size_t n)
{
    for (uint32_t i = 0; i < SITES_PER_LAYER; i++)
        if (strlen(site_names[i]) == n && memcmp(site_names[i], p, n) == 0) return S(i);
    for (size_t i = 0; i < CN_ARRAY_LEN(aliases); i++)
        if (strlen(aliases[i].name) == n && memcmp(aliases[i].name, p, n) == 0)
            return aliases[i].sites;
    return 0;
}

cn_status lora_sites_parse(uint32_t *out, const char *list, cn_err *err)
{
    *out = 0;
    for (const char *p = list;;) {
        size_t n = strcspn(p, ",");
        uint32_t sites = sites_named(p, n);
        if (!sites) {
            cn_fail(err, CN_E_ARG, "no linear layer is called \"%.*s\"",
                    (int)CN_MIN(n, (size_t)40), p);
            return cn_next(err, CN_E_ARG,
                           "use q, k, v, o, gate, up, down, attention, mlp or all");
        }
        *out |= sites;
        if (!p[n]) return CN_OK;
        p += n + 1;
    }
}

static void write_sites(cn_buf *out, uint32_t sites)
{
    const char *comma = "";
    cn_buf_putc(out, '"');
    for (uint32_t i = 0; i < SITES_PER_LAYER; i++)
        if (sites >> i & 1) {
            cn_buf_printf(out, "%s%s", comma, site_names[i]);
            comma = ",";
        }
    cn_buf_putc(out, '"');
}

static double number_of(const train_settings *s, const field *f)
{
    const char *p = (const char *)s + f->at;
    switch (f->kind) {
    case F_U64:
        return (double)*(const uint64_t *)(const void *)p;
    case F_FLOAT:
        return (double)*(const float *)(const void *)p;
    case F_DOUBLE:
        return *(const double *)(const void *)p;
    case F_BOOL:
        return *(const bool *)(const void *)p;
    default:
        return *(const uint32_t *)(const void *)p;
    }
}

void train_settings_write(cn_buf *out, const train_settings *s)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(fields); i++) {
        const field *f = &fields[i];
        cn_buf_printf(out, "%s\"%s\":", i ? "," : "{", f->name);
        double x = number_of(s, f);
        if (f->kind == F_MODE)
            cn_buf_printf(out, "\"%s\"", mode_names[s->mode]);
        else if (f->kind == F_SCHEDULE)
            cn_buf_printf(out, "\"%s\"", schedule_names[s->schedule]);
        else if (f->kind == F_SITES)
            write_sites(out, s->lora.sites);
        else if (f->kind == F_BOOL)
            cn_buf_printf(out, "%s", x != 0 ? "true" : "false");
        else
            cn_buf_printf(out, f->kind == F_FLOAT ? "%.9g" : "%.17g", x);
    }
    cn_buf_putc(out, '}');
}

static cn_status put_number(train_settings *s, const field *f, double x, cn_err *err)
{
    char *p = (char *)s + f->at;
    bool whole = f->kind == F_U32 || f->kind == F_U64;
    if (!(x >= f->least && x <= f->most) || (whole && x != floor(x)))
        return cn_fail(err, CN_E_ARG, "%s is %g, but takes %s from %g to %g", f->name, x,
                       whole ? "whole numbers" : "numbers", f->least, f->most);
    if (f->kind == F_U32) *(uint32_t *)(void *)p = (uint32_t)x;
    if (f->kind == F_U64) *(uint64_t *)(void *)p = (uint64_t)x;
    if (f->kind == F_FLOAT) *(float *)(void *)p = (float)x;
    if (f->kind == F_DOUBLE) *(double *)(void *)p = x;
    if (f->kind == F_BOOL) *(bool *)(void *)p = x != 0;
    return CN_OK;
}

static cn_status put_name(void *to, const char *const *names, size_t n, const field *f,
                          const char *value, cn_err *err)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(names[i], value) == 0) {
            memcpy(to, &i, sizeof i); /* enums are unsigned ints here */
            return CN_OK;
        }
    return cn_fail(err, CN_E_ARG, "%s \"%.40s\" is not known", f->name, value);
}

static cn_status put_text(train_settings *s, const field *f, const char *value, cn_err *err)
{
    void *p = (char *)s + f->at;
    if (f->kind == F_MODE)
        return put_name(p, mode_names, CN_ARRAY_LEN(mode_names), f, value, err);
    if (f->kind == F_SCHEDULE)
        return put_name(p, schedule_names, CN_ARRAY_LEN(schedule_names), f, value, err);
    if (f->kind == F_SITES) return lora_sites_parse(p, value, err);
    if (f->kind == F_BOOL && strcmp(value, "true") == 0) return put_number(s, f, 1, err);
    if (f->kind == F_BOOL && strcmp(value, "false") == 0) return put_number(s, f, 0, err);
    char *end;
    double x = strtod(value, &end);
    if (end == value || *end)
        return cn_fail(err, CN_E_ARG, "%s \"%.40s\" is not a number", f->name, value);
    return put_number(s, f, x, err);
}

static const field *field_named(cn_str name)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(fields); i++)
        if (cn_str_eq(name, cn_str_of(fields[i].name))) return &fields[i];
    return NULL;
}

cn_status train_settings_set(train_settings *s, const char *name, const char *value,
                             cn_err *err)
{
    const field *f = field_named(cn_str_of(name));
    if (!f) return cn_fail(err, CN_E_ARG, "no setting is called \"%.40s\"", name);
    return put_text(s, f, value, err);
}

static cn_status read_one(train_settings *s, const field *f, const cn_json *value, cn_err *err)
{
    cn_str text = cn_json_str(value);
    if (text.p) return put_text(s, f, text.p, err);
    if (cn_json_kind_of(value) == CN_JSON_BOOL)
        return put_number(s, f, cn_json_bool(value, false), err);
    return put_number(s, f, cn_json_num(value, (double)NAN), err);
}

cn_status train_settings_read(train_settings *s, const cn_json *from, cn_err *err)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(fields); i++) {
        const cn_json *value = cn_json_get(from, fields[i].name);
        bool unused = fields[i].at == AT(lora.rank) && s->mode != TRAIN_LORA;
        cn_status st = value && !unused ? read_one(s, &fields[i], value, err) : CN_OK;
        if (st) return st;
    }
    return CN_OK;
}

cn_status train_settings_check(const train_settings *s, const hparams *hp, cn_err *err)
{
    if (s->mode == TRAIN_LORA && !(s->lora.alpha > 0))
        return cn_fail(err, CN_E_ARG, "alpha is %g: the adapter would do nothing",
                       (double)s->lora.alpha);
    if (s->n_ctx > hp->n_ctx_train) {
        cn_fail(err, CN_E_LIMIT, "a context of %u tokens, but this model has %u positions",
                s->n_ctx, hp->n_ctx_train);
        return cn_next(err, CN_E_LIMIT, "use --context %u", hp->n_ctx_train);
    }
    if (!s->n_steps && !(s->epochs > 0))
        return cn_fail(err, CN_E_ARG, "neither steps nor epochs: there is nothing to do");
    return CN_OK;
}
