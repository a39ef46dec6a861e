/* Sets of code points, by hand and by general category. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "regex.h"

bool charset_add(gctx *c, charset *s, uint32_t lo, uint32_t hi)
{
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 8;
        uint32_t(*r)[2] = gctx_alloc(c, cap, sizeof *r);
        if (!r) return false;
        if (s->n) memcpy(r, s->r, s->n * sizeof *r);
        s->r = r;
        s->cap = cap;
    }
    s->r[s->n][0] = lo;
    s->r[s->n++][1] = hi;
    return true;
}

static int by_low(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool charset_normalise(gctx *c, charset *s, bool negate)
{
    charset out = {0};
    if (s->n) qsort(s->r, s->n, sizeof *s->r, by_low);
    for (uint32_t i = 0; i < s->n; i++) {
        if (out.n && s->r[i][0] <= out.r[out.n - 1][1] + 1)
            out.r[out.n - 1][1] = CN_MAX(out.r[out.n - 1][1], s->r[i][1]);
        else if (!charset_add(c, &out, s->r[i][0], s->r[i][1]))
            return false;
    }
    *s = out;
    if (!negate) return true;
    charset not = {0};
    uint32_t from = 0;
    for (uint32_t i = 0; i < out.n; i++) {
        if (out.r[i][0] > from && !charset_add(c, &not, from, out.r[i][0] - 1)) return false;
        from = out.r[i][1] + 1;
    }
    if (from <= 0x10ffff && !charset_add(c, &not, from, 0x10ffff)) return false;
    *s = not ;
    return true;
}

bool charset_class(gctx *c, charset *s, char letter)
{
    static const uint32_t digit[][2] = {{'0', '9'}};
    static const uint32_t word[][2] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    /* ECMA-262: white space and line terminators. */
    static const uint32_t space[][2] = {{9, 13},          {' ', ' '},       {0xa0, 0xa0},
                                        {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
                                        {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
                                        {0xfeff, 0xfeff}};
    charset t = {0};
    char low = (char)(letter | 32);
    const uint32_t(*r)[2] = low == 'd' ? digit : low == 'w' ? word : space;
    size_t n = low == 'd' ? 1 : low == 'w' ? 4 : CN_ARRAY_LEN(space);
    for (size_t i = 0; i < n; i++)
        if (!charset_add(c, &t, r[i][0], r[i][1])) return false;
    if (!charset_normalise(c, &t, letter != low)) return false;
    for (uint32_t i = 0; i < t.n; i++)
        if (!charset_add(c, s, t.r[i][0], t.r[i][1])) return false;
    return true;
}

/* Bits of utf8proc categories, by the names of PropertyValueAliases.txt. */
#define BIT(x) (1u << UTF8PROC_CATEGORY_##x)
static const struct {
    const char *name, *alias;
    uint32_t bits;
} categories[] = {
    {"L", "Letter", BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO)},
    {"LC", "Cased_Letter", BIT(LU) | BIT(LL) | BIT(LT)},
    {"Lu", "Uppercase_Letter", BIT(LU)},
    {"Ll", "Lowercase_Letter", BIT(LL)},
    {"Lt", "Titlecase_Letter", BIT(LT)},
    {"Lm", "Modifier_Letter", BIT(LM)},
    {"Lo", "Other_Letter", BIT(LO)},
    {"M", "Mark", BIT(MN) | BIT(MC) | BIT(ME)},
    {"M", "Combining_Mark", BIT(MN) | BIT(MC) | BIT(ME)},
    {"Mn", "Nonspacing_Mark", BIT(MN)},
    {"Mc", "Spacing_Mark", BIT(MC)},
    {"Me", "Enclosing_Mark", BIT(ME)},
    {"N", "Number", BIT(ND) | BIT(NL) | BIT(NO)},
    {"Nd", "Decimal_Number", BIT(ND)},
    {"Nd", "digit", BIT(ND)},
    {"Nl", "Letter_Number", BIT(NL)},
    {"No", "Other_Number", BIT(NO)},
    {"P", "Punctuation", BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO)},
    {"P", "punct", BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO)},
    {"Pc", "Connector_Punctuation", BIT(PC)},
    {"Pd", "Dash_Punctuation", BIT(PD)},
    {"Ps", "Open_Punctuation", BIT(PS)},
    {"Pe", "Close_Punctuation", BIT(PE)},
    {"Pi", "Initial_Punctuation", BIT(PI)},
    {"Pf", "Final_Punctuation", BIT(PF)},
    {"Po", "Other_Punctuation", BIT(PO)},
    {"S", "Symbol", BIT(SM) | BIT(SC) | BIT(SK) | BIT(SO)},
    {"Sm", "Math_Symbol", BIT(SM)},
    {"Sc", "Currency_Symbol", BIT(SC)},
    {"Sk", "Modifier_Symbol", BIT(SK)},
    {"So", "Other_Symbol", BIT(SO)},
    {"Z", "Separator", BIT(ZS) | BIT(ZL) | BIT(ZP)},
    {"Zs", "Space_Separator", BIT(ZS)},
    {"Zl", "Line_Separator", BIT(ZL)},
    {"Zp", "Paragraph_Separator", BIT(ZP)},
    {"Cc", "Control", BIT(CC)},
    {"Cf", "Format", BIT(CF)},
};

static uint32_t category_bits(cn_str name)
{
    static const char *const prefixes[] = {"General_Category=", "gc="};
    for (size_t i = 0; i < 2; i++)
        if (cn_str_starts(name, cn_str_of(prefixes[i])))
            name = cn_str_skip(name, strlen(prefixes[i]));
    for (size_t i = 0; i < CN_ARRAY_LEN(categories); i++)
        if (cn_str_is(name, categories[i].name) || cn_str_is(name, categories[i].alias))
            return categories[i].bits;
    return 0;
}

bool charset_property(gctx *c, charset *s, cn_str name, bool negate, const char *ptr)
{
    uint32_t bits = category_bits(name);
    if (!bits)
        return gctx_fail(c, CN_E_UNSUPPORTED, ptr, "property \\p{%.*s}", CN_STR_ARG(name));
    if (!gctx_work(c, 0x110000 / 8)) return false;
    for (uint32_t r = 0, from = 0, in = 0; r <= 0x110000; r++) {
        bool now = r < 0x110000 && (r < 0xd800 || r > 0xdfff) &&
                   ((bits >> utf8proc_category((utf8proc_int32_t)r) & 1) != 0) != negate;
        if (now && !in) from = r;
        if (!now && in && !charset_add(c, s, from, r - 1)) return false;
        in = now;
    }
    return true;
}
