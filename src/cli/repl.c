#include "repl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "lines.h"
#include "mem.h"
#include "store.h"
#include "table.h"

typedef struct repl {
    cli_chat *chat;
    cli_lines *lines;
    bool stats, over;
} repl;

typedef struct set_settings {
    cli_sampling sampling;
} set_settings;

static const cli_option set_options[] = {CLI_SAMPLING_OPTIONS(set_settings)};

static void complain(cn_status st, const cn_err *err)
{
    if (st == CN_E_CANCELLED) return;
    fprintf(stderr, "%s%s%s\n", err->what, err->what[0] ? ": " : "", err->why);
    if (err->next[0]) fprintf(stderr, "  next: %s\n", err->next);
}

static void on_help(repl *r, char *words)
{
    (void)r;
    (void)words;
    puts("  /set NAME VALUE   change a setting: temperature, top-k, seed, max-tokens, stop, "
         "...\n"
         "  /set              list the settings\n"
         "  /set system TEXT  begin again with this system message\n"
         "  /set stats on     show the speed after each answer (off: do not)\n"
         "  /show             settings, model and memory of the conversation\n"
         "  /show messages    the conversation as JSON\n"
         "  /save FILE        write the conversation as JSON; /load FILE reads it\n"
         "  /clear            forget the conversation\n"
         "  /bye              end (also Ctrl-D)\n"
         "\n"
         "  \"\"\"               begins and ends a message of several lines\n"
         "  Ctrl-C            stops an answer");
}

static void on_clear(repl *r, char *words)
{
    (void)words;
    cli_chat_back(r->chat, 0, 0);
    cn_session_truncate(r->chat->session, 0);
}

static void show_settings(const cli_sampling *s)
{
    printf("temperature %g  top-k %d  top-p %g  min-p %g  typical-p %g\n"
           "repeat-penalty %g  frequency-penalty %g  presence-penalty %g  penalty-last-n %d\n"
           "max-tokens %d  min-tokens %d  seed %" PRIu64 "\n",
           (double)s->temperature, s->top_k, (double)s->top_p, (double)s->min_p,
           (double)s->typical_p, (double)s->repeat_penalty, (double)s->frequency_penalty,
           (double)s->presence_penalty, s->penalty_last_n, s->max_tokens, s->min_tokens,
           s->seed);
    for (size_t i = 0; i < s->stop.n; i++)
        printf("stop \"%s\"\n", s->stop.items[i]);
}

static void on_show(repl *r, char *words)
{
    const cn_model_info *m = cn_model_info_of(r->chat->model.model);
    char count[24], bytes[24];
    if (strcmp(words, "messages") == 0) {
        printf("[%s]\n", r->chat->messages.p ? r->chat->messages.p : "");
        return;
    }
    printf("%s %s, %s weights as %s, %s\n", m->architecture, m->name,
           cli_count(count, sizeof count, m->n_params), m->weights,
           cli_bytes(bytes, sizeof bytes, m->weight_bytes));
    printf("%zu of %u tokens of context used, %zu messages%s\n",
           cn_session_length(r->chat->session), cn_session_n_ctx(r->chat->session),
           r->chat->n_messages,
           r->chat->plain ? " (no chat template: texts are continued)" : "");
    show_settings(&r->chat->sampling);
}

/* "NAME VALUE" becomes --NAME VALUE of the same table that the command line uses. */
static void on_set(repl *r, char *words)
{
    size_t n = strcspn(words, " ");
    char *value = words + n + (words[n] == ' '), name[72];
    char *argv[2] = {name, value};
    set_settings s = {r->chat->sampling};
    cn_err err = {0};
    size_t n_words;
    words[n] = '\0';
    if (!*words) {
        show_settings(&r->chat->sampling);
        return;
    }
    for (char *p = words; (p = strchr(p, '_'));)
        *p = '-';
    if (strcmp(words, "system") == 0) {
        on_clear(r, NULL);
        if (*value) cli_chat_add(r->chat, "system", cn_str_of(value));
        return;
    }
    if (strcmp(words, "stats") == 0) {
        r->stats = strcmp(value, "off") != 0;
        return;
    }
    snprintf(name, sizeof name, "--%.64s", words);
    /* A list keeps pointers to its values: they live as long as the program. */
    if (strcmp(words, "stop") == 0) argv[1] = cn_xstrndup(value, strlen(value));
    cn_status st = cli_parse(set_options, CN_ARRAY_LEN(set_options), *value ? 2 : 1, argv, &s,
                             &n_words, &err);
    if (st)
        complain(st, &err);
    else
        r->chat->sampling = s.sampling;
}

static void on_save(repl *r, char *words)
{
    cn_err err = {0};
    cn_buf b = {0};
    cn_buf_printf(&b, "[%s]\n", r->chat->messages.p ? r->chat->messages.p : "");
    cn_status st = *words ? cn_file_write(words, cn_buf_view(&b), &err)
                          : cn_fail(&err, CN_E_ARG, "/save FILE");
    if (st)
        complain(st, &err);
    else
        printf("%zu messages in %s\n", r->chat->n_messages, words);
    cn_buf_deinit(&b);
}

static void on_load(repl *r, char *words)
{
    cn_err err = {0};
    cn_json *j = NULL;
    cn_status st = cn_json_read_file(&j, words, (size_t)64 << 20, &err);
    if (!st) st = cli_chat_load(r->chat, j, &err);
    if (st)
        complain(st, &err);
    else
        printf("%zu messages\n", r->chat->n_messages);
    cn_json_free(j);
}

static void on_bye(repl *r, char *words)
{
    (void)words;
    r->over = true;
}

static const struct {
    const char *name;
    void (*run)(repl *r, char *words);
} commands[] = {
    {"help", on_help}, {"?", on_help},    {"set", on_set},     {"show", on_show},
    {"save", on_save}, {"load", on_load}, {"clear", on_clear}, {"bye", on_bye},
    {"exit", on_bye},  {"quit", on_bye},
};

/* line is "/name words". */
static void command(repl *r, char *line)
{
    size_t n = strcspn(line + 1, " ");
    char *words = line + 1 + n;
    words += strspn(words, " ");
    line[1 + n] = '\0';
    for (size_t i = 0; i < CN_ARRAY_LEN(commands); i++)
        if (strcmp(line + 1, commands[i].name) == 0) {
            commands[i].run(r, words);
            return;
        }
    fprintf(stderr, "no command %s; /help lists them\n", line);
}

static void answer(repl *r, cn_str text)
{
    cli_chat *c = r->chat;
    size_t n = c->n_messages, length = c->messages.n;
    cli_answer a = {.show = stdout, .terminal = isatty(STDOUT_FILENO) == 1};
    cn_err err = {0};
    if (!c->plain) cli_chat_add(c, "user", text);
    cn_status st = cli_chat_answer(c, c->plain ? &text : NULL, &a, &err);
    bool stopped = atomic_exchange(&cli_interrupted, false);
    if (a.text.n == 0 || a.text.p[a.text.n - 1] != '\n') putchar('\n');
    if (st) {
        cli_chat_back(c, n, length);
        if (st == CN_E_LIMIT)
            cn_next(&err, st, "/clear, or start again with a larger --ctx or with --keep");
        complain(st, &err);
    } else if (stopped) {
        puts("(stopped)");
    }
    if (!st && !stopped) {
        fflush(stdout);
        cli_answer_note_full(&a, c->session);
    }
    if (!st && r->stats) cli_answer_speed(&a, stdout);
    cli_answer_deinit(&a);
    putchar('\n');
}

#define QUOTES "\"\"\""

/* The lines up to one that ends with quotes, without the line end after opening quotes and
 * before closing ones that stand alone; false when the input ended or was interrupted. */
static bool read_more(repl *r, cn_buf *text)
{
    for (bool first = true;; first = false) {
        if (!first || text->n) cn_buf_putc(text, '\n');
        size_t start = text->n;
        if (cli_lines_read(r->lines, "... ", text) != CLI_LINE_READ) return false;
        if (text->n - start >= 3 && memcmp(text->p + text->n - 3, QUOTES, 3) == 0) {
            text->n -= 3;
            if (text->n == start && start) text->n--; /* quotes alone on their line */
            text->p[text->n] = '\0';
            return true;
        }
    }
}

/* A message: one line, or several between triple quotes. False at the end. */
static bool read_message(repl *r, cn_buf *text)
{
    cli_line how = cli_lines_read(r->lines, ">>> ", text);
    if (how == CLI_LINE_INTERRUPTED) puts("\n(/bye or Ctrl-D ends)");
    if (how != CLI_LINE_READ) return how != CLI_LINE_END;
    if (text->n < 3 || memcmp(text->p, QUOTES, 3) != 0) return true;
    memmove(text->p, text->p + 3, text->n - 3 + 1);
    text->n -= 3;
    bool closed = text->n >= 3 && memcmp(text->p + text->n - 3, QUOTES, 3) == 0;
    if (closed)
        text->p[text->n -= 3] = '\0';
    else if (!read_more(r, text))
        cn_buf_clear(text);
    return true;
}

cn_status cli_repl(cli_chat *c, bool stats, cn_err *err)
{
    char *history = cli_store_folder("history");
    repl r = {.chat = c, .lines = cli_lines_new(history), .stats = stats};
    (void)err;
    puts(c->plain ? "This model has no chat template: it continues your text. /help explains."
                  : "/help explains, /bye ends.");
    while (!r.over) {
        cn_buf text = {0};
        if (!read_message(&r, &text)) break;
        if (text.n) cli_lines_remember(r.lines, text.p);
        if (text.n && text.p[0] == '/' && !strchr(text.p, '\n'))
            command(&r, text.p);
        else if (text.n)
            answer(&r, cn_buf_view(&text));
        cn_buf_deinit(&text);
    }
    cli_lines_free(r.lines);
    cn_free(history);
    return CN_OK;
}
