#include "error.h"

#include <stdio.h>

int cli_exit_code(cn_status st)
{
    switch (st) {
    case CN_OK:
        return 0;
    case CN_E_ARG:
        return 2;
    case CN_E_NOT_FOUND:
        return 3;
    case CN_E_REFUSED:
    case CN_E_UNSUPPORTED:
    case CN_E_LIMIT:
        return 4;
    case CN_E_NOMEM:
    case CN_E_DISK:
    case CN_E_IO:
        return 5;
    case CN_E_NETWORK:
        return 6;
    case CN_E_FORMAT:
    case CN_E_MISMATCH:
        return 7;
    case CN_E_BUSY:
        return 8;
    case CN_E_CANCELLED:
        return 130;
    }
    return 7;
}

void cli_error_json(cn_buf *out, cn_status st, const cn_err *err)
{
    cn_buf message = {0};
    if (err->what[0]) cn_buf_printf(&message, "%s: ", err->what);
    cn_buf_str(&message, cn_str_of(err->why));
    cn_buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":", cn_status_code(st));
    cn_buf_json(out, cn_buf_view(&message));
    cn_buf_lit(out, ",\"what\":");
    cn_buf_json(out, cn_str_of(err->what[0] ? err->what : err->why));
    cn_buf_lit(out, ",\"why\":");
    cn_buf_json(out, cn_str_of(err->why));
    cn_buf_lit(out, ",\"next\":");
    cn_buf_json(out, cn_str_of(err->next));
    cn_buf_lit(out, "}}");
    cn_buf_deinit(&message);
}

void cli_error_print(const char *verb, bool json, cn_status st, const cn_err *err)
{
    if (st == CN_E_CANCELLED) return;
    if (json && !ferror(stdout)) {
        cn_buf out = {0};
        cli_error_json(&out, st, err);
        printf("%.*s\n", (int)out.n, out.p);
        cn_buf_deinit(&out);
        return;
    }
    fprintf(stderr, "conatus%s%s: %s\n", verb ? " " : "", verb ? verb : "",
            err->what[0] ? err->what : err->why);
    if (err->what[0]) fprintf(stderr, "  why:  %s\n", err->why);
    if (err->next[0]) fprintf(stderr, "  next: %s\n", err->next);
    fprintf(stderr, "  code: %s (exit %d)\n", cn_status_code(st), cli_exit_code(st));
}
