#include "model.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "file.h"
#include "interrupt.h"
#include "mem.h"
#include "progress.h"
#include "store.h"
#include "sysinfo.h"

static bool on_progress(void *user, double done)
{
    cli_progress_at(user, done, 1);
    return !atomic_load(&cli_interrupted);
}

/* A mapping that the system refused says nothing of the limit behind it: add both numbers. */
static void name_the_limit(const char *path, cn_err *err)
{
    struct stat file;
    const char *limit;
    cn_sys_memory memory = cn_sys_memory_now();
    double left = (double)cn_sys_memory_left(&memory, &limit), gib = 1 << 30;
    if (strstr(err->why, "GiB") || strstr(err->why, "MiB") || stat(path, &file)) return;
    size_t n = strlen(err->why);
    snprintf(err->why + n, sizeof err->why - n,
             "; the file has %.2f GiB, this process may take %.2f GiB (%s)",
             (double)file.st_size / gib, left / gib, limit);
}

/* What a user can type about each way of failing, where the engine did not say so itself. */
static cn_status advise(cn_status st, const char *path, cn_err *err)
{
    if (st == CN_E_NOMEM) {
        name_the_limit(path, err);
        return cn_next(err, st,
                       "use a smaller --ctx, a smaller type (conatus quantize), or --force");
    }
    /* The path itself was found: a part of it was not. */
    if (st == CN_E_NOT_FOUND)
        return cn_next(err, st, "put all files that belong together into one folder");
    if (st == CN_E_FORMAT || st == CN_E_UNSUPPORTED || st == CN_E_ARG)
        return cn_next(err, st, "conatus inspect %s tells what it is", path);
    return st;
}

static cn_status open_model(cli_model *out, const char *path, const cli_model_options *o,
                            cn_err *err)
{
    cli_progress bar = cli_progress_start("loading", false);
    cn_model_options mo = {
        .n_threads = (unsigned)o->threads,
        .kernels = o->kernels,
        .exact = o->exact,
        .ignore_memory_limit = o->force,
        .n_ctx = (uint32_t)o->ctx,
        .progress = on_progress,
        .user = &bar,
    };
    uint64_t start = cn_now_ns();
    cn_status st = cn_model_open(&out->model, path, &mo, err);
    cli_progress_end(&bar);
    out->load_seconds = cn_seconds_since(start);
    if (st) return advise(st, path, err);
    out->tokenizer = cn_model_tokenizer(out->model);
    return CN_OK;
}

static cn_status open_adapters(cli_model *out, const cli_place *place, cn_err *err)
{
    for (size_t i = 0; i < place->n_adapters; i++) {
        cn_status st = cn_adapter_open(&out->adapters[i], out->model, place->adapters[i], err);
        if (st) return advise(st, place->adapters[i], err);
        out->scales[i] = place->scales[i];
        out->n_adapters++;
    }
    return CN_OK;
}

cn_status cli_template_open(cn_template **out, const cn_tokenizer *t, const char *file,
                            cn_err *err)
{
    cn_buf text = {0};
    *out = NULL;
    if (!file) {
        const char *source = t ? cn_tokenizer_chat_template(t, NULL) : NULL;
        return source ? cn_template_parse(out, source, strlen(source), err) : CN_OK;
    }
    cn_status st = cn_file_read(&text, file, (size_t)4 << 20, err);
    if (!st) st = cn_template_parse(out, text.p ? text.p : "", text.n, err);
    cn_buf_deinit(&text);
    return st ? cn_ctx(err, st, "the template %s", cn_path_base(file)) : CN_OK;
}

cn_status cli_model_open(cli_model *out, const char *name, const cli_model_options *o,
                         cn_err *err)
{
    cli_place place;
    *out = (cli_model){0};
    cn_status st = cli_place_find(&place, name, err);
    for (size_t i = 0; i < o->adapters.n && !st; i++)
        st = cli_place_adapter(&place, o->adapters.items[i], err);
    if (!st) st = open_model(out, place.model, o, err);
    if (!st) st = open_adapters(out, &place, err);
    if (!st) st = cli_template_open(&out->tmpl, out->tokenizer, o->template_file, err);
    cli_place_deinit(&place);
    if (st) cli_model_close(out);
    return st;
}

void cli_model_close(cli_model *m)
{
    cn_template_free(m->tmpl);
    for (size_t i = 0; i < m->n_adapters; i++)
        cn_adapter_close(m->adapters[i]);
    cn_model_close(m->model);
    *m = (cli_model){0};
}

cn_status cli_session_new(cn_session **out, const cli_model *m, const cli_model_options *o,
                          cn_err *err)
{
    cn_session_options so = {
        .n_ctx = (uint32_t)o->ctx,
        .cache_type = o->cache_type,
        .keep = (uint32_t)o->keep,
        .cancel = &cli_interrupted,
    };
    cn_status st = cn_session_new(out, m->model, &so, err);
    if (st && !err->what[0]) cn_ctx(err, st, "setting up the context");
    if (st == CN_E_ARG && o->cache_type)
        return cn_next(err, st, "--cache-type f16, q8_0 or f32");
    if (st == CN_E_LIMIT)
        return cn_next(err, st, "--ctx %u at most", cn_model_info_of(m->model)->n_ctx_train);
    if (st || m->n_adapters == 0) return st;
    st = cn_session_adapters(*out, (const cn_adapter *const *)m->adapters, m->scales,
                             m->n_adapters, err);
    if (st) {
        cn_session_free(*out);
        *out = NULL;
    }
    return st;
}

cn_status cli_tokenizer_open(cn_tokenizer **out, const char *name, cn_err *err)
{
    cli_place place;
    cn_status st = cli_place_find(&place, name, err);
    if (st) return st;
    st = cn_tokenizer_open(out, place.model, err);
    if (st) advise(st, place.model, err);
    cli_place_deinit(&place);
    return st;
}

static void add_token(cn_buf *b, const cn_tokenizer *t, const cn_json *variables,
                      const char *key, int32_t id)
{
    size_t n;
    const char *piece = id >= 0 ? cn_token_piece(t, id, &n) : NULL;
    if (!piece || cn_json_get(variables, key)) return;
    cn_buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", key);
    cn_buf_json(b, (cn_str){piece, n});
}

cn_status cli_render(const cn_template *tmpl, const cn_tokenizer *t, const cn_json *variables,
                     int64_t now_unix, cn_rendered *out, cn_err *err)
{
    cn_buf b = {0};
    cn_buf_putc(&b, '{');
    for (cn_json_member m = cn_json_first(variables); m.value; m = cn_json_next(variables, m)) {
        if (b.n > 1) cn_buf_putc(&b, ',');
        cn_buf_json(&b, m.key);
        cn_buf_putc(&b, ':');
        cn_json_write(&b, m.value);
    }
    if (t) {
        add_token(&b, t, variables, "bos_token", cn_token_bos(t));
        add_token(&b, t, variables, "eos_token", cn_token_eos(t));
        add_token(&b, t, variables, "pad_token", cn_token_pad(t));
        add_token(&b, t, variables, "unk_token", cn_token_unk(t));
    }
    cn_buf_putc(&b, '}');
    cn_status st = b.failed ? cn_fail(err, CN_E_NOMEM, "the variables of a template")
                            : cn_template_render(tmpl, b.p, b.n, now_unix, NULL, out, err);
    if (st == CN_E_REFUSED)
        cn_next(err, st, "change the messages: the template refuses them as they are");
    cn_buf_deinit(&b);
    return st;
}

/* The template writes the beginning of text itself where the model wants one. */
cn_status cli_encode_rendered(const cn_tokenizer *t, const cn_rendered *r, cn_tokens *out,
                              cn_err *err)
{
    return cn_encode_marked(t, r->text, r->n, r->trusted, CN_PARSE_SPECIAL, out, err);
}

cn_status cli_prompt_text(const cli_model *m, cn_str text, cn_tokens *out, cn_err *err)
{
    if (!m->tokenizer) {
        cn_status st = cn_fail(err, CN_E_UNSUPPORTED, "the model's files hold no tokenizer");
        return cn_next(err, st, "give \"ids\" in place of text");
    }
    return cn_encode(m->tokenizer, text.p ? text.p : "", text.n, CN_ADD_SPECIAL, out, err);
}

cn_status cli_prompt_messages(const cli_model *m, const cn_json *variables, cn_tokens *out,
                              cn_err *err)
{
    cn_rendered text = {0};
    if (!m->tmpl || !m->tokenizer) {
        cn_status st = cn_fail(err, CN_E_UNSUPPORTED, "the model has no chat template");
        return cn_next(err, st, "give one with --template FILE, or a plain prompt");
    }
    cn_status st = cli_render(m->tmpl, m->tokenizer, variables, -1, &text, err);
    if (!st) st = cli_encode_rendered(m->tokenizer, &text, out, err);
    cn_rendered_free(&text);
    return st;
}
