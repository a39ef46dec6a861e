/* A folder being written: its files gather in a folder beside it, which takes its place when
 * all are on the disk. Files of the same model that stood there before go; others stay. */
#ifndef TRAIN_EXPORT_FOLDER_H
#define TRAIN_EXPORT_FOLDER_H

#include "err.h"
#include "str.h"

typedef struct export_folder {
    char *path, *work; /* owned; work: where the files are written */
} export_folder;

cn_status export_folder_open(export_folder *f, const char *path, cn_err *err);
/* A text file in it. */
cn_status export_folder_put(const export_folder *f, const char *name, cn_str text, cn_err *err);
/* A copy of the file `from`, as `name`; nothing when there is none. */
cn_status export_folder_copy(const export_folder *f, const char *from, const char *name,
                             cn_err *err);
/* Puts the folder in its place. Frees `f` in any case. */
cn_status export_folder_finish(export_folder *f, cn_err *err);
void export_folder_abandon(export_folder *f); /* removes it; nothing to do once finished */

#endif
