/* What `conatus train` says before and after, and what it leaves. */
#ifndef CLI_TRAIN_REPORT_H
#define CLI_TRAIN_REPORT_H

#include "train_request.h"
#include "trainer.h"

/* The data, the model, the memory: a few lines on stdout. */
void train_report_plan(const train_request *r, const net *n, const dataset_report *d,
                       const train_need *need);
/* errors  CN_E_NOMEM with both numbers and what would need less */
cn_status train_need_fits(const train_need *need, cn_err *err);
void train_report_time(const trainer *t, double seconds_per_step);
void train_report_end(const train_request *r, const char *dir, const train_result *result);

/* SHA-256 of a file in hex, or of a folder's model.safetensors; of a large one "ends-" and that
 * of its first and last 64 MiB; "": there is none. */
void train_hash_file(char out[80], const char *path);
/* The command that would begin the same run. */
void train_command_line(cn_buf *out, const train_request *r);

/* DIR/adapter, or DIR/model.gguf and DIR/hf. */
cn_status train_export(const net *n, const train_request *r, const char *base_path,
                       const char *dir, cn_err *err);
const char *train_result_name(const train_request *r);

#endif
