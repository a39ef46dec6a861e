#include "rogue_text.h"

#include <string.h>

cn_str rogue_lower_first(co_game *g, cn_str s)
{
    char *copy = co_keep(g, s);
    unsigned char a = s.n ? (unsigned char)copy[0] : 0;
    unsigned char b = s.n > 1 ? (unsigned char)copy[1] : 0;
    if (a >= 'A' && a <= 'Z') copy[0] = (char)(a + 32);
    if (a == 0xC3 && b >= 0x80 && b <= 0x9E) copy[1] = (char)(b + 32);
    return (cn_str){copy, s.n};
}

cn_str rogue_sentence(cn_str s, size_t from)
{
    for (size_t i = from; i < s.n; i++) {
        if (strchr(".?!", s.p[i]) && (i + 1 == s.n || s.p[i + 1] == ' ')) {
            return (cn_str){s.p + from, i + 1 - from};
        }
    }
    return from < s.n ? (cn_str){s.p + from, s.n - from} : (cn_str){0};
}

cn_str rogue_statement(cn_str reply)
{
    cn_str best = {0}, s;
    for (size_t at = 0; (s = rogue_sentence(reply, at)).n > 0; at += s.n + 1) {
        if (s.p[s.n - 1] != '?' && s.n > best.n) best = s;
        if (at + s.n + 1 > reply.n) break;
    }
    return best;
}
