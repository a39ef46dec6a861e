/* A folder as on the Hugging Face hub: tokenizer.json, tokenizer.model, vocab.json and
 * merges.txt, or vocab.txt; with tokenizer_config.json, special_tokens_map.json,
 * generation_config.json, config.json and chat_template.jinja where they are there. */
#include "file.h"
#include "mem.h"
#include "tokenizer_priv.h"

enum { MAX_CONFIG = 32 << 20, MAX_MODEL = 256 << 20, MAX_TEMPLATE = 4 << 20 };

/* The bytes of folder/name; CN_OK with .p NULL when there is no such file. */
static cn_status read_beside(cn_buf *out, const char *folder, const char *name, size_t most,
                             cn_err *err)
{
    char *path = cn_path_join(folder, name);
    cn_status st = cn_is_file(path) ? cn_file_read(out, path, most, err) : CN_OK;
    cn_free(path);
    return st;
}

/* Folders say "no limit" as the integer 1000000000000000019884624838656, which no reader of
 * 64-bit integers takes: integers of over 18 digits become reals. */
static void soften_integers(cn_buf *out, cn_str s)
{
    bool in_string = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        size_t digits = in_string ? 0 : strspn(s.p + i, "0123456789");
        if (in_string && c == '\\' && i + 1 < s.n)
            cn_buf_putc(out, s.p[i++]);
        else if (c == '"')
            in_string = !in_string;
        if (digits == 0) {
            cn_buf_putc(out, s.p[i]);
            continue;
        }
        cn_buf_append(out, s.p + i, digits);
        i += digits - 1;
        bool is_integer = i + 1 == s.n || !strchr(".eE", s.p[i + 1]);
        if (digits > 18 && is_integer && (i < digits || s.p[i - digits] != '.'))
            cn_buf_lit(out, ".0");
    }
}

static cn_status read_json(cn_json **out, const char *folder, const char *name, cn_err *err)
{
    cn_buf b = {0}, soft = {0};
    *out = NULL;
    cn_status st = read_beside(&b, folder, name, MAX_CONFIG, err);
    if (!st && b.n) {
        soften_integers(&soft, cn_buf_view(&b));
        if (soft.failed)
            st = cn_fail(err, CN_E_NOMEM, "%zu bytes of JSON", b.n);
        else
            st = cn_json_parse(out, cn_buf_view(&soft), err);
    }
    cn_buf_deinit(&b);
    cn_buf_deinit(&soft);
    return st ? cn_ctx(err, st, "reading %s", name) : CN_OK;
}

static bool has(const char *folder, const char *name)
{
    char *path = cn_path_join(folder, name);
    bool found = cn_is_file(path);
    cn_free(path);
    return found;
}

/* A role in tokenizer_config.json or special_tokens_map.json: "<s>" or {"content": "<s>"}. */
static void read_role(cn_tokenizer *t, const cn_json *config, const char *key, int32_t *out)
{
    const cn_json *j = cn_json_get(config, key);
    cn_str s =
        cn_json_str(cn_json_kind_of(j) == CN_JSON_OBJECT ? cn_json_get(j, "content") : j);
    if (*out < 0 && s.n) *out = vocab_find_piece(&t->v, s);
}

static void read_roles(cn_tokenizer *t, const cn_json *config)
{
    read_role(t, config, "bos_token", &t->bos);
    read_role(t, config, "eos_token", &t->eos);
    read_role(t, config, "unk_token", &t->unk);
    read_role(t, config, "pad_token", &t->pad);
    if (t->model != TOK_WORDPIECE) return;
    read_role(t, config, "cls_token", &t->bos);
    read_role(t, config, "sep_token", &t->eos);
}

/* A number or a list of numbers; the first is the role where no name gave it. */
static void read_ids(cn_tokenizer *t, const cn_json *j, int32_t *role, bool are_ends)
{
    size_t n = cn_json_kind_of(j) == CN_JSON_ARRAY ? cn_json_size(j) : 1;
    for (size_t i = 0; i < n; i++) {
        const cn_json *item = cn_json_kind_of(j) == CN_JSON_ARRAY ? cn_json_at(j, i) : j;
        int64_t id = cn_json_int(item, -1);
        if (id < 0 || (uint64_t)id >= t->v.n) continue;
        if (*role < 0) *role = (int32_t)id;
        if (are_ends) t->v.tokens[id].is_end = true;
    }
}

static cn_status read_templates(cn_tokenizer *t, const cn_json *config, const char *folder,
                                cn_err *err)
{
    const cn_json *j = cn_json_get(config, "chat_template");
    cn_status st = CN_OK;
    if (cn_json_kind_of(j) == CN_JSON_STRING)
        st = tok_add_template(t, (cn_str){NULL, 0}, cn_json_str(j), err);
    for (size_t i = 0; cn_json_kind_of(j) == CN_JSON_ARRAY && i < cn_json_size(j) && !st; i++) {
        cn_str name = cn_json_str(cn_json_get(cn_json_at(j, i), "name"));
        cn_str text = cn_json_str(cn_json_get(cn_json_at(j, i), "template"));
        if (text.p) st = tok_add_template(t, name, text, err);
    }
    cn_buf b = {0};
    if (!st) st = read_beside(&b, folder, "chat_template.jinja", MAX_TEMPLATE, err);
    if (!st && b.n) st = tok_add_template(t, (cn_str){NULL, 0}, cn_buf_view(&b), err);
    cn_buf_deinit(&b);
    return st;
}

static bool class_has(const cn_json *config, const char *part)
{
    cn_str class = cn_json_str(cn_json_get(config, "tokenizer_class"));
    return class.n && memmem(class.p, class.n, part, strlen(part));
}

/* The Llama and Gemma classes of the reference follow add_bos_token and add_eos_token whatever
 * the tokenizer.json says; others only where it says nothing. */
static cn_status mend_affixes(cn_tokenizer *t, const cn_json *config, bool is_spm, cn_err *err)
{
    bool by_class = class_has(config, "Llama") || class_has(config, "Gemma");
    const cn_json *bos = cn_json_get(config, "add_bos_token");
    const cn_json *eos = cn_json_get(config, "add_eos_token");
    cn_status st = CN_OK;
    if (t->model == TOK_WORDPIECE) {
        if (t->n_prefix || t->n_suffix) return CN_OK;
        st = tok_affix(t, true, t->bos, err);
        return st ? st : tok_affix(t, false, t->eos, err);
    }
    bool unsaid = t->n_prefix == 0 && t->n_suffix == 0;
    if (!by_class && !unsaid) return CN_OK;
    if (by_class && t->n_prefix <= 1 && t->n_suffix <= 1) t->n_prefix = t->n_suffix = 0;
    bool bpe_default = is_spm && t->model == TOK_BPE_TEXT;
    if (t->n_prefix == 0 && cn_json_bool(bos, by_class || bpe_default))
        st = tok_affix(t, true, t->bos, err);
    if (!st && t->n_suffix == 0 && cn_json_bool(eos, is_spm && !bpe_default))
        st = tok_affix(t, false, t->eos, err);
    return st;
}

/* "left right" lines after an optional "#version" line. */
static cn_status read_merges_txt(cn_tokenizer *t, cn_str s, cn_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    cn_status st = bpe_reserve_pairs(t, n + 1, err);
    uint32_t rank = 0;
    for (size_t line = 0; s.n && !st; line++) {
        const char *end = memchr(s.p, '\n', s.n);
        cn_str l = {s.p, end ? (size_t)(end - s.p) : s.n};
        s = cn_str_skip(s, l.n + 1);
        if (l.n && l.p[l.n - 1] == '\r') l.n--;
        const char *blank = l.n ? memchr(l.p, ' ', l.n) : NULL;
        if (l.n == 0 || (line == 0 && cn_str_starts(l, CN_STR("#version")))) continue;
        if (!blank) return cn_fail(err, CN_E_FORMAT, "merges.txt, line %zu: no pair", line + 1);
        size_t cut = (size_t)(blank - l.p);
        bpe_add_pair(t, (cn_str){l.p, cut}, cn_str_skip(l, cut + 1), rank++);
    }
    return st;
}

/* Added tokens live in tokenizer_config.json, in older folders in added_tokens.json. */
static cn_status read_added(cn_tokenizer *t, const cn_json *config, const char *folder,
                            cn_err *err)
{
    cn_json *old = NULL;
    const cn_json *added = cn_json_get(config, "added_tokens_decoder");
    cn_status st = CN_OK;
    if (!added) st = read_json(&old, folder, "added_tokens.json", err);
    if (!st) st = json_read_added(t, added ? added : old, err);
    cn_json_free(old);
    return st;
}

static cn_status from_vocab_json(cn_tokenizer *t, const cn_json *config, const char *folder,
                                 cn_err *err)
{
    cn_buf ids = {0}, merges = {0};
    bool qwen = class_has(config, "Qwen2");
    t->model = TOK_BPE_PAIRS;
    t->byte_level = true;
    cn_status st = pretok_by_name(&t->pre, qwen ? CN_STR("qwen2") : CN_STR("gpt-2"), err);
    if (!st && qwen) st = norm_add(&t->norm, (norm_step){.kind = NORM_NFC}, err);
    if (!st && cn_json_bool(cn_json_get(config, "add_prefix_space"), false))
        st = norm_add(&t->late, (norm_step){.kind = NORM_PREPEND_UNLESS, .to = CN_STR(" ")},
                      err);
    if (!st) st = read_beside(&ids, folder, "vocab.json", MAX_MODEL, err);
    if (!st) st = json_read_vocab(t, cn_buf_view(&ids), err);
    if (!st) st = read_added(t, config, folder, err);
    if (!st) st = tok_finish_vocab(t, err);
    if (!st) st = read_beside(&merges, folder, "merges.txt", MAX_MODEL, err);
    if (!st) st = read_merges_txt(t, cn_buf_view(&merges), err);
    cn_buf_deinit(&merges);
    cn_buf_deinit(&ids);
    return st;
}

/* One piece a line; the line is the id. */
static cn_status read_vocab_txt(cn_tokenizer *t, cn_str s, cn_err *err)
{
    cn_status st = CN_OK;
    for (size_t id = 0; s.n && !st; id++) {
        const char *end = memchr(s.p, '\n', s.n);
        cn_str l = {s.p, end ? (size_t)(end - s.p) : s.n};
        s = cn_str_skip(s, l.n + 1);
        if (l.n && l.p[l.n - 1] == '\r') l.n--;
        st = vocab_resize(&t->v, id + 1, err);
        bool special = l.n > 2 && l.p[0] == '[' && tok_looks_like_control(l);
        if (!st) st = vocab_set(&t->v, id, l, 0, special ? TOK_CONTROL : TOK_NORMAL, err);
    }
    return st;
}

static cn_status from_vocab_txt(cn_tokenizer *t, const cn_json *config, const char *folder,
                                cn_err *err)
{
    bool lower = cn_json_bool(cn_json_get(config, "do_lower_case"), true);
    bool strip = cn_json_bool(cn_json_get(config, "strip_accents"), lower);
    bool cjk = cn_json_bool(cn_json_get(config, "tokenize_chinese_chars"), true);
    const struct {
        norm_kind kind;
        bool wanted;
    } steps[] = {{NORM_BERT_CLEAN, true},
                 {NORM_BERT_CJK, cjk},
                 {NORM_NFD, strip},
                 {NORM_STRIP_ACCENTS, strip},
                 {NORM_LOWER, lower}};
    cn_buf text = {0};
    cn_status st = pretok_add(&t->pre, (pre_stage){.kind = PRE_BERT}, err);
    for (size_t i = 0; i < CN_ARRAY_LEN(steps) && !st; i++)
        if (steps[i].wanted) st = norm_add(&t->norm, (norm_step){.kind = steps[i].kind}, err);
    t->model = TOK_WORDPIECE;
    t->kind = "wordpiece";
    t->strip_first_space = true;
    if (!st) st = read_beside(&text, folder, "vocab.txt", MAX_MODEL, err);
    if (!st) st = read_vocab_txt(t, cn_buf_view(&text), err);
    if (!st) st = tok_add_added_from_kinds(t, err);
    if (!st) st = tok_finish_vocab(t, err);
    if (!st) t->unk = vocab_find_piece(&t->v, CN_STR("[UNK]"));
    if (!st) t->bos = vocab_find_piece(&t->v, CN_STR("[CLS]"));
    if (!st) t->eos = vocab_find_piece(&t->v, CN_STR("[SEP]"));
    if (!st) t->pad = vocab_find_piece(&t->v, CN_STR("[PAD]"));
    cn_buf_deinit(&text);
    return st;
}

static cn_status from_whole_file(cn_tokenizer *t, const char *folder, const char *file,
                                 const cn_json *config, bool *is_spm, cn_err *err)
{
    cn_buf b = {0};
    cn_status st = read_beside(&b, folder, file, MAX_MODEL, err);
    size_t blank = 0;
    while (blank < b.n && memchr(" \t\r\n", b.p[blank], 4))
        blank++;
    bool is_json = blank < b.n && b.p[blank] == '{';
    *is_spm = !is_json;
    if (!st && is_json) st = tok_from_json(t, cn_buf_view(&b), err);
    if (!st && !is_json) st = tok_from_spm(t, cn_buf_view(&b), err);
    if (!st && !is_json) st = read_added(t, config, folder, err);
    cn_buf_deinit(&b);
    return st ? cn_ctx(err, st, "reading %s", file) : CN_OK;
}

static const char *pick_file(const char *folder)
{
    static const char *const files[] = {
        "tokenizer.json", "tokenizer.model", "sentencepiece.bpe.model",
        "spiece.model",   "vocab.json",      "vocab.txt"};
    for (size_t i = 0; i < CN_ARRAY_LEN(files); i++)
        if (has(folder, files[i])) return files[i];
    return NULL;
}

static cn_status read_configs(cn_tokenizer *t, const cn_json *config, const char *folder,
                              bool is_spm, cn_err *err)
{
    static const char *const with_ids[] = {"generation_config.json", "config.json"};
    cn_json *map = NULL;
    read_roles(t, config);
    cn_status st = read_json(&map, folder, "special_tokens_map.json", err);
    if (!st) read_roles(t, map);
    cn_json_free(map);
    for (size_t i = 0; i < CN_ARRAY_LEN(with_ids) && !st; i++) {
        cn_json *j = NULL;
        st = read_json(&j, folder, with_ids[i], err);
        read_ids(t, cn_json_get(j, "bos_token_id"), &t->bos, false);
        read_ids(t, cn_json_get(j, "eos_token_id"), &t->eos, true);
        cn_json_free(j);
    }
    if (!st) st = mend_affixes(t, config, is_spm, err);
    if (t->bos < 0 && t->n_prefix) t->bos = t->prefix[0];
    return st ? st : read_templates(t, config, folder, err);
}

cn_status tok_from_folder(cn_tokenizer **out, const char *folder, const char *file, cn_err *err)
{
    cn_json *config = NULL;
    bool is_spm = false;
    cn_tokenizer *t = tok_new();
    *out = NULL;
    cn_status st = read_json(&config, folder, "tokenizer_config.json", err);
    if (st) goto done;
    if (!file) file = pick_file(folder);
    if (!file) {
        st = cn_fail(err, CN_E_NOT_FOUND,
                     "no tokenizer.json, tokenizer.model, vocab.json or "
                     "vocab.txt in the folder");
        goto done;
    }
    if (!strcmp(file, "vocab.json"))
        st = from_vocab_json(t, config, folder, err);
    else if (!strcmp(file, "vocab.txt"))
        st = from_vocab_txt(t, config, folder, err);
    else
        st = from_whole_file(t, folder, file, config, &is_spm, err);
    if (!st) st = read_configs(t, config, folder, is_spm, err);
    if (!st) st = tok_finish(t, err);
    if (st) goto done;
    *out = t;
    t = NULL;
done:
    cn_json_free(config);
    cn_tokenizer_free(t);
    return st;
}
