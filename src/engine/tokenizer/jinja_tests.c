/* Tests: x is something. */
#include "jinja_string.h"

#define TEST(name) static jv name(jrun *r, jv self, const jv *a, const jargs *all)
#define UNUSED (void)r, (void)self, (void)a, (void)all

static bool divides(jrun *r, jv v, jv by, int64_t rest)
{
    jv m = j_arith(r, JO_MOD, v, by);
    return j_is_number(m) && j_as_float(m) == (double)rest;
}

TEST(t_odd)
{
    UNUSED;
    return j_bool(divides(r, self, j_int(2), 1));
}
TEST(t_even)
{
    UNUSED;
    return j_bool(divides(r, self, j_int(2), 0));
}
TEST(t_divisibleby)
{
    UNUSED;
    return j_bool(divides(r, self, a[0], 0));
}
TEST(t_defined)
{
    UNUSED;
    return j_bool(self.kind != J_UNDEF);
}
TEST(t_undefined)
{
    UNUSED;
    return j_bool(self.kind == J_UNDEF);
}
TEST(t_none)
{
    UNUSED;
    return j_bool(self.kind == J_NONE);
}
TEST(t_boolean)
{
    UNUSED;
    return j_bool(self.kind == J_BOOL);
}
TEST(t_true)
{
    UNUSED;
    return j_bool(self.kind == J_BOOL && self.u.b);
}
TEST(t_false)
{
    UNUSED;
    return j_bool(self.kind == J_BOOL && !self.u.b);
}
TEST(t_integer)
{
    UNUSED;
    return j_bool(self.kind == J_INT);
}
TEST(t_float)
{
    UNUSED;
    return j_bool(self.kind == J_FLOAT);
}
TEST(t_number)
{
    UNUSED;
    return j_bool(j_is_number(self));
}
TEST(t_string)
{
    UNUSED;
    return j_bool(self.kind == J_STR);
}
TEST(t_mapping)
{
    UNUSED;
    return j_bool(self.kind == J_DICT);
}
TEST(t_iterable)
{
    UNUSED;
    return j_bool(j_iterable(self) || self.kind == J_LOOP);
}
TEST(t_lower)
{
    UNUSED;
    return j_bool(js_is_case(j_to_str(r, self), false));
}
TEST(t_upper)
{
    UNUSED;
    return j_bool(js_is_case(j_to_str(r, self), true));
}
TEST(t_escaped)
{
    UNUSED;
    return j_bool(self.kind == J_STR && self.u.s->markup);
}
TEST(t_in)
{
    UNUSED;
    return j_bool(j_contains(r, self, a[0]));
}
TEST(t_eq)
{
    UNUSED;
    return j_bool(j_equal(r, self, a[0]));
}
TEST(t_ne)
{
    UNUSED;
    return j_bool(!j_equal(r, self, a[0]));
}
TEST(t_lt)
{
    UNUSED;
    return j_bool(j_compare(r, self, a[0], "<") < 0);
}
TEST(t_le)
{
    UNUSED;
    return j_bool(j_compare(r, self, a[0], "<=") <= 0);
}
TEST(t_gt)
{
    UNUSED;
    return j_bool(j_compare(r, self, a[0], ">") > 0);
}
TEST(t_ge)
{
    UNUSED;
    return j_bool(j_compare(r, self, a[0], ">=") >= 0);
}

TEST(t_sequence)
{
    UNUSED;
    size_t n;
    if (self.kind == J_VIEW) return j_bool(false);
    return j_bool(j_len(self, &n));
}

TEST(t_callable)
{
    UNUSED;
    return j_bool(self.kind == J_MACRO || self.kind == J_FUNC || self.kind == J_METHOD ||
                  self.kind == J_LOOP || self.kind == J_JOINER || self.kind == J_UNDEF);
}

TEST(t_sameas)
{
    UNUSED;
    if (self.kind != a[0].kind) return j_bool(false);
    bool plain = self.kind <= J_STR; /* no identity of their own here */
    return j_bool(plain ? j_equal(r, self, a[0]) : self.u.s == a[0].u.s);
}

TEST(t_filter)
{
    UNUSED;
    return j_bool(self.kind == J_STR && jfilter_find(j_view(self.u.s)));
}

TEST(t_test)
{
    UNUSED;
    return j_bool(self.kind == J_STR && jfunc_find(j_tests, j_view(self.u.s)));
}

const jfunc j_tests[] = {
    {"defined", t_defined, 0, 0, {0}},
    {"undefined", t_undefined, 0, 0, {0}},
    {"none", t_none, 0, 0, {0}},
    {"string", t_string, 0, 0, {0}},
    {"mapping", t_mapping, 0, 0, {0}},
    {"iterable", t_iterable, 0, 0, {0}},
    {"sequence", t_sequence, 0, 0, {0}},
    {"boolean", t_boolean, 0, 0, {0}},
    {"true", t_true, 0, 0, {0}},
    {"false", t_false, 0, 0, {0}},
    {"number", t_number, 0, 0, {0}},
    {"integer", t_integer, 0, 0, {0}},
    {"float", t_float, 0, 0, {0}},
    {"odd", t_odd, 0, 0, {0}},
    {"even", t_even, 0, 0, {0}},
    {"divisibleby", t_divisibleby, 1, 1, {"num"}},
    {"callable", t_callable, 0, 0, {0}},
    {"sameas", t_sameas, 1, 1, {"other"}},
    {"lower", t_lower, 0, 0, {0}},
    {"upper", t_upper, 0, 0, {0}},
    {"escaped", t_escaped, 0, 0, {0}},
    {"filter", t_filter, 0, 0, {0}},
    {"test", t_test, 0, 0, {0}},
    {"in", t_in, 1, 1, {"seq"}},
    {"==", t_eq, 1, 1, {"b"}},
    {"eq", t_eq, 1, 1, {"b"}},
    {"equalto", t_eq, 1, 1, {"b"}},
    {"!=", t_ne, 1, 1, {"b"}},
    {"ne", t_ne, 1, 1, {"b"}},
    {"<", t_lt, 1, 1, {"b"}},
    {"lt", t_lt, 1, 1, {"b"}},
    {"lessthan", t_lt, 1, 1, {"b"}},
    {"<=", t_le, 1, 1, {"b"}},
    {"le", t_le, 1, 1, {"b"}},
    {">", t_gt, 1, 1, {"b"}},
    {"gt", t_gt, 1, 1, {"b"}},
    {"greaterthan", t_gt, 1, 1, {"b"}},
    {">=", t_ge, 1, 1, {"b"}},
    {"ge", t_ge, 1, 1, {"b"}},
    {0},
};
