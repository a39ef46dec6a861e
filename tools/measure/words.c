#include "words.h"

#include "file.h"
#include "mem.h"
#include "text.h"

static uint64_t hash_of(cn_str s)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h | 1; /* 0 is a free place */
}

void ms_words_deinit(ms_words *w)
{
    cn_free(w->slots);
    *w = (ms_words){0};
}

/* Where `hash` is or would be. */
static size_t place(const ms_words *w, uint64_t hash)
{
    size_t at = (hash >> 7) % w->room;
    while (w->slots[at] && w->slots[at] != hash)
        at = (at + 1) % w->room;
    return at;
}

bool ms_words_has(const ms_words *w, cn_str text)
{
    return w->room && w->slots[place(w, hash_of(text))];
}

static void grow(ms_words *w)
{
    ms_words old = *w;
    w->room = old.room ? old.room * 2 : 4096;
    w->slots = cn_xcalloc(w->room, sizeof *w->slots);
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i]) w->slots[place(w, old.slots[i])] = old.slots[i];
    cn_free(old.slots);
}

bool ms_words_add(ms_words *w, cn_str text)
{
    if (w->n * 2 >= w->room) grow(w);
    uint64_t hash = hash_of(text);
    size_t at = place(w, hash);
    if (w->slots[at]) return false;
    w->slots[at] = hash;
    w->n++;
    return true;
}

void ms_words_learn(ms_words *w, cn_str text)
{
    char word[96];
    size_t n;
    while ((n = ms_word(&text, word)))
        ms_words_add(w, (cn_str){word, n});
}

cn_status ms_words_read(ms_words *w, const char *path, cn_err *err)
{
    cn_buf text = {0};
    cn_status st = cn_file_read(&text, path, (size_t)64 << 20, err);
    if (!st) ms_words_learn(w, cn_buf_view(&text));
    cn_buf_deinit(&text);
    return st ? cn_ctx(err, st, "the word list %s", path) : CN_OK;
}

bool ms_words_unknown(const ms_words *a, const ms_words *b, cn_str text, char word[96])
{
    size_t n;
    while ((n = ms_word(&text, word))) {
        cn_str w = {word, n};
        if (!ms_words_has(a, w) && !ms_words_has(b, w)) return true;
    }
    return false;
}
