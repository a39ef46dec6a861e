/* SentencePiece's precompiled_charsmap: 32-bit size of a double-array trie, the trie, then the
 * replacements, each ended by a NUL. Units as in darts-clone: bit 31 marks a leaf whose low 31
 * bits are the value, bit 8 says that a leaf follows, low byte the label, bits 10-30 the offset
 * (times 256 when bit 9 is set). The longest prefix in the trie is replaced. */
#include "normalize.h"

static uint32_t unit(cn_str map, size_t i)
{
    const unsigned char *p = (const unsigned char *)map.p + 4 + 4 * i;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t trie_bytes(cn_str map)
{
    const unsigned char *p = (const unsigned char *)map.p;
    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

bool charsmap_is_valid(cn_str map)
{
    if (map.n < 9 || map.n > (64U << 20)) return false;
    size_t n = trie_bytes(map);
    return n >= 4 && n % 4 == 0 && n < map.n - 4 && map.p[map.n - 1] == '\0';
}

/* The longest key that begins `s`: its length, and where its replacement is; 0 without. */
static size_t longest(cn_str map, cn_str s, size_t *value)
{
    size_t n_units = trie_bytes(map) / 4, found = 0;
    uint32_t u = unit(map, 0);
    size_t at = (u >> 10) << ((u & 512) >> 6);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        at ^= c;
        if (at >= n_units) break;
        u = unit(map, at);
        if ((u & 0x800000ffU) != c) break;
        at ^= (size_t)(u >> 10) << ((u & 512) >> 6);
        if (at >= n_units) break;
        if (!(u & 256)) continue;
        found = i + 1;
        *value = unit(map, at) & 0x7fffffffU;
    }
    return found;
}

void charsmap_run(cn_buf *out, cn_str map, cn_str s)
{
    cn_str texts = cn_str_skip(map, 4 + trie_bytes(map));
    for (size_t i = 0, len; i < s.n; i += len) {
        size_t value = 0;
        len = longest(map, cn_str_skip(s, i), &value);
        if (len && value < texts.n) {
            cn_buf_append(out, texts.p + value, strlen(texts.p + value));
            continue;
        }
        uc_next(s.p + i, s.n - i, &len);
        cn_buf_append(out, s.p + i, len);
    }
}
