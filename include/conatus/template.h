/* Chat templates: the Jinja that models' files really use, evaluated under limits. Remembers
 * which bytes of its output the template itself wrote, so that only those may become control
 * tokens. */
#ifndef CONATUS_TEMPLATE_H
#define CONATUS_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cn_template cn_template;

typedef struct cn_template_limits {
    uint64_t max_steps; /* evaluated nodes; 0: 10 million */
    size_t max_output;  /* bytes; 0: 64 MiB */
    unsigned max_depth; /* nesting of expressions, blocks, macros; 0: 200; at most 1000 */
} cn_template_limits;

/** Text, and for each byte whether the template wrote it (1) or it came from the data (0). */
typedef struct cn_rendered {
    char *text; /* NUL-terminated */
    uint8_t *trusted;
    size_t n;
} cn_rendered;

/** Compiles `source` (at most 4 MiB) with trim_blocks and lstrip_blocks on, as chat templates
 * want.
 *  errors  CN_E_FORMAT with line number, CN_E_LIMIT, CN_E_NOMEM */
CN_MUST_USE CN_API cn_status cn_template_parse(cn_template **out, const char *source, size_t n,
                                               cn_err *err);
CN_API void cn_template_free(cn_template *t);

/** Renders with the members of the JSON object `variables` (messages, tools,
 * add_generation_prompt, bos_token, eos_token, ...). The tokens' names (bos_token, eos_token,
 * pad_token, unk_token) and the usual roles of messages (system, user,
 *  assistant, tool, developer, function, model, ...) count as written by the template; all
 * other strings are data, whatever is done to them.
 *
 * `now_unix`: what strftime_now answers, in seconds, told as UTC; negative: the system's clock
 * and its local time.
 *
 * errors  CN_E_REFUSED raise_exception, its message in err->why; CN_E_ARG variables are no
 * JSON object; CN_E_FORMAT a fault of the template, with line number; CN_E_LIMIT; CN_E_NOMEM
 *
 * thread  a template is constant: any number of threads may render it */
CN_MUST_USE CN_API cn_status cn_template_render(const cn_template *t, const char *variables,
                                                size_t n, int64_t now_unix,
                                                const cn_template_limits *limits,
                                                cn_rendered *out, cn_err *err);
CN_API void cn_rendered_free(cn_rendered *r);

#ifdef __cplusplus
}
#endif
#endif
