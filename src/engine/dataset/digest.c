#include "digest.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "mem.h"

/* FIPS 180-4, section 4.2.2. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotr(uint32_t x, int k)
{
    return x >> k | x << (32 - k);
}

static void schedule(uint32_t w[64], const uint8_t *block)
{
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) +
               (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
    }
}

static void compress(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[64], v[8];
    schedule(w, block);
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
                      ((e & v[5]) ^ (~e & v[6])) + round_constants[i] + w[i];
        uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
                      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

sha256 sha256_begin(void)
{
    return (sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                          0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(sha256 *s, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        size_t have = s->n % 64, take = CN_MIN(n, 64 - have);
        s->n += take;
        if (take == 64) {
            compress(s->h, p);
        } else {
            memcpy(s->block + have, p, take);
            if (have + take == 64) compress(s->h, s->block);
        }
        p += take;
        n -= take;
    }
}

void sha256_hex(sha256 *s, char out[65])
{
    uint64_t bits = s->n * 8;
    uint8_t tail[8];
    sha256_add(s, "\x80", 1);
    while (s->n % 64 != 56)
        sha256_add(s, "", 1);
    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(s, tail, sizeof tail);
    for (int i = 0; i < 8; i++)
        snprintf(out + 8 * i, 9, "%08x", s->h[i]);
}

/* Two lanes of multiply and shift; each word reaches all bits of both. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

digest digest_begin(uint64_t kind)
{
    return (digest){mix(kind + 0x9e3779b97f4a7c15u), mix(kind + 0x3c6ef372fe94f82au)};
}

void digest_word(digest *d, uint64_t word)
{
    d->a = mix(d->a ^ word);
    d->b = mix((d->b + word) * 0x9fb21c651e98df25u) ^ d->a >> 32;
}

void digest_bytes(digest *d, const void *bytes, size_t n)
{
    const char *p = bytes;
    uint64_t word;
    digest_word(d, n);
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        digest_word(d, word);
    }
    word = 0;
    if (n) memcpy(&word, p, n);
    if (n) digest_word(d, word);
}

static digest_slot *slot_of(const digest_table *t, digest d)
{
    size_t i = (size_t)d.a & t->mask;
    while (t->slots[i].index && (t->slots[i].d.a != d.a || t->slots[i].d.b != d.b))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

static bool grow(digest_table *t)
{
    size_t old = t->slots ? t->mask + 1 : 0, size = old ? old * 2 : 1024;
    digest_table bigger = {cn_alloc_array(size, sizeof *t->slots), t->n, size - 1};
    if (!bigger.slots) return false;
    for (size_t i = 0; i < old; i++)
        if (t->slots[i].index) *slot_of(&bigger, t->slots[i].d) = t->slots[i];
    cn_free(t->slots);
    *t = bigger;
    return true;
}

uint32_t digest_table_add(digest_table *t, digest d, uint32_t index)
{
    if ((!t->slots || t->n * 3 >= (t->mask + 1) * 2) && !grow(t)) return UINT32_MAX;
    digest_slot *s = slot_of(t, d);
    if (s->index) return s->index - 1;
    *s = (digest_slot){d, index + 1};
    t->n++;
    return index;
}

uint32_t digest_table_find(const digest_table *t, digest d)
{
    return t->slots ? slot_of(t, d)->index - 1 : UINT32_MAX;
}

void digest_table_deinit(digest_table *t)
{
    cn_free(t->slots);
    *t = (digest_table){0};
}
