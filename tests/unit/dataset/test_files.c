/* Files as people have them: kinds, bad lines, duplicates, what is held out, what leaks. */
#include "fixture.h"

#include "digest.h"
#include "file.h"

static const dataset_options form_only = {.skip_bad = true, .allow_none = true};

static const dataset_finding *finding(const dataset_report *r, dataset_what what, size_t nth)
{
    for (size_t i = 0; i < r->n_findings; i++)
        if (r->findings[i].what == what && nth-- == 0) return &r->findings[i];
    fail_msg("no finding %zu of %s", nth, dataset_what_name(what));
    return NULL;
}

static void assert_finding(const dataset_report *r, dataset_what what, size_t nth,
                           uint64_t line, const char *why)
{
    const dataset_finding *f = finding(r, what, nth);
    assert_int_equal(f->line, line);
    if (!strstr(f->why, why)) fail_msg("\"%s\" does not say \"%s\"", f->why, why);
}

static void forms_and_lines_are_counted(void **state)
{
    (void)state;
    dataset *d = open_data("{\"text\": \"na\xC3\xAFve\", \"meta\": {\"a\": [1, null]}}\r\n"
                           "\n"
                           "  \t\n"
                           "{\"prompt\": \"ab\", \"completion\": \"cde\"}\n"
                           "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, "
                           "{\"role\": \"assistant\", \"content\": \"yz\"}]}",
                           &form_only);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_lines, 5);
    assert_int_equal(r->n_found, 3);
    assert_int_equal(r->n_text, 1);
    assert_int_equal(r->n_pairs, 1);
    assert_int_equal(r->n_messages, 1);
    assert_int_equal(r->n_records, 3);
    assert_false(r->in_tokens);
    assert_int_equal(r->n_tokens, 5 + 5 + 3);
    assert_int_equal(r->n_loss_tokens, 5 + 3 + 2);
    assert_int_equal(r->shortest, 3);
    assert_int_equal(r->median, 5);
    assert_int_equal(r->longest, 5);
    assert_int_equal(dataset_at(d, false, 1).line, 4);
    assert_null(dataset_at(d, false, 1).ids);
    dataset_close(d);
}

static void bad_lines_are_told_with_their_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"{\"text\": \"a\"", "no valid JSON: column"},
        {"not json", "no valid JSON"},
        {"[1]", "no JSON object"},
        {"{\"txt\": \"a\"}", "none of \"text\""},
        {"{\"text\": 3}", "\"text\" is no text"},
        {"{\"text\": \"a\\u0000b\"}", "NUL character"},
        {"{\"text\": \"\xE9\"}", "byte 11 is 0xE9"},
        {"{\"prompt\": \"a\"}", "\"completion\" is missing"},
        {"{\"completion\": \"a\"}", "\"prompt\" is missing"},
        {"{\"text\": \"a\", \"text\": \"b\"}", "duplicate object key"},
        {"{\"messages\": {}}", "\"messages\" is no array"},
        {"{\"messages\": [\"a\"]}", "message 1 is no object"},
        {"{\"messages\": [{\"content\": \"a\"}]}", "message 1 has no \"role\""},
        {"{\"messages\": [{\"role\": \"user\"}]}", "message 1 has no \"content\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": 1}]}", "is no text"},
        {"{\"text\": \"\\ud800\"}", "no valid JSON"},
    };
    cn_buf b = {0};
    cn_buf_lit(&b, "{\"text\": \"good\"}\n");
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++)
        cn_buf_printf(&b, "%s\n", cases[i].line);
    cn_buf_lit(&b, "{\"text\": \"good too\"}\n");
    dataset *d = open_data(b.p, &form_only);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_bad, CN_ARRAY_LEN(cases));
    assert_int_equal(r->n_records, 2);
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++)
        assert_finding(r, DATASET_BAD, i, i + 2, cases[i].why);
    dataset_close(d);

    cn_err err;
    assert_int_equal(refuse_data(b.p, b.n, &(dataset_options){0}, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.what, "line 2"));
    assert_non_null(strstr(err.next, "--skip-bad"));
    cn_buf_deinit(&b);
}

static void raw_nul_and_long_lines_are_bad(void **state)
{
    (void)state;
    cn_buf b = {0};
    cn_buf_append(&b, "{\"text\": \"a\0b\"}\n{\"text\": \"", 26);
    char *x = cn_buf_extend(&b, (size_t)17 << 20);
    memset(x, 'x', (size_t)17 << 20);
    cn_buf_lit(&b, "\"}\n{\"text\": \"after\"}\n");
    char *path = data_file(b.p, b.n);
    const char *paths[] = {path};
    dataset *d;
    assert_int_equal(dataset_open(&d, paths, 1, &form_only, NULL), CN_OK);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_bad, 2);
    assert_finding(r, DATASET_BAD, 0, 1, "a NUL at byte 12");
    assert_finding(r, DATASET_BAD, 1, 2, "over 16 MiB");
    assert_int_equal(dataset_at(d, false, 0).line, 3);
    dataset_close(d);
    drop_file(path);
    cn_buf_deinit(&b);
}

static void csv_is_read_by_its_header(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset_options o = {.tokenizer = t, .no_eos = true};
    dataset *d = open_data("\xEF\xBB\xBFid;prompt;completion\r\n"
                           "1;\"a \"\"b\"\";\r\nc\";\"d;e\"\r\n"
                           "2;plain;\"two\nlines\"\r\n"
                           "\r\n"
                           "3;last;one",
                           &o);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_pairs, 3);
    assert_int_equal(r->n_boms, 1);
    assert_int_equal(r->n_lines, 7);
    static const char *const prompts[] = {"a \"b\";\r\nc", "plain", "last"};
    static const char *const learns[] = {"[d;e]", "[two\nlines]", "[one]"};
    static const uint64_t lines[] = {2, 4, 7};
    for (size_t i = 0; i < 3; i++) {
        dataset_record q = dataset_at(d, false, i);
        char *before = learnt(t, q, false), want[64];
        snprintf(want, sizeof want, "[<|endoftext|>%s]", prompts[i]);
        assert_string_equal(before, want);
        assert_learnt(t, q, learns[i]);
        assert_int_equal(q.line, lines[i]);
        cn_free(before);
    }
    dataset_close(d);
    cn_tokenizer_free(t);
}

static void bad_csv_lines_do_not_swallow_others(void **state)
{
    (void)state;
    dataset *d = open_data("text,note\n"
                           "good,1\n"
                           "three,fields,here\n"
                           "one\n"
                           "a \"quote\" inside,1\n"
                           "\"closed\"then,1\n"
                           "\"never closed,1\n"
                           "\"good too\",\n"
                           ",empty\n",
                           &form_only);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_text, 2);
    assert_int_equal(r->n_empty, 1);
    assert_finding(r, DATASET_EMPTY, 0, 9, "nothing");
    assert_finding(r, DATASET_BAD, 0, 3, "3 fields, the header has 2");
    assert_finding(r, DATASET_BAD, 1, 4, "1 fields, the header has 2");
    assert_finding(r, DATASET_BAD, 2, 5, "a quote inside a field that is not quoted");
    assert_finding(r, DATASET_BAD, 3, 6, "text after a closing quote");
    assert_int_equal(r->n_bad, 5);
    dataset_close(d);
}

static void files_of_other_kinds_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[{\"text\": \"a\"}]", "JSON array"},
        {"{\n  \"text\": \"a\"\n}\n", "over several lines"},
        {"\xFF\xFEt", "UTF-16"},
        {"\x1F\x8B\x08", "gzip"},
        {"PK\x03\x04", "zip"},
        {"GGUF\x03", "GGUF"},
        {"a,b\n1,2\n", "neither JSONL"},
        {"text,text\n1,2\n", "neither JSONL"},
        {"prompt\nx\n", "neither JSONL"},
        {"\n \n\n", "only blank lines"},
        {"text,note\n\n", "no record in 2 lines"},
        {"", "empty (0 bytes)"},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        cn_err err;
        const char *text = cases[i].text;
        assert_int_equal(refuse_data(text, strlen(text), &form_only, &err), CN_E_FORMAT);
        if (!strstr(err.why, cases[i].why)) fail_msg("%zu: %s", i, err.why);
        assert_true(err.what[0]);
    }
}

static void paths_that_are_no_files_are_named(void **state)
{
    (void)state;
    dataset *d;
    cn_err err = {0};
    const char *missing[] = {"/tmp/conatus-no-such-file"}, *folder[] = {"/tmp"};
    assert_int_equal(dataset_open(&d, missing, 1, &form_only, &err), CN_E_NOT_FOUND);
    assert_int_equal(dataset_open(&d, folder, 1, &form_only, &err), CN_E_ARG);
    assert_non_null(strstr(err.why, "folder"));
    assert_int_equal(dataset_open(&d, folder, 0, &form_only, &err), CN_E_ARG);
    assert_int_equal(dataset_open(&d, folder, 1, &(dataset_options){.heldout = 1}, &err),
                     CN_E_ARG);
}

static void duplicates_and_empty_records_are_left_out(void **state)
{
    (void)state;
    static const char text[] = "{\"text\": \"one\"}\n"
                               "{\"text\": \" \\n \"}\n"
                               "{\"text\": \"one\", \"kind\": \"b\"}\n"
                               "{\"prompt\": \"p\", \"completion\": \"\"}\n"
                               "{\"messages\": []}\n"
                               "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n"
                               "{\"text\": \"One\"}\n";
    dataset *d = open_data(text, &form_only);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_records, 2);
    assert_int_equal(r->n_empty, 3);
    assert_int_equal(r->n_duplicate, 1);
    assert_int_equal(r->n_no_loss, 1);
    assert_finding(r, DATASET_DUPLICATE, 0, 3, "line 1");
    assert_int_equal(finding(r, DATASET_DUPLICATE, 0)->other_line, 1);
    assert_finding(r, DATASET_EMPTY, 2, 5, "nothing");
    assert_finding(r, DATASET_NO_LOSS, 0, 6, "no answer");
    dataset_close(d);
    d = open_data(text, &(dataset_options){.keep_duplicates = true});
    assert_int_equal(dataset_report_of(d)->n_records, 3);
    assert_int_equal(dataset_report_of(d)->n_duplicate, 1);
    dataset_close(d);
}

static void long_records_are_cut_and_counted(void **state)
{
    (void)state;
    static const char text[] =
        "{\"text\": \"the cause of the cause of the cause\"}\n"
        "{\"prompt\": \"the cause of the cause of\", \"completion\": \"a\"}\n"
        "{\"prompt\": \"b\", \"completion\": \"c\"}\n";
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = open_data(text, &(dataset_options){.tokenizer = t, .n_ctx = 6});
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_truncated, 1);
    assert_int_equal(r->n_no_loss, 1);
    assert_int_equal(dataset_at(d, false, 0).n, 6);
    assert_true(r->longest > 6);
    assert_int_equal(r->n_tokens, 6 + dataset_at(d, false, 1).n);
    assert_finding(r, DATASET_TRUNCATED, 0, 1, "the context has 6");
    assert_finding(r, DATASET_NO_LOSS, 0, 2, "within the context");
    dataset_close(d);
    cn_err err;
    dataset_options o = {.tokenizer = t, .n_ctx = 1};
    assert_int_equal(refuse_data(text, strlen(text), &o, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "of 3 records none is left"));
    cn_tokenizer_free(t);
}

static char *numbered(size_t n, bool twice)
{
    cn_buf b = {0};
    for (size_t i = 0; i < n; i++) {
        cn_buf_printf(&b, "{\"text\": \"Line %zu.\"}\n", i);
        if (twice) cn_buf_printf(&b, "{\"text\": \"line %zu\"}\n", i);
    }
    return cn_buf_take(&b);
}

/* More lines do not move a record; what differs by case and punctuation stays together. */
static void the_division_is_stable(void **state)
{
    (void)state;
    bool held[200] = {0};
    char *few = numbered(200, false), *many = numbered(400, true);
    dataset *d = open_data(few, &(dataset_options){.heldout = 0.2, .seed = 3});
    size_t n = dataset_n(d, true);
    assert_true(n > 15 && n < 70);
    assert_int_equal(n + dataset_n(d, false), 200);
    for (size_t i = 0; i < n; i++)
        held[dataset_at(d, true, i).line - 1] = true;
    dataset_close(d);
    d = open_data(many, &(dataset_options){.heldout = 0.2, .seed = 3});
    assert_int_equal(dataset_report_of(d)->n_leaks, 0);
    assert_int_equal(dataset_report_of(d)->n_duplicate, 0);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < dataset_n(d, side); i++) {
            uint64_t line = dataset_at(d, side, i).line - 1;
            if (line < 400) assert_int_equal(held[line / 2], side);
        }
    dataset_close(d);
    d = open_data(few, &(dataset_options){.heldout = 0.2, .seed = 4});
    size_t same = 0;
    for (size_t i = 0; i < dataset_n(d, true); i++)
        same += held[dataset_at(d, true, i).line - 1];
    assert_true(same < n);
    dataset_close(d);
    cn_free(few);
    cn_free(many);
}

static void something_is_held_out_and_something_is_not(void **state)
{
    (void)state;
    for (size_t lines = 1; lines < 5; lines++) {
        char *text = numbered(lines, false);
        dataset *d = open_data(text, &(dataset_options){.heldout = 0.01});
        assert_int_equal(dataset_n(d, true), lines > 1);
        dataset_close(d);
        d = open_data(text, &(dataset_options){.heldout = 0.99});
        assert_true(dataset_n(d, false) > 0);
        dataset_close(d);
        cn_free(text);
    }
}

static void leaks_from_a_file_of_its_own_are_counted(void **state)
{
    (void)state;
    static const char train[] = "{\"text\": \"All is one\"}\n"
                                "{\"prompt\": \"Who are you?\", \"completion\": \"Baruch\"}\n"
                                "{\"prompt\": \"1\", \"completion\": \"2\"}\n";
    static const char held[] = "{\"text\": \"all is one!\"}\n"
                               "{\"prompt\": \"who are you\", \"completion\": \"Benedict\"}\n"
                               "{\"prompt\": \"1\", \"completion\": \"2\"}\n"
                               "{\"text\": \"new\"}\n";
    char *a = data_file(train, strlen(train)), *b = data_file(held, strlen(held));
    const char *paths[] = {a};
    dataset *d;
    dataset_options o = {.heldout_path = b};
    assert_int_equal(dataset_open(&d, paths, 1, &o, NULL), CN_OK);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_records, 3);
    assert_int_equal(r->n_heldout, 4);
    assert_int_equal(r->n_leaks, 3);
    assert_int_equal(r->n_leaks_text, 2);
    assert_int_equal(r->n_leaks_prompt, 2);
    assert_int_equal(r->n_duplicate, 0);
    assert_finding(r, DATASET_LEAK, 0, 1, "the same text");
    assert_finding(r, DATASET_LEAK, 1, 2, "the same prompt");
    assert_int_equal(finding(r, DATASET_LEAK, 1)->file, 1);
    assert_int_equal(finding(r, DATASET_LEAK, 1)->other_line, 2);
    assert_int_equal(strlen(r->heldout_sha256), 64);
    dataset_close(d);
    drop_file(a);
    drop_file(b);
}

static void only_the_first_findings_are_told(void **state)
{
    (void)state;
    cn_buf b = {0};
    for (int i = 0; i < 50; i++)
        cn_buf_lit(&b, "{}\n");
    cn_buf_lit(&b, "{\"text\": \"a\"}\n{\"text\": \"a\"}\n");
    dataset *d = open_data(b.p, &form_only);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_bad, 50);
    assert_int_equal(r->n_findings, DATASET_FINDINGS + 1);
    assert_finding(r, DATASET_BAD, DATASET_FINDINGS - 1, DATASET_FINDINGS, "none of");
    assert_finding(r, DATASET_DUPLICATE, 0, 52, "line 51");
    dataset_close(d);
    cn_buf_deinit(&b);
}

static bool give_up(void *user, double done)
{
    assert_true(done >= 0 && done <= 1);
    ++*(int *)user;
    return false;
}

static void progress_may_cancel(void **state)
{
    (void)state;
    int calls = 0;
    cn_err err;
    dataset_options o = {.progress = give_up, .user = &calls};
    assert_int_equal(refuse_data("{\"text\": \"a\"}\n", 14, &o, &err), CN_E_CANCELLED);
    assert_int_equal(calls, 1);
}

/* The threads change nothing of what comes out. */
static void threads_do_not_matter(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/spm/tokenizer.model");
    char *text = numbered(3000, true);
    dataset_options o = {.tokenizer = t, .heldout = 0.1, .n_threads = 1};
    dataset *one = open_data(text, &o), *four;
    o.n_threads = 4;
    four = open_data(text, &o);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(dataset_n(one, side), dataset_n(four, side));
        for (size_t i = 0; i < dataset_n(one, side); i++) {
            dataset_record a = dataset_at(one, side, i), b = dataset_at(four, side, i);
            assert_int_equal(a.line, b.line);
            assert_int_equal(a.n, b.n);
            assert_memory_equal(a.ids, b.ids, a.n * sizeof *a.ids);
            assert_memory_equal(a.loss, b.loss, a.n);
        }
    }
    dataset_close(one);
    dataset_close(four);
    cn_free(text);
    cn_tokenizer_free(t);
}

/* FIPS 180-4's examples, and a length on each side of a block. */
static void sha256_is_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[65];
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        sha256 s = sha256_begin();
        for (const char *p = cases[i].text; *p; p++)
            sha256_add(&s, p, 1);
        sha256_hex(&s, hex);
        assert_string_equal(hex, cases[i].want);
    }
    static char million[1000000];
    memset(million, 'a', sizeof million);
    sha256 s = sha256_begin();
    sha256_add(&s, million, 63);
    sha256_add(&s, million, sizeof million - 63);
    sha256_hex(&s, hex);
    assert_string_equal(hex,
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Through the shared material: the sets that people bring. */
static void shared_sets_are_clean(void **state)
{
    (void)state;
    NEED_CASE(path, "spinoza/schemes_levelA_base_fixed.jsonl");
    const char *paths[] = {path};
    dataset *d;
    dataset_options o = {.heldout = 0.05};
    assert_int_equal(dataset_open(&d, paths, 1, &o, NULL), CN_OK);
    const dataset_report *r = dataset_report_of(d);
    assert_int_equal(r->n_messages, 300);
    assert_int_equal(r->n_records + r->n_heldout, 300);
    assert_int_equal(r->n_bad + r->n_empty + r->n_duplicate, 0);
    assert_true(r->n_heldout > 3 && r->n_heldout < 30);
    dataset_close(d);
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_and_lines_are_counted),
        cmocka_unit_test(bad_lines_are_told_with_their_numbers),
        cmocka_unit_test(raw_nul_and_long_lines_are_bad),
        cmocka_unit_test(csv_is_read_by_its_header),
        cmocka_unit_test(bad_csv_lines_do_not_swallow_others),
        cmocka_unit_test(files_of_other_kinds_are_named),
        cmocka_unit_test(paths_that_are_no_files_are_named),
        cmocka_unit_test(duplicates_and_empty_records_are_left_out),
        cmocka_unit_test(long_records_are_cut_and_counted),
        cmocka_unit_test(the_division_is_stable),
        cmocka_unit_test(something_is_held_out_and_something_is_not),
        cmocka_unit_test(leaks_from_a_file_of_its_own_are_counted),
        cmocka_unit_test(only_the_first_findings_are_told),
        cmocka_unit_test(progress_may_cancel),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(sha256_is_sha256),
        cmocka_unit_test(shared_sets_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
