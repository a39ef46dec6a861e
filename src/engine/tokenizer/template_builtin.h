/* Chat templates of our own, for models that come without one. */
#ifndef TOKENIZER_TEMPLATE_BUILTIN_H
#define TOKENIZER_TEMPLATE_BUILTIN_H

/* What a model without a template gets: plain ChatML. Never NULL. */
const char *template_fallback_chatml(void);
/* A template by the name of its format ("llama3", "mistral", ...); NULL: no such name. */
const char *template_builtin(const char *name);
/* The names, in order; NULL after the last. */
const char *template_builtin_name(unsigned i);

#endif
