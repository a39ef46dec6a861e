/* Generation under a grammar: the interface, a real vocabulary, refusals and limits. */
#include "testing.h"

#include <pthread.h>

#include "cases.h"
#include "rng.h"
#include "vocabulary.h"

enum { WORDS = (TEST_VOCAB + 31) / 32 };

static cn_grammar *schema_of(const char *text)
{
    cn_grammar *g = NULL;
    assert_int_equal(cn_grammar_from_schema(&g, text, strlen(text), NULL, NULL, NULL), CN_OK);
    return g;
}

static void take(cn_constraint *c, const char *text)
{
    for (; *text; text++)
        assert_int_equal(cn_constraint_accept(c, (uint8_t)*text, NULL), CN_OK);
}

static void test_steps(void **state)
{
    (void)state;
    cn_vocab_trie *v = test_vocabulary();
    cn_grammar *g =
        schema_of("{\"type\":\"array\",\"items\":{\"enum\":[1,23]},\"maxItems\":2}");
    cn_constraint *c;
    uint32_t mask[WORDS];
    cn_err err = {0};
    assert_int_equal(cn_constraint_new(&c, g, v, NULL), CN_OK);
    cn_constraint_mask(c, SIZE_MAX, mask);
    assert_true(mask_has(mask, '['));
    assert_false(mask_has(mask, '{') || mask_has(mask, TEST_END) || mask_has(mask, ' '));
    assert_int_equal(cn_constraint_accept(c, '{', &err), CN_E_ARG);
    assert_int_equal(cn_constraint_accept(c, TEST_END, &err), CN_E_ARG);
    assert_int_equal(cn_constraint_accept(c, TEST_VOCAB + 7, &err), CN_E_ARG);
    take(c, "[23,1");
    cn_constraint_mask(c, SIZE_MAX, mask);
    assert_true(mask_has(mask, ']'));
    assert_false(mask_has(mask, ',') || cn_constraint_complete(c));
    take(c, "]");
    assert_true(cn_constraint_complete(c) && cn_constraint_finished(c));
    cn_constraint_mask(c, SIZE_MAX, mask);
    for (int32_t i = 0; i < TEST_VOCAB; i++)
        assert_int_equal(mask_has(mask, i), i == TEST_END);
    assert_int_equal(cn_constraint_accept(c, TEST_END, NULL), CN_OK);
    cn_constraint_free(c);
    cn_grammar_free(g);
    cn_vocab_trie_free(v);
}

/* With few tokens left only what closes in time is allowed. */
static void test_closing(void **state)
{
    (void)state;
    cn_vocab_trie *v = test_vocabulary();
    cn_grammar *g = schema_of(CN_SCHEMA_OBJECT);
    cn_constraint *c;
    uint32_t mask[WORDS];
    assert_int_equal(cn_constraint_new(&c, g, v, NULL), CN_OK);
    take(c, "{\"x\":[[");
    cn_constraint_mask(c, 3, mask);
    for (int32_t i = 0; i < TEST_VOCAB; i++)
        if (mask_has(mask, i)) assert_true(test_token(i).p[0] == ']');
    cn_constraint_mask(c, 4, mask);
    assert_true(mask_has(mask, ']') && mask_has(mask, '1'));
    assert_false(mask_has(mask, '['));
    cn_constraint_mask(c, 1, mask); /* too late: the shortest way all the same */
    assert_true(mask_has(mask, ']') || mask_has(mask, 256 + 61));
    cn_constraint_free(c);
    cn_grammar_free(g);
    cn_vocab_trie_free(v);
}

static void test_names_once(void **state)
{
    (void)state;
    cn_grammar *g = schema_of("{\"properties\":{\"a\":{\"type\":\"null\"}}}");
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"{\"a\":null,\"b\":1,\"c\":{\"b\":2}}", true}, {"{\"b\":1,\"b\":2}", false},
        {"{\"b\":1,\"c\":1,\"b\":2}", false},           {"{\"b\":1,\"a\":null}", false},
        {"{\"b\":[{\"x\":1},{\"x\":1}]}", true},        {"{\"\\u0061\":1}", false}};
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++)
        assert_int_equal(cn_grammar_accepts(g, cases[i].text, strlen(cases[i].text)),
                         cases[i].ok);
    cn_grammar_free(g);
}

/* Names that run out, alone or beside endless ones: no mask is ever empty. */
static void test_names_run_out(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"null\"},\"propertyNames\":{"
        "\"pattern\":\"^[a-c][a-z]$\"}}",
        "{\"type\":\"object\",\"patternProperties\":{\"^(a|b[a-z]|x*y)$\":{\"type\":\"null\"}},"
        "\"additionalProperties\":false}",
    };
    cn_vocab_trie *v = test_vocabulary();
    cn_rng r = cn_rng_seeded(5);
    for (size_t i = 0; i < CN_ARRAY_LEN(schemas); i++) {
        cn_grammar *g = schema_of(schemas[i]);
        cn_constraint *c;
        uint32_t mask[WORDS], steps = 0;
        assert_int_equal(cn_constraint_new(&c, g, v, NULL), CN_OK);
        for (; steps < 900 && !cn_constraint_finished(c); steps++) {
            int32_t id = -1, seen = 0;
            cn_constraint_mask(c, SIZE_MAX, mask);
            for (int32_t k = 0; k < TEST_END; k++) { /* not the end while there is a way on */
                bool ends = memchr(test_token(k).p, '}', test_token(k).n) != NULL;
                if (mask_has(mask, k) && !ends && cn_rng_below(&r, (uint64_t)++seen) == 0)
                    id = k;
            }
            if (id < 0 && mask_has(mask, '}')) id = '}';
            if (id < 0) print_message("schema %zu: empty mask after %u tokens\n", i, steps);
            assert_true(id >= 0);
            assert_int_equal(cn_constraint_accept(c, id, NULL), CN_OK);
        }
        assert_true(steps > 50);
        cn_constraint_free(c);
        cn_grammar_free(g);
    }
    cn_vocab_trie_free(v);
}

static void test_depth(void **state)
{
    (void)state;
    char text[600];
    cn_grammar *g = schema_of(CN_SCHEMA_ANY);
    for (int depth = 10; depth < 300; depth += 10) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(cn_grammar_accepts(g, text, 2 * (size_t)depth), depth <= 64);
    }
    cn_grammar_free(g);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *pointer;
        cn_status st;
    } cases[] = {
        {"{\"properties\":{\"a/b\":{\"pattern\":\"(?<!x)y\"}}}", "/properties/a~1b/pattern",
         CN_E_UNSUPPORTED},
        {"{\"items\":{\"format\":\"idn-email\"}}", "/items/format", CN_E_UNSUPPORTED},
        {"{\"type\":\"array\",\"uniqueItems\":true}", "/uniqueItems", CN_E_UNSUPPORTED},
        {"{\"$ref\":\"#\"}", "", CN_E_UNSUPPORTED},
        {"{\"allOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "", CN_E_UNSUPPORTED},
        {"{\"minimum\":\"1\"}", "/minimum", CN_E_FORMAT},
        {"{\"properties\":{\"a\":3}}", "/properties/a", CN_E_FORMAT},
        {"{\"type\":", "", CN_E_FORMAT},
        {"{\"$dynamicRef\":\"#x\"}", "/$dynamicRef", CN_E_UNSUPPORTED},
        {"{\"pattern\":\"((a{200}){200}){200}\"}", "/pattern", CN_E_UNSUPPORTED},
        {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-z]{2}$\"},"
         "\"minProperties\":677}",
         "", CN_E_UNSUPPORTED},
        {"{\"required\":[\"a\"],\"maxProperties\":0,\"type\":\"object\"}", "",
         CN_E_UNSUPPORTED},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        cn_grammar_report r;
        cn_err err = {0};
        cn_grammar *g;
        const char *s = cases[i].schema;
        assert_int_equal(cn_grammar_from_schema(&g, s, strlen(s), NULL, &r, &err), cases[i].st);
        assert_null(g);
        assert_string_equal(r.pointer, cases[i].pointer);
        assert_true(r.reason[0] && err.why[0]);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const char text[] = "{\"type\":\"string\",\"pattern\":\"^[a-z]{1,3000}$\"}";
    cn_grammar_limits few = {.max_states = 1000};
    cn_grammar_report r;
    cn_grammar *g;
    assert_int_equal(cn_grammar_from_schema(&g, text, sizeof text - 1, &few, &r, NULL),
                     CN_E_LIMIT);
    assert_int_equal(cn_grammar_from_schema(&g, text, sizeof text - 1, NULL, &r, NULL), CN_OK);
    cn_grammar_free(g);
}

static void test_bad_gbnf(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pointer;
        cn_status st;
    } cases[] = {{"root ::= a\na ::= b \"x\"\nb ::= \"y\"? a", "3:1", CN_E_UNSUPPORTED},
                 {"root ::= \"a\" missing", "1:1", CN_E_FORMAT},
                 {"start ::= \"a\"", "1:1", CN_E_FORMAT},
                 {"root ::= \"a\nb\"", "1:13", CN_E_FORMAT},
                 {"root ::= (\"a\"", "1:14", CN_E_FORMAT},
                 {"root ::= \"a\"{100000}", "1:21", CN_E_LIMIT},
                 {"root ::= \"a\"\nroot ::= \"b\"", "2:10", CN_E_FORMAT}};
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        cn_grammar_report r;
        cn_grammar *g;
        const char *s = cases[i].text;
        assert_int_equal(cn_grammar_from_gbnf(&g, s, strlen(s), NULL, &r, NULL), cases[i].st);
        if (strcmp(r.pointer, cases[i].pointer)) print_message("%s: %s\n", s, r.reason);
        assert_string_equal(r.pointer, cases[i].pointer);
    }
}

typedef struct shared_walk {
    const cn_grammar *g;
    const cn_vocab_trie *v, *other;
    uint64_t seed;
    unsigned steps, wrong;
} shared_walk;

/* Masks from the cache that all threads fill are those that a grammar of one's own gives. */
static void *walk_shared(void *arg)
{
    static const char source[] = CN_SCHEMA_OBJECT;
    shared_walk *w = arg;
    cn_grammar *own = NULL;
    cn_rng r = cn_rng_seeded(w->seed);
    if (cn_grammar_from_schema(&own, source, sizeof source - 1, NULL, NULL, NULL)) w->wrong++;
    for (int texts = 0; own && texts < 6; texts++) {
        const cn_vocab_trie *v = texts % 2 ? w->other : w->v;
        cn_constraint *a = NULL, *b = NULL;
        if (cn_constraint_new(&a, w->g, v, NULL) || cn_constraint_new(&b, own, v, NULL))
            w->wrong++;
        for (int i = 0; a && b && i < 60; i++) {
            uint32_t left = 60 - (uint32_t)i, x[WORDS] = {0}, y[WORDS] = {0};
            int32_t id = -1, n = 0;
            cn_constraint_mask(a, left, x);
            cn_constraint_mask(b, left, y);
            w->steps++;
            w->wrong += memcmp(x, y, sizeof x) != 0;
            for (int32_t k = 0; k < TEST_END; k++)
                if (mask_has(x, k) && cn_rng_below(&r, (uint64_t)++n) == 0) id = k;
            if (id < 0) break;
            w->wrong += cn_constraint_accept(a, id, NULL) || cn_constraint_accept(b, id, NULL);
        }
        cn_constraint_free(a);
        cn_constraint_free(b);
    }
    cn_grammar_free(own);
    return NULL;
}

static void test_shared(void **state)
{
    (void)state;
    cn_vocab_trie *v = test_vocabulary(), *other = NULL;
    cn_str bytes[256];
    for (int32_t i = 0; i < 256; i++)
        bytes[i] = test_token(i);
    assert_int_equal(vocab_trie_new(&other, bytes, 256, NULL, 0, NULL), CN_OK);
    cn_grammar *g = schema_of(CN_SCHEMA_OBJECT);
    shared_walk walks[4];
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++) {
        walks[i] = (shared_walk){.g = g, .v = v, .other = other, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, walk_shared, &walks[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(walks[i].wrong, 0);
        assert_true(walks[i].steps > 20);
    }
    assert_int_equal(g->shelf->n, 2);
    assert_true(g->shelf->first->n + g->shelf->first->next->n > 0);
    cn_grammar_free(g);
    cn_vocab_trie_free(other);
    cn_vocab_trie_free(v);
}

/* More vocabularies than a grammar keeps masks for; one at the address of another that is gone.
 */
static void test_many_vocabularies(void **state)
{
    (void)state;
    cn_grammar *g = schema_of("{\"type\":\"null\"}");
    for (int32_t n = 0; n < 12; n++) { /* the n-th has no token for 'n' + n */
        cn_vocab_trie *v = NULL;
        cn_constraint *c;
        cn_str bytes[256];
        uint32_t mask[8];
        for (int32_t i = 0; i < 256; i++)
            bytes[i] = i == 'n' + n ? (cn_str){"", 0} : test_token(i);
        assert_int_equal(vocab_trie_new(&v, bytes, 256, NULL, 0, NULL), CN_OK);
        assert_int_equal(cn_constraint_new(&c, g, v, NULL), CN_OK);
        cn_constraint_mask(c, SIZE_MAX, mask);
        assert_int_equal(mask_has(mask, 'n'), n != 0);
        cn_constraint_free(c);
        cn_vocab_trie_free(v);
    }
    cn_grammar_free(g);
}

/* The vocabulary of a real model: masks allow what a tokenizer would write. */
static void test_real_vocabulary(void **state)
{
    (void)state;
    NEED_CASE(path, "vocab/ggml-vocab-llama-spm.gguf");
    static const char text[] = "{\"name\":\"Ada ☃\",\"age\":36}";
    cn_tokenizer *t;
    cn_vocab_trie *v;
    cn_constraint *c;
    cn_grammar *g =
        schema_of("{\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"
                  "\"integer\"}},\"required\":[\"name\"],\"type\":\"object\"}");
    assert_int_equal(cn_tokenizer_open(&t, path, NULL), CN_OK);
    assert_int_equal(cn_vocab_trie_new(&v, t, NULL), CN_OK);
    assert_int_equal(cn_constraint_new(&c, g, v, NULL), CN_OK);
    uint32_t *mask = cn_alloc_array((size_t)cn_n_vocab(t) / 32 + 1, 4);
    for (size_t at = 0; at < sizeof text - 1;) {
        int32_t best = -1;
        size_t longest = 0, n;
        for (int32_t i = 0; i < cn_n_vocab(t); i++) {
            const char *p = cn_token_bytes(t, i, &n);
            if (n > longest && n <= sizeof text - 1 - at && !memcmp(p, text + at, n))
                best = i, longest = n;
        }
        assert_true(best >= 0);
        cn_constraint_mask(c, 1000, mask);
        assert_true(mask_has(mask, best));
        assert_false(mask_has(mask, cn_token_eos(t)));
        assert_int_equal(cn_constraint_accept(c, best, NULL), CN_OK);
        at += longest;
    }
    cn_constraint_mask(c, 1000, mask);
    assert_true(cn_constraint_finished(c) && mask_has(mask, cn_token_eos(t)));
    cn_free(mask);
    cn_constraint_free(c);
    cn_grammar_free(g);
    cn_vocab_trie_free(v);
    cn_tokenizer_free(t);
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_names_once),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bad_gbnf),
        cmocka_unit_test(test_real_vocabulary),
        cmocka_unit_test(test_names_run_out),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_many_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
