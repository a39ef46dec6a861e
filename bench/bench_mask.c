/* How long a mask takes: median and 99th percentile over random texts, for several schemas.
 *   bench_mask [MODEL.gguf]    its vocabulary; without one, 32,000 made-up words
 * Prints one JSON object a line. Times are of the processor, so that other programs do not show
 * in the longest one: the first walk of a wide state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "constraint.h"
#include "mem.h"
#include "rng.h"

enum { STEPS = 3000 };

static const struct {
    const char *name, *schema;
} schemas[] = {
    {"any object", "{\"type\":\"object\"}"},
    {"person",
     "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"
     "\"integer\",\"minimum\":0,\"maximum\":150},\"tags\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"string\"},\"maxItems\":5}},\"required\":[\"name\",\"age\"],"
     "\"additionalProperties\":false}"},
    {"lengths",
     "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":5,\"maxLength\":200},"
     "\"minItems\":50}"},
    {"pattern",
     "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^[A-Z][a-z ]{3,40}$\"},"
     "\"minItems\":50}"},
    {"cases",
     "{\"type\":\"array\",\"minItems\":50,\"items\":{\"oneOf\":[{\"type\":\"object\","
     "\"properties\":{\"kind\":{\"const\":\"a\"},\"text\":{\"type\":\"string\"}},\"required\":["
     "\"kind\",\"text\"]},{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"b\"},"
     "\"when\":{\"type\":\"string\",\"format\":\"date-time\"}},\"required\":[\"kind\",\"when\"]"
     "}]}}"},
};

/* Words of two to nine letters, with and without a space before, and every byte. */
static cn_status made_up(cn_vocab_trie **out)
{
    enum { N = 32000, MAX = 12 };
    char *text = cn_alloc_array(N, MAX);
    cn_str *at = cn_alloc_array(N, sizeof *at);
    cn_rng r = cn_rng_seeded(1);
    int32_t end = N - 1;
    for (int32_t i = 0; text && at && i < N - 1; i++) {
        char *p = text + (size_t)i * MAX;
        size_t n = 0, len = 2 + cn_rng_below(&r, 8);
        if (i < 256) {
            p[n++] = (char)i;
        } else {
            if (i % 2) p[n++] = ' ';
            while (n < len)
                p[n++] = "etaoinshrdlu\",:{}[]0123456789"[cn_rng_below(&r, i % 8 ? 12 : 29)];
        }
        at[i] = (cn_str){p, n};
    }
    cn_status st = text && at ? vocab_trie_new(out, at, N, &end, 1, NULL) : CN_E_NOMEM;
    cn_free(text);
    cn_free(at);
    return st;
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int32_t pick(const cn_vocab_trie *v, const uint32_t *mask, cn_rng *r)
{
    int32_t seen = 0, chosen = -1;
    for (int32_t i = 0; i < v->n_vocab; i++) {
        if (!(mask[i >> 5] >> (i & 31) & 1)) continue;
        bool end = false;
        for (uint32_t k = 0; k < v->n_ends; k++)
            end |= v->ends[k] == i;
        if (!end && cn_rng_below(r, (uint64_t)++seen) == 0) chosen = i;
    }
    return chosen;
}

static void measure(const cn_vocab_trie *v, const char *name, const char *text)
{
    double *us = cn_alloc_array(STEPS, sizeof *us), compile;
    uint32_t *mask = cn_alloc_array((size_t)(v->n_vocab + 31) / 32, 4);
    cn_rng r = cn_rng_seeded(7);
    cn_constraint *c = NULL;
    cn_grammar *g = NULL;
    uint64_t start = cpu_ns();
    cn_err err = {0};
    if (cn_grammar_from_schema(&g, text, strlen(text), NULL, NULL, &err)) {
        fprintf(stderr, "%s: %s\n", name, err.why);
        exit(1);
    }
    compile = (double)(cpu_ns() - start) * 1e-6;
    for (int i = 0; i < STEPS; i++) {
        if (!c && cn_constraint_new(&c, g, v, NULL)) exit(1);
        start = cpu_ns();
        cn_constraint_mask(c, SIZE_MAX, mask);
        us[i] = (double)(cpu_ns() - start) * 1e-3;
        int32_t id = pick(v, mask, &r);
        if (id < 0 || cn_constraint_accept(c, id, NULL)) {
            cn_constraint_free(c);
            c = NULL;
        }
    }
    qsort(us, STEPS, sizeof *us, by_value);
    printf(
        "{\"bench\":\"mask\",\"schema\":\"%s\",\"tokens\":%d,\"states\":%u,\"compile_ms\":%.2f,"
        "\"median_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        name, v->n_vocab, g->a.n_states, compile, us[STEPS / 2], us[STEPS * 99 / 100],
        us[STEPS - 1]);
    cn_constraint_free(c);
    cn_grammar_free(g);
    cn_free(us);
    cn_free(mask);
}

int main(int argc, char **argv)
{
    cn_vocab_trie *v = NULL;
    cn_tokenizer *t = NULL;
    cn_err err = {0};
    cn_status st = argc > 1 ? cn_tokenizer_open(&t, argv[1], &err) : made_up(&v);
    if (!st && t) st = cn_vocab_trie_new(&v, t, &err);
    if (st) {
        fprintf(stderr, "bench_mask: %s\n", err.why);
        return 1;
    }
    for (size_t i = 0; i < CN_ARRAY_LEN(schemas); i++)
        measure(v, schemas[i].name, schemas[i].schema);
    cn_vocab_trie_free(v);
    cn_tokenizer_free(t);
    return 0;
}
