/* What people and scripts get to see: JSON, units, tables, errors, exit codes. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "json_out.h"
#include "table.h"

static void json_round_trip(void **state)
{
    (void)state;
    json_out j = {0};
    const int32_t ids[] = {1, -2};
    json_open(&j, '{');
    json_put_text(&j, "a", "x\"\n");
    json_put_text(&j, "none", NULL);
    json_put_ids(&j, "ids", ids, 2);
    json_put_num(&j, "third", 1.0 / 3);
    json_put_num(&j, "nan", (double)NAN);
    json_key(&j, "f");
    json_float(&j, 0.1f);
    json_key(&j, "o");
    json_open(&j, '{');
    json_close(&j, '}');
    json_put_bool(&j, "yes", true);
    json_put_uint(&j, "big", UINT64_MAX);
    json_close(&j, '}');
    assert_string_equal(j.b.p, "{\"a\":\"x\\\"\\n\",\"none\":null,\"ids\":[1,-2],"
                               "\"third\":0.33333333333333331,\"nan\":null,\"f\":0.100000001,"
                               "\"o\":{},\"yes\":true,\"big\":18446744073709551615}");
    cn_buf_deinit(&j.b);
}

static void units(void **state)
{
    (void)state;
    char s[24];
    assert_string_equal(cli_bytes(s, sizeof s, 17), "17 B");
    assert_string_equal(cli_bytes(s, sizeof s, 1023), "1023 B");
    assert_string_equal(cli_bytes(s, sizeof s, 1024), "1.00 KiB");
    assert_string_equal(cli_bytes(s, sizeof s, 4368439584), "4.07 GiB");
    assert_string_equal(cli_count(s, sizeof s, 0), "0");
    assert_string_equal(cli_count(s, sizeof s, 7241732096), "7.24 B");
    assert_string_equal(cli_count(s, sizeof s, 134515008), "135 M");
    assert_string_equal(cli_count(s, sizeof s, 999999), "1.00 M");
}

static void columns_align(void **state)
{
    (void)state;
    char text[128] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    cli_table *t = cli_table_new("lr");
    cli_table_cell(t, "é");
    cli_table_cell(t, "%d", 5);
    cli_table_cell(t, "long");
    cli_table_cell(t, "%d", 123);
    cli_table_print(t, f);
    fclose(f);
    cli_table_free(t);
    assert_string_equal(text, "é       5\nlong  123\n");
}

static void errors_have_four_parts(void **state)
{
    (void)state;
    cn_err err = {0};
    cn_status st = cn_fail(&err, CN_E_FORMAT, "ends at byte 7, a header has %d", 24);
    cn_ctx(&err, st, "opening \"x\"");
    cn_next(&err, st, "download it again");
    cn_buf out = {0};
    cn_json *j = NULL;
    cli_error_json(&out, st, &err);
    assert_int_equal(cn_json_parse(&j, cn_buf_view(&out), NULL), CN_OK);
    const cn_json *e = cn_json_get(j, "error");
    assert_true(cn_json_is(cn_json_get(e, "code"), "bad-format"));
    assert_true(cn_json_is(cn_json_get(e, "message"),
                           "opening \"x\": ends at byte 7, a header has 24"));
    assert_true(cn_json_is(cn_json_get(e, "what"), "opening \"x\""));
    assert_true(cn_json_is(cn_json_get(e, "why"), "ends at byte 7, a header has 24"));
    assert_true(cn_json_is(cn_json_get(e, "next"), "download it again"));
    cn_json_free(j);
    cn_buf_deinit(&out);
}

static void exit_codes(void **state)
{
    (void)state;
    assert_int_equal(cli_exit_code(CN_OK), 0);
    assert_int_equal(cli_exit_code(CN_E_ARG), 2);
    assert_int_equal(cli_exit_code(CN_E_NOT_FOUND), 3);
    assert_int_equal(cli_exit_code(CN_E_REFUSED), 4);
    assert_int_equal(cli_exit_code(CN_E_NOMEM), 5);
    assert_int_equal(cli_exit_code(CN_E_DISK), 5);
    assert_int_equal(cli_exit_code(CN_E_NETWORK), 6);
    assert_int_equal(cli_exit_code(CN_E_FORMAT), 7);
    assert_int_equal(cli_exit_code(CN_E_BUSY), 8);
    assert_int_equal(cli_exit_code(CN_E_CANCELLED), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_round_trip), cmocka_unit_test(units),
        cmocka_unit_test(columns_align),   cmocka_unit_test(errors_have_four_parts),
        cmocka_unit_test(exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
