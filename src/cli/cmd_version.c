/* conatus version */
#include <stdio.h>

#include "compiler.h"
#include "json_out.h"
#include "verbs.h"

typedef struct version_settings {
    cli_common common;
} version_settings;

static const cli_option options[] = {CLI_COMMON_OPTIONS(version_settings)};

static cn_status run(const void *settings, cn_err *err)
{
    const version_settings *s = settings;
    (void)err;
    if (!s->common.json) {
        printf("conatus %s\n", CONATUS_VERSION);
        return CN_OK;
    }
    json_out j = {0};
    json_open(&j, '{');
    json_put_text(&j, "version", CONATUS_VERSION);
    json_close(&j, '}');
    json_print(&j);
    return CN_OK;
}

const cli_verb verb_version = {
    .name = "version",
    .words = "",
    .summary = "Print the version.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .settings_size = sizeof(version_settings),
    .run = run,
};
