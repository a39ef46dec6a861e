/* strftime_now: English names, whatever the locale. */
#include <time.h>

#include "jinja_run.h"

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

/* A given time is told as UTC (the same everywhere); the system's clock as local time. */
static void now(const jrun *r, struct tm *t)
{
    time_t at = r->now < 0 ? time(NULL) : (time_t)r->now;
    struct tm *got = r->now < 0 ? localtime_r(&at, t) : gmtime_r(&at, t);
    if (!got) *t = (struct tm){.tm_mday = 1, .tm_year = 70};
}

static void number(jrun *r, int value, int width, char flag, char fill)
{
    if (flag == '-') width = 1;
    if (flag == '_') fill = ' ';
    if (flag == '0') fill = '0';
    if (fill == ' ')
        j_printf(r, "%*d", width, value);
    else
        j_printf(r, "%0*d", width, value);
}

static void put_text(jrun *r, const char *s, size_t n)
{
    j_put(r, s, n ? n : strlen(s), true);
}

static int hour12(const struct tm *t)
{
    return t->tm_hour % 12 ? t->tm_hour % 12 : 12;
}

static void expand(jrun *r, const struct tm *t, const char *format);

/* ISO 8601 week and the year it belongs to. */
static void iso_week(jrun *r, const struct tm *t, char c)
{
    char text[16];
    size_t n = strftime(text, sizeof text, c == 'V' ? "%V" : "%G", t);
    j_put(r, text, n, true);
}

static bool field(jrun *r, const struct tm *t, char c, char flag)
{
    const char *day = days[(unsigned)t->tm_wday % 7], *month = months[(unsigned)t->tm_mon % 12];
    switch (c) {
    case 'a':
        put_text(r, day, 3);
        break;
    case 'A':
        put_text(r, day, 0);
        break;
    case 'b':
    case 'h':
        put_text(r, month, 3);
        break;
    case 'B':
        put_text(r, month, 0);
        break;
    case 'd':
        number(r, t->tm_mday, 2, flag, '0');
        break;
    case 'e':
        number(r, t->tm_mday, 2, flag, ' ');
        break;
    case 'm':
        number(r, t->tm_mon + 1, 2, flag, '0');
        break;
    case 'Y':
        number(r, t->tm_year + 1900, 1, flag, '0');
        break;
    case 'y':
        number(r, t->tm_year % 100, 2, flag, '0');
        break;
    case 'C':
        number(r, (t->tm_year + 1900) / 100, 2, flag, '0');
        break;
    case 'H':
        number(r, t->tm_hour, 2, flag, '0');
        break;
    case 'k':
        number(r, t->tm_hour, 2, flag, ' ');
        break;
    case 'I':
        number(r, hour12(t), 2, flag, '0');
        break;
    case 'l':
        number(r, hour12(t), 2, flag, ' ');
        break;
    case 'M':
        number(r, t->tm_min, 2, flag, '0');
        break;
    case 'S':
        number(r, t->tm_sec, 2, flag, '0');
        break;
    case 'f':
        put_text(r, "000000", 0);
        break;
    case 'j':
        number(r, t->tm_yday + 1, 3, flag, '0');
        break;
    case 'p':
        put_text(r, t->tm_hour < 12 ? "AM" : "PM", 0);
        break;
    case 'P':
        put_text(r, t->tm_hour < 12 ? "am" : "pm", 0);
        break;
    case 'u':
        number(r, t->tm_wday ? t->tm_wday : 7, 1, flag, '0');
        break;
    case 'w':
        number(r, t->tm_wday, 1, flag, '0');
        break;
    case 'U':
        number(r, (t->tm_yday + 7 - t->tm_wday) / 7, 2, flag, '0');
        break;
    case 'W':
        number(r, (t->tm_yday + 7 - (t->tm_wday + 6) % 7) / 7, 2, flag, '0');
        break;
    case 'V':
    case 'G':
        iso_week(r, t, c);
        break;
    case 's':
        j_printf(r, "%lld", (long long)(r->now < 0 ? time(NULL) : r->now));
        break;
    case 'z':
    case 'Z':
        break; /* Python's naive time has no zone */
    case 'n':
        put_text(r, "\n", 1);
        break;
    case 't':
        put_text(r, "\t", 1);
        break;
    case '%':
        put_text(r, "%", 1);
        break;
    case 'c':
        expand(r, t, "%a %b %e %H:%M:%S %Y");
        break;
    case 'x':
    case 'D':
        expand(r, t, "%m/%d/%y");
        break;
    case 'X':
    case 'T':
        expand(r, t, "%H:%M:%S");
        break;
    case 'F':
        expand(r, t, "%Y-%m-%d");
        break;
    case 'R':
        expand(r, t, "%H:%M");
        break;
    case 'r':
        expand(r, t, "%I:%M:%S %p");
        break;
    default:
        return false;
    }
    return true;
}

/* Fields and the characters between them. */
static void expand(jrun *r, const struct tm *t, const char *format)
{
    for (const char *p = format; *p; p++) {
        if (*p == '%')
            field(r, t, *++p, 0);
        else
            j_put(r, p, 1, true);
    }
}

jv j_strftime(jrun *r, jstr *format)
{
    struct tm t = {0};
    size_t start = r->out.n;
    now(r, &t);
    for (size_t i = 0; i < format->n && j_charge(r, 1); i++) {
        size_t at = i + 1;
        char flag = 0;
        if (format->p[i] == '%' && at < format->n && strchr("-_0", format->p[at]))
            flag = format->p[at++];
        if (format->p[i] == '%' && at < format->n && field(r, &t, format->p[at], flag))
            i = at;
        else
            j_put_part(r, format, i, 1);
    }
    return j_take(r, start);
}
