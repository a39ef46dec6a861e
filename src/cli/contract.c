/* The grammar or schema that an answer is held to. */
#include <string.h>

#include "request.h"

void cli_contract_deinit(cli_contract *c)
{
    cn_grammar_free(c->grammar);
    cn_vocab_trie_free(c->trie);
    cn_buf_deinit(&c->text);
    *c = (cli_contract){0};
}

static cn_status refused(cn_status st, bool is_schema, const cn_grammar_report *r, cn_err *err)
{
    if (st != CN_E_UNSUPPORTED) return st;
    st = cn_fail(err, st, "%s: %s", r->pointer[0] ? r->pointer : "the document", r->reason);
    cn_ctx(err, st, "enforcing the %s", is_schema ? "schema" : "grammar");
    return cn_next(err, st,
                   "change that keyword; conatus schema tries a schema without a model");
}

cn_status cli_contract_set(cli_contract *c, const cn_tokenizer *t, cn_str text, bool is_schema,
                           cn_err *err)
{
    cn_grammar_report report = {0};
    cn_status st = CN_OK;
    if (c->grammar && c->is_schema == is_schema && cn_str_eq(cn_buf_view(&c->text), text))
        return CN_OK;
    cn_grammar_free(c->grammar);
    c->grammar = NULL;
    if (!t)
        return cn_fail(err, CN_E_UNSUPPORTED,
                       "a schema or grammar needs the model's tokenizer");
    if (!c->trie) st = cn_vocab_trie_new(&c->trie, t, err);
    if (st) return st;
    st = is_schema ? cn_grammar_from_schema(&c->grammar, text.p, text.n, NULL, &report, err)
                   : cn_grammar_from_gbnf(&c->grammar, text.p, text.n, NULL, &report, err);
    if (st) return refused(st, is_schema, &report, err);
    cn_buf_clear(&c->text);
    cn_buf_str(&c->text, text);
    c->is_schema = is_schema;
    return c->text.failed ? cn_fail(err, CN_E_NOMEM, "a schema of %zu bytes", text.n) : CN_OK;
}

cn_status cli_contract_check(const cli_contract *c, cn_str text, cn_finish finish, cn_err *err)
{
    if (!c->grammar || finish == CN_FINISH_CANCELLED) return CN_OK;
    cn_err why = {0};
    cn_status st = c->is_schema ? cn_schema_validate(c->text.p, c->text.n, text.p ? text.p : "",
                                                     text.n, &why)
                                : CN_OK;
    if (!st && cn_grammar_accepts(c->grammar, text.p ? text.p : "", text.n)) return CN_OK;
    const char *reason = st ? why.why : "the text is no whole sentence of the grammar";
    if (finish == CN_FINISH_LENGTH) {
        st = cn_fail(err, CN_E_LIMIT, "the answer ended before it was complete: %s", reason);
        return cn_next(err, st, "raise max_tokens or the context");
    }
    return cn_fail(err, CN_E_FORMAT, "the answer is not what was asked for: %s", reason);
}
