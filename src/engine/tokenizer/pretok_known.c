/* Which pre-tokenizers go by which name: tokenizer.ggml.pre of GGUF, and the expressions in
 * tokenizer.json for which there is a hand-written matcher. Sources: the models' own
 * tokenizer.json files. */
#include "mem.h"
#include "pretok.h"

#define GPT2_TAIL " ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"
#define LLAMA3_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define SMALL "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define CASED(after)                                                                           \
    "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" SMALL "]+" after "|[^\\r\\n\\p{L}\\p{N}]?[" UPPER    \
    "]+[" SMALL "]*" after
#define SHORT_FORMS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

/* DeepSeek LLM's: its file lists the ranges of cased letters one by one. */
#define CASED_WORD "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+"
#define WIDE_PUNCT "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
#define CJK "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"

/* Written in these ways in the wild. */
static const struct {
    const char *pattern;
    pre_kind kind;
} known[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d|" GPT2_TAIL "|\\s+", PRE_GPT2},
    {"'s|'t|'re|'ve|'m|'ll|'d|" GPT2_TAIL, PRE_GPT2},
    {"'(?:[sdmt]|ll|ve|re)|" GPT2_TAIL "|\\s+", PRE_GPT2},
    {SHORT_FORMS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" LLAMA3_TAIL, PRE_LLAMA3},
    {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
     "\\p{N}{1,3}" LLAMA3_TAIL,
     PRE_LLAMA3},
    {SHORT_FORMS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" LLAMA3_TAIL, PRE_QWEN2},
};

cn_status pretok_add_regex(pretok *p, cn_str pattern, pre_behaviour behaviour, bool invert,
                           cn_err *err)
{
    pre_stage stage = {.kind = PRE_REGEX, .behaviour = behaviour, .invert = invert};
    /* these cover every character, so that there is nothing between the matches */
    bool keeps_all = behaviour == PRE_ISOLATED || (behaviour == PRE_REMOVED && invert);
    for (size_t i = 0; keeps_all && i < CN_ARRAY_LEN(known); i++)
        if (cn_str_is(pattern, known[i].pattern))
            return pretok_add(p, (pre_stage){.kind = known[i].kind}, err);
    cn_status st = pre_regex_compile(&stage.regex, pattern, err);
    return st ? st : pretok_add(p, stage, err);
}

/* A kind, its names, and the steps: "@gpt2", "@llama3", "@qwen2", "@digit", "@digits",
 * "@digit-letters",
 * "@punct"
 * or an expression. */
enum { MAX_STEPS = 6, MAX_NAMES = 14 };
static const struct {
    const char *names[MAX_NAMES], *steps[MAX_STEPS];
} by_name[] = {
    {{"gpt-2", "gpt2", "phi-2", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de",
      "jina-v2-code", "roberta-bpe", "mpt", "olmo", "jais", "gigachat"},
     {"@gpt2"}},
    {{"trillion", "whisper"}, {"@gpt2"}},
    {{"llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "smaug-bpe", "dbrx", "lfm2"},
     {"@llama3"}},
    {{"qwen2", "stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan"}, {"@qwen2"}},
    {{"qwen35"},
     {SHORT_FORMS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+"
                  "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
    {{"chatglm-bpe", "glm4"}, {"@llama3"}},
    {{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"},
     {"@digit", "@gpt2"}},
    {{"falcon"}, {"@punct", "@gpt2", "@digit-letters", "[0-9][0-9][0-9]"}},
    {{"default"}, {"[\\p{P}\\$\\+<=>\\^~\\|]+", "@gpt2", "@digits", "[0-9][0-9][0-9]"}},
    {{"deepseek-llm"}, {"[\r\n]", CASED_WORD, WIDE_PUNCT, "\\s+$", CJK, "@digits"}},
    {{"deepseek-coder"}, {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "@digit"}},
    {{"deepseek-v3"},
     {"\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
      "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"}},
    {{"gpt-4o", "llama4"},
     {CASED(SHORT_FORMS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+"
                             "|\\s+(?!\\S)|\\s+"}},
    {{"tekken"},
     {CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
    {{"bloom", "poro-chat", "gpt3-finnish"},
     {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"}},
    {{"viking"}, {" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+", "@digit"}},
};

static cn_status add_step(pretok *p, const char *step, cn_err *err)
{
    static const struct {
        const char *name;
        pre_stage stage;
    } own[] = {
        {"@gpt2", {.kind = PRE_GPT2}},
        {"@llama3", {.kind = PRE_LLAMA3}},
        {"@qwen2", {.kind = PRE_QWEN2}},
        {"@digit", {.kind = PRE_DIGITS, .single = true}},
        {"@digits", {.kind = PRE_DIGITS}},
        {"@digit-letters", {.kind = PRE_DIGITS, .on_letters = true}},
        {"@punct", {.kind = PRE_PUNCT, .behaviour = PRE_CONTIGUOUS}},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(own); i++)
        if (!strcmp(own[i].name, step)) return pretok_add(p, own[i].stage, err);
    size_t at = p->n;
    cn_status st = pretok_add_regex(p, cn_str_of(step), PRE_ISOLATED, false, err);
    if (!st) p->stages[at].text = cn_str_of(step);
    return st;
}

const char *pretok_pattern(pre_kind kind)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(known); i++)
        if (known[i].kind == kind) return known[i].pattern;
    return NULL;
}

cn_status pretok_by_name(pretok *p, cn_str name, cn_err *err)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(by_name); i++)
        for (size_t k = 0; k < MAX_NAMES && by_name[i].names[k]; k++) {
            if (!cn_str_is(name, by_name[i].names[k])) continue;
            cn_status st = CN_OK;
            for (size_t j = 0; j < MAX_STEPS && by_name[i].steps[j] && !st; j++)
                st = add_step(p, by_name[i].steps[j], err);
            p->name = by_name[i].names[k];
            return st;
        }
    return cn_fail(err, CN_E_UNSUPPORTED, "pre-tokenizer \"%.*s\" is not known",
                   CN_STR_ARG(name));
}

const char *pretok_name(const pretok *p)
{
    if (p->name) return p->name;
    if (p->n == 0) return "none";
    switch (p->n == 1 ? p->stages[0].kind : PRE_REGEX) {
    case PRE_GPT2:
        return "gpt-2";
    case PRE_LLAMA3:
        return "llama3";
    case PRE_QWEN2:
        return "qwen2";
    case PRE_BERT:
        return "bert";
    case PRE_WORDS_WITH_SPACE: /* which changes nothing */
        return "none";
    default:
        return "other";
    }
}
