/* What limits this process: the tightest of machine, cgroup and ulimit. */
#include "testing.h"

#include <sched.h>

#include "sysinfo.h"

static void test_the_tightest_limit_wins(void **state)
{
    (void)state;
    const uint64_t none = UINT64_MAX;
    const struct {
        cn_sys_memory memory;
        uint64_t left;
        const char *why;
    } cases[] = {
        {{100, 60, none, 0, none, 10}, 60, "machine memory"},
        {{100, 60, 50, 20, none, 10}, 50, "cgroup limit"},
        {{100, 60, none, 0, 50, 10}, 40, "ulimit -v"},
        {{100, 60, 30, 0, 50, 10}, 30, "cgroup limit"},
        {{100, 60, 30, 0, 50, 45}, 5, "ulimit -v"},
        {{100, 60, none, 0, 50, 70}, 0, "ulimit -v"},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        const char *why;
        assert_true(cn_sys_memory_left(&cases[i].memory, &why) == cases[i].left);
        assert_string_equal(why, cases[i].why);
    }
}

static void test_this_machine(void **state)
{
    (void)state;
    cn_sys_memory m = cn_sys_memory_now();
    assert_true(m.total > (64u << 20));
    assert_true(m.available > 0 && m.available <= m.total);
    assert_true(m.address_used > 0);
    assert_true(m.cgroup_limit == UINT64_MAX || m.cgroup_limit < m.total);
}

static void test_processors(void **state)
{
    (void)state;
    cpu_set_t all, one;
    unsigned n = cn_sys_n_cpus();
    assert_true(n >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_true(n <= (unsigned)CPU_COUNT(&all));
    int first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cn_sys_n_cpus(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tightest_limit_wins),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
