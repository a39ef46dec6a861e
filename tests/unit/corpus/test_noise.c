/* Pupils' hands: reproducible, recognisable, valid UTF-8. */
#include "testing.h"

#include <string.h>

#include "noise.h"
#include "utf8.h"

static const char sentence[] =
    "Je ne sais pas pourquoi j'ai envie de regarder mon téléphone, c'est plus fort que moi.";

static char *written(const noise_hand *hand, uint64_t seed, const char *clean, const char *keep)
{
    cn_rng rng = cn_rng_seeded(seed);
    cn_buf out = {0};
    noise_write(&out, cn_str_of(clean), cn_str_of(keep), hand, &rng);
    return cn_buf_take(&out);
}

static void expect(noise_hand hand, const char *clean, const char *as)
{
    char *got = written(&hand, 1, clean, "");
    assert_string_equal(got, as);
    cn_free(got);
}

static void test_each_habit(void **state)
{
    (void)state;
    expect((noise_hand){0}, "C'est ça, l'été.", "C'est ça, l'été.");
    expect((noise_hand){.lower = true}, "Être ou ne pas être.", "être ou ne pas être.");
    expect((noise_hand){.no_accent = true}, "Ça, c'est mon cœur.", "Ca, c'est mon coeur.");
    expect((noise_hand){.no_apostrophe = true}, "J'aime l'école.", "Jaime lécole.");
    expect((noise_hand){.curly = true}, "J'aime.", "J’aime.");
    expect((noise_hand){.no_stop = true}, "Je dors...", "Je dors");
    expect((noise_hand){.no_ne = 100}, "Je ne vois pas.", "Je vois pas.");
    expect((noise_hand){.short_form = 100}, "Beaucoup ?", "Bcp ?");
}

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        cn_rng a = cn_rng_seeded(seed), b = cn_rng_seeded(seed);
        noise_hand one = noise_draw(&a, NOISE_SMS), two = noise_draw(&b, NOISE_SMS);
        char *x = written(&one, seed, sentence, ""), *y = written(&two, seed, sentence, "");
        assert_string_equal(x, y);
        cn_free(x);
        cn_free(y);
    }
}

/* The kept word may lose accents and capitals, nothing else. */
static void test_keeps_the_key_word(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        cn_rng rng = cn_rng_seeded(seed);
        noise_hand hand = noise_draw(&rng, seed % NOISE_LEVELS);
        char *got = written(&hand, seed, sentence, "téléphone");
        assert_true(cn_utf8_valid(got, strlen(got)));
        assert_true(strstr(got, "téléphone") || strstr(got, "telephone"));
        cn_free(got);
    }
}

static void test_levels_differ(void **state)
{
    (void)state;
    unsigned changed[NOISE_LEVELS] = {0};
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (unsigned level = 0; level < NOISE_LEVELS; level++) {
            cn_rng rng = cn_rng_seeded(seed);
            noise_hand hand = noise_draw(&rng, level);
            hand.curly = false;
            char *got = written(&hand, seed, sentence, "");
            changed[level] += strcmp(got, sentence) != 0;
            cn_free(got);
        }
    }
    assert_int_equal(changed[NOISE_CLEAN], 0);
    assert_true(changed[NOISE_LIGHT] > 50 && changed[NOISE_LIGHT] < 200);
    assert_true(changed[NOISE_SMS] >= 198);
}

/* Short, empty and foreign text must not confuse it. */
static void test_odd_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "?", "é", "J'", "ŒUVRE", "مرحبا", "’’", "a b"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (uint64_t seed = 0; seed < 100; seed++) {
            cn_rng rng = cn_rng_seeded(seed);
            noise_hand hand = noise_draw(&rng, seed % NOISE_LEVELS);
            char *got = written(&hand, seed, texts[i], "");
            assert_true(!got || cn_utf8_valid(got, strlen(got)));
            cn_free(got);
        }
    }
    assert_true(noise_is_curly(cn_str_of("j’ai")));
    assert_false(noise_is_curly(cn_str_of("j'ai")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_habit),         cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_keeps_the_key_word), cmocka_unit_test(test_levels_differ),
        cmocka_unit_test(test_odd_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
