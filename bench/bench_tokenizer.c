/* Prints as JSON: load time, encoding in MB/s, decoding in tokens/s of one vocabulary.
 *   bench_tokenizer VOCABULARY TEXT-FILE
 * The text is repeated to 1 MB; times are medians of nine runs. */
#include <conatus/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "file.h"
#include "mem.h"

enum { RUNS = 9, BYTES = 1000000 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, RUNS, sizeof *v, by_value);
    return v[RUNS / 2];
}

static int fail(const cn_err *err)
{
    fprintf(stderr, "bench_tokenizer: %s: %s\n", err->what, err->why);
    return 1;
}

int main(int argc, char **argv)
{
    double load[RUNS], encode[RUNS], decode[RUNS];
    cn_buf file = {0}, text = {0};
    cn_tokenizer *t = NULL;
    cn_tokens ids = {0};
    cn_err err = {0};
    if (argc != 3) return fprintf(stderr, "usage: bench_tokenizer VOCABULARY TEXT\n"), 2;
    if (cn_file_read(&file, argv[2], 256 << 20, &err)) return fail(&err);
    while (file.n && text.n < BYTES)
        cn_buf_append(&text, file.p, CN_MIN(file.n, BYTES - text.n));
    for (int i = 0; i < RUNS; i++) {
        uint64_t start = cn_now_ns();
        cn_tokenizer_free(t);
        if (cn_tokenizer_open(&t, argv[1], &err)) return fail(&err);
        load[i] = cn_seconds_since(start);
    }
    for (int i = 0; i < RUNS; i++) {
        uint64_t start = cn_now_ns();
        ids.n = 0;
        if (cn_encode(t, text.p, text.n, 0, &ids, &err)) return fail(&err);
        encode[i] = cn_seconds_since(start);
    }
    cn_decoder *d = NULL;
    if (cn_decoder_new(&d, t, 0, &err)) return fail(&err);
    for (int i = 0; i < RUNS; i++) {
        const char *piece;
        size_t n;
        uint64_t start = cn_now_ns();
        for (size_t k = 0; k < ids.n; k++)
            if (cn_decoder_next(d, ids.ids[k], &piece, &n, &err)) return fail(&err);
        cn_decoder_end(d, &piece, &n);
        decode[i] = cn_seconds_since(start);
    }
    printf("{\"kind\":\"%s\",\"n_vocab\":%d,\"load_ms\":%.2f,\"encode_mb_per_s\":%.2f,"
           "\"tokens\":%zu,\"decode_tokens_per_s\":%.0f}\n",
           cn_tokenizer_kind(t), (int)cn_n_vocab(t), 1e3 * median(load),
           (double)text.n / 1e6 / median(encode), ids.n, (double)ids.n / median(decode));
    cn_decoder_free(d);
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
    cn_buf_deinit(&file);
    cn_buf_deinit(&text);
    return 0;
}
