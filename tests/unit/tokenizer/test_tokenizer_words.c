/* Cutting into words: the hand-written matchers against the expressions they stand for, the
 * behaviours of tokenizer.json, normalisation. */
#include "testing.h"

#include "json.h"
#include "normalize.h"
#include "pretok.h"
#include "rng.h"

static cn_status join(void *ctx, cn_str word)
{
    cn_buf *b = ctx;
    if (b->n) cn_buf_putc(b, '|');
    cn_buf_str(b, word);
    return CN_OK;
}

static cn_buf words(const pretok *p, cn_str s)
{
    cn_buf b = {0};
    cn_err err = {0};
    if (pretok_run(p, s, join, &b, &err)) fail_msg("%s", err.why);
    cn_buf_append(&b, "", 0);
    return b;
}

static void expect_words(const pretok *p, const char *text, const char *want)
{
    cn_buf b = words(p, cn_str_of(text));
    if (strcmp(b.p, want)) fail_msg("\"%s\" gives %s, want %s", text, b.p, want);
    cn_buf_deinit(&b);
}

static void expect_named(const char *name, const char *text, const char *want)
{
    pretok p = {0};
    assert_int_equal(pretok_by_name(&p, cn_str_of(name), NULL), CN_OK);
    expect_words(&p, text, want);
    pretok_deinit(&p);
}

#define GPT2                                                                                   \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define HEAD "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"

static void random_text(cn_rng *r, cn_buf *b)
{
    static const char *const parts[] = {
        "a",  "Z",  "1",  "9", " ", "  ", "\n",       "\r",     "\t",     "'s", "'LL", "'",
        "!",  "?.", "é",  "ش", "٣", "½",  "\u00a0",   "\u2003", "\u0301", "😀",  "中",  "'r",
        "'ſ", "_",  "\v", "-", "#", "'d", "\xc2\x85", "\u200b", "Ⅷ",      "x",  "5",   "e",
    };
    cn_buf_clear(b);
    for (uint64_t n = cn_rng_below(r, 24); n > 0; n--) {
        const char *s = parts[cn_rng_below(r, CN_ARRAY_LEN(parts))];
        cn_buf_append(b, s, strlen(s));
    }
    cn_buf_append(b, "", 0);
}

/* Characters whose class changed between the Unicode of PCRE2 and ours are not in the test. */
static void matchers_equal_their_expressions(void **state)
{
    (void)state;
    static const struct {
        const char *name, *regex;
    } pairs[] = {
        {"gpt-2", GPT2}, {"llama3", HEAD "\\p{N}{1,3}" TAIL}, {"qwen2", HEAD "\\p{N}" TAIL}};
    for (size_t k = 0; k < CN_ARRAY_LEN(pairs); k++) {
        pretok own = {0}, generic = {.n = 1, .stages = {{.kind = PRE_REGEX}}};
        cn_rng r = cn_rng_seeded(100 + k);
        cn_buf text = {0};
        assert_int_equal(pretok_by_name(&own, cn_str_of(pairs[k].name), NULL), CN_OK);
        assert_true(own.stages[0].kind != PRE_REGEX);
        assert_int_equal(
            pre_regex_compile(&generic.stages[0].regex, cn_str_of(pairs[k].regex), NULL),
            CN_OK);
        for (int i = 0; i < 20000; i++) {
            random_text(&r, &text);
            cn_buf a = words(&own, cn_buf_view(&text)), b = words(&generic, cn_buf_view(&text));
            if (strcmp(a.p, b.p)) fail_msg("%s: %s, expression: %s", pairs[k].name, a.p, b.p);
            cn_buf_deinit(&a);
            cn_buf_deinit(&b);
        }
        cn_buf_deinit(&text);
        pretok_deinit(&own);
        pretok_deinit(&generic);
    }
}

static void named_ones(void **state)
{
    (void)state;
    expect_named("gpt-2", "it's 12345  x\n\n", "it|'s| 12345| | x|\n\n");
    expect_named("llama-bpe", "IT'S 12345\n y", "IT|'S| |123|45|\n| y");
    expect_named("qwen2", "a12 b", "a|1|2| b");
    expect_named("starcoder", "a12 b", "a|1|2| b");
    expect_named("falcon", "a12345, b", "a|123|45|,| b");
    expect_named("deepseek-llm", "a b12\nç!? 中文x", "a| b|12|\n|ç|!?| |中文|x");
    expect_named("deepseek-coder", "a b12", "a| b|1|2");
    expect_named("gpt-4o", "HelloWorld it's 1234/\n", "Hello|World| it's| |123|4|/\n");
    expect_named("tekken", "HelloWorld 12", "Hello|World| |1|2");
    expect_named("default", "ab 1234, c", "ab| |123|4|,| c");
    pretok p = {0};
    cn_err err;
    assert_int_equal(pretok_by_name(&p, CN_STR("nonsense"), &err), CN_E_UNSUPPORTED);
    assert_non_null(strstr(err.why, "nonsense"));
}

static void behaviours(void **state)
{
    (void)state;
    static const char *const want[] = {"a|-|-|b|-", "a|b", "a-|-|b-", "a|-|-b|-", "a|--|b|-"};
    for (size_t k = 0; k < CN_ARRAY_LEN(want); k++) {
        pretok p = {0};
        pre_stage s = {.kind = PRE_STRING, .behaviour = (pre_behaviour)k, .text = CN_STR("-")};
        assert_int_equal(pretok_add(&p, s, NULL), CN_OK);
        expect_words(&p, "a--b-", want[k]);
        expect_words(&p, "", "");
    }
    pretok p = {0};
    assert_int_equal(pretok_add_regex(&p, CN_STR("\\w+|[^\\w\\s]+"), PRE_REMOVED, true, NULL),
                     CN_OK);
    expect_words(&p, " ab, c\n", "ab|,|c");
    pretok_deinit(&p);
    p = (pretok){.n = 1, .stages = {{.kind = PRE_BERT}}};
    expect_words(&p, " ab, c\u2014d\n", "ab|,|c|\u2014|d");
}

/* Text that is not UTF-8, and an expression that never ends, stop nothing. */
static void hostile_texts(void **state)
{
    (void)state;
    pretok p = {0};
    cn_buf b = {0};
    cn_err err;
    assert_int_equal(pretok_by_name(&p, CN_STR("tekken"), NULL), CN_OK);
    expect_words(&p, "\xff\xe2\x82 a", "\xff\xe2\x82| a");
    pretok_deinit(&p);
    assert_int_equal(pretok_add_regex(&p, CN_STR("(x+x+)+[yz]"), PRE_ISOLATED, false, NULL),
                     CN_OK);
    cn_buf text = {0};
    for (int i = 0; i < 64; i++)
        cn_buf_putc(&text, 'x');
    assert_int_equal(pretok_run(&p, cn_buf_view(&text), join, &b, &err), CN_E_LIMIT);
    cn_buf_deinit(&text);
    cn_buf_deinit(&b);
    pretok_deinit(&p);
}

static void expect_form(uc_form form, const char *text, const char *want)
{
    cn_buf b = {0};
    uc_normalize(&b, cn_str_of(text), form);
    cn_buf_append(&b, "", 0);
    assert_string_equal(b.p, want);
    if (uc_is_normalized(cn_str_of(text), form)) assert_string_equal(text, want);
    cn_buf_deinit(&b);
}

static void forms(void **state)
{
    (void)state;
    assert_string_equal(unicode_version, "15.0.0");
    expect_form(UC_NFC, "e\u0301", "\u00e9");
    expect_form(UC_NFD, "\u00e9", "e\u0301");
    expect_form(UC_NFC, "\u1100\u1161\u11a8", "\uac01");
    expect_form(UC_NFD, "\uac01", "\u1100\u1161\u11a8");
    expect_form(UC_NFC, "q\u0307\u0323", "q\u0323\u0307");
    expect_form(UC_NFC, "\u212b", "\u00c5");
    expect_form(UC_NFC, "\ufb01", "\ufb01");
    expect_form(UC_NFKC, "\ufb01\u2460", "fi1");
    expect_form(UC_NFKD, "\u1e9b\u0323", "s\u0323\u0307");
    expect_form(UC_NFC,
                "a\xff"
                "e\u0301",
                "a\xff\u00e9");
    assert_int_equal(uc_lower('A'), 'a');
    assert_int_equal(uc_lower(0x410), 0x430);
    assert_int_equal(uc_lower(0x30), 0x30);
    cn_buf b = {0};
    uc_lower_text(&b, CN_STR("\u0130I\xff\u00c9"));
    assert_true(cn_str_is(cn_buf_view(&b), "i\u0307i\xff\u00e9"));
    cn_buf_deinit(&b);
    assert_true(uc_in(0x2028, UC_SPACES) && uc_in(0x85, UC_SPACES) &&
                !uc_in(0x200b, UC_SPACES));
    assert_true(uc_in(0x4e2d, UC_LETTERS) && uc_in(0x663, UC_NUMBERS));
    assert_int_equal(uc_category(0x110000), UC_CN);
}

static void expect_step(norm_step step, const char *text, const char *want)
{
    normalizer z = {.n = 1, .steps = {step}};
    cn_buf a = {0}, b = {0};
    cn_str s = norm_run(&z, cn_str_of(text), true, &a, &b);
    if (!cn_str_is(s, want)) fail_msg("step %d: %.*s", (int)step.kind, CN_STR_ARG(s));
    cn_buf_deinit(&a);
    cn_buf_deinit(&b);
}

static void steps(void **state)
{
    (void)state;
    expect_step((norm_step){.kind = NORM_REPLACE, .from = CN_STR("ab"), .to = CN_STR("x")},
                "ababa", "xxa");
    expect_step((norm_step){.kind = NORM_PREPEND, .to = CN_STR(" ")}, " a", "  a");
    expect_step((norm_step){.kind = NORM_PREPEND_UNLESS, .to = CN_STR(" ")}, " a", " a");
    expect_step((norm_step){.kind = NORM_PREPEND, .to = CN_STR(" ")}, "", "");
    expect_step((norm_step){.kind = NORM_SQUEEZE_SPACES}, "a  b   ", "a b ");
    expect_step((norm_step){.kind = NORM_STRIP_LEFT}, "\t\u2003a ", "a ");
    expect_step((norm_step){.kind = NORM_STRIP_RIGHT}, " a\u2003\n", " a");
    expect_step((norm_step){.kind = NORM_STRIP_RIGHT}, " \u2003", "");
    expect_step((norm_step){.kind = NORM_WORDS}, "\ta  b\n", " a b");
    expect_step((norm_step){.kind = NORM_BERT_CLEAN}, "a\u200b\tb\x01\u00a0\ufffd", "a b ");
    expect_step((norm_step){.kind = NORM_BERT_CJK}, "a\u4e2d\u6587", "a \u4e2d  \u6587 ");
    expect_step((norm_step){.kind = NORM_STRIP_ACCENTS}, "e\u0301", "e");
}

/* A double-array trie made by hand: 'a' becomes "bc", 'd' vanishes. Unit i holds what follows;
 * 'a' is 0x61 and 'd' is 0x64, the root's offset is 0. */
static void charsmap(void **state)
{
    (void)state;
    enum { UNITS = 256 };
    uint8_t map[4 + 4 * UNITS + 6] = {0};
    uint32_t unit[UNITS] = {0};
    unit[0] = 0;
    unit['a'] = 0x61U | 1U << 8 | (0x61U ^ 0x80U) << 10; /* its leaf: unit 0x80 */
    unit[0x80] = 0x80000000U | 0;
    unit['d'] = 0x64U | 1U << 8 | (0x64U ^ 0x90U) << 10;
    unit[0x90] = 0x80000000U | 2;
    map[1] = 4; /* 1024 bytes of units */
    for (size_t i = 0; i < UNITS; i++)
        for (size_t k = 0; k < 4; k++)
            map[4 + 4 * i + k] = (uint8_t)(unit[i] >> 8 * k);
    memcpy(map + 4 + 4 * UNITS, "bc\0", 4);
    cn_str m = {(const char *)map, 4 + 4 * UNITS + 4};
    cn_buf b = {0};
    assert_true(charsmap_is_valid(m));
    charsmap_run(&b, m,
                 CN_STR("xad\xff"
                        "a"));
    assert_true(cn_str_is(cn_buf_view(&b), "xbc\xff"
                                           "bc"));
    cn_buf_deinit(&b);
    assert_false(charsmap_is_valid((cn_str){m.p, 4 + 4 * UNITS}));
    assert_false(charsmap_is_valid((cn_str){m.p, 3}));
}

/* Vectors without their vocabulary still tell where words end: with as many ids as words, each
 * id is a word, and a word has one id and an id one word in all texts; no text has fewer ids
 * than words. */
typedef struct id_word {
    long id;
    char *word;
} id_word;
typedef struct word_list {
    cn_str word[400];
    size_t n;
} word_list;

static cn_status collect(void *ctx, cn_str word)
{
    word_list *l = ctx;
    assert_true(l->n < CN_ARRAY_LEN(l->word));
    l->word[l->n++] = word;
    return CN_OK;
}

static size_t read_line(const char **line, long *ids, size_t most)
{
    size_t n = 0;
    while (**line == ' ')
        ++*line;
    while (**line && **line != '\n') {
        char *end;
        assert_true(n < most);
        ids[n++] = strtol(*line, &end, 10);
        for (*line = end; **line == ' ';)
            ++*line;
    }
    *line += **line == '\n';
    return n;
}

static void check_cut(const char *name, const char *pre)
{
    const cn_str separator = CN_STR("\n__ggml_vocab_test__\n");
    char file[256];
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf.inp", name);
    NEED_CASE(in_path, file);
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf.out", name);
    NEED_CASE(out_path, file);
    cn_buf in = {0}, out = {0};
    pretok p = {0};
    static id_word seen[4000];
    size_t n_seen = 0, n_texts = 0, n_whole = 0;
    assert_int_equal(cn_file_read(&in, in_path, 1 << 20, NULL), CN_OK);
    assert_int_equal(cn_file_read(&out, out_path, 1 << 20, NULL), CN_OK);
    assert_int_equal(pretok_by_name(&p, cn_str_of(pre), NULL), CN_OK);
    const char *line = out.p, *at = in.p;
    for (const char *end; (end = strstr(at, separator.p)); at = end + separator.n) {
        word_list l = {.n = 0};
        long ids[1000];
        size_t n = read_line(&line, ids, CN_ARRAY_LEN(ids));
        cn_str text = {at, (size_t)(end - at)};
        assert_int_equal(pretok_run(&p, text, collect, &l, NULL), CN_OK);
        assert_true(l.n <= n);
        n_texts++;
        if (l.n != n) continue;
        n_whole++;
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n_seen; k++)
                if ((seen[k].id == ids[i]) != cn_str_is(l.word[i], seen[k].word))
                    fail_msg("%s: id %ld for \"%.*s\", id %ld for \"%s\"", name, ids[i],
                             CN_STR_ARG(l.word[i]), seen[k].id, seen[k].word);
            seen[n_seen++] = (id_word){ids[i], cn_xstrndup(l.word[i].p, l.word[i].n)};
        }
    }
    print_message("%s: %zu texts, in %zu every word is one id\n", name, n_texts, n_whole);
    assert_int_equal(n_texts, 46);
    assert_true(n_whole >= 10);
    for (size_t k = 0; k < n_seen; k++)
        cn_free(seen[k].word);
    cn_buf_deinit(&in);
    cn_buf_deinit(&out);
    cn_free(in_path);
    cn_free(out_path);
    pretok_deinit(&p);
}

static void vectors_without_vocabulary(void **state)
{
    (void)state;
    check_cut("qwen2", "qwen2");
    check_cut("llama-bpe", "llama-bpe");
    check_cut("gpt-2", "gpt-2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matchers_equal_their_expressions),
        cmocka_unit_test(named_ones),
        cmocka_unit_test(behaviours),
        cmocka_unit_test(hostile_texts),
        cmocka_unit_test(forms),
        cmocka_unit_test(steps),
        cmocka_unit_test(charsmap),
        cmocka_unit_test(vectors_without_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
