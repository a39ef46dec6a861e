/* What a list of facts comes to: the texts of strings and numbers, the schemas of members and
 * items. */
#include "expand.h"
#include "regex.h"

#include <string.h>

static bool push(gctx *c, lit **at, uint32_t *n, uint32_t *cap, lit l)
{
    for (uint32_t i = 0; i < *n; i++)
        if ((*at)[i].n == l.n && (*at)[i].no == l.no) return true;
    if (*n == *cap) {
        uint32_t more = *cap ? *cap * 2 : 8;
        lit *p = gctx_alloc(c, more, sizeof *p);
        if (!p) return false;
        if (*n) memcpy(p, *at, *n * sizeof *p);
        *at = p;
        *cap = more;
    }
    (*at)[(*n)++] = l;
    return true;
}

lit *member_lits(schema *s, const fact *f, cn_str name, uint32_t *n)
{
    uint32_t cap = 4;
    lit *at = gctx_alloc(s->c, cap, sizeof *at);
    *n = 0;
    for (; at && f; f = f->next) {
        bool ok = true, matched = false;
        if (f->kind == F_MEMBER && cn_str_eq(f->name, name))
            ok = push(s->c, &at, n, &cap, f->l);
        if (f->kind == F_GROUP) {
            const snode *g = f->node;
            for (uint32_t i = 0; ok && i < g->properties.n; i++) {
                if (!cn_str_eq(g->properties.at[i].name, name)) continue;
                matched = true;
                ok = push(s->c, &at, n, &cap, (lit){g->properties.at[i].node, false});
            }
            for (uint32_t i = 0; ok && i < g->patterns.n; i++) {
                if (!cdfa_accepts(g->patterns.at[i].pattern, name)) continue;
                matched = true;
                ok = push(s->c, &at, n, &cap, (lit){g->patterns.at[i].node, false});
            }
            if (ok && !matched && g->additional)
                ok = push(s->c, &at, n, &cap, (lit){g->additional, false});
        }
        if (!ok) return NULL;
    }
    return at;
}

lit *item_lits(schema *s, const fact *f, uint32_t index, uint32_t *n)
{
    uint32_t cap = 4;
    lit *at = gctx_alloc(s->c, cap, sizeof *at);
    *n = 0;
    for (; at && f; f = f->next) {
        bool ok = true;
        if (f->kind == F_ITEM && f->a == index) ok = push(s->c, &at, n, &cap, f->l);
        if (f->kind == F_ITEMS) {
            snode *g = f->node;
            snode *o = index < g->prefix.n ? g->prefix.at[index] : g->items;
            if (o) ok = push(s->c, &at, n, &cap, (lit){o, false});
        }
        if (!ok) return NULL;
    }
    return at;
}

const cdfa *string_facts(schema *s, const fact *f)
{
    gctx *c = s->c;
    uint32_t min = 0, max = UINT32_MAX, lo, hi;
    const cdfa *d = NULL;
    for (; f; f = f->next) {
        const char *p = f->node ? f->node->pointer : "";
        const cdfa *e = NULL;
        if (f->kind == F_TEXT)
            e = cdfa_text(c, *f->node->text);
        else if (f->kind == F_PATTERN)
            e = f->node->pattern;
        else if (f->kind == F_FORMAT)
            e = f->node->format;
        else if (f->kind == F_MIN_LEN)
            min = CN_MAX(min, f->a);
        else if (f->kind == F_MAX_LEN)
            max = CN_MIN(max, f->a);
        if (!e) continue;
        if (f->no)
            d = cdfa_combine(c, d ? d : cdfa_all(c), e, CDFA_MINUS, p);
        else
            d = d ? cdfa_combine(c, d, e, CDFA_AND, p) : e;
        if (!d) return NULL;
    }
    if (min > max) return cdfa_none(c);
    if (!d) return cdfa_all(c); /* lengths alone are counted while matching */
    if (!min && max == UINT32_MAX) return d;
    if (!cdfa_lengths(c, d, &lo, &hi)) return d;
    if (lo >= min && hi <= max) return d;
    if (hi <= max) max = UINT32_MAX;
    return cdfa_combine(c, d, cdfa_length(c, min, max, s->root->pointer), CDFA_AND,
                        s->root->pointer);
}

static const cdfa *bounds(schema *s, const fact *f)
{
    /* what each keyword keeps: bits less, equal, greater */
    static const unsigned keep[] = {2 | 4, 1 | 2, 4, 1};
    const decimal *d = f->node->bound[f->a];
    if (f->a != B_MULTIPLE)
        return number_compare(s->c, d, f->no ? 7 & ~keep[f->a] : keep[f->a]);
    const char *p = schema_pointer(s, f->node->pointer, CN_STR("multipleOf"));
    const cdfa *e = number_multiple(s->c, d, p);
    return f->no ? cdfa_not(s->c, e, p) : e;
}

/* Texts equal to the number, zeros after the point included. */
static const cdfa *spellings(gctx *c, const decimal *d)
{
    return number_compare(c, d, 2);
}

static const cdfa *constant(gctx *c, const decimal *d)
{
    cn_buf b = {0};
    if (d->negative) cn_buf_putc(&b, '-');
    cn_buf_str(&b, d->whole);
    if (d->part.n) cn_buf_putc(&b, '.');
    cn_buf_str(&b, d->part);
    const cdfa *e = b.failed ? NULL : cdfa_text(c, cn_buf_view(&b));
    cn_buf_deinit(&b);
    return e;
}

/* Bounds that exclude their limit, multiples and "not this number" are exact in decimal, and
 * readers round to doubles: up to 15 digits the two agree. */
static bool rounding_matters(const fact *f)
{
    for (; f; f = f->next) {
        if ((f->kind == F_NUMBER || f->kind == F_INT) && f->no) return true;
        if (f->kind != F_BOUND) continue;
        bool excludes = f->a == B_ABOVE || f->a == B_BELOW;
        if (f->a == B_MULTIPLE || excludes != f->no) return true;
    }
    return false;
}

const cdfa *number_facts(schema *s, const fact *all)
{
    gctx *c = s->c;
    bool whole = false, plain = true;
    const cdfa *d = NULL;
    for (const fact *f = all; f; f = f->next) {
        if (f->kind == F_INT && !f->no) whole = true;
        if (f->kind == F_INT || f->kind == F_BOUND || f->kind == F_NUMBER) plain = false;
        if (f->kind == F_NUMBER && !f->no) d = constant(c, f->node->number);
    }
    uint32_t digits = c->limits.max_digits;
    if (plain) return number_any(c, digits);
    if (!d && whole) d = number_integers(c, digits);
    if (!d) d = number_plain(c, rounding_matters(all) ? CN_MIN(digits, 15u) : digits);
    for (const fact *f = all; d && f; f = f->next) {
        const cdfa *e;
        if (f->kind == F_BOUND)
            d = cdfa_combine(c, d, bounds(s, f), CDFA_AND, f->node->pointer);
        if (f->kind == F_NUMBER) {
            e = f->no ? spellings(c, f->node->number) : constant(c, f->node->number);
            d = cdfa_combine(c, d, e, f->no ? CDFA_MINUS : CDFA_AND, f->node->pointer);
        }
        if (f->kind == F_INT) { /* a fraction that is not zero, or none */
            static const char with_fraction[] = "\\.[0-9]*[1-9]";
            e = regex_compile(c, CN_STR(with_fraction), "");
            d = cdfa_combine(c, d, e, f->no ? CDFA_AND : CDFA_MINUS, "");
            if (!f->no)
                d = cdfa_combine(c, d, regex_compile(c, CN_STR("\\."), ""), CDFA_MINUS, "");
        }
    }
    return d;
}

const cdfa *strings_of(schema *s, const lit *lits, uint32_t n)
{
    facts f = {0};
    if (!expand_type(s, lits, n, V_STRING, &f)) return NULL;
    const cdfa *all = cdfa_none(s->c);
    for (uint32_t i = 0; all && i < f.n; i++) {
        uint32_t min = 0, max = UINT32_MAX;
        const cdfa *d = string_facts(s, f.at[i]);
        for (const fact *k = f.at[i]; k; k = k->next) {
            if (k->kind == F_MIN_LEN) min = CN_MAX(min, k->a);
            if (k->kind == F_MAX_LEN) max = CN_MIN(max, k->a);
        }
        if (min || max != UINT32_MAX)
            d = cdfa_combine(s->c, d, cdfa_length(s->c, min, max, ""), CDFA_AND, "");
        all = cdfa_combine(s->c, all, d, CDFA_OR, "");
    }
    return all;
}
