/* What a record becomes: its ids, and what of them is learnt. */
#include "fixture.h"

static const char *const pairs =
    "{\"prompt\": \"What is a cause?\", \"completion\": \" It makes.\"}\n";

static void assert_ids(const cn_tokenizer *t, const int32_t *ids, size_t n, const char *text,
                       unsigned flags)
{
    cn_tokens want = {0};
    assert_int_equal(cn_encode(t, text, strlen(text), flags, &want, NULL), CN_OK);
    assert_int_equal(n, want.n);
    assert_memory_equal(ids, want.ids, n * sizeof *ids);
    cn_tokens_free(&want);
}

static void texts_begin_and_end(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d =
        open_data("{\"text\": \"the cause of it\"}\n", &(dataset_options){.tokenizer = t});
    dataset_record r = dataset_at(d, false, 0);
    assert_int_equal(dataset_n(d, false), 1);
    assert_ids(t, r.ids, r.n - 1, "the cause of it", CN_ADD_SPECIAL);
    assert_int_equal(r.ids[r.n - 1], cn_token_eos(t));
    assert_false(r.loss[0]);
    for (uint32_t i = 1; i < r.n; i++)
        assert_true(r.loss[i]);
    dataset_close(d);
    cn_tokenizer_free(t);
}

static void end_of_text_may_be_left_out(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = open_data("{\"text\": \"the cause of it\"}\n",
                           &(dataset_options){.tokenizer = t, .no_eos = true});
    dataset_record r = dataset_at(d, false, 0);
    assert_ids(t, r.ids, r.n, "the cause of it", CN_ADD_SPECIAL);
    dataset_close(d);
    cn_tokenizer_free(t);
}

/* The ids of the prompt are those of inference, whatever comes after them. */
static void prompts_are_as_inference_sees_them(void **state)
{
    (void)state;
    static const char *const kinds[] = {"tokenizer/bpe", "tokenizer/spm/tokenizer.model",
                                        "tokenizer/unigram/spiece.model"};
    static const char *const cases[][2] = {{"What is a cause?", " It makes."},
                                           {"The sun shi", "nes today"},
                                           {"It is \\n", "\\nnot so"},
                                           {"Answer: ", "42"},
                                           {"<|im_start|>user", "</s> typed"}};
    for (size_t k = 0; k < 3; k++) {
        cn_tokenizer *t = open_tokenizer(kinds[k]);
        for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
            char line[256], prompt[64], completion[80];
            snprintf(line, sizeof line, "{\"prompt\": \"%s\", \"completion\": \"%s\"}\n",
                     cases[i][0], cases[i][1]);
            snprintf(prompt, sizeof prompt, "%s", i == 2 ? "It is \n" : cases[i][0]);
            snprintf(completion, sizeof completion, "[%s", i == 2 ? "\nnot so" : cases[i][1]);
            dataset *d = open_data(line, &(dataset_options){.tokenizer = t});
            dataset_record r = dataset_at(d, false, 0);
            uint32_t n = 0;
            while (n < r.n && !r.loss[n])
                n++;
            /* the unigram one ends texts, and begins them with nothing */
            assert_ids(t, r.ids, n, prompt, k < 2 ? CN_ADD_SPECIAL : 0);
            char *got = learnt(t, r, true);
            if (k < 2 && strncmp(got, completion, strlen(completion)) != 0)
                fail_msg("%s: learnt %s, want %s...", kinds[k], got, completion);
            assert_int_equal(r.ids[r.n - 1], cn_token_eos(t));
            cn_free(got);
            dataset_close(d);
        }
        cn_tokenizer_free(t);
    }
}

static void loss_on_all_counts_prompts(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = open_data(pairs, &(dataset_options){.tokenizer = t, .loss_on_all = true});
    dataset_record r = dataset_at(d, false, 0);
    for (uint32_t i = 0; i < r.n; i++)
        assert_int_equal(r.loss[i] != 0, i > 0);
    dataset_close(d);
    cn_tokenizer_free(t);
}

static const char *const talk =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"You are kind.\"},"
    "{\"role\": \"user\", \"content\": \"Hello\"}, {\"role\": \"assistant\", \"content\": "
    "\"Hello, you.\"}, {\"role\": \"user\", \"content\": \"Hello, you.\"}, {\"role\": "
    "\"assistant\", \"content\": \"Again?\"}], \"kind\": \"game\", \"meta\": {\"a\": [1]}}\n";

static void check_talk(const char *tokenizer, const char *source, const char *line,
                       const char *want)
{
    cn_tokenizer *t = open_tokenizer(tokenizer);
    cn_template *chat = open_template(source);
    dataset *d = open_data(line, &(dataset_options){.tokenizer = t, .chat = chat});
    dataset_record r = dataset_at(d, false, 0);
    assert_int_equal(dataset_report_of(d)->n_messages, 1);
    assert_learnt(t, r, want);
    dataset_close(d);
    cn_template_free(chat);
    cn_tokenizer_free(t);
}

static void the_assistant_is_learnt_with_its_end_token(void **state)
{
    (void)state;
    check_talk("tokenizer/bpe", CHATML, talk, "[Hello, you.<|im_end|>][Again?<|im_end|>]");
}

/* The ids up to each answer are those of the rendered conversation with a beginning of an
 * answer. */
static void conversations_are_as_inference_sees_them(void **state)
{
    (void)state;
    static const char before[] =
        "<|im_start|>system\nYou are kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\n";
    static const char both[] =
        "Hello, you.<|im_end|>\n<|im_start|>user\nHello, you.<|im_end|>\n"
        "<|im_start|>assistant\nAgain?<|im_end|>\n";
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    cn_template *chat = open_template(CHATML);
    dataset *d = open_data(talk, &(dataset_options){.tokenizer = t, .chat = chat});
    dataset_record r = dataset_at(d, false, 0);
    char whole[512];
    uint32_t n = 0;
    while (n < r.n && !r.loss[n])
        n++;
    assert_ids(t, r.ids, n, before, CN_PARSE_SPECIAL);
    snprintf(whole, sizeof whole, "%s%s", before, both);
    assert_ids(t, r.ids, r.n, whole, CN_PARSE_SPECIAL);
    dataset_close(d);
    cn_template_free(chat);
    cn_tokenizer_free(t);
}

/* A past that is told otherwise than the present: thoughts are left out of it. What the model
 * has to say begins where inference lets it begin. */
static void unstable_templates_are_followed_by_content(void **state)
{
    (void)state;
    static const char source[] =
        "{% for m in messages %}{% if loop.last and m.role == 'assistant' "
        "%}<|im_start|>assistant\n"
        "<think>\n\n</think>\n{{ m.content }}<|im_end|>{% else %}<|im_start|>{{ m.role }}\n"
        "{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    check_talk("tokenizer/bpe", source, talk,
               "[Hello, you.<|im_end|>][<think>\n\n</think>\nAgain?<|im_end|>]");
}

/* A note at the end of every text, and a beginning of an answer that is not in the past. */
static void neither_end_need_be_stable(void **state)
{
    (void)state;
    static const char source[] =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n"
        "{% else %}<|endoftext|>Now answer.{% endif %}";
    check_talk("tokenizer/bpe", source, talk, "[Hello, you.<|im_end|>][Again?<|im_end|>]");
}

static void without_an_end_token_the_text_ends(void **state)
{
    (void)state;
    static const char source[] = "{{ bos_token }}{% for m in messages %}{{ m.role | upper }}: "
                                 "{{ m.content }}\n{% endfor %}"
                                 "{% if add_generation_prompt %}ASSISTANT: {% endif %}";
    check_talk("tokenizer/spm/tokenizer.model", source, talk, "[Hello, you.\n][Again?\n</s>]");
}

static void control_tokens_that_are_typed_stay_text(void **state)
{
    (void)state;
    static const char line[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"<|im_end|>\"}, {\"role\": "
        "\"assistant\", \"content\": \"a<|im_end|>b\"}]}\n";
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    cn_template *chat = open_template(CHATML);
    dataset *d = open_data(line, &(dataset_options){.tokenizer = t, .chat = chat});
    dataset_record r = dataset_at(d, false, 0);
    size_t ends = 0, id = 0;
    for (uint32_t i = 0; i < r.n; i++) {
        size_t n;
        const char *piece = cn_token_piece(t, r.ids[i], &n);
        if (cn_token_is_control(t, r.ids[i]) && n == 10 &&
            memcmp(piece, "<|im_end|>", 10) == 0) {
            ends++;
            id = i;
        }
    }
    assert_int_equal(ends, 2);
    assert_true(r.loss[id]);
    assert_learnt(t, r, "[a<|im_end|>b<|im_end|>]");
    dataset_close(d);
    cn_template_free(chat);
    cn_tokenizer_free(t);
}

static void messages_need_a_template(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    cn_err err;
    dataset_options o = {.tokenizer = t, .skip_bad = true};
    assert_int_equal(refuse_data(talk, strlen(talk), &o, &err), CN_E_UNSUPPORTED);
    assert_non_null(strstr(err.why, "no chat template"));
    assert_true(err.next[0]);
    cn_tokenizer_free(t);
}

static void refusals_of_the_template_are_bad_lines(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    cn_template *chat = open_template("{{ raise_exception('roles must alternate') }}");
    cn_err err;
    dataset_options o = {.tokenizer = t, .chat = chat};
    assert_int_equal(refuse_data(talk, strlen(talk), &o, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "roles must alternate"));
    assert_non_null(strstr(err.what, "line 1"));
    cn_template_free(chat);
    cn_tokenizer_free(t);
}

/* A set of real conversations: all ids are those of the rendered text as the engine sees it,
 * and only the answer is learnt. */
static void shared_conversations_are_as_inference_sees_them(void **state)
{
    (void)state;
    NEED_CASE(model, "vocab/ggml-vocab-phi-3.gguf");
    NEED_CASE(path, "spinoza/schemes_levelA_base_fixed.jsonl");
    cn_tokenizer *t;
    cn_buf file = {0};
    dataset *d;
    assert_int_equal(cn_tokenizer_open(&t, model, NULL), CN_OK);
    cn_template *chat = open_template(cn_tokenizer_chat_template(t, NULL));
    dataset_options o = {.tokenizer = t, .chat = chat};
    const char *paths[] = {path};
    assert_int_equal(dataset_open(&d, paths, 1, &o, NULL), CN_OK);
    assert_int_equal(cn_file_read(&file, path, 1 << 24, NULL), CN_OK);
    const char *line = file.p;
    for (size_t i = 0; i < dataset_n(d, false); i++, line = strchr(line, '\n') + 1) {
        dataset_record r = dataset_at(d, false, i);
        cn_rendered text;
        cn_tokens ids = {0};
        size_t n = strcspn(line, "\n");
        assert_int_equal(cn_template_render(chat, line, n, 0, NULL, &text, NULL), CN_OK);
        assert_int_equal(cn_encode_marked(t, text.text, text.n, text.trusted, 0, &ids, NULL),
                         CN_OK);
        assert_int_equal(r.n, ids.n + 1); /* the line has no bos_token */
        assert_int_equal(r.ids[0], cn_token_bos(t));
        assert_memory_equal(r.ids + 1, ids.ids, ids.n * sizeof *ids.ids);
        char *got = learnt(t, r, true),
             *end = strstr(line, "assistant\", \"content\": \"") + 24;
        const char *begin = got + 1 + (got[1] == ' '); /* put before every text of this kind */
        assert_memory_equal(begin, end, CN_MIN(strcspn(end, "\\\""), strlen(begin)));
        assert_string_equal(got + strlen(got) - 8, "<|end|>]");
        cn_free(got);
        cn_tokens_free(&ids);
        cn_rendered_free(&text);
    }
    assert_int_equal(dataset_n(d, false), 300);
    dataset_close(d);
    cn_buf_deinit(&file);
    cn_template_free(chat);
    cn_tokenizer_free(t);
    cn_free(model);
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_begin_and_end),
        cmocka_unit_test(end_of_text_may_be_left_out),
        cmocka_unit_test(prompts_are_as_inference_sees_them),
        cmocka_unit_test(loss_on_all_counts_prompts),
        cmocka_unit_test(the_assistant_is_learnt_with_its_end_token),
        cmocka_unit_test(conversations_are_as_inference_sees_them),
        cmocka_unit_test(unstable_templates_are_followed_by_content),
        cmocka_unit_test(neither_end_need_be_stable),
        cmocka_unit_test(without_an_end_token_the_text_ends),
        cmocka_unit_test(control_tokens_that_are_typed_stay_text),
        cmocka_unit_test(messages_need_a_template),
        cmocka_unit_test(refusals_of_the_template_are_bad_lines),
        cmocka_unit_test(shared_conversations_are_as_inference_sees_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
