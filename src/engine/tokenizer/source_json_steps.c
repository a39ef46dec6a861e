/* What a tokenizer.json does around its model: normalizer, pre_tokenizer, decoder,
 * post_processor. Kinds that are not ours are refused by name. As pieces are kept with spaces
 * for U+2581, steps that write U+2581 write a space here. */
#include <stdio.h>

#include "mem.h"
#include "tokenizer_priv.h"

enum { MAX_DEPTH = 8 };

typedef cn_status step_fn(cn_tokenizer *t, const cn_json *j, cn_err *err);

static cn_status refuse(const char *part, const cn_json *j, cn_err *err)
{
    cn_str type = cn_json_str(cn_json_get(j, "type"));
    return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.json: a %s of type \"%.*s\"", part,
                   CN_STR_ARG(type.p ? type : CN_STR("none")));
}

static bool is_type(const cn_json *j, const char *type)
{
    return cn_json_is(cn_json_get(j, "type"), type);
}

static bool flag(const cn_json *j, const char *key, bool fallback)
{
    return cn_json_bool(cn_json_get(j, key), fallback);
}

/* Runs `fn` on j, or on the members of a Sequence. */
static cn_status each(cn_tokenizer *t, const cn_json *j, const char *members, int depth,
                      step_fn *fn, cn_err *err)
{
    if (cn_json_is_null(j)) return CN_OK;
    if (depth == MAX_DEPTH)
        return cn_fail(err, CN_E_LIMIT, "tokenizer.json: %s nested over %d deep", members,
                       MAX_DEPTH);
    if (!is_type(j, "Sequence")) return fn(t, j, err);
    const cn_json *list = cn_json_get(j, members);
    cn_status st = CN_OK;
    for (size_t i = 0; i < cn_json_size(list) && !st; i++)
        st = each(t, cn_json_at(list, i), members, depth + 1, fn, err);
    return st;
}

/* A copy that the tokenizer keeps, U+2581 as a space. */
static cn_str keep(cn_tokenizer *t, cn_str s)
{
    cn_buf b = {0};
    tok_unescape(&b, s);
    cn_str kept =
        b.failed ? (cn_str){NULL, 0} : cn_arena_str(&t->arena, (cn_str){b.n ? b.p : "", b.n});
    cn_buf_deinit(&b);
    return kept;
}

static cn_status add(cn_tokenizer *t, norm_kind kind, cn_err *err)
{
    return norm_add(&t->norm, (norm_step){.kind = kind}, err);
}

static const norm_step unescape = {NORM_REPLACE, false, {"\u2581", 3}, {" ", 1}};

/* A space before a text that has none, from a pre-tokenizer. */
static cn_status add_prefix(cn_tokenizer *t, bool first_only, cn_err *err)
{
    norm_step step = {NORM_PREPEND_UNLESS, first_only, {NULL, 0}, {" ", 1}};
    return norm_add(&t->late, step, err);
}

static cn_status add_replace(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    const cn_json *pattern = cn_json_get(j, "pattern");
    cn_str from = cn_json_str(cn_json_get(pattern, "String"));
    cn_str regex = cn_json_str(cn_json_get(pattern, "Regex"));
    cn_str to = cn_json_str(cn_json_get(j, "content"));
    if (cn_str_is(from, " ") && cn_str_is(to, "\u2581")) {
        t->spaces_marked = true;
        return norm_add(&t->norm, unescape, err);
    }
    bool to_space = cn_str_is(to, " ") || cn_str_is(to, "\u2581");
    if (cn_str_is(regex, " {2,}") && to_space) return add(t, NORM_SQUEEZE_SPACES, err);
    if (!from.n || !to.p)
        return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.json: replacing \"%.*s\"",
                       CN_STR_ARG(regex.p ? regex : CN_STR("")));
    norm_step step = {
        .kind = NORM_REPLACE, .from = cn_arena_str(&t->arena, from), .to = keep(t, to)};
    if (!step.from.p || !step.to.p) return cn_fail(err, CN_E_NOMEM, "normalizer");
    return norm_add(&t->norm, step, err);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void base64_decode(cn_buf *out, cn_str s)
{
    uint32_t bits = 0;
    int n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = base64_value(s.p[i]);
        if (v < 0) continue;
        bits = bits << 6 | (uint32_t)v;
        n += 6;
        if (n < 8) continue;
        n -= 8;
        cn_buf_putc(out, (char)(bits >> n & 0xff));
    }
}

static cn_status add_charsmap(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    cn_buf b = {0};
    base64_decode(&b, cn_json_str(cn_json_get(j, "precompiled_charsmap")));
    cn_str map = cn_arena_str(&t->arena, (cn_str){b.n ? b.p : "", b.n});
    cn_buf_deinit(&b);
    if (!map.p || !charsmap_is_valid(map))
        return cn_fail(err, CN_E_FORMAT,
                       "tokenizer.json: precompiled_charsmap of %zu bytes is broken", map.n);
    return norm_add(&t->norm, (norm_step){.kind = NORM_CHARSMAP, .from = map}, err);
}

static cn_status add_bert(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    bool lower = flag(j, "lowercase", true);
    cn_status st = CN_OK;
    if (flag(j, "clean_text", true)) st = add(t, NORM_BERT_CLEAN, err);
    if (!st && flag(j, "handle_chinese_chars", true)) st = add(t, NORM_BERT_CJK, err);
    bool strip = flag(j, "strip_accents", lower); /* null: as lowercase */
    if (!st && strip) st = add(t, NORM_NFD, err);
    if (!st && strip) st = add(t, NORM_STRIP_ACCENTS, err);
    return !st && lower ? add(t, NORM_LOWER, err) : st;
}

static cn_status add_normalizer(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    static const struct {
        const char *type;
        norm_kind kind;
    } simple[] = {{"NFC", NORM_NFC},         {"NFD", NORM_NFD},
                  {"NFKC", NORM_NFKC},       {"NFKD", NORM_NFKD},
                  {"Lowercase", NORM_LOWER}, {"StripAccents", NORM_STRIP_ACCENTS}};
    for (size_t i = 0; i < CN_ARRAY_LEN(simple); i++)
        if (is_type(j, simple[i].type)) return add(t, simple[i].kind, err);
    if (is_type(j, "Replace")) return add_replace(t, j, err);
    if (is_type(j, "Precompiled")) return add_charsmap(t, j, err);
    if (is_type(j, "BertNormalizer")) return add_bert(t, j, err);
    if (is_type(j, "Prepend")) {
        norm_step step = {.kind = NORM_PREPEND,
                          .to = keep(t, cn_json_str(cn_json_get(j, "prepend")))};
        if (!step.to.p) return cn_fail(err, CN_E_NOMEM, "normalizer");
        return norm_add(&t->norm, step, err);
    }
    if (is_type(j, "Strip")) {
        cn_status st = CN_OK;
        if (flag(j, "strip_left", true)) st = add(t, NORM_STRIP_LEFT, err);
        return !st && flag(j, "strip_right", true) ? add(t, NORM_STRIP_RIGHT, err) : st;
    }
    return refuse("normalizer", j, err);
}

/* "always", "first" or "never" of a Metaspace. */
static const char *prepend_scheme(const cn_json *j)
{
    if (!flag(j, "add_prefix_space", true)) return "never";
    if (cn_json_is(cn_json_get(j, "prepend_scheme"), "first")) return "first";
    return cn_json_is(cn_json_get(j, "prepend_scheme"), "never") ? "never" : "always";
}

static cn_status add_metaspace(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    const cn_json *mark = cn_json_get(j, "replacement");
    const char *scheme = prepend_scheme(j);
    if (mark && !cn_json_is(mark, "\u2581"))
        return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.json: Metaspace with \"%.*s\"",
                       CN_STR_ARG(cn_json_str(mark)));
    cn_status st = norm_add(&t->late, unescape, err);
    pretok *p = &t->pre;
    if (p->n && p->stages[p->n - 1].kind == PRE_SPACES) {
        p->n--; /* cut at white space before: every word has its own space */
        if (!st) st = norm_add(&t->late, (norm_step){.kind = NORM_WORDS}, err);
    } else if (!st && *scheme != 'n') {
        st = add_prefix(t, *scheme == 'f', err);
    }
    if (st || !flag(j, "split", true)) return st;
    return pretok_add(
        p,
        (pre_stage){.kind = PRE_STRING, .behaviour = PRE_MERGED_WITH_NEXT, .text = CN_STR(" ")},
        err);
}

static cn_status behaviour_of(const cn_json *j, pre_behaviour *out, cn_err *err)
{
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const cn_json *b = cn_json_get(j, "behavior");
    for (size_t i = 0; i < CN_ARRAY_LEN(names); i++) {
        *out = (pre_behaviour)i;
        if (!b || cn_json_is(b, names[i])) return CN_OK;
    }
    return refuse("behavior", b, err);
}

static cn_status add_split(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    const cn_json *pattern = cn_json_get(j, "pattern");
    cn_str regex = cn_json_str(cn_json_get(pattern, "Regex"));
    cn_str text = cn_json_str(cn_json_get(pattern, "String"));
    bool invert = flag(j, "invert", false);
    pre_behaviour b;
    cn_status st = behaviour_of(j, &b, err);
    if (st) return st;
    if (invert && b != PRE_ISOLATED && b != PRE_REMOVED)
        return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.json: an inverted Split that merges");
    if (regex.n) return pretok_add_regex(&t->pre, regex, b, invert, err);
    if (!text.n) return refuse("Split without pattern", j, err);
    if (t->spaces_marked && memchr(text.p, ' ', text.n))
        return CN_OK; /* none is left to find */
    text = keep(t, text);
    if (!text.p) return cn_fail(err, CN_E_NOMEM, "pre-tokenizer");
    pre_stage stage = {.kind = PRE_STRING, .behaviour = b, .invert = invert, .text = text};
    return pretok_add(&t->pre, stage, err);
}

static cn_status add_byte_level(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    cn_status st = CN_OK;
    t->byte_level = true;
    if (flag(j, "add_prefix_space", true)) st = add_prefix(t, false, err);
    if (st || !flag(j, "use_regex", true)) return st;
    return pretok_add(&t->pre, (pre_stage){.kind = PRE_GPT2}, err);
}

static cn_status add_pre_tokenizer(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    pre_stage stage = {.behaviour = PRE_ISOLATED};
    if (is_type(j, "ByteLevel")) return add_byte_level(t, j, err);
    if (is_type(j, "Split")) return add_split(t, j, err);
    if (is_type(j, "Metaspace")) return add_metaspace(t, j, err);
    if (is_type(j, "Whitespace"))
        return pretok_add_regex(&t->pre, CN_STR("\\w+|[^\\w\\s]+"), PRE_REMOVED, true, err);
    if (is_type(j, "WhitespaceSplit"))
        stage.kind = PRE_SPACES;
    else if (is_type(j, "BertPreTokenizer"))
        stage.kind = PRE_BERT;
    else if (is_type(j, "Digits")) {
        stage.kind = PRE_DIGITS;
        stage.single = flag(j, "individual_digits", false);
        stage.on_letters = t->byte_level;
    } else if (is_type(j, "Punctuation")) {
        stage.kind = PRE_PUNCT;
        cn_status st = behaviour_of(j, &stage.behaviour, err);
        if (st) return st;
    } else {
        return refuse("pre_tokenizer", j, err);
    }
    return pretok_add(&t->pre, stage, err);
}

static cn_status read_decoder(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    if (is_type(j, "ByteLevel"))
        t->byte_level = true;
    else if (is_type(j, "Metaspace"))
        t->strip_first_space |= *prepend_scheme(j) != 'n';
    else if (is_type(j, "Strip"))
        t->strip_first_space |= cn_json_is(cn_json_get(j, "content"), " ") &&
                                cn_json_int(cn_json_get(j, "start"), 0) > 0;
    else if (is_type(j, "WordPiece"))
        t->keep_blanks = !flag(j, "cleanup", true);
    else if (!is_type(j, "Replace") && !is_type(j, "ByteFallback") && !is_type(j, "Fuse"))
        return refuse("decoder", j, err);
    return CN_OK;
}

cn_status json_read_steps(cn_tokenizer *t, const cn_json *root, cn_err *err)
{
    cn_status st =
        each(t, cn_json_get(root, "normalizer"), "normalizers", 0, add_normalizer, err);
    if (!st)
        st = each(t, cn_json_get(root, "pre_tokenizer"), "pretokenizers", 0, add_pre_tokenizer,
                  err);
    if (!st) st = each(t, cn_json_get(root, "decoder"), "decoders", 0, read_decoder, err);
    return st;
}

/* [ {"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, ... ] */
static cn_status read_template(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    const cn_json *single = cn_json_get(j, "single");
    bool before = true;
    cn_status st = CN_OK;
    for (size_t i = 0; i < cn_json_size(single) && !st; i++) {
        const cn_json *item = cn_json_at(single, i);
        cn_str name = cn_json_str(cn_json_get(cn_json_get(item, "SpecialToken"), "id"));
        if (cn_json_get(item, "Sequence")) before = false;
        if (!name.p) continue;
        char key[256];
        snprintf(key, sizeof key, "%.*s", (int)CN_MIN(name.n, sizeof key - 1), name.p);
        const cn_json *ids =
            cn_json_get(cn_json_get(cn_json_get(j, "special_tokens"), key), "ids");
        for (size_t k = 0; k < cn_json_size(ids) && !st; k++) {
            int64_t id = cn_json_int(cn_json_at(ids, k), -1);
            if (id < 0 || (uint64_t)id >= t->v.n)
                return cn_fail(err, CN_E_FORMAT, "tokenizer.json: special token %lld of %zu",
                               (long long)id, t->v.n);
            st = tok_affix(t, before, (int32_t)id, err);
        }
    }
    return st;
}

static cn_status read_affix(cn_tokenizer *t, const cn_json *j, cn_err *err)
{
    if (is_type(j, "ByteLevel")) return CN_OK;
    if (is_type(j, "TemplateProcessing")) return read_template(t, j, err);
    if (!is_type(j, "BertProcessing") && !is_type(j, "RobertaProcessing"))
        return refuse("post_processor", j, err);
    int64_t cls = cn_json_int(cn_json_at(cn_json_get(j, "cls"), 1), -1);
    int64_t sep = cn_json_int(cn_json_at(cn_json_get(j, "sep"), 1), -1);
    if (cls > INT32_MAX || sep > INT32_MAX || cls < 0 || sep < 0)
        return cn_fail(err, CN_E_FORMAT, "tokenizer.json: post_processor without cls and sep");
    cn_status st = tok_affix(t, true, (int32_t)cls, err);
    return st ? st : tok_affix(t, false, (int32_t)sep, err);
}

cn_status json_read_affixes(cn_tokenizer *t, const cn_json *root, cn_err *err)
{
    return each(t, cn_json_get(root, "post_processor"), "processors", 0, read_affix, err);
}
