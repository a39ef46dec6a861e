/* Formats as regular expressions (RFC 3339, 3986, 4291, 5321, 6901, 9562), and times, whose
 * leap seconds need a table. */
#include "formats.h"

#include <stdio.h>
#include <string.h>

#include "regex.h"

#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4 OCTET "(\\." OCTET "){3}"
#define H16 "[0-9A-Fa-f]{1,4}"
#define LS32 "(" H16 ":" H16 "|" IPV4 ")"
#define IPV6                                                                                   \
    "((" H16 ":){6}" LS32 "|::(" H16 ":){5}" LS32 "|(" H16 ")?::(" H16 ":){4}" LS32 "|((" H16  \
    ":){0,1}" H16 ")?::(" H16 ":){3}" LS32 "|((" H16 ":){0,2}" H16 ")?::(" H16 ":){2}" LS32    \
    "|((" H16 ":){0,3}" H16 ")?::" H16 ":" LS32 "|((" H16 ":){0,4}" H16 ")?::" LS32 "|((" H16  \
    ":){0,5}" H16 ")?::" H16 "|((" H16 ":){0,6}" H16 ")?::)"
#define LABEL "[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
#define ATEXT "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"

#define PCT "%[0-9A-Fa-f]{2}"
#define PCHAR "([0-9A-Za-z._~!$&'()*+,;=:@-]|" PCT ")"
#define REG "([0-9A-Za-z._~!$&'()*+,;=-]|" PCT ")*"
#define USERINFO "([0-9A-Za-z._~!$&'()*+,;=:-]|" PCT ")*"
#define HOST "(\\[(" IPV6 "|v[0-9A-Fa-f]+\\.[0-9A-Za-z._~!$&'()*+,;=:-]+)\\]|" REG ")"
#define AUTHORITY "(" USERINFO "@)?" HOST "(:[0-9]*)?"
#define TAIL "(\\?(" PCHAR "|[/?])*)?(#(" PCHAR "|[/?])*)?"
#define ABEMPTY "(/" PCHAR "*)*"
#define HIER "(//" AUTHORITY ABEMPTY "|/(" PCHAR "+(/" PCHAR "*)*)?|" PCHAR "+(/" PCHAR "*)*|)"
#define NOCOLON "([0-9A-Za-z._~!$&'()*+,;=@-]|" PCT ")"
#define URI "[A-Za-z][0-9A-Za-z+.-]*:" HIER TAIL
#define RELATIVE                                                                               \
    "(//" AUTHORITY ABEMPTY "|/(" PCHAR "+(/" PCHAR "*)*)?|" NOCOLON "+(/" PCHAR "*)*|)" TAIL

#define Y "[0-9]{4}"
#define LEAP "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
#define DATE                                                                                   \
    "(" Y "-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-"  \
    "(0[1-9]|1[0-9]|2[0-8]))|" LEAP "-02-29)"
#define CLOCK "([01][0-9]|2[0-3]):[0-5][0-9]"
#define DURATION_TIME "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)"
#define DURATION_DATE "([0-9]+D|[0-9]+M([0-9]+D)?|[0-9]+Y([0-9]+M([0-9]+D)?)?)"

static const struct {
    const char *name, *pattern;
} known[] = {
    {"date", DATE},
    {"email", "(" ATEXT "(\\." ATEXT ")*|\"([ !#-\\[\\]-~]|\\\\[ -~])*\")@(" LABEL "(\\." LABEL
              ")*|\\[(" IPV4 "|[Ii][Pp][Vv]6:" IPV6 ")\\])"},
    {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
    {"ipv4", IPV4},
    {"ipv6", IPV6},
    {"uri", URI},
    {"uri-reference", "(" URI "|" RELATIVE ")"},
    {"json-pointer", "(/([^~/]|~[01])*)*"},
    {"relative-json-pointer", "(0|[1-9][0-9]*)(#|(/([^~/]|~[01])*)*)"},
    {"duration", "P(" DURATION_DATE "(" DURATION_TIME ")?|" DURATION_TIME "|[0-9]+W)"},
};

static const char *const out_of_reach[] = {
    "hostname", "idn-hostname", "idn-email", "iri", "iri-reference", "uri-template", "regex",
};

format_class format_class_of(cn_str name)
{
    if (cn_str_is(name, "time") || cn_str_is(name, "date-time")) return FORMAT_ENFORCED;
    for (size_t i = 0; i < CN_ARRAY_LEN(known); i++)
        if (cn_str_is(name, known[i].name)) return FORMAT_ENFORCED;
    for (size_t i = 0; i < CN_ARRAY_LEN(out_of_reach); i++)
        if (cn_str_is(name, out_of_reach[i])) return FORMAT_REFUSED;
    return FORMAT_ANNOTATION;
}

/* Times with a leap second: 23:59:60 in UTC, so that the offset follows from hour and minute.
 * Offsets are of whole quarters of an hour, as all that are in use; that leaves 96 minutes of
 * the day. One track of states for each; tracks share nothing but the end. */

typedef struct leap {
    cdfa *d;
    uint32_t n;
} leap;

static void arc(leap *l, uint32_t from, int ch, uint32_t to)
{
    for (uint32_t j = l->d->k; j-- > 0;)
        if (l->d->lo[j] <= (uint32_t)ch) {
            l->d->next[from * l->d->k + j] = to;
            return;
        }
}

static uint32_t arc_new(leap *l, uint32_t from, int ch)
{
    for (uint32_t j = l->d->k; j-- > 0;)
        if (l->d->lo[j] <= (uint32_t)ch) {
            uint32_t *to = &l->d->next[from * l->d->k + j];
            if (*to == CDFA_DEAD) *to = l->n++;
            return *to;
        }
    return 0;
}

static uint32_t write(leap *l, uint32_t from, const char *text)
{
    for (; *text; text++)
        from = arc_new(l, from, *text);
    return from;
}

static void offsets(leap *l, uint32_t at, unsigned minute, uint32_t end)
{
    unsigned utc = 23 * 60 + 59, plus = (minute + 1440 - utc) % 1440;
    unsigned minus = (utc + 1440 - minute) % 1440;
    char text[8];
    snprintf(text, sizeof text, "+%02u:%02u", plus / 60 % 24, plus % 60);
    arc(l, write(l, at, (text[5] = '\0', text)), '0' + (int)(plus % 10), end);
    snprintf(text, sizeof text, "-%02u:%02u", minus / 60 % 24, minus % 60);
    arc(l, write(l, at, (text[5] = '\0', text)), '0' + (int)(minus % 10), end);
    if (minute != utc) return;
    arc(l, at, 'Z', end);
    arc(l, at, 'z', end);
}

static const cdfa *leap_seconds(gctx *c)
{
    static const char chars[] = "+-.0123456789:Zz";
    enum { QUARTER = 15, DAY = 1440, STATES = DAY / QUARTER * 20 + 200 };
    cdfa *d = gctx_alloc(c, 1, sizeof *d);
    if (!d) return NULL;
    uint32_t lo[48], k = 0;
    lo[k++] = 0;
    for (const char *p = chars; *p; p++) {
        if (lo[k - 1] != (unsigned char)*p) lo[k++] = (unsigned char)*p;
        lo[k++] = (unsigned char)*p + 1;
    }
    lo[k++] = 0xd800;
    lo[k++] = 0xe000;
    *d = (cdfa){.n = STATES, .k = k};
    d->lo = gctx_alloc(c, k, 4);
    d->next = gctx_alloc(c, (size_t)STATES * k, 4);
    d->final = gctx_alloc(c, STATES, 1);
    if (!d->lo || !d->next || !d->final) return NULL;
    memcpy(d->lo, lo, k * 4);
    memset(d->next, 0xff, (size_t)STATES * k * 4);
    leap l = {d, 2};
    d->final[1] = 1;
    for (unsigned m = QUARTER - 1; m < DAY; m += QUARTER) {
        char text[16];
        snprintf(text, sizeof text, "%02u:%02u:60", m / 60 % 24, m % 60);
        uint32_t at = write(&l, 0, text);
        offsets(&l, at, m, 1);
        uint32_t dot = write(&l, at, "."), digits = arc_new(&l, dot, '0');
        for (int ch = '0'; ch <= '9'; ch++) {
            arc(&l, dot, ch, digits);
            arc(&l, digits, ch, digits);
        }
        for (uint32_t j = 0; j < k; j++)
            if (d->next[at * k + j] != CDFA_DEAD && d->next[at * k + j] != dot)
                d->next[digits * k + j] = d->next[at * k + j];
    }
    d->n = l.n;
    return d;
}

static const cdfa *whole(gctx *c, const char *pattern, const char *ptr)
{
    char text[REGEX_MAX_BYTES];
    snprintf(text, sizeof text, "^(%s)$", pattern);
    return regex_compile(c, cn_str_of(text), ptr);
}

static const cdfa *time_automaton(gctx *c, const char *ptr)
{
    const cdfa *plain = whole(c, CLOCK ":[0-5][0-9](\\.[0-9]+)?([Zz]|[+-]" CLOCK ")", ptr);
    return cdfa_combine(c, plain, leap_seconds(c), CDFA_OR, ptr);
}

static const cdfa *date_time(gctx *c, const char *ptr)
{
    return cdfa_then(c, whole(c, DATE, ptr),
                     cdfa_then(c, whole(c, "[Tt]", ptr), time_automaton(c, ptr)));
}

const cdfa *format_automaton(gctx *c, cn_str name, const char *ptr)
{
    enum { N = CN_ARRAY_LEN(known) };
    _Static_assert(N + 2 <= CN_ARRAY_LEN(c->formats), "room for every format");
    bool time = cn_str_is(name, "time");
    size_t i = 0;
    while (i < N && !cn_str_is(name, known[i].name))
        i++;
    if (i == N && time) i++;
    if (!c->formats[i]) /* built once */
        c->formats[i] = i < N  ? whole(c, known[i].pattern, ptr)
                        : time ? time_automaton(c, ptr)
                               : date_time(c, ptr);
    return c->formats[i];
}
