#include "testing.h"

#include "grammar.h"

static co_grammar *small;

static int open_small(void **state)
{
    char *dir = fixture("corpus");
    cn_err err = {0};
    (void)state;
    cn_status st = co_grammar_open(&small, dir, &err);
    if (st) print_error("%s\n", err.why);
    cn_free(dir);
    return st;
}

static int close_small(void **state)
{
    (void)state;
    co_grammar_free(small);
    return 0;
}

static void says(co_gen *gen, const char *text, co_person person, const char *want)
{
    cn_buf b = {0};
    co_render(gen, co_expand(gen, cn_str_of(text)), person, &b);
    cn_buf_putc(&b, '\0');
    assert_string_equal(b.p, want);
    cn_buf_deinit(&b);
}

static void test_persons(void **state)
{
    co_gen gen;
    (void)state;
    assert_int_equal(co_gen_init(&gen, small, 1, true, NULL), 0);
    says(&gen, "{neg}.", CO_JE, "Je n'arrive pas à me lever.");
    says(&gen, "si {neg}, tu souffres.", CO_TU, "Si tu n'arrives pas à te lever, tu souffres.");
    says(&gen, "{neg:inf} : pourquoi?", CO_TU, "Ne pas arriver à te lever : pourquoi ?");
    says(&gen, "quand {neg:on}, que {neg:on}", CO_TU,
         "Quand on n'arrive pas à se lever, qu'on n'arrive pas à se lever");
    says(&gen, "en {act:ger}, quand @je {act}", CO_JE,
         "En me levant tôt, quand je me lève tôt");
    gen.feminine = true;
    says(&gen, "{wake}", CO_JE, "Je suis énervée quand mon amie oublie l'heure");
    says(&gen, "{wake:on}", CO_JE, "On est énervé quand son amie oublie l'heure");
    co_gen_deinit(&gen);
}

static void test_spelling(void **state)
{
    co_gen gen;
    (void)state;
    assert_int_equal(co_gen_init(&gen, small, 1, false, NULL), 0);
    says(&gen, "parler de_le foot, de_les amis , à_le bac", CO_TU,
         "Parler du foot, des amis, au bac");
    says(&gen, "si il veut que elle lise la histoire de_un héros", CO_TU,
         "S'il veut qu'elle lise l'histoire d'un héros");
    says(&gen, "le héros, la haine et la honte: oui! état ?! élève", CO_TU,
         "Le héros, la haine et la honte : oui ! État ?! Élève");
    says(&gen, "je sais pas... peut-être. @je @[appuyer] et @je @[manger:i]", CO_TU,
         "Je sais pas... peut-être. Tu appuies et tu mangeais");
    says(&gen, "c'est « {wake} »", CO_TU,
         "C'est « tu es énervé quand ton amie oublie l'heure »");
    co_gen_deinit(&gen);
}

static void test_draws(void **state)
{
    co_gen gen;
    (void)state;
    assert_int_equal(co_gen_init(&gen, small, 7, false, NULL), 0);
    for (int i = 0; i < 50; i++) {
        co_gen_reset(&gen, (uint64_t)i);
        assert_true(cn_str_is(co_draw(&gen, "held"), "vu"));
        assert_int_equal(gen.heldout_used, 0);
    }
    co_bind(&gen, "pair");
    assert_true(cn_str_is(co_key(co_draw(&gen, "both")), "foot"));
    says(&gen, "{both}", CO_TU, "Le foot et il joue");
    co_gen_deinit(&gen);
    assert_int_equal(co_gen_init(&gen, small, 7, true, NULL), 0);
    unsigned held = 0;
    for (int i = 0; i < 50; i++) {
        co_gen_reset(&gen, (uint64_t)i);
        held += cn_str_is(co_draw(&gen, "held"), "caché");
    }
    assert_in_range(held, 10, 40);
    co_gen_deinit(&gen);
}

static void test_unknown_rule(void **state)
{
    co_grammar *g = NULL;
    cn_err err = {0};
    (void)state;
    char dir[] = "/tmp/corpus-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.txt", dir);
    assert_int_equal(cn_file_write(path, CN_STR("= a\nhere {missing}\n"), &err), 0);
    assert_int_equal(co_grammar_open(&g, dir, &err), CN_E_FORMAT);
    assert_null(g);
    remove(path);
    remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_persons),
        cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_unknown_rule),
    };
    return cmocka_run_group_tests(tests, open_small, close_small);
}
