#include "train_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "jobs.h"
#include "mem.h"

const char *const train_text_names[TRAIN_TEXT_OPTIONS] = {
    "rank",         "alpha",      "dropout", "targets",      "context",  "batch",
    "accumulate",   "epochs",     "steps",   "lr",           "lr-floor", "schedule",
    "warmup",       "beta1",      "beta2",   "weight-decay", "clip",     "eval-every",
    "eval-batches", "save-every", "keep",    "patience",     "min-gain", "seed",
};

/* What is no setting of the trainer, by its name in the record. */
typedef struct text_field {
    const char *name;
    size_t at;
    bool is_path;
} text_field;

#define AT(member) offsetof(train_request, member)
static const text_field texts[] = {
    {"base", AT(base), true},
    {"new", AT(shape), false},
    {"tokenizer", AT(tokenizer), true},
    {"template", AT(template_file), true},
    {"heldout_file", AT(heldout_file), true},
    {"type", AT(type), false},
    {"name", AT(name), false},
    {"description", AT(description), false},
};
static const text_field flags[] = {
    {"skip_bad", AT(skip_bad), false},
    {"keep_duplicates", AT(keep_duplicates), false},
    {"loss_on_all", AT(loss_on_all), false},
};

static const char **text_at(const train_request *r, const text_field *f)
{
    return (const char **)(void *)((char *)(void *)(size_t)(const void *)r + f->at);
}

static bool *flag_at(const train_request *r, const text_field *f)
{
    return (bool *)((char *)(void *)(size_t)(const void *)r + f->at);
}

/* Whole, so that a resume finds it from any folder; a name that is no path stays. */
static void write_path(cn_buf *out, const char *path)
{
    char *whole = realpath(path, NULL);
    cn_buf_json(out, cn_str_of(whole ? whole : path));
    free(whole);
}

void train_request_write(cn_buf *out, const train_request *r)
{
    cn_buf_lit(out, "{\"data\":[");
    for (size_t i = 0; i < r->data.n; i++) {
        if (i) cn_buf_putc(out, ',');
        write_path(out, r->data.items[i]);
    }
    cn_buf_printf(out, "],\"heldout\":%.9g", (double)r->heldout);
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++) {
        const char *text = *text_at(r, &texts[i]);
        if (!text) continue;
        cn_buf_printf(out, ",\"%s\":", texts[i].name);
        if (texts[i].is_path)
            write_path(out, text);
        else
            cn_buf_json(out, cn_str_of(text));
    }
    for (size_t i = 0; i < CN_ARRAY_LEN(flags); i++)
        cn_buf_printf(out, ",\"%s\":%s", flags[i].name,
                      *flag_at(r, &flags[i]) ? "true" : "false");
    cn_buf_lit(out, ",\"train\":");
    train_settings_write(out, &r->settings);
    cn_buf_putc(out, '}');
}

/* What a resume takes from its folder cannot be given again. */
static cn_status check_alone(const train_request *r, cn_err *err)
{
    const char *given = r->data.n ? "data" : NULL;
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++)
        if (*text_at(r, &texts[i])) given = texts[i].name;
    if (!given) return CN_OK;
    cn_fail(err, CN_E_ARG, "--%s together with --resume: the run in %.150s has its own", given,
            r->resume);
    return cn_next(err, CN_E_ARG, "conatus train --resume %.150s", r->resume);
}

static cn_status remember(train_request *r, cn_err *err)
{
    job_record record = job_record_new();
    cn_status st = job_record_read(&record, r->resume, err);
    if (!st) st = cn_json_parse(&r->kept, cn_str_of(record.settings), err);
    job_record_deinit(&record);
    if (st) return st;
    const cn_json *train = cn_json_get(r->kept, "train"), *data = cn_json_get(r->kept, "data");
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++)
        *text_at(r, &texts[i]) = cn_json_str(cn_json_get(r->kept, texts[i].name)).p;
    for (size_t i = 0; i < CN_ARRAY_LEN(flags); i++)
        *flag_at(r, &flags[i]) = cn_json_bool(cn_json_get(r->kept, flags[i].name), false);
    r->data.n = 0;
    for (size_t i = 0; i < cn_json_size(data) && i < CLI_LIST_MAX; i++)
        if (cn_json_str(cn_json_at(data, i)).p)
            r->data.items[r->data.n++] = cn_json_str(cn_json_at(data, i)).p;
    r->heldout = (float)cn_json_num(cn_json_get(r->kept, "heldout"), 0);
    r->out = r->resume;
    return train_settings_read(&r->settings, train, err);
}

static cn_status apply(train_request *r, cn_err *err)
{
    train_settings *s = &r->settings;
    for (size_t i = 0; i < TRAIN_TEXT_OPTIONS; i++) {
        cn_status st =
            r->text[i] ? train_settings_set(s, train_text_names[i], r->text[i], err) : CN_OK;
        if (st) return st;
    }
    s->lora.rslora |= r->rslora;
    s->eight_bit |= r->adam_8bit;
    s->checkpointing |= r->checkpointing;
    if (r->f32) s->bf16 = false;
    if (r->no_pack) s->pack = false;
    return CN_OK;
}

static cn_status lacks(cn_err *err, const char *what, const char *next)
{
    cn_fail(err, CN_E_ARG, "%s", what);
    return cn_next(err, CN_E_ARG, "%s", next);
}

static cn_status check(const train_request *r, cn_err *err)
{
    if (!r->base == !r->shape)
        return lacks(err,
                     r->base ? "both --base and --new are given"
                             : "neither a base model nor a shape is given",
                     "conatus train --base MODEL --data FILE, or --new SHAPE --tokenizer FILE "
                     "--data FILE");
    if (!r->data.n)
        return lacks(
            err, "no data is given",
            "--data FILE.jsonl (or .csv); conatus data check FILE shows what is in it");
    if (r->shape && !r->tokenizer)
        return lacks(err, "a new model needs a vocabulary",
                     "--tokenizer tokenizer.model (sentencepiece) or tokenizer.json");
    if (r->export_only && !r->resume)
        return lacks(err, "--export writes the result of a run that is there",
                     "add --resume DIR");
    if (r->shape && r->full)
        return lacks(err, "--full is for a base model; --new trains everything already",
                     "leave --full out");
    return CN_OK;
}

cn_status train_request_complete(train_request *r, cn_err *err)
{
    r->settings = train_settings_default(r->shape  ? TRAIN_SCRATCH
                                         : r->full ? TRAIN_FULL
                                                   : TRAIN_LORA);
    cn_status st = r->resume ? check_alone(r, err) : CN_OK;
    if (!st && r->resume) st = remember(r, err);
    if (!st) st = apply(r, err);
    return st ? st : check(r, err);
}

void train_request_deinit(train_request *r)
{
    cn_json_free(r->kept);
}

/* ---- the shape of a new model */

static bool take_number(uint32_t *to, const char *key, const char *p, size_t n)
{
    size_t k = strlen(key);
    if (n <= k + 1 || memcmp(p, key, k) != 0 || p[k] != '=') return false;
    char *end;
    unsigned long x = strtoul(p + k + 1, &end, 10);
    if (end != p + n || x > MODEL_MAX_WIDTH) return false;
    *to = (uint32_t)x;
    return true;
}

static bool take_part(hparams *hp, bool *tied, const char *p, size_t n)
{
    if (n == 6 && memcmp(p, "untied", 6) == 0) {
        *tied = false;
        return true;
    }
    return take_number(&hp->n_layers, "layers", p, n) ||
           take_number(&hp->n_embd, "embd", p, n) || take_number(&hp->n_heads, "heads", p, n) ||
           take_number(&hp->n_kv_heads, "kv-heads", p, n) || take_number(&hp->n_ff, "ff", p, n);
}

static cn_status check_shape(const hparams *hp, cn_err *err)
{
    if (!hp->n_layers || !hp->n_embd || !hp->n_heads || !hp->n_kv_heads || !hp->n_ff)
        return cn_fail(err, CN_E_ARG,
                       "the shape has a 0: layers %u, embd %u, heads %u, kv-heads %u, ff %u",
                       hp->n_layers, hp->n_embd, hp->n_heads, hp->n_kv_heads, hp->n_ff);
    if (hp->n_embd % hp->n_heads || hp->n_heads % hp->n_kv_heads || hp->head_dim % 2 ||
        hp->n_layers > MODEL_MAX_LAYERS || hp->head_dim > MODEL_MAX_HEAD)
        return cn_fail(err, CN_E_ARG,
                       "embd %u must be heads (%u) times an even number up to %d, and heads a "
                       "multiple of kv-heads (%u)",
                       hp->n_embd, hp->n_heads, MODEL_MAX_HEAD, hp->n_kv_heads);
    return CN_OK;
}

cn_status train_shape_parse(hparams *hp, bool *tied, const char *text, uint32_t n_vocab,
                            uint32_t n_ctx, cn_err *err)
{
    *hp = (hparams){.arch = "llama",
                    .family = FAMILY_LLAMA,
                    .n_layers = 6,
                    .n_embd = 256,
                    .n_heads = 4,
                    .n_kv_heads = 0,
                    .n_ff = 704,
                    .n_vocab = n_vocab,
                    .n_ctx_train = n_ctx,
                    .norm_eps = 1e-5F,
                    .rope_base = 10000,
                    .rope_linear = 1};
    *tied = true;
    for (const char *p = text;;) {
        size_t n = strcspn(p, ",");
        if (!take_part(hp, tied, p, n)) {
            cn_fail(err, CN_E_ARG, "\"%.*s\" is no part of a shape", (int)CN_MIN(n, (size_t)40),
                    p);
            return cn_next(err, CN_E_ARG,
                           "--new layers=6,embd=256,heads=4,kv-heads=4,ff=704[,untied]");
        }
        if (!p[n]) break;
        p += n + 1;
    }
    if (!hp->n_kv_heads) hp->n_kv_heads = hp->n_heads;
    hp->head_dim = hp->n_heads ? hp->n_embd / hp->n_heads : 0;
    hp->n_rot = hp->head_dim;
    return check_shape(hp, err);
}
