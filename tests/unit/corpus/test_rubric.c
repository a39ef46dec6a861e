/* The marks: bands that alone decide, the whole scale, and what must differ. */
#include "testing.h"

#include "rubric.h"

#define MARKS(...)                                                                             \
    rubric_grade((const unsigned[]){__VA_ARGS__},                                              \
                 sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

enum {
    RIGHT = CO_EV_RIGHT,
    SHARP = CO_EV_RIGHT | CO_EV_PRECISE,
    ASKS = CO_EV_QUESTION,
    OPINION = 0,
};

static void test_bands(void **state)
{
    (void)state;
    assert_true(MARKS(OPINION, OPINION, OPINION).comprehension <= 4);
    assert_true(MARKS(CO_EV_OBJECT, CO_EV_OBJECT, CO_EV_REFUSE).comprehension <= 4);
    assert_true(MARKS(OPINION, RIGHT, OPINION).comprehension >= 6);
    assert_true(MARKS(OPINION, SHARP, RIGHT).comprehension >= 8);
    assert_true(MARKS(RIGHT, CO_EV_MORAL | RIGHT, RIGHT).comprehension >= 9);
    int asking = MARKS(OPINION, ASKS | CO_EV_LOST, ASKS | CO_EV_LOST).comprehension;
    assert_in_range(asking, 5, 6);
    assert_true(MARKS(CO_EV_LOST, CO_EV_LOST, CO_EV_GIVE_UP).comprehension <= 3);
    assert_true(MARKS(CO_EV_BARE, CO_EV_BARE, CO_EV_BARE).cooperation <= 4);
    assert_true(MARKS(OPINION, RUBRIC_WONT_PLAY, CO_EV_OBJECT).cooperation <= 2);
    assert_true(MARKS(OPINION, ASKS, OPINION).cooperation >= 6);
    assert_true(MARKS(OPINION, ASKS, ASKS | RIGHT).cooperation >= 8);
}

static void test_contempt_costs(void **state)
{
    (void)state;
    rubric_marks left = MARKS(OPINION, RUBRIC_CONTEMPT, RUBRIC_CONTEMPT, CO_EV_LEAVE);
    assert_true(left.cooperation <= 1);
    assert_true(left.total <= 6);
    assert_true(MARKS(SHARP, SHARP, SHARP, CO_EV_LEAVE).total <= 6);
    rubric_marks insults = MARKS(CO_EV_INSULT, CO_EV_INSULT, CO_EV_INSULT);
    assert_int_equal(insults.total, 0);
    /* One insult, then real work: fair, not forgotten. */
    rubric_marks back = MARKS(CO_EV_INSULT, OPINION, RIGHT, SHARP);
    assert_in_range(back.cooperation, 1, 4);
    assert_true(back.comprehension >= 7);
}

static void test_progression_sees_order(void **state)
{
    (void)state;
    rubric_marks up = MARKS(OPINION, CO_EV_LOST | ASKS, RIGHT, SHARP, SHARP | ASKS);
    rubric_marks down = MARKS(SHARP | ASKS, SHARP, RIGHT, CO_EV_LOST | ASKS, OPINION);
    rubric_marks flat = MARKS(OPINION, OPINION, OPINION, OPINION, OPINION);
    assert_true(up.progression >= 9);
    assert_true(down.progression <= 4);
    assert_true(flat.progression <= 3);
    assert_true(up.total >= 27);
    rubric_marks resists =
        MARKS(OPINION, CO_EV_OBJECT, CO_EV_REFUSE, CO_EV_OBJECT, CO_EV_REFUSE);
    assert_in_range(resists.progression, 3, 4);
}

/* Every mark from 0 to 10 is given to somebody, and total is always the sum. */
static void test_whole_scale(void **state)
{
    (void)state;
    static const unsigned kinds[] = {OPINION,
                                     RIGHT,
                                     SHARP | ASKS,
                                     ASKS,
                                     CO_EV_LOST,
                                     CO_EV_OBJECT,
                                     CO_EV_BARE,
                                     CO_EV_INSULT,
                                     CO_EV_REFUSE,
                                     CO_EV_GIVE_UP,
                                     CO_EV_PARTIAL,
                                     CO_EV_STUFF,
                                     SHARP | ASKS | CO_EV_MORAL | CO_EV_LINK,
                                     CO_EV_WRONG};
    enum { K = sizeof kinds / sizeof *kinds };
    unsigned seen[3] = {0};
    for (unsigned i = 0; i < K * K * K * K; i++) {
        const unsigned e[] = {kinds[i % K], kinds[i / K % K], kinds[i / K / K % K],
                              kinds[i / K / K / K]};
        rubric_marks m = rubric_grade(e, 4);
        assert_in_range(m.comprehension, 0, 10);
        assert_in_range(m.cooperation, 0, 10);
        assert_in_range(m.progression, 0, 10);
        assert_int_equal(m.total, m.comprehension + m.cooperation + m.progression);
        seen[0] |= 1u << m.comprehension;
        seen[1] |= 1u << m.cooperation;
        seen[2] |= 1u << m.progression;
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], 0x7FF);
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(rubric_grade(NULL, 0).total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_contempt_costs),
        cmocka_unit_test(test_progression_sees_order),
        cmocka_unit_test(test_whole_scale),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
