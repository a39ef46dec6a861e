/* Raw text to plain words: person marks, verbs and agreements (the spelling is french.c's). */
#include "grammar_priv.h"

#include <string.h>

/* ---- verbs ---- */

static cn_str field_of(cn_str line, int index)
{
    for (;; index--) {
        const char *at = memmem(line.p, line.n, "||", 2);
        cn_str head = {line.p, at ? (size_t)(at - line.p) : line.n};
        if (index == 0 || !at) {
            while (head.n && head.p[0] == ' ')
                head = cn_str_skip(head, 1);
            while (head.n && head.p[head.n - 1] == ' ')
                head.n--;
            return index == 0 ? head : (cn_str){0};
        }
        line = cn_str_skip(line, head.n + 2);
    }
}

cn_str co_irregular(const co_grammar *g, cn_str infinitive)
{
    const co_rule *r = co_rule_find(g, CN_STR("verbs"));
    for (unsigned i = 0; r && i < r->n; i++) {
        cn_str t = r->alts[i].text;
        if (t.n > infinitive.n && t.p[infinitive.n] == ' ' && cn_str_starts(t, infinitive))
            return t;
    }
    return (cn_str){0};
}

static cn_str word_at(cn_str s, int index)
{
    while (index-- > 0) {
        const char *space = memchr(s.p, ' ', s.n);
        if (!space) return (cn_str){0};
        s = cn_str_skip(s, (size_t)(space - s.p) + 1);
    }
    const char *end = s.n ? memchr(s.p, ' ', s.n) : NULL;
    return (cn_str){s.p, end ? (size_t)(end - s.p) : s.n};
}

static cn_str less(cn_str s, size_t n)
{
    return (cn_str){s.p, s.n - n};
}

static void present(cn_str inf, co_person person, cn_buf *out)
{
    static const char *const er[] = {"e", "es", "e"}, *const ir[] = {"is", "is", "it"},
                             *const re[] = {"s", "s", ""};
    cn_str stem = less(inf, 2);
    bool yer = cn_str_ends(inf, CN_STR("yer"));
    cn_buf_str(out, yer ? less(stem, 1) : stem);
    if (yer) cn_buf_putc(out, 'i');
    cn_buf_str(out, cn_str_of(cn_str_ends(inf, CN_STR("er"))   ? er[person]
                              : cn_str_ends(inf, CN_STR("ir")) ? ir[person]
                                                               : re[person]));
}

/* The stem of the imparfait and of the gerund. */
static void past_stem(cn_str inf, cn_buf *out)
{
    bool er = cn_str_ends(inf, CN_STR("er")), cer = cn_str_ends(inf, CN_STR("cer"));
    cn_buf_str(out, less(inf, cer ? 3 : 2));
    if (cer) cn_buf_lit(out, "ç");
    if (cn_str_ends(inf, CN_STR("ger"))) cn_buf_putc(out, 'e');
    if (!er && cn_str_ends(inf, CN_STR("ir"))) cn_buf_lit(out, "iss");
}

static void future_stem(cn_str inf, cn_buf *out)
{
    bool yer = cn_str_ends(inf, CN_STR("yer"));
    cn_buf_str(out, cn_str_ends(inf, CN_STR("re")) ? less(inf, 1) : yer ? less(inf, 3) : inf);
    if (yer) cn_buf_lit(out, "ier");
}

void co_conjugate(const co_grammar *g, cn_str inf, co_person person, char tense, cn_buf *out)
{
    static const char *const past[] = {"ais", "ais", "ait"}, *const future[] = {"ai", "as",
                                                                                "a"};
    cn_str line = co_irregular(g, inf);
    cn_str known = line.n ? field_of(line, tense == 'i' || tense == 'g'   ? 2
                                           : tense == 'f' || tense == 'c' ? 3
                                                                          : 1)
                          : (cn_str){0};
    if (tense == 'g' && line.n && field_of(line, 4).n) {
        cn_buf_str(out, field_of(line, 4));
    } else if (tense == 'i' || tense == 'g') {
        known.n ? cn_buf_str(out, known) : past_stem(inf, out);
        cn_buf_str(out, cn_str_of(tense == 'g' ? "ant" : past[person]));
    } else if (tense == 'f' || tense == 'c') {
        known.n ? cn_buf_str(out, known) : future_stem(inf, out);
        cn_buf_str(out, cn_str_of(tense == 'f' ? future[person] : past[person]));
    } else if (known.n) {
        cn_buf_str(out, word_at(known, (int)person));
    } else {
        present(inf, person, out);
    }
}

/* ---- marks ---- */

typedef struct frame {
    co_person person;
    char mode; /* 'f'inite, 'i'nfinitive, 'g'erund: until the first verb */
    bool negated;
} frame;

typedef struct walk {
    const co_gen *gen;
    cn_str rest;
    cn_buf *out;
    frame stack[24];
    int top;
} walk;

static bool takes(walk *w, const char *mark)
{
    size_t n = strlen(mark);
    if (!cn_str_starts(w->rest, cn_str_of(mark))) return false;
    unsigned char next = w->rest.n > n ? (unsigned char)w->rest.p[n] : 0;
    if ((next >= 'a' && next <= 'z') || next >= 0x80) return false;
    w->rest = cn_str_skip(w->rest, n);
    return true;
}

static void push(walk *w, char form)
{
    frame f = w->stack[w->top];
    f.negated = false;
    f.mode = form == 'i' || form == 'g' ? form : 'f';
    if (form == 'j') f.person = CO_JE;
    if (form == 't') f.person = CO_TU;
    if (form == 'o') f.person = CO_ON;
    if (w->top + 1 < (int)(sizeof w->stack / sizeof *w->stack)) w->stack[++w->top] = f;
}

static void verb(walk *w)
{
    const char *close = memchr(w->rest.p, ']', w->rest.n);
    cn_str inner = {w->rest.p + 2, close ? (size_t)(close - w->rest.p) - 2 : 0};
    w->rest = cn_str_skip(w->rest, inner.n + 3);
    const char *colon = inner.n ? memchr(inner.p, ':', inner.n) : NULL;
    char tense = colon ? colon[1] : 'p';
    if (colon) inner.n = (size_t)(colon - inner.p);
    frame *f = &w->stack[w->top];
    if (f->mode == 'i')
        cn_buf_str(w->out, inner);
    else
        co_conjugate(w->gen->g, inner, f->person, f->mode == 'g' ? 'g' : tense, w->out);
    f->mode = 'f';
}

/* @(heureux/heureuse) */
static void agreement(walk *w)
{
    const char *close = memchr(w->rest.p, ')', w->rest.n);
    cn_str inner = {w->rest.p + 2, close ? (size_t)(close - w->rest.p) - 2 : 0};
    w->rest = cn_str_skip(w->rest, inner.n + 3);
    const char *slash = inner.n ? memchr(inner.p, '/', inner.n) : NULL;
    if (!slash) return;
    size_t at = (size_t)(slash - inner.p);
    bool feminine = w->gen->feminine && w->stack[w->top].person != CO_ON;
    cn_buf_str(w->out, feminine ? cn_str_skip(inner, at + 1) : (cn_str){inner.p, at});
}

static const char *const negations[] = {"@pas", "@plus", "@jamais", "@rien"};

static void negation(walk *w, frame *f)
{
    const char *best = NULL, *word = "";
    for (size_t i = 0; i < 4 && f->mode == 'i'; i++) {
        const char *at = memmem(w->rest.p, w->rest.n, negations[i], strlen(negations[i]));
        if (at && (!best || at < best)) {
            best = at;
            word = negations[i] + 1;
        }
    }
    cn_buf_lit(w->out, "ne ");
    cn_buf_str(w->out, cn_str_of(word));
    f->negated = best != NULL;
}

static bool pronoun(walk *w, frame *f)
{
    static const struct {
        const char *mark, *as[3];
    } table[] = {{"@je", {"je", "tu", "on"}},     {"@me", {"me", "te", "se"}},
                 {"@moi", {"moi", "toi", "soi"}}, {"@mon", {"mon", "ton", "son"}},
                 {"@ma", {"ma", "ta", "sa"}},     {"@mes", {"mes", "tes", "ses"}},
                 {"@m'", {"m'", "t'", "s'"}},     {"@mien", {"mien", "tien", "sien"}}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool elided = table[i].mark[2] == '\'';
        if (elided ? !cn_str_starts(w->rest, cn_str_of(table[i].mark))
                   : !takes(w, table[i].mark))
            continue;
        if (elided) w->rest = cn_str_skip(w->rest, 3);
        if (i > 0 || f->mode == 'f') cn_buf_str(w->out, cn_str_of(table[i].as[f->person]));
        return true;
    }
    return false;
}

static void mark(walk *w)
{
    frame *f = &w->stack[w->top];
    if (w->rest.n > 1 && w->rest.p[1] == '[') {
        verb(w);
    } else if (w->rest.n > 1 && w->rest.p[1] == '(') {
        agreement(w);
    } else if (takes(w, "@e")) {
        if (w->gen->feminine && f->person != CO_ON) cn_buf_putc(w->out, 'e');
    } else if (takes(w, "@ne")) {
        negation(w, f);
    } else if (!pronoun(w, f)) {
        for (size_t i = 0; i < 4; i++) {
            if (!takes(w, negations[i])) continue;
            if (!f->negated) cn_buf_str(w->out, cn_str_of(negations[i] + 1));
            f->negated = false;
            return;
        }
        cn_buf_putc(w->out, '@'); /* unknown: shown, and found by the tests */
        w->rest = cn_str_skip(w->rest, 1);
    }
}

static void persons(const co_gen *gen, cn_str raw, co_person person, cn_buf *out)
{
    walk w = {.gen = gen, .rest = raw, .out = out, .stack = {{.person = person, .mode = 'f'}}};
    while (w.rest.n) {
        char c = w.rest.p[0];
        if (c == '@') {
            mark(&w);
            continue;
        }
        if (c == CO_PUSH && w.rest.n > 1) {
            push(&w, w.rest.p[1]);
            w.rest = cn_str_skip(w.rest, 1);
        } else if (c == CO_POP) {
            w.top -= w.top > 0;
        } else if (c != '^') {
            cn_buf_putc(out, c);
        }
        w.rest = cn_str_skip(w.rest, 1);
    }
}

void co_render(const co_gen *gen, cn_str raw, co_person person, cn_buf *out)
{
    cn_buf plain = {0};
    persons(gen, raw, person, &plain);
    co_french(cn_buf_view(&plain), out);
    cn_buf_deinit(&plain);
}

cn_str co_key(cn_str raw)
{
    const char *at = raw.n ? memchr(raw.p, '^', raw.n) : NULL;
    if (!at) return (cn_str){0};
    cn_str s = cn_str_skip(raw, (size_t)(at - raw.p) + 1);
    size_t n = 0;
    while (n < s.n && (unsigned char)s.p[n] > ' ' && !strchr(".,;:?!)'^@", s.p[n]))
        n++;
    return (cn_str){s.p, n};
}
