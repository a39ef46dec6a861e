/* What `conatus train` was asked for: the command line, or, on a resume, what the run's folder
 * remembers. */
#ifndef CLI_TRAIN_REQUEST_H
#define CLI_TRAIN_REQUEST_H

#include "options.h"
#include "settings.h"
#include "verb.h"

/* Settings of the trainer that the command line names, as text ("lr" of --lr). */
#define TRAIN_TEXT_OPTIONS 24
#define TRAIN_TEXT_CONTEXT 4 /* the place of "context" in train_text_names */

typedef struct train_request {
    cli_common common;
    const char *base, *shape, *tokenizer, *template_file, *heldout_file, *out, *type, *name,
        *description, *resume;
    cli_list data;
    const char *text[TRAIN_TEXT_OPTIONS]; /* in the order of train_text_names */
    float heldout;
    bool full, rslora, adam_8bit, checkpointing, f32, no_pack;
    bool skip_bad, keep_duplicates, loss_on_all, estimate, detach, force, export_only;
    int32_t threads, nice;
    train_settings settings;
    cn_json *kept; /* on a resume: what the texts above are borrowed from */
} train_request;

extern const char *const train_text_names[TRAIN_TEXT_OPTIONS]; /* NULL ends it */

/* Fills `settings` from the texts and flags; on a resume everything from the folder's record,
 * before them. errors  CN_E_ARG what contradicts or lacks; CN_E_NOT_FOUND no run to resume */
cn_status train_request_complete(train_request *r, cn_err *err);
void train_request_deinit(train_request *r);
/* The JSON object that the record keeps. */
void train_request_write(cn_buf *out, const train_request *r);

/* "layers=6,embd=256,heads=4,kv-heads=4,ff=704[,family=llama][,untied]" */
cn_status train_shape_parse(hparams *hp, bool *tied, const char *text, uint32_t n_vocab,
                            uint32_t n_ctx, cn_err *err);

#endif
