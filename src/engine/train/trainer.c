#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "mem.h"
#include "sysinfo.h"
#include "trainer_priv.h"

/* ---- micro-batches */

static cn_status micro_new(micro *m, size_t n, cn_err *err)
{
    m->ids = cn_alloc_array(n, sizeof *m->ids);
    m->targets = cn_alloc_array(n, sizeof *m->targets);
    m->positions = cn_alloc_array(n, sizeof *m->positions);
    m->doc_at = cn_alloc_array(n + 1, sizeof *m->doc_at);
    if (!m->ids || !m->targets || !m->positions || !m->doc_at)
        return cn_fail(err, CN_E_NOMEM, "a micro-batch of %zu tokens", n);
    return CN_OK;
}

static void micro_deinit(micro *m)
{
    cn_free(m->ids);
    cn_free(m->targets);
    cn_free(m->positions);
    cn_free(m->doc_at);
}

/* Leaves the padding out; a document ends where its number or the row changes. */
static void micro_fill(micro *m, const pack_batch *b, uint64_t seed)
{
    size_t n = 0, n_docs = 0;
    for (size_t i = 0; i < (size_t)b->n_rows * b->n_ctx; i++) {
        if (b->doc[i] < 0) continue;
        if (i % b->n_ctx == 0 || b->doc[i] != b->doc[i - 1]) m->doc_at[n_docs++] = (uint32_t)n;
        m->ids[n] = b->ids[i];
        m->targets[n] = b->targets[i];
        m->positions[n++] = b->positions[i];
    }
    m->doc_at[n_docs] = (uint32_t)n;
    m->n_loss = b->n_loss;
    m->batch = (net_batch){.n = n,
                           .ids = m->ids,
                           .positions = m->positions,
                           .targets = m->targets,
                           .n_docs = n_docs,
                           .doc_at = m->doc_at,
                           .seed = seed};
}

static uint64_t fill_micros(trainer *t)
{
    pack_batch b;
    uint64_t n_loss = 0;
    for (uint32_t i = 0; i < t->s.accumulate; i++) {
        packer_next(t->packer, &b);
        micro_fill(&t->micros[i], &b, t->s.seed + t->step * t->s.accumulate + i);
        n_loss += t->micros[i].n_loss;
    }
    return n_loss;
}

/* ---- memory */

static run_options run_options_of(const train_settings *s)
{
    return (run_options){.max_tokens = (size_t)s->batch * s->n_ctx,
                         .max_doc = s->n_ctx,
                         .checkpointing = s->checkpointing,
                         .bf16 = s->bf16};
}

void train_estimate(train_need *out, const net *n, const dataset *d, const train_settings *s,
                    unsigned n_threads)
{
    run_options o = run_options_of(s);
    cn_sys_memory memory = cn_sys_memory_now();
    const dataset_report *r = dataset_report_of(d);
    *out = (train_need){.n_trained = n->params.n_trained,
                        .weights = n->params.n_values * sizeof(float),
                        .gradients = n->params.n_values * sizeof(float),
                        .optimiser = adamw_state_bytes(n->params.n_values, s->eight_bit),
                        .activations = net_run_bytes(n, n_threads, &o),
                        .data = (r->n_tokens + r->heldout_tokens) * 5};
    for (size_t i = 0; i < n->params.n; i++) {
        const param *p = n->params.all[i];
        out->n_params += (uint64_t)p->n_rows * p->n_cols;
        if (!p->trained) out->base += p->frozen.row_bytes * p->n_rows;
    }
    out->total = out->base + out->weights + out->gradients + out->optimiser + out->activations +
                 out->data;
    out->available = cn_sys_memory_left(&memory, &out->limit);
}

/* ---- beginning */

static uint64_t count_steps(trainer *t)
{
    const train_settings *s = &t->s;
    if (s->n_steps) return s->n_steps;
    double whole = floor(s->epochs), rest = s->epochs - whole;
    double micros = (double)packer_steps(t->packer, (uint64_t)whole) +
                    rest * (double)packer_steps_per_epoch(t->packer);
    double steps = ceil(micros / s->accumulate);
    return steps < 1 ? 1 : (uint64_t)steps;
}

static cn_status open_packers(trainer *t, cn_err *err)
{
    const train_settings *s = &t->s;
    cn_status st = packer_new(&t->packer, t->data, s->batch, s->n_ctx, s->seed, s->pack, err);
    if (!st && dataset_n(t->data, true))
        st = packer_new_heldout(&t->heldout, t->data, s->batch, s->n_ctx, true, err);
    return st;
}

static cn_status begin(trainer *t, bool with_resume, cn_err *err)
{
    const train_settings *s = &t->s;
    run_options o = run_options_of(s);
    adamw_options adam = {s->beta1, s->beta2, 1e-8F, s->weight_decay, s->eight_bit};
    cn_status st = train_settings_check(s, &t->net->hp, err);
    if (!st) st = open_packers(t, err);
    if (!st && !t->net->params.w) st = net_fill(t->net, s->seed, err);
    if (!st) st = net_run_new(&t->run, t->net, t->pool, &o, err);
    if (!st) st = adamw_new(&t->adam, &t->net->params, &adam, err);
    t->micros = cn_alloc_array(s->accumulate, sizeof *t->micros);
    if (!st && !t->micros) st = cn_fail(err, CN_E_NOMEM, "%u micro-batches", s->accumulate);
    for (uint32_t i = 0; i < s->accumulate && !st; i++)
        st = micro_new(&t->micros[i], o.max_tokens, err);
    if (st) return st;
    t->n_steps = count_steps(t);
    t->micros_per_epoch = packer_steps_per_epoch(t->packer);
    double warmup = s->warmup < 1 ? s->warmup * (double)t->n_steps : s->warmup;
    t->schedule =
        (schedule){s->schedule, s->lr, s->lr_floor, t->n_steps, (uint64_t)(warmup + 0.5)};
    t->patience =
        (patience){.limit = s->patience, .best = (double)INFINITY, .min_gain = s->min_gain};
    t->loss = t->heldout_loss = (double)NAN;
    snprintf(t->best_dir, sizeof t->best_dir, "%s/best", t->dir);
    return with_resume ? trainer_restore(t, err) : CN_OK;
}

cn_status trainer_new(trainer **out, net *n, const dataset *d, const train_settings *s,
                      cn_pool *pool, const char *dir, bool with_resume, cn_err *err)
{
    trainer *t = cn_xcalloc(1, sizeof *t);
    *t = (trainer){
        .net = n, .data = d, .s = *s, .pool = pool, .dir = dir, .start_ns = cn_now_ns()};
    cn_status st = begin(t, with_resume, err);
    *out = st ? NULL : t;
    if (st) trainer_free(t);
    return st;
}

void trainer_free(trainer *t)
{
    if (!t) return;
    for (uint32_t i = 0; t->micros && i < t->s.accumulate; i++)
        micro_deinit(&t->micros[i]);
    cn_free(t->micros);
    adamw_free(t->adam);
    net_run_free(t->run);
    packer_free(t->packer);
    packer_free(t->heldout);
    cn_free(t);
}

uint64_t trainer_step(const trainer *t)
{
    return t->step;
}

uint64_t trainer_n_steps(const trainer *t)
{
    return t->n_steps;
}

double trainer_measure(trainer *t)
{
    pack_batch b;
    packer_next(t->packer, &b);
    micro_fill(&t->micros[0], &b, 0);
    uint64_t start = cn_now_ns();
    params_begin_step(&t->net->params);
    net_run_loss(t->run, &t->micros[0].batch, true, 1);
    double seconds = cn_seconds_since(start) * t->s.accumulate;
    packer_seek(t->packer, t->step * t->s.accumulate);
    return seconds;
}

/* ---- the loop */

static cn_status tell(const train_hooks *hooks, const train_moment *m, cn_err *err)
{
    return hooks->moment ? hooks->moment(hooks->user, m, err) : CN_OK;
}

/* Times through the data so far, of the steps of the first epoch; a later one may differ by a
 * step. */
static double epoch_of(const trainer *t)
{
    return (double)(t->step * t->s.accumulate) / (double)t->micros_per_epoch;
}

static cn_status one_step(trainer *t, train_moment *m, cn_err *err)
{
    param_set *params = &t->net->params;
    uint64_t start = cn_now_ns(), n_loss = fill_micros(t), n_tokens = 0;
    double sum = 0, scale = n_loss ? 1 / (double)n_loss : 0;
    params_begin_step(params);
    for (uint32_t i = 0; i < t->s.accumulate; i++) {
        sum += net_run_loss(t->run, &t->micros[i].batch, true, scale);
        n_tokens += t->micros[i].batch.n;
    }
    params_end_step(params);
    double size = adamw_grad_norm(t->adam, t->pool), lr = schedule_rate(&t->schedule, t->step);
    if (!isfinite(size) || !isfinite(sum)) {
        cn_fail(err, CN_E_LIMIT, "step %llu: the loss is %g and the gradient's norm %g",
                (unsigned long long)t->step + 1, sum * scale, size);
        return cn_next(err, CN_E_LIMIT, "try a lower --lr, or a longer --warmup");
    }
    bool clip = t->s.clip > 0 && size > (double)t->s.clip;
    adamw_step(t->adam, t->pool, (float)lr, clip ? (float)((double)t->s.clip / size) : 1);
    t->step++;
    t->tokens += n_tokens;
    t->loss = sum * scale;
    *m = (train_moment){.step = t->step,
                        .n_steps = t->n_steps,
                        .epoch = epoch_of(t),
                        .loss = t->loss,
                        .lr = lr,
                        .grad_norm = size,
                        .tokens = t->tokens,
                        .tokens_per_s = (double)n_tokens / cn_seconds_since(start),
                        .elapsed_s = t->seconds + cn_seconds_since(t->start_ns)};
    return CN_OK;
}

static bool stopped(const train_hooks *h)
{
    return h->stop && atomic_load_explicit(h->stop, memory_order_relaxed);
}

/* The mean loss of the held-out set. */
static double heldout_loss(trainer *t, const train_hooks *hooks)
{
    pack_batch b;
    double sum = 0, n_loss = 0;
    uint64_t n = packer_steps_per_epoch(t->heldout);
    if (t->s.eval_batches) n = CN_MIN(n, (uint64_t)t->s.eval_batches);
    packer_seek(t->heldout, 0);
    for (uint64_t i = 0; i < n && !stopped(hooks); i++) {
        packer_next(t->heldout, &b);
        micro_fill(&t->micros[0], &b, 0);
        sum += net_run_loss(t->run, &t->micros[0].batch, false, 0);
        n_loss += t->micros[0].n_loss;
    }
    return n_loss > 0 ? sum / n_loss : (double)NAN;
}

/* *over: patience is at its end. */
static cn_status evaluate(trainer *t, const train_hooks *hooks, bool *over, cn_err *err)
{
    double loss = heldout_loss(t, hooks);
    t->owes_evaluation = stopped(hooks); /* it may not be whole */
    if (t->owes_evaluation) return CN_OK;
    t->heldout_loss = loss;
    double best = t->patience.best;
    *over = patience_is_over(&t->patience, loss);
    cn_status st = CN_OK;
    if (t->patience.best < best) {
        t->best_step = t->step;
        if (t->s.patience) st = trainer_save_best(t, err);
    }
    train_moment m = {.heldout = true,
                      .step = t->step,
                      .n_steps = t->n_steps,
                      .loss = loss,
                      .tokens = t->tokens,
                      .elapsed_s = t->seconds + cn_seconds_since(t->start_ns)};
    return st ? st : tell(hooks, &m, err);
}

static bool due(uint64_t step, uint32_t every, uint64_t last)
{
    return step == last || (every && step % every == 0);
}

static void put_result(const trainer *t, train_result *out, bool early)
{
    *out = (train_result){.step = t->step,
                          .n_steps = t->n_steps,
                          .tokens = t->tokens,
                          .best_step = t->best_step,
                          .loss = t->loss,
                          .heldout_loss = t->heldout_loss,
                          .best_heldout_loss =
                              isfinite(t->patience.best) ? t->patience.best : (double)NAN,
                          .seconds = t->seconds + cn_seconds_since(t->start_ns),
                          .stopped_early = early};
}

/* After a step: evaluation and checkpoint, when they are due. */
static cn_status after_step(trainer *t, const train_hooks *hooks, bool *over, cn_err *err)
{
    cn_status st = CN_OK;
    if (t->heldout && due(t->step, t->s.eval_every, t->n_steps))
        st = evaluate(t, hooks, over, err);
    if (!st && (due(t->step, t->s.save_every, t->n_steps) || *over))
        st = trainer_save(t, hooks, err);
    return st;
}

cn_status trainer_run(trainer *t, const train_hooks *hooks, train_result *out, cn_err *err)
{
    cn_status st = CN_OK;
    bool over = t->patience.limit && t->patience.waited >= t->patience.limit;
    t->start_ns = cn_now_ns();
    if (t->owes_evaluation) st = evaluate(t, hooks, &over, err);
    while (t->step < t->n_steps && !over && !st) {
        train_moment m;
        if (stopped(hooks)) {
            st = trainer_save(t, hooks, err);
            if (!st)
                st = cn_fail(err, CN_E_CANCELLED, "stopped at step %llu of %llu",
                             (unsigned long long)t->step, (unsigned long long)t->n_steps);
            break;
        }
        st = one_step(t, &m, err);
        if (!st) st = tell(hooks, &m, err);
        if (!st) st = after_step(t, hooks, &over, err);
    }
    if (!st && t->s.patience && t->best_step && t->best_step != t->step)
        st = trainer_load_best(t, err);
    put_result(t, out, over);
    return st;
}
