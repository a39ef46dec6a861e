#include "chat.h"

void cli_chat_deinit(cli_chat *c)
{
    cn_buf_deinit(&c->messages);
    cn_session_free(c->session);
    cli_contract_deinit(&c->contract);
    cli_model_close(&c->model);
}

void cli_chat_add(cli_chat *c, const char *role, cn_str content)
{
    cn_buf_printf(&c->messages, "%s{\"role\":\"%s\",\"content\":", c->n_messages++ ? "," : "",
                  role);
    cn_buf_json(&c->messages, content);
    cn_buf_putc(&c->messages, '}');
}

void cli_chat_back(cli_chat *c, size_t n, size_t length)
{
    c->n_messages = n;
    c->messages.n = length;
    if (c->messages.p) c->messages.p[length] = '\0';
}

cn_status cli_chat_load(cli_chat *c, const cn_json *j, cn_err *err)
{
    const cn_json *list = cn_json_kind_of(j) == CN_JSON_ARRAY ? j : cn_json_get(j, "messages");
    if (cn_json_kind_of(list) != CN_JSON_ARRAY || cn_json_size(list) == 0)
        return cn_fail(err, CN_E_ARG,
                       "an array of messages is wanted: "
                       "[{\"role\":\"user\",\"content\":\"...\"}]");
    cli_chat_back(c, 0, 0);
    for (size_t i = 0; i < cn_json_size(list); i++) {
        const cn_json *m = cn_json_at(list, i);
        if (!cn_json_str(cn_json_get(m, "role")).p)
            return cn_fail(err, CN_E_ARG, "message %zu has no role", i + 1);
        if (c->n_messages++) cn_buf_putc(&c->messages, ',');
        cn_json_write(&c->messages, m);
    }
    return c->messages.failed ? cn_fail(err, CN_E_NOMEM, "messages of over 1 GiB") : CN_OK;
}

static cn_status chat_prompt(const cli_chat *c, cn_tokens *out, cn_err *err)
{
    cn_buf b = {0};
    cn_json *variables = NULL;
    cn_buf_lit(&b, "{\"messages\":[");
    cn_buf_str(&b, cn_buf_view(&c->messages));
    cn_buf_lit(&b, "],\"add_generation_prompt\":true}");
    bool failed = b.failed || c->messages.failed;
    cn_status st = failed ? cn_fail(err, CN_E_NOMEM, "messages of over 1 GiB")
                          : cn_json_parse(&variables, cn_buf_view(&b), err);
    if (!st) st = cli_prompt_messages(&c->model, variables, out, err);
    cn_json_free(variables);
    cn_buf_deinit(&b);
    return st;
}

cn_status cli_chat_answer(cli_chat *c, const cn_str *text, cli_answer *a, cn_err *err)
{
    cli_request r = {0};
    cn_tokens prompt = {0};
    cn_status st =
        text ? cli_prompt_text(&c->model, *text, &prompt, err) : chat_prompt(c, &prompt, err);
    if (!st)
        st = cli_request_init(&r, &c->sampling, NULL, &c->contract, c->model.tokenizer, err);
    if (!st) st = cli_answer_generate(a, c->session, &prompt, &r, err);
    if (!st) st = cli_contract_check(&c->contract, cn_buf_view(&a->text), a->how.finish, err);
    if (!st && !text) cli_chat_add(c, "assistant", cn_buf_view(&a->text));
    cli_request_deinit(&r);
    cn_tokens_free(&prompt);
    return st;
}
