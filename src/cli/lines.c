#include "lines.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "interrupt.h"
#include "mem.h"

/* Width and case of what is typed need a UTF-8 locale; numbers stay as in C. */
static void use_utf8(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

#ifdef HAVE_EDITLINE
#include <histedit.h>

struct cli_lines {
    EditLine *el;
    History *history;
    char *file;
    const char *prompt;
};

static char *show_prompt(EditLine *el)
{
    cli_lines *l;
    el_get(el, EL_CLIENTDATA, &l);
    return (char *)(uintptr_t)l->prompt;
}

/* Waits for a byte; false when Ctrl-C came. The signal can only come while waiting, so that
 * none is lost between the look at the flag and the wait. */
static bool wait_for_input(void)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int n = 0;
    while (n <= 0 && !atomic_load(&cli_interrupted)) {
        fd_set in;
        FD_ZERO(&in);
        FD_SET(STDIN_FILENO, &in);
        n = pselect(STDIN_FILENO + 1, &in, NULL, NULL, NULL, &before);
        if (n < 0 && errno != EINTR) n = 1; /* let read() tell what is wrong */
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n > 0;
}

/* One character; unlike the built-in way it gives up when Ctrl-C was pressed. */
static int read_char(EditLine *el, wchar_t *out)
{
    mbstate_t state = {0};
    (void)el;
    for (;;) {
        char byte;
        if (!wait_for_input()) return -1;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return (int)n;
        size_t used = mbrtowc(out, &byte, 1, &state);
        if (used == (size_t)-2) continue;
        if (used == (size_t)-1)
            memset(&state, 0, sizeof state);
        else
            return 1;
    }
}

/* Makes the folders above `path`. */
static void make_folders(const char *path)
{
    char *copy = cn_xstrndup(path, strlen(path));
    for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(copy, 0700);
        *p = '/';
    }
    cn_free(copy);
}

cli_lines *cli_lines_new(const char *history_file)
{
    cli_lines *l = cn_xcalloc(1, sizeof *l);
    HistEvent e;
    use_utf8();
    l->el = el_init("conatus", stdin, stdout, stderr);
    l->history = history_init();
    history(l->history, &e, H_SETSIZE, 1000);
    history(l->history, &e, H_SETUNIQUE, 1);
    if (history_file) {
        l->file = cn_xstrndup(history_file, strlen(history_file));
        history(l->history, &e, H_LOAD, l->file);
    }
    el_set(l->el, EL_CLIENTDATA, l);
    el_set(l->el, EL_PROMPT, show_prompt);
    el_set(l->el, EL_EDITOR, "emacs");
    el_set(l->el, EL_HIST, history, l->history);
    el_set(l->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(l->el, EL_GETCFN, read_char);
    el_source(l->el, NULL);
    return l;
}

void cli_lines_free(cli_lines *l)
{
    HistEvent e;
    if (!l) return;
    if (l->file) {
        mode_t before = umask(0077);
        make_folders(l->file);
        history(l->history, &e, H_SAVE, l->file);
        umask(before);
    }
    history_end(l->history);
    el_end(l->el);
    cn_free(l->file);
    cn_free(l);
}

cli_line cli_lines_read(cli_lines *l, const char *prompt, cn_buf *out)
{
    int n;
    l->prompt = prompt;
    const char *line = el_gets(l->el, &n);
    if (!line || n <= 0) {
        if (!atomic_exchange(&cli_interrupted, false)) return CLI_LINE_END;
        el_reset(l->el);
        return CLI_LINE_INTERRUPTED;
    }
    size_t len = strlen(line);
    cn_buf_append(out, line, len - (line[len - 1] == '\n'));
    return CLI_LINE_READ;
}

void cli_lines_remember(cli_lines *l, const char *text)
{
    HistEvent e;
    history(l->history, &e, H_ENTER, text);
}

#else

struct cli_lines {
    char *line;
    size_t alloc;
};

cli_lines *cli_lines_new(const char *history_file)
{
    (void)history_file;
    use_utf8();
    return cn_xcalloc(1, sizeof(cli_lines));
}

void cli_lines_free(cli_lines *l)
{
    if (l) free(l->line);
    cn_free(l);
}

cli_line cli_lines_read(cli_lines *l, const char *prompt, cn_buf *out)
{
    fputs(prompt, stdout);
    fflush(stdout);
    ssize_t n = getline(&l->line, &l->alloc, stdin);
    if (n < 0) {
        clearerr(stdin);
        return atomic_exchange(&cli_interrupted, false) ? CLI_LINE_INTERRUPTED : CLI_LINE_END;
    }
    cn_buf_append(out, l->line, (size_t)n - (l->line[n - 1] == '\n'));
    return CLI_LINE_READ;
}

void cli_lines_remember(cli_lines *l, const char *text)
{
    (void)l;
    (void)text;
}

#endif
