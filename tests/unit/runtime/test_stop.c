/* Stop strings: whatever the cuts, the shown text is what stands before the first stop string.
 */
#include "testing.h"

#include <string.h>

#include "rng.h"
#include "stop.h"

/* Feeds `text` in the pieces that `rng` cuts. */
static void run(cn_buf *shown, bool *stopped, const char *const *stops, size_t n,
                const char *text, cn_rng *rng)
{
    stop_filter f;
    cn_err err;
    size_t len = strlen(text);
    assert_int_equal(stop_init(&f, stops, n, 8, &err), CN_OK);
    for (size_t at = 0; at < len && !f.stopped;) {
        size_t part = 1 + cn_rng_below(rng, 8);
        if (part > len - at) part = len - at;
        cn_buf_str(shown, stop_add(&f, (cn_str){text + at, part}));
        at += part;
    }
    *stopped = f.stopped;
    if (!f.stopped) cn_buf_str(shown, stop_rest(&f));
    stop_deinit(&f);
}

static size_t first_stop(const char *text, const char *const *stops, size_t n)
{
    size_t first = strlen(text);
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(text, stops[i]);
        if (at && (size_t)(at - text) < first) first = (size_t)(at - text);
    }
    return first;
}

static void test_any_cut(void **state)
{
    const char *stops[] = {"abab", "ba\n", "</s>", "b"};
    cn_rng rng = cn_rng_seeded(3);
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t len = cn_rng_below(&rng, sizeof text), n = 1 + cn_rng_below(&rng, 3);
        for (size_t i = 0; i < len; i++)
            text[i] = "ab\n</s>"[cn_rng_below(&rng, 7)];
        text[len] = '\0';
        cn_buf shown = {0};
        bool stopped;
        run(&shown, &stopped, stops, n, text, &rng);
        size_t want = first_stop(text, stops, n);
        assert_int_equal(stopped, want < len);
        assert_int_equal(shown.n, want);
        if (want) assert_memory_equal(shown.p, text, want);
        cn_buf_deinit(&shown);
    }
}

static void test_limits(void **state)
{
    stop_filter f;
    cn_err err;
    char long_stop[MAX_STOP_BYTES + 2];
    const char *many[MAX_STOPS + 1], *empty = "", *overlong = long_stop;
    (void)state;
    for (size_t i = 0; i <= MAX_STOPS; i++)
        many[i] = "x";
    memset(long_stop, 'x', sizeof long_stop - 1);
    long_stop[sizeof long_stop - 1] = '\0';
    assert_int_equal(stop_init(&f, many, MAX_STOPS + 1, 8, &err), CN_E_ARG);
    assert_int_equal(stop_init(&f, &empty, 1, 8, &err), CN_E_ARG);
    assert_int_equal(stop_init(&f, &overlong, 1, 8, &err), CN_E_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_cut),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
