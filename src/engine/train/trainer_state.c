#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "clock.h"
#include "trainer_priv.h"

static void write_state(const trainer *t, cn_buf *out)
{
    const dataset_report *r = dataset_report_of(t->data);
    cn_buf_printf(
        out,
        "{\"step\":%llu,\"n_steps\":%llu,\"tokens\":%llu,\"seconds\":%.3f,\"best_step\":%llu,"
        "\"waited\":%u,\"owes_evaluation\":%s,\"data\":\"%s\",\"n_trained\":%llu",
        (unsigned long long)t->step, (unsigned long long)t->n_steps,
        (unsigned long long)t->tokens, t->seconds + cn_seconds_since(t->start_ns),
        (unsigned long long)t->best_step, t->patience.waited,
        t->owes_evaluation ? "true" : "false", r->sha256,
        (unsigned long long)t->net->params.n_trained);
    if (isfinite(t->patience.best)) cn_buf_printf(out, ",\"best\":%.17g", t->patience.best);
    if (isfinite(t->loss)) cn_buf_printf(out, ",\"loss\":%.17g", t->loss);
    if (isfinite(t->heldout_loss))
        cn_buf_printf(out, ",\"heldout_loss\":%.17g", t->heldout_loss);
    cn_buf_lit(out, ",\"settings\":");
    train_settings_write(out, &t->s);
    cn_buf_putc(out, '}');
}

static size_t parts_of(trainer *t, checkpoint_part parts[1 + ADAMW_PARTS])
{
    param_set *s = &t->net->params;
    parts[0] = (checkpoint_part){"weights", s->w, s->n_values * sizeof *s->w};
    return 1 + adamw_parts(t->adam, parts + 1);
}

cn_status trainer_save(trainer *t, const train_hooks *hooks, cn_err *err)
{
    cn_buf state = {0};
    checkpoint_part parts[1 + ADAMW_PARTS];
    size_t n = parts_of(t, parts);
    write_state(t, &state);
    cn_status st = state.failed
                       ? cn_fail(err, CN_E_NOMEM, "a checkpoint's state")
                       : checkpoint_write(t->dir, t->step, state.p, parts, n, t->s.keep, err);
    cn_buf_deinit(&state);
    if (!st && hooks->saved) st = hooks->saved(hooks->user, t->step, err);
    return st ? cn_ctx(err, st, "writing the checkpoint of step %llu",
                       (unsigned long long)t->step)
              : CN_OK;
}

cn_status trainer_save_best(trainer *t, cn_err *err)
{
    param_set *s = &t->net->params;
    checkpoint_part part = {"weights", s->w, s->n_values * sizeof *s->w};
    if (mkdir(t->best_dir, 0777) && errno != EEXIST)
        return cn_fail(err, cn_status_of_errno(errno), "making %s: %s", t->best_dir,
                       strerror(errno));
    return checkpoint_write(t->best_dir, t->step, "{}", &part, 1, 1, err);
}

cn_status trainer_load_best(trainer *t, cn_err *err)
{
    param_set *s = &t->net->params;
    checkpoint_part part = {"weights", s->w, s->n_values * sizeof *s->w};
    checkpoint *c = NULL;
    cn_status st = checkpoint_open_latest(&c, t->best_dir, err);
    if (!st && c && checkpoint_step(c) == t->best_step) st = checkpoint_read(c, &part, 1, err);
    checkpoint_close(c);
    return st;
}

static cn_status differs(cn_err *err, const char *what)
{
    cn_fail(err, CN_E_MISMATCH, "the checkpoint was made with %s", what);
    return cn_next(err, CN_E_MISMATCH,
                   "resume with what the run began with, or begin a new one in another folder");
}

/* Settings that may change between two parts of a run do not change its losses. */
static cn_status check_state(const trainer *t, const cn_json *state, cn_err *err)
{
    cn_buf now = {0}, then = {0};
    train_settings was = t->s;
    cn_status st = train_settings_read(&was, cn_json_get(state, "settings"), err);
    was.save_every = t->s.save_every;
    was.keep = t->s.keep;
    train_settings_write(&now, &t->s);
    train_settings_write(&then, &was);
    if (!st && !cn_str_eq(cn_buf_view(&now), cn_buf_view(&then)))
        st = differs(err, "other settings");
    cn_buf_deinit(&now);
    cn_buf_deinit(&then);
    if (st) return st;
    if (!cn_json_is(cn_json_get(state, "data"), dataset_report_of(t->data)->sha256))
        return differs(err, "other data");
    if ((uint64_t)cn_json_int(cn_json_get(state, "n_trained"), -1) != t->net->params.n_trained)
        return differs(err, "another model");
    return CN_OK;
}

cn_status trainer_restore(trainer *t, cn_err *err)
{
    checkpoint *c = NULL;
    checkpoint_part parts[1 + ADAMW_PARTS];
    size_t n = parts_of(t, parts);
    cn_status st = checkpoint_open_latest(&c, t->dir, err);
    if (!st && !c) {
        cn_fail(err, CN_E_NOT_FOUND, "%s holds no checkpoint", t->dir);
        st = cn_next(err, CN_E_NOT_FOUND,
                     "begin the run again, without --resume, in a new folder");
    }
    const cn_json *state = c ? checkpoint_state(c) : NULL;
    if (!st) st = check_state(t, state, err);
    if (!st) st = checkpoint_read(c, parts, n, err);
    if (!st) {
        t->step = checkpoint_step(c);
        t->tokens = (uint64_t)cn_json_int(cn_json_get(state, "tokens"), 0);
        t->seconds = cn_json_num(cn_json_get(state, "seconds"), 0);
        t->best_step = (uint64_t)cn_json_int(cn_json_get(state, "best_step"), 0);
        t->patience.best = cn_json_num(cn_json_get(state, "best"), (double)INFINITY);
        t->patience.waited = (uint32_t)cn_json_int(cn_json_get(state, "waited"), 0);
        t->owes_evaluation = cn_json_bool(cn_json_get(state, "owes_evaluation"), false);
        t->loss = cn_json_num(cn_json_get(state, "loss"), (double)NAN);
        t->heldout_loss = cn_json_num(cn_json_get(state, "heldout_loss"), (double)NAN);
        adamw_set_steps(t->adam, t->step);
        packer_seek(t->packer, t->step * t->s.accumulate);
    }
    checkpoint_close(c);
    return st;
}
