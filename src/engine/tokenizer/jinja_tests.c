/* Tests: x is something. */
#include "jinja_string.h"

static bool divides(jrun *r, jv v, jv by, int64_t rest)
{
    jv m = j_arith(r, JO_MOD, v, by);
    return j_is_number(m) && j_as_float(m) == (double)rest;
}

JFUNC(t_odd)
{
    return j_bool(divides(r, self, j_int(2), 1));
}
JFUNC(t_even)
{
    return j_bool(divides(r, self, j_int(2), 0));
}
JFUNC(t_divisibleby)
{
    return j_bool(divides(r, self, a[0], 0));
}
JFUNC(t_defined)
{
    return j_bool(self.kind != J_UNDEF);
}
JFUNC(t_undefined)
{
    return j_bool(self.kind == J_UNDEF);
}
JFUNC(t_none)
{
    return j_bool(self.kind == J_NONE);
}
JFUNC(t_boolean)
{
    return j_bool(self.kind == J_BOOL);
}
JFUNC(t_true)
{
    return j_bool(self.kind == J_BOOL && self.u.b);
}
JFUNC(t_false)
{
    return j_bool(self.kind == J_BOOL && !self.u.b);
}
JFUNC(t_integer)
{
    return j_bool(self.kind == J_INT);
}
JFUNC(t_float)
{
    return j_bool(self.kind == J_FLOAT);
}
JFUNC(t_number)
{
    return j_bool(j_is_number(self));
}
JFUNC(t_string)
{
    return j_bool(self.kind == J_STR);
}
JFUNC(t_mapping)
{
    return j_bool(self.kind == J_DICT);
}
JFUNC(t_iterable)
{
    return j_bool(j_iterable(self) || self.kind == J_LOOP);
}
JFUNC(t_lower)
{
    return j_bool(js_is_case(r, j_to_str(r, self), false));
}
JFUNC(t_upper)
{
    return j_bool(js_is_case(r, j_to_str(r, self), true));
}
JFUNC(t_escaped)
{
    return j_bool(self.kind == J_STR && self.u.s->markup);
}
JFUNC(t_in)
{
    return j_bool(j_contains(r, self, a[0]));
}
JFUNC(t_eq)
{
    return j_bool(j_equal(r, self, a[0]));
}
JFUNC(t_ne)
{
    return j_bool(!j_equal(r, self, a[0]));
}
JFUNC(t_lt)
{
    return j_bool(j_compare(r, self, a[0], "<") < 0);
}
JFUNC(t_le)
{
    return j_bool(j_compare(r, self, a[0], "<=") <= 0);
}
JFUNC(t_gt)
{
    return j_bool(j_compare(r, self, a[0], ">") > 0);
}
JFUNC(t_ge)
{
    return j_bool(j_compare(r, self, a[0], ">=") >= 0);
}

JFUNC(t_sequence)
{
    size_t n;
    if (self.kind == J_VIEW) return j_bool(false);
    return j_bool(j_len(self, &n));
}

JFUNC(t_callable)
{
    return j_bool(self.kind == J_MACRO || self.kind == J_FUNC || self.kind == J_METHOD ||
                  self.kind == J_LOOP || self.kind == J_JOINER || self.kind == J_UNDEF);
}

JFUNC(t_sameas)
{
    if (self.kind != a[0].kind) return j_bool(false);
    bool plain = self.kind <= J_STR; /* no identity of their own here */
    return j_bool(plain ? j_equal(r, self, a[0]) : self.u.s == a[0].u.s);
}

JFUNC(t_filter)
{
    return j_bool(self.kind == J_STR && jfilter_find(j_view(self.u.s)));
}

JFUNC(t_test)
{
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
