/* Where models and adapters are: a path, or a name in the store ($CONATUS_HOME, else
 * $XDG_DATA_HOME/conatus, else ~/.local/share/conatus) under models/ or adapters/; last, a
 * model that came with the program. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include <stddef.h>

#include "err.h"

/* The store's folder, or with `sub` one under it; owned (cn_free). Need not exist. */
char *cli_store_folder(const char *sub);

/* A model that came with the program at this path: NAME/NAME.gguf in share/conatus/models
 * (installed) or share (source tree) of a folder above it; owned, NULL when there is none. */
char *cli_store_shipped(const char *program, const char *name);

#define CLI_MAX_ADAPTERS 16 /* a session takes no more */

/* "MODEL" or "MODEL+ADAPTER[:SCALE]+..." taken apart and found. */
typedef struct cli_place {
    char *model; /* owned paths */
    char *adapters[CLI_MAX_ADAPTERS];
    float scales[CLI_MAX_ADAPTERS];
    size_t n_adapters;
} cli_place;

/* A file or folder whose whole name has a '+' is taken as it is. A folder that holds nothing
 * but one GGUF file (or the parts of one) stands for that file. errors  CN_E_NOT_FOUND with
 * near names
 */
cn_status cli_place_find(cli_place *out, const char *name, cn_err *err);
/* Adds "DIR[:SCALE]" to it. */
cn_status cli_place_adapter(cli_place *p, const char *spec, cn_err *err);
void cli_place_deinit(cli_place *p);

#endif
