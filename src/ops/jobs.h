/* A training run and its folder, which holds everything of it:
 *   run.json       what it is: settings, hashes, losses, time, machine, version, status
 *   metrics.jsonl  one line a step, one line a held-out measurement
 *   curve.svg, log.txt (detached runs), checkpoint-STEP, and what is exported
 *   lock           locked while the run lives; nothing is read from a process id alone
 * and the list of runs wherever they are (the registry: one small file a run). */
#ifndef OPS_JOBS_H
#define OPS_JOBS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "json.h"

/* ---- the record */

typedef enum job_status {
    JOB_RUNNING,
    JOB_FINISHED,
    JOB_STOPPED, /* by a signal or by hand, a checkpoint was written */
    JOB_FAILED,
    JOB_INTERRUPTED, /* ended without a word: kill -9, a crash, power; never written */
} job_status;

const char *job_status_name(job_status s);

/* A step, or a held-out measurement; NAN is "not measured". */
typedef struct job_metric {
    bool heldout;          /* a measurement, a line of its own: step and heldout_loss only */
    uint64_t step, tokens; /* tokens: of the run so far */
    double epoch, loss, lr, grad_norm, tokens_per_s, elapsed_s;
    double heldout_loss;
} job_metric;

/* What run.json says. Texts are borrowed: from the caller when it writes, from `root` when it
 * was read; NULL is "not known", and so is NAN. */
typedef struct job_record {
    job_status status;
    const char *id;       /* its name in the registry; job_update fills it */
    const char *kind;     /* "lora", "qlora", "full", "scratch" */
    const char *command;  /* the command line */
    const char *resume;   /* the command that continues it */
    const char *settings; /* a JSON object; NULL: {} */
    const char *version;  /* of the program */
    const char *machine;  /* job_update fills it where NULL */
    const char *base, *base_hash;
    const char *data, *data_hash;
    const char *checkpoint; /* the last whole one, relative to the folder */
    const char *result;     /* what was exported, relative to the folder or absolute */
    const char *error;      /* of a failed run */
    const char *started, *updated, *ended; /* UTC, 2026-11-21T04:00:00Z; likewise */
    uint64_t step, n_steps, tokens, seed, best_step;
    uint64_t n_resumed; /* times it was continued */
    uint64_t threads;
    double seconds; /* of training, over all its parts (elapsed_s of the metrics likewise) */
    double loss, heldout_loss, best_heldout_loss;
    cn_json *root; /* what was read; NULL in a record that the caller filled */
    cn_buf text;   /* the settings that were read, as text */
} job_record;

/* All unknown. */
job_record job_record_new(void);
void job_record_deinit(job_record *r);
/* Takes over what was just measured: step, tokens, time, losses, the best held-out one. */
void job_record_note(job_record *r, const job_metric *m);
/* Any bytes; errors  CN_E_FORMAT. Unknown members are ignored, wrong ones count as unknown. */
cn_status job_record_parse(job_record *out, cn_str text, cn_err *err);
void job_record_write(cn_buf *out, const job_record *r);
/* run.json of a folder. errors  CN_E_NOT_FOUND, CN_E_FORMAT, CN_E_LIMIT (over 4 MiB) */
cn_status job_record_read(job_record *out, const char *dir, cn_err *err);

/* ---- the metrics */

typedef struct job_metrics {
    job_metric *train, *heldout; /* in the order of steps, each step once */
    size_t n_train, n_heldout;
    size_t n_ignored; /* lines that are no metrics, or of a step that was there already */
    bool torn;        /* the last line has no end: a writer died, or is writing */
} job_metrics;

job_metric job_metric_new(uint64_t step); /* the rest not measured */
job_metric job_metric_heldout(uint64_t step, double loss);
/* One line, newline included. */
void job_metric_write(cn_buf *out, const job_metric *m);
/* Any bytes. errors  CN_E_NOMEM */
cn_status job_metrics_parse(job_metrics *out, cn_str text, cn_err *err);
/* metrics.jsonl of a folder; none is fine. errors  CN_E_LIMIT (over 1 GiB) */
cn_status job_metrics_read(job_metrics *out, const char *dir, cn_err *err);
/* The last step and the last held-out loss near the end of the file, without reading it all;
 * `train->step` 0 where there is none. */
void job_metrics_last(const char *dir, job_metric *train, job_metric *heldout);
void job_metrics_deinit(job_metrics *m);
/* The lines of `text` that belong to steps up to `last_step`, each step once, whole lines. */
void job_metrics_keep(cn_buf *out, cn_str text, uint64_t last_step);

/* ---- the run: one process holds a folder */

typedef struct job job;

/* Makes the folder where needed and holds it until job_close or the death of the process;
 * enters it into the registry (a registry that cannot be written is a warning). The kernel
 * drops the lock when the process dies, however it dies; a fork does not keep it. resume   the
 * folder must hold a run; else it must not errors  CN_E_BUSY another process holds it,
 * CN_E_REFUSED holds a run already, CN_E_NOT_FOUND nothing to resume, CN_E_DISK */
cn_status job_claim(job **out, const char *dir, bool resume, cn_err *err);
const char *job_dir(const job *j); /* absolute */
const char *job_id(const job *j);
/* Opens the metrics for appending after cutting what lies behind `last_step` (the checkpoint's
 * step; 0: begin anew) and a torn line. Before the first job_metric_append. */
cn_status job_metrics_begin(job *j, uint64_t last_step, cn_err *err);
/* One write(2); when the disk is full, nothing of the line stays. */
cn_status job_metric_append(job *j, const job_metric *m, cn_err *err);
/* Replaces run.json at once or not at all: status running, with the id and the times, the
 * machine and the beginning where `r` has none. Call it after claiming and with every
 * checkpoint. */
cn_status job_update(job *j, const job_record *r, cn_err *err);
/* The last update: finished (CN_OK), stopped (CN_E_CANCELLED), else failed with the error. */
cn_status job_finish(job *j, const job_record *r, cn_status outcome, const cn_err *why,
                     cn_err *err);
/* Lets the folder go; a run that wrote nothing is not listed any more. NULL is fine. */
void job_close(job *j);

/* ---- the process */

typedef struct job_detached {
    bool parent; /* this is the process that was typed; the child goes on */
    int pipe;    /* the child's; -1: not detached, or told already */
} job_detached;

#define JOB_ATTACHED ((job_detached){.pipe = -1})

/* Goes on in a process of its own (fork, setsid, fork), out of reach of the terminal's signals;
 * call before any thread starts. The parent returns when the child has called job_detached_tell
 * or died: with the child's error, which it tells the user. Until then the child still writes
 * to the terminal; from then on to DIR/log.txt. */
cn_status job_detach(job_detached *d, cn_err *err);
/* In the child: how starting went. CN_OK sends stdout and stderr to the log of `j` and lets the
 * parent go; a failure goes to the parent with `err`, and this process ends here. Does nothing
 * when not detached, or told before, so that it can stand at every way out.
 * errors  the log cannot be opened (the parent was told, and is gone) */
cn_status job_detached_tell(job_detached *d, const job *j, cn_status st, cn_err *err);

/* Lets others go first: nice value (0: as it is, to 19) and, with `idle_io`, the disk only when
 * nobody else wants it. Of this thread and those it starts: call before the compute threads
 * start. What the system refuses is left as it is. */
void job_be_polite(int nice_value, bool idle_io);

/* ---- from outside */

typedef struct job_view {
    char *dir;   /* absolute, owned */
    char id[96]; /* "" when it is in no registry */
    job_status status;
    bool missing;      /* the folder is not there (any more) */
    pid_t pid;         /* of a running one; 0: not of this machine or container */
    char problem[200]; /* why the record could not be read; "" when all is well */
    job_record record; /* all unknown when it has none (yet) */
} job_view;

/* Looks at a folder: the record, and what the metrics say since. Not from the process that
 * holds it: closing the lock file would let go of a part of the lock. errors  none for a
 * missing folder or a broken record: the view says so */
void job_look(job_view *out, const char *dir);
void job_view_deinit(job_view *v);
/* SIGTERM to the process that holds the folder, never to one that took over its number, then
 * waits. errors  CN_E_NOT_FOUND nobody holds it, CN_E_REFUSED not ours or not on this machine,
 * CN_E_BUSY still running after wait_s */
cn_status job_cancel(const char *dir, double wait_s, cn_err *err);

/* $CONATUS_HOME/jobs, else $XDG_STATE_HOME/conatus/jobs, else ~/.local/state/conatus/jobs;
 * owned. */
char *jobs_folder(void);
/* All runs of the registry, by id. errors  CN_E_NOMEM */
cn_status jobs_list(job_view **out, size_t *n, cn_err *err);
void jobs_list_free(job_view *list, size_t n);
/* The folder of an id, of the only id that begins so, or of a path to a run's folder; owned.
 * errors  CN_E_NOT_FOUND, CN_E_ARG several begin so */
cn_status jobs_find(char **dir, const char *name, cn_err *err);
/* Enters the folder, or finds the entry that it has; an id that is not there is made of its
 * name. */
cn_status jobs_enter(char id[static 96], const char *dir, cn_err *err);
/* Forgets the entry of a folder; with `files` removes what runs write (record, metrics, curve,
 * log, checkpoints) and then the folder if nothing else is in it. errors  CN_E_BUSY running */
cn_status jobs_remove(const char *dir, bool files, cn_err *err);

#endif
