/* How fast a model is: prompt processing, generation, load; one JSON object.
 *   bench_model MODEL [-t threads] [-p prompt] [-n answer] [-r repetitions] [-k kernels]
 * The medians of the repetitions; the answer starts from an empty text, as peers' benches do.
 * Ids are random: the work does not depend on them. */
#include <conatus/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "rng.h"

typedef struct settings {
    const char *path, *kernels;
    unsigned threads, repetitions;
    size_t n_prompt, n_answer;
} settings;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void stop(const cn_err *err)
{
    fprintf(stderr, "bench_model: %s: %s\n", err->what, err->why);
    exit(1);
}

static double prompt_seconds(cn_session *s, const int32_t *ids, size_t n)
{
    const float *logits;
    cn_err err = {0};
    cn_session_truncate(s, 0);
    uint64_t start = cn_now_ns();
    if (cn_session_eval(s, ids, n, false, &logits, &err)) stop(&err);
    return cn_seconds_since(start);
}

static double answer_seconds(cn_session *s, const int32_t *ids, size_t n)
{
    const float *logits;
    cn_err err = {0};
    cn_session_truncate(s, 0);
    uint64_t start = cn_now_ns();
    for (size_t i = 0; i < n; i++)
        if (cn_session_eval(s, ids + i, 1, false, &logits, &err)) stop(&err);
    return cn_seconds_since(start);
}

static settings parse(int argc, char **argv)
{
    settings o = {.repetitions = 3, .n_prompt = 512, .n_answer = 64};
    for (int c; (c = getopt(argc, argv, "t:p:n:r:k:")) != -1;) {
        if (c == 't') o.threads = (unsigned)atoi(optarg);
        if (c == 'p') o.n_prompt = (size_t)atoi(optarg);
        if (c == 'n') o.n_answer = (size_t)atoi(optarg);
        if (c == 'r') o.repetitions = (unsigned)atoi(optarg);
        if (c == 'k') o.kernels = optarg;
        if (c == '?') exit(2);
    }
    if (optind + 1 != argc || !o.n_prompt || !o.n_answer || o.repetitions < 1 ||
        o.repetitions > 100) {
        fprintf(
            stderr,
            "usage: bench_model MODEL [-t threads] [-p prompt] [-n answer] [-r repetitions]\n");
        exit(2);
    }
    o.path = argv[optind];
    return o;
}

int main(int argc, char **argv)
{
    settings o = parse(argc, argv);
    cn_err err = {0};
    cn_model *m;
    cn_session *s;
    double prompt[100], answer[100];
    uint64_t start = cn_now_ns();
    if (cn_model_open(&m, o.path,
                      &(cn_model_options){.n_threads = o.threads, .kernels = o.kernels}, &err))
        stop(&err);
    size_t most = o.n_prompt > o.n_answer ? o.n_prompt : o.n_answer;
    if (cn_session_new(&s, m, &(cn_session_options){.n_ctx = (uint32_t)most}, &err)) stop(&err);
    double load = cn_seconds_since(start);

    int32_t *ids = cn_alloc_array(most, sizeof *ids);
    cn_rng rng = cn_rng_seeded(1);
    for (size_t i = 0; i < most; i++)
        ids[i] = (int32_t)cn_rng_below(&rng, cn_model_info_of(m)->n_vocab);
    answer_seconds(s, ids, 1); /* pages the weights in */
    for (unsigned r = 0; r < o.repetitions; r++) {
        prompt[r] = prompt_seconds(s, ids, o.n_prompt);
        answer[r] = answer_seconds(s, ids, o.n_answer);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"model\":\"%s\",\"weights\":\"%s\",\"n_params\":%llu,\"threads\":%u,\"load_ms\":%"
           ".1f,"
           "\"prompt_tokens\":%zu,\"prompt_tokens_per_s\":%.2f,\"answer_tokens\":%zu,\"answer_"
           "tokens_per_s\":%.2f,"
           "\"peak_rss_mib\":%.0f}\n",
           strrchr(o.path, '/') ? strrchr(o.path, '/') + 1 : o.path,
           cn_model_info_of(m)->weights, (unsigned long long)cn_model_info_of(m)->n_params,
           o.threads, load * 1e3, o.n_prompt,
           (double)o.n_prompt / median(prompt, o.repetitions), o.n_answer,
           (double)o.n_answer / median(answer, o.repetitions), (double)usage.ru_maxrss / 1024);
    cn_free(ids);
    cn_session_free(s);
    cn_model_close(m);
    return 0;
}
