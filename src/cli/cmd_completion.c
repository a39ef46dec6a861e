/* conatus completion: a shell's completion script, written from the tables of options. */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "compiler.h"
#include "json_out.h"
#include "verbs.h"

typedef struct completion_settings {
    cli_common common;
} completion_settings;

static const cli_option options[] = {CLI_COMMON_OPTIONS(completion_settings)};

/* Where the store's models are, for all three shells' own expansion. */
#define STORE "${CONATUS_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/conatus}/models"

static void bash(cn_buf *b)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    cn_buf_lit(b, "# bash completion of conatus\n_conatus()\n{\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} options=\n"
                  "    local names\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"");
    for (size_t i = 0; i < n; i++)
        cn_buf_printf(b, "%s%s", i ? " " : "", verbs[i]->name);
    cn_buf_lit(b, "\" -- \"$cur\")\n        return\n    fi\n    case $verb in\n");
    for (size_t i = 0; i < n; i++) {
        cn_buf_printf(b, "    %s) options=\"", verbs[i]->name);
        for (size_t k = 0; k < verbs[i]->n_options; k++)
            cn_buf_printf(b, "%s--%s", k ? " " : "", verbs[i]->options[k].name);
        cn_buf_lit(b, "\" ;;\n");
    }
    cn_buf_lit(b, "    esac\n    case $cur in\n"
                  "    -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\") ;;\n"
                  "    *)\n"
                  "        names=$(ls -- \"" STORE "\" 2>/dev/null)\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$cur\"\n"
                  "            compgen -f -- \"$cur\")\n        ;;\n    esac\n}\n"
                  "complete -o filenames -F _conatus conatus\n");
}

/* Inside a zsh _arguments specification: '[', ']', ':' and the quote are special. */
static void zsh_text(cn_buf *b, const char *s)
{
    for (; *s; s++) {
        if (strchr("[]:\\", *s)) cn_buf_putc(b, '\\');
        if (*s == '\'')
            cn_buf_lit(b, "'\\''");
        else
            cn_buf_putc(b, *s);
    }
}

static void zsh_option(cn_buf *b, const cli_option *o)
{
    cn_buf_printf(b, " \\\n            '%s--%s%s[", o->kind == CLI_LIST ? "*" : "", o->name,
                  o->value ? "=" : "");
    zsh_text(b, o->help);
    cn_buf_putc(b, ']');
    if (o->value) {
        cn_buf_putc(b, ':');
        zsh_text(b, o->value);
        cn_buf_lit(b, ":_files");
    }
    cn_buf_putc(b, '\'');
}

static void zsh(cn_buf *b)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    cn_buf_lit(b, "#compdef conatus\n_conatus()\n{\n    local -a verbs names\n    verbs=(\n");
    for (size_t i = 0; i < n; i++) {
        cn_buf_printf(b, "        '%s:", verbs[i]->name);
        zsh_text(b, verbs[i]->summary);
        cn_buf_lit(b, "'\n");
    }
    cn_buf_lit(b, "    )\n    if ((CURRENT == 2)); then\n        _describe verb verbs\n"
                  "        return\n    fi\n    names=(\"" STORE "\"/*(N:t))\n"
                  "    compadd -a names\n    case $words[2] in\n");
    for (size_t i = 0; i < n; i++) {
        cn_buf_printf(b, "    %s)\n        _arguments", verbs[i]->name);
        for (size_t k = 0; k < verbs[i]->n_options; k++)
            zsh_option(b, &verbs[i]->options[k]);
        cn_buf_lit(b, " \\\n            '*:file:_files'\n        ;;\n");
    }
    cn_buf_lit(b, "    esac\n}\n_conatus \"$@\"\n");
}

static void fish_text(cn_buf *b, const char *s)
{
    cn_buf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'' || *s == '\\') cn_buf_putc(b, '\\');
        cn_buf_putc(b, *s);
    }
    cn_buf_putc(b, '\'');
}

static void fish(cn_buf *b)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    cn_buf_lit(b, "# fish completion of conatus\n");
    for (size_t i = 0; i < n; i++) {
        cn_buf_printf(b, "complete -c conatus -f -n __fish_use_subcommand -a %s -d ",
                      verbs[i]->name);
        fish_text(b, verbs[i]->summary);
        cn_buf_putc(b, '\n');
        for (size_t k = 0; k < verbs[i]->n_options; k++) {
            const cli_option *o = &verbs[i]->options[k];
            cn_buf_printf(b, "complete -c conatus -n '__fish_seen_subcommand_from %s' -l %s",
                          verbs[i]->name, o->name);
            if (o->letter) cn_buf_printf(b, " -s %c", o->letter);
            cn_buf_printf(b, "%s -d ", o->value ? " -r" : "");
            fish_text(b, o->help);
            cn_buf_putc(b, '\n');
        }
    }
}

static cn_status run(const void *settings, cn_err *err)
{
    const completion_settings *s = settings;
    static const struct {
        const char *name;
        void (*write)(cn_buf *b);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; i < CN_ARRAY_LEN(shells); i++) {
        if (strcmp(s->common.words[0], shells[i].name) != 0) continue;
        json_out j = {0};
        cn_buf script = {0};
        shells[i].write(&script);
        if (s->common.json) {
            json_open(&j, '{');
            json_put_text(&j, "shell", shells[i].name);
            json_put_text(&j, "script", script.p);
            json_close(&j, '}');
            json_print(&j);
        } else {
            fwrite(script.p, 1, script.n, stdout);
        }
        cn_buf_deinit(&script);
        return CN_OK;
    }
    cn_status st =
        cn_fail(err, CN_E_ARG, "no completion for the shell \"%.40s\"", s->common.words[0]);
    return cn_next(err, st, "conatus completion bash (or zsh, fish)");
}

const cli_verb verb_completion = {
    .name = "completion",
    .words = "bash|zsh|fish",
    .summary = "Print a shell's completion script.",
    .details = "  source <(conatus completion bash)\n"
               "  conatus completion zsh > ~/.zfunc/_conatus\n"
               "  conatus completion fish > ~/.config/fish/completions/conatus.fish",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = 1,
    .settings_size = sizeof(completion_settings),
    .run = run,
};
