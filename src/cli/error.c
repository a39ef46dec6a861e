#include "error.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"

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

/* What the verb was at, for causes that nobody named the action of. */
static const char *action_of(const char *verb)
{
    static const char *const actions[][2] = {
        {"run", "answering"},
        {"chat", "answering"},
        {"generate", "generating text"},
        {"embed", "embedding the text"},
        {"tokenize", "tokenizing"},
        {"template", "rendering the template"},
        {"logits", "evaluating the ids"},
        {"schema", "compiling the schema"},
        {"inspect", "inspecting the file"},
        {"quantize", "quantizing"},
        {"bench", "measuring the speed"},
        {"perplexity", "measuring the perplexity"},
        {"eval", "evaluating the model"},
        {"jobs", "looking after training runs"},
        {"doctor", "looking at the machine"},
        {"data", "checking the data"},
        {"train", "training"},
    };
    for (size_t i = 0; verb && i < CN_ARRAY_LEN(actions); i++)
        if (strcmp(verb, actions[i][0]) == 0) return actions[i][1];
    return "reading the command line";
}

static void default_next(const char *verb, cn_status st, cn_err *err)
{
    static const char *const advice[] = {
        [CN_E_NOT_FOUND] = "check how the path is spelt: ls shows what is there",
        [CN_E_REFUSED] = "check who may read and write it: ls -l",
        [CN_E_UNSUPPORTED] = "conatus inspect FILE tells what a file is and what it offers",
        [CN_E_MISMATCH] = "use files that belong together; conatus inspect tells what they are",
        [CN_E_LIMIT] = "give less at a time, or raise the limit where an option sets it",
        [CN_E_NOMEM] = "use a smaller --ctx or a smaller model, or end other programs",
        [CN_E_DISK] = "make room, or write elsewhere",
        [CN_E_IO] = "check the path and the disk, then try again",
        [CN_E_NETWORK] = "check the connection, then try again",
        [CN_E_FORMAT] = "mend what is named there, or get the file again",
        [CN_E_BUSY] = "wait until the other program is done",
    };
    const char *text = (size_t)st < CN_ARRAY_LEN(advice) ? advice[st] : NULL;
    if (text)
        cn_next(err, st, "%s", text);
    else
        cn_next(err, st, "conatus help %s", verb ? verb : "");
}

void cli_error_complete(const char *verb, cn_status st, cn_err *err)
{
    if (!err->why[0]) cn_fail(err, st, "no cause was told (%s)", cn_status_code(st));
    if (!err->what[0]) cn_ctx(err, st, "%s", action_of(verb));
    default_next(verb, st, err);
}

void cli_error_json(cn_buf *out, cn_status st, const cn_err *err)
{
    cn_buf message = {0};
    cn_buf_printf(&message, "%s: %s", err->what, err->why);
    cn_buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":", cn_status_code(st));
    cn_buf_json(out, cn_buf_view(&message));
    cn_buf_lit(out, ",\"what\":");
    cn_buf_json(out, cn_str_of(err->what));
    cn_buf_lit(out, ",\"why\":");
    cn_buf_json(out, cn_str_of(err->why));
    cn_buf_lit(out, ",\"next\":");
    cn_buf_json(out, cn_str_of(err->next));
    cn_buf_lit(out, "}}");
    cn_buf_deinit(&message);
}

void cli_error_print(const char *verb, bool json, cn_status st, const cn_err *given)
{
    if (st == CN_E_CANCELLED && !given->next[0]) return; /* nothing to say but that */
    cn_err err = *given;
    cli_error_complete(verb, st, &err);
    if (json && !ferror(stdout)) {
        cn_buf out = {0};
        cli_error_json(&out, st, &err);
        printf("%.*s\n", (int)out.n, out.p);
        cn_buf_deinit(&out);
        return;
    }
    fprintf(stderr, "conatus%s%s: %s\n", verb ? " " : "", verb ? verb : "", err.what);
    fprintf(stderr, "  why:  %s\n  next: %s\n", err.why, err.next);
    fprintf(stderr, "  code: %s (exit %d)\n", cn_status_code(st), cli_exit_code(st));
}
