/* Random walks through the masks: every text that comes to its end is valid for the
 * independent validator, in time, and every mask says exactly what the automaton does. */
#include "testing.h"

#include "cases.h"
#include "rng.h"
#include "vocabulary.h"

enum { WORDS = (TEST_VOCAB + 31) / 32, WALKS = 12 };

typedef struct totals {
    unsigned schemas, texts, unsupported, wrong;
} totals;

/* What the automaton says of one token after this text, without masks. */
static bool can_follow(const cn_grammar *g, const cn_buf *text, int32_t id, bool *complete)
{
    matcher m;
    cn_str t = test_token(id);
    assert_true(matcher_init(&m, &g->a, 1 << 14, 1 << 14));
    pset s = matcher_start(&m);
    for (size_t i = 0; i < text->n; i++)
        s = matcher_keep(&m, matcher_step(&m, s, (uint8_t)text->p[i]));
    *complete = s.complete;
    size_t i = 0;
    for (; i < t.n && s.n; i++)
        s = matcher_step(&m, s, (uint8_t)t.p[i]);
    bool ok = i == t.n && t.n && (s.n || s.complete);
    matcher_deinit(&m);
    return ok;
}

static void check_mask(const cn_grammar *g, const cn_buf *text, const uint32_t *mask, cn_rng *r,
                       totals *t)
{
    for (int i = 0; i < 8; i++) {
        int32_t id = (int32_t)cn_rng_below(r, TEST_VOCAB);
        bool complete, want = can_follow(g, text, id, &complete);
        if (id == TEST_END) want = complete;
        if (mask_has(mask, id) == want) continue;
        print_message("mask: token %d after %.*s\n", id, (int)text->n, text->p ? text->p : "");
        t->wrong++;
    }
}

static int32_t pick(const uint32_t *mask, cn_rng *r)
{
    int32_t n = 0, chosen = -1;
    for (int32_t i = 0; i < TEST_VOCAB; i++)
        if (mask_has(mask, i) && cn_rng_below(r, (uint64_t)++n) == 0) chosen = i;
    return chosen;
}

/* One text of at most `limit` tokens. False when it did not come to an end in time. */
static bool walk(const cn_grammar *g, const cn_vocab_trie *v, size_t limit, bool check,
                 cn_rng *r, cn_buf *text, totals *t)
{
    uint32_t mask[WORDS];
    cn_constraint *c = NULL;
    assert_int_equal(cn_constraint_new(&c, g, v, NULL), CN_OK);
    uint32_t least = matcher_set_dist(&c->m, c->now);
    size_t left = limit;
    for (size_t steps = 0; steps<limit + least; steps++, left -= left> 0) {
        if (check && steps < 40) {
            cn_constraint_mask(c, SIZE_MAX, mask);
            check_mask(g, text, mask, r, t);
        }
        cn_constraint_mask(c, left, mask);
        int32_t id = pick(mask, r);
        if (id < 0 || id == TEST_END) break;
        if (cn_constraint_accept(c, id, NULL)) {
            print_message("mask: token %d is refused after %.*s\n", id, (int)text->n, text->p);
            t->wrong++;
            break;
        }
        cn_buf_str(text, test_token(id));
        if (cn_constraint_finished(c)) break;
        if (left == 1 && limit >= least) break;
    }
    bool ok = cn_constraint_complete(c);
    cn_constraint_free(c);
    return ok;
}

static void one_schema(const cn_json *json, const cn_vocab_trie *v, cn_rng *r, totals *t)
{
    cn_grammar *g = compile_schema(json, 0, NULL);
    if (!g) return;
    cn_buf source = text_of(json);
    t->schemas++;
    for (int i = 0; i < WALKS; i++) {
        static const size_t limits[] = {1, 10, 20, 40, 80, 200};
        cn_buf text = {0};
        cn_err err = {0};
        bool ended = walk(g, v, limits[i % 6], i == 5, r, &text, t);
        cn_status st = cn_schema_validate(source.p, source.n, text.p, text.n, &err);
        t->texts++;
        if (st == CN_E_UNSUPPORTED || st == CN_E_LIMIT) {
            t->unsupported++;
        } else if (!ended || st) {
            print_message("%s: %s\n  %.500s\n  %.500s\n", ended ? "invalid" : "not ended",
                          err.why, source.p, text.p ? text.p : "");
            t->wrong++;
        }
        cn_buf_deinit(&text);
    }
    cn_buf_deinit(&source);
    cn_grammar_free(g);
}

static void run_file(const char *path, const char *name)
{
    cn_json *all;
    totals t = {0};
    cn_rng r = cn_rng_seeded(20240607);
    cn_vocab_trie *v = test_vocabulary();
    assert_non_null(v);
    assert_int_equal(cn_json_read_file(&all, path, 64 << 20, NULL), CN_OK);
    const cn_json *cases = cn_json_get(all, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++)
        one_schema(cn_json_get(cn_json_at(cases, i), "schema"), v, &r, &t);
    print_message("%s: %u schemas, %u texts, %u not judged, %u wrong\n", name, t.schemas,
                  t.texts, t.unsupported, t.wrong);
    assert_int_equal(t.wrong, 0);
    assert_true(t.texts > 5 * t.unsupported);
    cn_json_free(all);
    cn_vocab_trie_free(v);
}

static void test_own(void **state)
{
    (void)state;
    char *path = fixture("grammar/schemas.json");
    run_file(path, "own schemas");
    cn_free(path);
}

static void test_bench(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/jsonschemabench.json");
    run_file(path, "jsonschemabench");
    cn_free(path);
}

static void test_suite(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/test_suite_2020-12.json");
    run_file(path, "test_suite_2020-12");
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
