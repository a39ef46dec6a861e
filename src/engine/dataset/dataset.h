/* Training data: JSONL and CSV files read, checked, tokenised, cleared of duplicates and split.
 * Owns the ids and what the loss counts; leaves rows and batches to pack.h. */
#ifndef DATASET_DATASET_H
#define DATASET_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/template.h>
#include <conatus/tokenizer.h>

#include "err.h"

/* Records as token ids with a loss mask, immutable once open: any number of threads may read.
 */
typedef struct dataset dataset;

typedef struct dataset_options {
    /* NULL: only the form is checked; every length is then in characters, and no ids are kept.
     */
    const cn_tokenizer *tokenizer;
    const cn_template *chat; /* NULL: records with messages are refused */
    uint32_t n_ctx;          /* longest record, in tokens; longer ones are cut. 0: any length */
    double heldout;          /* share kept for the held-out set, e.g. 0.05; 0: none */
    const char *heldout_path; /* or a file of its own */
    uint64_t seed;            /* of the split */
    bool skip_bad;            /* else the first bad line refuses the file */
    bool loss_on_all;         /* loss on every token, prompts too (training from scratch) */
    bool keep_duplicates;
    bool no_eos;      /* do not end `text` and `completion` with the vocabulary's end-of-text */
    bool allow_none;  /* open also where no record is left, for its report */
    int64_t now_unix; /* what a template that asks is told; 0: the time of opening */
    unsigned n_threads; /* 0: all that the process may use */
    /* `done` from 0 to 1; false gives up with CN_E_CANCELLED. NULL: none. */
    bool (*progress)(void *user, double done);
    void *user;
} dataset_options;

/* The loss counts: the assistant's tokens of `messages`, with the end token after each; the
 * `completion` and its end-of-text; all of `text`. The first token of a record is never a
 * target. `prompt` and `messages` begin with exactly the ids that inference gives the model.
 *
 * errors  CN_E_NOT_FOUND, CN_E_REFUSED, CN_E_IO, CN_E_ARG (a folder); CN_E_FORMAT neither JSONL
 *         nor CSV, a bad line (with its number), or nothing to train on; CN_E_UNSUPPORTED
 *         messages without a template; CN_E_LIMIT over 2^31 tokens; CN_E_CANCELLED; CN_E_NOMEM
 */
cn_status dataset_open(dataset **out, const char *const *paths, size_t n_paths,
                       const dataset_options *o, cn_err *err);
void dataset_close(dataset *d);

typedef enum dataset_what {
    DATASET_BAD,       /* not a record: left out */
    DATASET_EMPTY,     /* no text, completion or message: left out */
    DATASET_DUPLICATE, /* of the record at `other`: left out, unless they are kept */
    DATASET_TRUNCATED, /* longer than n_ctx: its end was cut */
    DATASET_NO_LOSS,   /* nothing in it (maybe as it was cut) is to be learnt: left out */
    DATASET_LEAK,      /* a held-out record whose text or prompt is also in the training set */
    DATASET_WHATS,
} dataset_what;
const char *dataset_what_name(dataset_what w); /* "bad", "empty", ... */

enum { DATASET_FINDINGS = 20 }; /* told of each kind */

typedef struct dataset_finding {
    dataset_what what;
    uint32_t file, other_file; /* index into the report's paths */
    uint64_t line, other_line; /* 1 is the first; other_line 0: none */
    char why[200];
} dataset_finding;

typedef struct dataset_report {
    const char *const *paths; /* in their order, the held-out file last */
    size_t n_paths;
    bool in_tokens;   /* else n_tokens, n_loss_tokens and the lengths are in characters */
    uint64_t n_lines; /* of the files; a CSV record may have several */
    uint64_t n_found; /* records of any kind, good or bad */
    uint64_t n_records, n_heldout;        /* kept: for training, held out */
    uint64_t n_text, n_pairs, n_messages; /* kept, by their form */
    uint64_t n_bad, n_empty, n_duplicate, n_truncated, n_no_loss;
    uint64_t n_boms; /* byte order marks, skipped */
    /* Held-out records that are also in the training set: the same letters and digits, or the
     * same prompt. Each record counts once in n_leaks. */
    uint64_t n_leaks, n_leaks_text, n_leaks_prompt;
    uint64_t n_tokens, n_loss_tokens; /* kept, for training */
    uint64_t heldout_tokens, heldout_loss_tokens;
    uint32_t shortest, median, p95, longest; /* of the records kept, before they were cut */
    const dataset_finding *findings; /* the first of each kind, by kind, in file order */
    size_t n_findings;
    char sha256[65], heldout_sha256[65]; /* of the files' bytes one after the other; "": none */
    double seconds;
} dataset_report;
const dataset_report *dataset_report_of(const dataset *d); /* borrowed from d */

size_t dataset_n(const dataset *d, bool heldout);
/* Borrowed tokens of record i, in the order of the files: ids (n of them), and loss[i] true
 * where token i is a target (is predicted with loss). */
typedef struct dataset_record {
    const int32_t *ids;
    const uint8_t *loss;
    uint32_t n, file;
    uint64_t line;
} dataset_record;
dataset_record dataset_at(const dataset *d, bool heldout, size_t i);

#endif
