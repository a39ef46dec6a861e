/* Golden outputs of the tiny models of tests/tiny_model.c, by llama.cpp, an engine that is none
 * of ours:
 *
 *     cc -c tools/llama_golden.c -I LLAMA/include -I LLAMA/ggml/include
 *     c++ llama_golden.o LLAMA/build/src/libllama.a LLAMA/build/ggml/src/lib*.a -lgomp
 * -lpthread -o llama_golden llama_golden ARCH=MODEL.gguf... >
 * tests/fixtures/model/llama-golden.json
 *
 * For each file the logits after 1, 20 and 40 tokens (i * 29 + 7) % 96, or an embedder's
 * normalised mean. Made with commit de3ff81 of September 2026, f32 cache, one thread. Only
 * whoever renews the file needs llama.cpp. */
#include <llama.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 40 };

static void silent(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static void print_row(const float *row, int n, const char *before)
{
    printf("%s[", before);
    for (int i = 0; i < n; i++)
        printf("%s%.7g", i ? "," : "", (double)row[i]);
    printf("]");
}

static void print_model(const char *name, const char *path)
{
    bool embedder = strcmp(name, "bert") == 0;
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *m = llama_model_load_from_file(path, mp);
    if (!m) exit(1);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = cp.n_batch = cp.n_ubatch = 64;
    cp.n_threads = cp.n_threads_batch = 1;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    cp.embeddings = embedder;
    cp.pooling_type = embedder ? LLAMA_POOLING_TYPE_MEAN : LLAMA_POOLING_TYPE_NONE;
    struct llama_context *c = llama_init_from_model(m, cp);
    struct llama_batch b = llama_batch_init(N, 0, 1);
    b.n_tokens = N;
    for (int i = 0; i < N; i++) {
        b.token[i] = (i * 29 + 7) % 96;
        b.pos[i] = i;
        b.n_seq_id[i] = 1;
        b.seq_id[i][0] = 0;
        b.logits[i] = true;
    }
    if (!c || (embedder ? llama_encode(c, b) : llama_decode(c, b))) exit(1);
    printf("\"%s\":[", name);
    if (embedder) {
        float *e = llama_get_embeddings_seq(c, 0);
        double sum = 0;
        int n = llama_model_n_embd(m);
        for (int i = 0; i < n; i++)
            sum += (double)e[i] * (double)e[i];
        for (int i = 0; i < n; i++)
            e[i] = (float)((double)e[i] / sqrt(sum));
        print_row(e, n, "");
    } else {
        print_row(llama_get_logits_ith(c, 0), 96, "");
        print_row(llama_get_logits_ith(c, 19), 96, ",");
        print_row(llama_get_logits_ith(c, 39), 96, ",");
    }
    printf("]");
    llama_batch_free(b);
    llama_free(c);
    llama_model_free(m);
}

int main(int argc, char **argv)
{
    llama_log_set(silent, NULL);
    llama_backend_init();
    printf("{");
    for (int i = 1; i < argc; i++) {
        char *path = strchr(argv[i], '=');
        if (!path) return 2;
        *path = '\0';
        if (i > 1) printf(",\n");
        print_model(argv[i], path + 1);
    }
    printf("}\n");
    return 0;
}
