/* Hostile model files that parse as GGUF: metadata and shapes that do not fit each other. A
 * file that opens must also compute: two tokens and an embedding. */
#include <conatus/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void compute(const cn_model *m)
{
    const cn_session_options small = {.n_ctx = cn_model_info_of(m)->n_ctx_train < 8 ? 0 : 8};
    const int32_t ids[] = {0, (int32_t)cn_model_info_of(m)->n_vocab - 1};
    const float *logits;
    cn_session *s;
    cn_err err;
    if (cn_session_new(&s, m, &small, &err)) return;
    float *embedding = calloc(cn_model_info_of(m)->n_embd, sizeof *embedding);
    (void)!cn_session_eval(s, ids, 2, false, &logits, &err);
    (void)!cn_embed(s, ids, 2, embedding, &err);
    free(embedding);
    cn_session_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    cn_model *m;
    cn_err err;
    int fd = memfd_create("model", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!cn_model_open(&m, path, &(cn_model_options){.n_threads = 1}, &err)) {
        compute(m);
        cn_model_close(m);
    }
    close(fd);
    return 0;
}
