#include "source.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"

static const cn_str bom = {"\xEF\xBB\xBF", 3};

/* The length of the first line, without its end; *next is where the second begins. */
static size_t line_length(cn_str s, size_t *next)
{
    const char *end = s.n ? memchr(s.p, '\n', s.n) : NULL;
    size_t n = end ? (size_t)(end - s.p) : s.n;
    *next = end ? n + 1 : n;
    return n > 0 && s.p[n - 1] == '\r' ? n - 1 : n;
}

static bool is_blank(cn_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t\r\n", s.p[i]) || s.p[i] == '\0') return false;
    return true;
}

static void skip_bom(source *s)
{
    if (!cn_str_starts(s->rest, bom)) return;
    s->rest = cn_str_skip(s->rest, bom.n);
    s->n_boms++;
}

/* Whether a quote just before `at` may end its field. */
static bool field_ends(cn_str s, size_t at, char separator)
{
    return at >= s.n || s.p[at] == separator || s.p[at] == '\n' || s.p[at] == '\r';
}

/* How far the CSV record at the front goes: its length without the line's end, and where the
 * next begins. False when a quote is still open after `most` bytes, or was closed on a later
 * line by one that was meant to open a field: then its own line is the broken one. */
static bool csv_extent(cn_str s, char separator, size_t most, size_t *length, size_t *next)
{
    bool in_quotes = false, at_start = true, several = false;
    size_t n = CN_MIN(s.n, most), i = 0;
    for (; i < n && (in_quotes || s.p[i] != '\n'); i++) {
        char c = s.p[i];
        several |= c == '\n';
        if (in_quotes && c == '"' && i + 1 < n && s.p[i + 1] == '"') {
            i++;
        } else if (c == '"' && (in_quotes || at_start)) {
            in_quotes = !in_quotes;
            if (!in_quotes && several && !field_ends(s, i + 1, separator)) return false;
        }
        at_start = !in_quotes && c == separator;
    }
    i = CN_MIN(i, n);
    *next = i < s.n && s.p[i] == '\n' ? i + 1 : i;
    *length = i > 0 && s.p[i - 1] == '\r' ? i - 1 : i;
    return !in_quotes;
}

bool source_csv_field(cn_str *rest, char separator, cn_str *out, const char **bad)
{
    if (!rest->p) return false;
    size_t i = 0;
    if (rest->n && rest->p[0] == '"') {
        for (i = 1; i < rest->n; i++) {
            if (rest->p[i] != '"') continue;
            if (i + 1 == rest->n || rest->p[i + 1] != '"') break;
            i++;
        }
        if (i >= rest->n) *bad = "a quoted field is not closed";
        i++;
        if (i < rest->n && rest->p[i] != separator) *bad = "text after a closing quote";
    }
    i = CN_MIN(i, rest->n);
    size_t from = i;
    while (i < rest->n && rest->p[i] != separator)
        i++;
    if (i > from && memchr(rest->p + from, '"', i - from) && !*bad)
        *bad = "a quote inside a field that is not quoted";
    *out = (cn_str){rest->p, i};
    /* After a separator at the very end an empty field follows. */
    if (i < rest->n)
        *rest = (cn_str){rest->p + i + 1, rest->n - i - 1};
    else
        *rest = (cn_str){NULL, 0};
    return true;
}

static cn_str trimmed(cn_str s)
{
    while (s.n && strchr(" \t\"", s.p[0]))
        s = cn_str_skip(s, 1);
    while (s.n && strchr(" \t\"", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Reads the names of the columns; false when none of them is known, or one comes twice. */
static bool read_header(source *s, cn_str header, char separator)
{
    static const char *const names[ROLES] = {"text", "prompt", "completion"};
    const char *bad = NULL;
    cn_str field;
    s->n_columns = 0;
    s->separator = separator;
    for (int k = 0; k < ROLES; k++)
        s->column[k] = -1;
    while (source_csv_field(&header, separator, &field, &bad)) {
        cn_str name = trimmed(field);
        for (int k = 0; k < ROLES; k++) {
            if (!cn_str_is(name, names[k])) continue;
            if (s->column[k] >= 0) return false;
            s->column[k] = (int32_t)s->n_columns;
        }
        if (++s->n_columns > SOURCE_MAX_COLUMNS) return false;
    }
    bool pair = s->column[ROLE_PROMPT] >= 0 && s->column[ROLE_COMPLETION] >= 0;
    return !bad && (s->column[ROLE_TEXT] >= 0 || pair);
}

static bool begin_csv(source *s)
{
    static const char separators[] = {',', ';'};
    source start = *s;
    for (size_t i = 0; i < sizeof separators; i++) {
        size_t length, next;
        *s = start;
        if (!csv_extent(s->rest, separators[i], SOURCE_MAX_LINE, &length, &next)) continue;
        if (!read_header(s, (cn_str){s->rest.p, length}, separators[i])) continue;
        for (size_t k = 0; k < next; k++)
            s->line += s->rest.p[k] == '\n';
        s->rest = cn_str_skip(s->rest, next);
        s->csv = true;
        return true;
    }
    *s = start;
    return false;
}

/* Whether one of the first lines begins like a JSON object: then the others are bad lines. */
static bool some_line_is_object(cn_str s)
{
    size_t next;
    for (int i = 0; i < 16 && s.n; i++, s = cn_str_skip(s, next)) {
        cn_str line = {s.p, line_length(s, &next)};
        if (line.n && line.p[0] == '{') return true;
    }
    return false;
}

static cn_status other_kind(cn_str s, cn_err *err)
{
    static const struct {
        cn_str magic;
        const char *what, *next;
    } known[] = {
        {{"\xFF\xFE", 2}, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE > NEW"},
        {{"\xFE\xFF", 2}, "UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE > NEW"},
        {{"\x1F\x8B", 2}, "compressed (gzip)", "unpack it first: gunzip FILE"},
        {{"\x28\xB5\x2F\xFD", 4}, "compressed (zstd)", "unpack it first: unzstd FILE"},
        {{"PK\x03\x04", 4}, "a zip archive or spreadsheet", "save it as CSV in UTF-8"},
        {{"PAR1", 4}, "a Parquet file", "write its rows as JSON, one object a line"},
        {{"GGUF", 4}, "a GGUF model", "give a file of records: JSONL or CSV"},
        {{"[", 1}, "one JSON array", "jq -c '.[]' FILE > NEW gives one object a line"},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(known); i++) {
        if (!cn_str_starts(s, known[i].magic)) continue;
        cn_status st = cn_fail(err, CN_E_FORMAT,
                               "the file is %s; wanted are JSONL (one object a line) or CSV",
                               known[i].what);
        return cn_next(err, st, "%s", known[i].next);
    }
    size_t next;
    char shown[41] = "";
    size_t n = CN_MIN(line_length(s, &next), sizeof shown - 1);
    for (size_t i = 0; i < n; i++)
        shown[i] = s.p[i] >= 32 && s.p[i] < 127 ? s.p[i] : '?';
    cn_status st = cn_fail(err, CN_E_FORMAT,
                           "neither JSONL (lines that begin with '{') nor CSV with a header "
                           "that names text, or prompt and completion; it begins \"%s\"",
                           shown);
    return cn_next(err, st, "write one JSON object a line: {\"text\": \"...\"}");
}

cn_status source_begin(source *s, cn_str text, cn_err *err)
{
    size_t next;
    *s = (source){.all = text, .rest = text, .line = 1};
    skip_bom(s);
    cn_str head = s->rest;
    while (head.n && is_blank((cn_str){head.p, 1}))
        head = cn_str_skip(head, 1);
    if (!head.n) return cn_fail(err, CN_E_FORMAT, "the file has no record, only blank lines");
    size_t n = line_length(head, &next);
    if (head.p[0] == '{' && n == 1) {
        cn_status st = cn_fail(err, CN_E_FORMAT,
                               "a JSON object over several lines, wanted is "
                               "one object a line");
        return cn_next(err, st, "jq -c . FILE > NEW gives one object a line");
    }
    if (head.p[0] == '{') return CN_OK;
    if (memchr(head.p, '\0', CN_MIN(n, (size_t)4096))) return other_kind(head, err);
    size_t blank = (size_t)(head.p - s->rest.p);
    for (size_t i = 0; i < blank; i++)
        s->line += s->rest.p[i] == '\n';
    s->rest = head;
    if (begin_csv(s)) return CN_OK;
    *s = (source){.all = text, .rest = text, .line = 1};
    skip_bom(s);
    return some_line_is_object(head) ? CN_OK : other_kind(head, err);
}

static void take_line(source *s, source_record *out)
{
    size_t next, n = line_length(s->rest, &next);
    *out = (source_record){{s->rest.p, n}, s->line, NULL};
    if (n > SOURCE_MAX_LINE) {
        out->bytes.n = 0;
        out->bad = "the line is over 16 MiB";
    }
    s->line += next > 0 && s->rest.p[next - 1] == '\n';
    s->rest = cn_str_skip(s->rest, next);
}

/* A quote that never ends would swallow the rest of the file: only its line is bad then. Files
 * with many of them are not searched to their end for each. */
static void take_csv(source *s, source_record *out)
{
    size_t most = s->n_unclosed < 8 ? SOURCE_MAX_LINE : (size_t)1 << 16, n, next;
    if (!csv_extent(s->rest, s->separator, most, &n, &next)) {
        s->n_unclosed++;
        take_line(s, out);
        if (!out->bad) out->bad = "a quoted field is not closed";
        return;
    }
    if (next == most && next < s->rest.n) {
        take_line(s, out);
        out->bad = "the record is over 16 MiB";
        return;
    }
    *out = (source_record){{s->rest.p, n}, s->line, NULL};
    for (size_t i = 0; i < next; i++)
        s->line += s->rest.p[i] == '\n';
    s->rest = cn_str_skip(s->rest, next);
}

bool source_next(source *s, source_record *out)
{
    while (s->rest.n) {
        skip_bom(s);
        if (s->csv)
            take_csv(s, out);
        else
            take_line(s, out);
        if (out->bad || !is_blank(out->bytes)) return true;
    }
    return false;
}
