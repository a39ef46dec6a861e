#include "judge.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "sim.h"
#include "text.h"

enum { MAX_PARTS = 8, MAX_LINES = 8192, ENOUGH = 3, BEGINNING = 10 };

/* The fixed pieces of an alternative, in their order; what is drawn stands between them. */
typedef struct line {
    cn_str part[MAX_PARTS];
    unsigned n, letters;
    int intent;
    bool opens; /* nothing is drawn before the first piece */
} line;

struct ms_judge {
    cn_arena arena;
    line *openings, *bodies;
    size_t n_openings, n_bodies;
};

int ms_intent_of(cn_str name)
{
    for (int i = 0; i < MS_INTENTS; i++)
        if (cn_str_is(name, co_intent_names[i])) return i;
    return MS_UNHEARD;
}

/* "que", "de", "à" before a gap change with what follows: "qu'il", "du". */
static cn_str without_hinge(cn_str s)
{
    static const char *const hinges[] = {" que", " de", " a", " si", "que", "de", "a", "si"};
    while (s.n && strchr(" _", s.p[s.n - 1]))
        s.n--;
    for (size_t i = 0; i < sizeof hinges / sizeof *hinges; i++)
        if (cn_str_ends(s, cn_str_of(hinges[i])) &&
            (hinges[i][0] == ' ' || s.n == strlen(hinges[i])))
            return (cn_str){s.p, s.n - strlen(hinges[i])};
    return s;
}

static void add_part(ms_judge *j, line *l, cn_str raw, bool gap_follows)
{
    cn_buf folded = {0};
    ms_fold(raw, &folded);
    cn_str s = cn_buf_view(&folded);
    if (gap_follows) s = without_hinge(s);
    unsigned letters = 0;
    for (size_t i = 0; i < s.n; i++)
        letters += s.p[i] >= 'a' && s.p[i] <= 'z';
    if (letters && l->n < MAX_PARTS) {
        l->part[l->n++] = cn_arena_str(&j->arena, s);
        l->letters += letters;
    }
    cn_buf_deinit(&folded);
}

/* How much of `s` a gap takes: {...}, (a|b), @[...], @(...), a word mark @xx. */
static size_t gap(cn_str s)
{
    size_t i = s.p[0] == '@' && s.n > 1, level = 0;
    if (!strchr("{([", s.p[i])) {
        while (i < s.n && ((s.p[i] >= 'a' && s.p[i] <= 'z') || s.p[i] == '\''))
            i++;
        return i;
    }
    do {
        level += strchr("{([", s.p[i]) != NULL;
        level -= strchr("})]", s.p[i]) != NULL;
    } while (++i < s.n && level);
    return i;
}

static line line_of(ms_judge *j, cn_str text, int intent)
{
    line l = {.intent = intent, .opens = text.n && !strchr("{(@", text.p[0])};
    size_t from = 0, i = 0;
    while (i < text.n) {
        if (!strchr("{(@", text.p[i])) {
            i++;
            continue;
        }
        add_part(j, &l, (cn_str){text.p + from, i - from}, true);
        i += gap(cn_str_skip(text, i));
        from = i;
    }
    add_part(j, &l, (cn_str){text.p + from, text.n - from}, false);
    return l;
}

static void add_line(ms_judge *j, line l, bool body)
{
    line *to = body ? j->bodies : j->openings;
    size_t *n = body ? &j->n_bodies : &j->n_openings;
    if (l.letters >= ENOUGH && *n < MAX_LINES) to[(*n)++] = l;
}

/* The rule that an alternative draws first of all, NULL when it begins otherwise. */
static cn_str drawn_first(cn_str text)
{
    const char *end = text.n && text.p[0] == '{' ? memchr(text.p, '}', text.n) : NULL;
    return end ? (cn_str){text.p + 1, (size_t)(end - text.p) - 1} : (cn_str){0};
}

/* The alternatives of a rule, and those of the rules that they begin with. */
static void add_rule(ms_judge *j, const co_grammar *g, cn_str name, int intent, int depth)
{
    const co_rule *r = name.n && depth < 4 ? co_rule_find(g, name) : NULL;
    for (unsigned i = 0; r && i < r->n; i++) {
        line l = line_of(j, r->alts[i].text, intent);
        bool draws = r->alts[i].text.n && r->alts[i].text.p[0] == '{';
        if (draws) add_rule(j, g, drawn_first(r->alts[i].text), intent, depth + 1);
        if (!draws || depth == 0) add_line(j, l, false);
    }
}

static void add_body(ms_judge *j, const co_rule *r, int intent)
{
    for (unsigned i = 0; i < r->n; i++)
        add_line(j, line_of(j, r->alts[i].text, intent), true);
}

/* "accord.right" speaks in reply.accord.right and its .plain, "rogue.no" in rogue.no.reply,
 * "rogue.english" in rogue.english.open and rogue.foreign.reply. */
static void add_act(ms_judge *j, const co_grammar *g, cn_str act, int intent)
{
    static const char *const names[][2] = {
        {"reply.", ""}, {"reply.", ".plain"}, {"", ".reply"}, {"", ".open"}};
    bool any = false;
    for (int i = 0; i < 4; i++) {
        char name[96];
        int n =
            snprintf(name, sizeof name, "%s%.*s%s", names[i][0], CN_STR_ARG(act), names[i][1]);
        cn_str rule = {name, (size_t)n};
        any = any || (i < 3 && co_rule_find(g, rule));
        add_rule(j, g, rule, intent, 0);
    }
    if (!any) add_rule(j, g, CN_STR("rogue.foreign.reply"), intent, 0);
}

static void add_bodies(ms_judge *j, const co_grammar *g)
{
    for (size_t i = 0; i < CO_TABLE; i++) {
        const co_rule *r = g->table[i];
        if (!r || !cn_str_starts(r->name, CN_STR("idea."))) continue;
        if (cn_str_ends(r->name, CN_STR(".image"))) add_body(j, r, CO_CONFUSION);
        if (cn_str_ends(r->name, CN_STR(".contra"))) add_body(j, r, CO_RESISTANCE);
    }
}

ms_judge *ms_judge_new(const co_grammar *g, const ms_records *seen)
{
    ms_judge *j = cn_xcalloc(1, sizeof *j);
    cn_str known[128];
    size_t n_known = 0;
    j->openings = cn_xcalloc(MAX_LINES, sizeof *j->openings);
    j->bodies = cn_xcalloc(MAX_LINES, sizeof *j->bodies);
    for (size_t i = 0; i < seen->n; i++) {
        const ms_record *r = &seen->items[i];
        for (size_t t = 0; ms_turn(r, t, "act").n; t++) {
            cn_str act = ms_turn(r, t, "act");
            size_t k = 0;
            while (k < n_known && !cn_str_eq(known[k], act))
                k++;
            if (k < n_known || n_known == 128) continue;
            known[n_known++] = act;
            int intent = ms_intent_of(ms_turn(r, t, "intent"));
            if (intent != MS_UNHEARD) add_act(j, g, act, intent);
        }
    }
    add_bodies(j, g);
    return j;
}

void ms_judge_free(ms_judge *j)
{
    if (!j) return;
    cn_free(j->openings);
    cn_free(j->bodies);
    cn_arena_deinit(&j->arena);
    cn_free(j);
}

/* Letters of the line's pieces when `s` has them all in their order, the first one where it
 * belongs; else 0. */
static unsigned match(const line *l, cn_str s, bool body)
{
    if (!s.n || (l->opens && !body && !cn_str_starts(s, l->part[0]))) return 0;
    for (unsigned i = 0; i < l->n; i++) {
        const char *at = memmem(s.p, s.n, l->part[i].p, l->part[i].n);
        if (!at) return 0;
        s = cn_str_skip(s, (size_t)(at - s.p) + l->part[i].n);
    }
    return l->letters;
}

/* The best match of each intent, added to its score. */
static void score(const line *lines, size_t n, cn_str s, bool body, unsigned score[MS_INTENTS])
{
    unsigned best[MS_INTENTS] = {0};
    for (size_t i = 0; i < n; i++) {
        unsigned m = match(&lines[i], s, body);
        if (m > best[lines[i].intent]) best[lines[i].intent] = m;
    }
    for (int i = 0; i < MS_INTENTS; i++)
        score[i] += best[i];
}

/* How many bytes of whole words the line and `s` have in common at their beginning. */
static unsigned same_beginning(const line *l, cn_str s)
{
    size_t n = 0, words = 0;
    cn_str a = l->part[0];
    while (n < a.n && n < s.n && a.p[n] == s.p[n])
        words = a.p[n++] == ' ' ? n : words;
    if (n == a.n) words = n;
    return l->opens && words >= BEGINNING ? (unsigned)words : 0;
}

static int best_of(const unsigned sum[MS_INTENTS])
{
    int heard = MS_UNHEARD;
    unsigned most = 0;
    for (int i = 0; i < MS_INTENTS; i++) {
        if (sum[i] == most) heard = MS_UNHEARD; /* two alike, or nothing yet */
        if (sum[i] > most) heard = i;
        most = sum[i] > most ? sum[i] : most;
    }
    return heard;
}

/* A reply like no alternative as a whole: what its first words are said for. */
static int begins_like(const ms_judge *j, cn_str s)
{
    unsigned best[MS_INTENTS] = {0};
    for (size_t i = 0; i < j->n_openings; i++) {
        unsigned m = same_beginning(&j->openings[i], s);
        if (m > best[j->openings[i].intent]) best[j->openings[i].intent] = m;
    }
    return best_of(best);
}

int ms_judge_intent(const ms_judge *j, cn_str reply)
{
    unsigned sum[MS_INTENTS] = {0};
    cn_buf folded = {0};
    ms_fold(reply, &folded);
    cn_str text = cn_buf_view(&folded);
    score(j->openings, j->n_openings, text, false, sum);
    score(j->bodies, j->n_bodies, text, true, sum);
    int heard = best_of(sum);
    if (heard == MS_UNHEARD) heard = begins_like(j, text);
    cn_buf_deinit(&folded);
    return heard;
}
