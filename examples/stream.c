/* Streams a model's continuation of a text, always choosing the likeliest token.
 *   cc stream.c $(pkg-config --cflags --libs conatus) -o stream
 *   ./stream MODEL "Once upon a time" */
#include <conatus/session.h>
#include <stdio.h>
#include <string.h>

static bool print(void *user, const cn_generated_token *t)
{
    return fwrite(t->text, 1, t->n, user) == t->n && fflush(user) == 0;
}

int main(int argc, char **argv)
{
    cn_err err = {0};
    cn_model *model = NULL;
    cn_session *session = NULL;
    cn_tokens prompt = {0};
    cn_generated done = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL TEXT\n", argv[0]);
        return 2;
    }
    cn_generate_options o = {.sampling = cn_sampling_default(),
                             .max_tokens = 200,
                             .on_token = print,
                             .user = stdout};
    o.sampling.temperature = 0;
    cn_status st = cn_model_open(&model, argv[1], &(cn_model_options){0}, &err);
    if (!st) st = cn_session_new(&session, model, &(cn_session_options){0}, &err);
    if (!st)
        st = cn_encode(cn_model_tokenizer(model), argv[2], strlen(argv[2]), CN_ADD_SPECIAL,
                       &prompt, &err);
    if (!st) st = cn_generate(session, prompt.ids, prompt.n, &o, &done, &err);
    if (st) fprintf(stderr, "%s: %s\n%s\n", err.what, err.why, err.next);
    cn_tokens_free(&prompt);
    cn_session_free(session);
    cn_model_close(model);
    return st ? 1 : 0;
}
