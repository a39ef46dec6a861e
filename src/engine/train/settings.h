/* What a training run was asked for: kept with every checkpoint and in the run's record, so
 * that a resume needs no more than the folder. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include "adamw.h"
#include "buf.h"
#include "json.h"
#include "net.h"
#include "schedule.h"

typedef struct train_settings {
    train_mode mode;
    lora_options lora;
    uint32_t n_ctx;      /* tokens of a row: the longest record */
    uint32_t batch;      /* rows of a micro-batch */
    uint32_t accumulate; /* micro-batches of a step */
    double epochs;
    uint64_t n_steps; /* 0: as many as the epochs have */
    double lr, lr_floor;
    schedule_kind schedule;
    double warmup; /* under 1: a share of the steps; else steps */
    float beta1, beta2, weight_decay;
    float clip; /* of the gradient's norm; 0: none */
    bool eight_bit, checkpointing, bf16, pack;
    uint32_t eval_every, save_every; /* steps; 0: at the end only */
    uint32_t eval_batches;           /* 0: the whole held-out set */
    uint32_t keep;                   /* checkpoints */
    uint32_t patience;               /* evaluations without a gain; 0: none */
    double min_gain;
    uint64_t seed;
} train_settings;

train_settings train_settings_default(train_mode mode);
/* A JSON object with every setting by its name, and back; what is absent keeps its value.
 * errors  CN_E_ARG with the name, what was given and the range */
void train_settings_write(cn_buf *out, const train_settings *s);
cn_status train_settings_read(train_settings *s, const cn_json *from, cn_err *err);
/* Sets one by name from text ("lr", "3e-4"): what the command line does. */
cn_status train_settings_set(train_settings *s, const char *name, const char *value,
                             cn_err *err);
/* Are the settings possible together, and with this model? */
cn_status train_settings_check(const train_settings *s, const hparams *hp, cn_err *err);

/* "q,k,v,o,gate,up,down", "attention", "mlp", "all"; Hugging Face's names (q_proj, c_attn, fc1
 * ...) too. */
cn_status lora_sites_parse(uint32_t *out, const char *list, cn_err *err);

#endif
