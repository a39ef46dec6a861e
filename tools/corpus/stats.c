#include "stats.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

typedef struct set { /* of texts, by their bytes; the texts are kept when `keep` */
    uint64_t *hash;
    cn_str *text;
    size_t n, room;
} set;

struct co_stats {
    cn_arena arena;
    set words, users, replies;
    size_t games, turns, n_words, reply_words, asks, before_end, asks_before_end, keys, copied;
    size_t reformulations, intents[4], sentences[6];
};

static uint64_t hash_of(cn_str s)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h | 1;
}

static void grow(set *s)
{
    set old = *s;
    s->room = old.room ? old.room * 2 : 1024;
    s->hash = cn_xcalloc(s->room, sizeof *s->hash);
    s->text = cn_xcalloc(s->room, sizeof *s->text);
    for (size_t i = 0; i < old.room; i++) {
        if (!old.hash[i]) continue;
        size_t at = old.hash[i] % s->room;
        while (s->hash[at])
            at = (at + 1) % s->room;
        s->hash[at] = old.hash[i];
        s->text[at] = old.text[i];
    }
    cn_free(old.hash);
    cn_free(old.text);
}

static void add(set *s, cn_str text, cn_arena *keep)
{
    if (s->n * 2 >= s->room) grow(s);
    uint64_t h = hash_of(text);
    size_t at = h % s->room;
    while (s->hash[at] && s->hash[at] != h)
        at = (at + 1) % s->room;
    if (s->hash[at]) return;
    s->hash[at] = h;
    if (keep) s->text[at] = cn_arena_str(keep, text);
    s->n++;
}

co_stats *co_stats_new(void)
{
    return cn_xcalloc(1, sizeof(co_stats));
}

void co_stats_free(co_stats *s)
{
    set *all[] = {&s->words, &s->users, &s->replies};
    for (int i = 0; i < 3; i++) {
        cn_free(all[i]->hash);
        cn_free(all[i]->text);
    }
    cn_arena_deinit(&s->arena);
    cn_free(s);
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* One letter at p: its length, lower case in `out`; 0 when it is no letter. */
static size_t letter(const char *p, size_t n, char out[2])
{
    unsigned char c = (unsigned char)p[0], d = n > 1 ? (unsigned char)p[1] : 0;
    if (c == 0xC3 || c == 0xC5) {
        bool upper = c == 0xC3 ? d <= 0x9E : d == 0x92;
        out[0] = p[0];
        out[1] = (char)(upper ? d + (c == 0xC3 ? 0x20 : 1) : d);
        return 2;
    }
    if (!is_letter(c) || c >= 0x80) return 0;
    out[0] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return 1;
}

void co_stats_words(co_stats *s, cn_str text)
{
    char word[80], two[2];
    size_t n = 0;
    while (text.n) {
        size_t k = letter(text.p, text.n, two);
        if (k && n + 2 < sizeof word) {
            memcpy(word + n, two, k);
            n += k;
        }
        text = cn_str_skip(text, k ? k : 1);
        if (n && (!k || !text.n)) {
            add(&s->words, (cn_str){word, n}, &s->arena);
            s->n_words++;
            n = 0;
        }
    }
}

int co_sentences(cn_str t)
{
    int n = 0;
    for (size_t i = 0; i < t.n; i++) {
        bool end = strchr(".?!", t.p[i]) != NULL,
             more = i + 1 < t.n && strchr(".?!", t.p[i + 1]);
        bool quoted = i + 3 < t.n && memcmp(t.p + i + 1, " »", 3) == 0; /* « ... ! » goes on */
        n += end && !more && !quoted;
    }
    return n;
}

static size_t count_words(cn_str t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += t.p[i] == ' ';
    return n + 1;
}

static bool contains_key(cn_str text, cn_str key)
{
    return key.n && memmem(text.p, text.n, key.p, key.n);
}

static void turn(co_stats *s, const co_turn *t, bool last)
{
    cn_str user = cn_str_of(t->user), reply = cn_str_of(t->reply);
    bool asks = reply.n && reply.p[reply.n - 1] == '?';
    int sentences = co_sentences(reply);
    add(&s->users, user, NULL);
    add(&s->replies, reply, NULL);
    co_stats_words(s, user);
    co_stats_words(s, reply);
    s->turns++;
    s->reply_words += count_words(reply);
    s->intents[t->intent]++;
    s->sentences[sentences > 5 ? 5 : sentences]++;
    s->asks += asks;
    s->before_end += !last;
    s->asks_before_end += !last && asks;
    s->keys += t->key.n > 0;
    s->copied += contains_key(reply, t->key);
}

void co_stats_game(co_stats *s, const co_game *g)
{
    s->games++;
    for (int i = 0; i < g->n; i++)
        turn(s, &g->turns[i], i + 1 == g->n_wanted);
}

void co_stats_print(const co_stats *s, cn_buf *out)
{
    double turns = s->turns ? (double)s->turns : 1, keys = s->keys ? (double)s->keys : 1;
    cn_buf_printf(out, "games %zu, turns %zu, words %zu, vocabulary %zu\n", s->games, s->turns,
                  s->n_words, s->words.n);
    cn_buf_printf(out,
                  "distinct pupil messages %zu (%.1f %%), distinct replies %zu (%.1f %%)\n",
                  s->users.n, 100 * (double)s->users.n / turns, s->replies.n,
                  100 * (double)s->replies.n / turns);
    for (int i = 0; i < 4; i++)
        cn_buf_printf(out, "%s %.1f %%  ", co_intent_names[i],
                      100 * (double)s->intents[i] / turns);
    cn_buf_printf(out, "\nsentences per reply:");
    for (int i = 0; i < 6; i++)
        cn_buf_printf(out, " %d: %.2f %%", i, 100 * (double)s->sentences[i] / turns);
    cn_buf_printf(out, "\nwords per reply %.1f; replies before the end that ask %.1f %%\n",
                  (double)s->reply_words / turns,
                  100 * (double)s->asks_before_end /
                      (double)(s->before_end ? s->before_end : 1));
    cn_buf_printf(out, "messages with a key word %.1f %%, taken up in the reply %.1f %%\n",
                  100 * (double)s->keys / turns, 100 * (double)s->copied / keys);
}

static int by_text(const void *a, const void *b)
{
    const cn_str *x = a, *y = b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

void co_stats_lexicon(const co_stats *s, cn_buf *out)
{
    cn_str *sorted = cn_xcalloc(s->words.n + 1, sizeof *sorted);
    size_t n = 0;
    for (size_t i = 0; i < s->words.room; i++)
        if (s->words.hash[i]) sorted[n++] = s->words.text[i];
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        cn_buf_str(out, sorted[i]);
        cn_buf_putc(out, '\n');
    }
    cn_free(sorted);
}
