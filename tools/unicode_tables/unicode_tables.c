/* Writes src/engine/tokenizer/unicode_table.c from the Unicode Character Database (Debian's
 * package unicode-data). Run by hand when the pinned version changes:
 *   cc -O1 -o /tmp/unicode_tables tools/unicode_tables/unicode_tables.c
 *   /tmp/unicode_tables /usr/share/unicode > src/engine/tokenizer/unicode_table.c
 * unicode.h says what each table means. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 0x110000, BLOCK = 128, MAX_DECOMP = 18 };

static const char *const categories =
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc "
    "Sk So Zs Zl Zp Cc Cf Cs Co Cn ";
enum { CC_SPACE = 30, CAT_CN = 29, NFC_MAYBE = 0x20, NORM = 0x40, LOWER = 0x80 };

static unsigned char flags[N], ccc[N], compat[N], n_decomp[N], excluded[N];
static uint32_t lower[N], decomp[N][MAX_DECOMP];

static FILE *open_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static unsigned char category(const char *two)
{
    char key[4] = {two[0], two[1], ' ', 0};
    return (unsigned char)((strstr(categories, key) - categories) / 3);
}

static void read_decomposition(uint32_t c, char *text)
{
    if (*text == '<') {
        compat[c] = 1;
        text = strchr(text, ' ') + 1;
    }
    for (char *end; *text; text = end) {
        decomp[c][n_decomp[c]++] = (uint32_t)strtoul(text, &end, 16);
        while (*end == ' ')
            end++;
    }
}

static void read_data(const char *folder)
{
    FILE *f = open_file(folder, "UnicodeData.txt");
    char line[1024];
    uint32_t range_from = 0;
    memset(flags, CAT_CN, sizeof flags);
    while (fgets(line, sizeof line, f)) {
        char *field[15], *at = line;
        for (int i = 0; i < 15; i++)
            field[i] = strsep(&at, ";\n");
        uint32_t c = (uint32_t)strtoul(field[0], NULL, 16);
        if (strstr(field[1], ", First>")) range_from = c;
        for (uint32_t i = strstr(field[1], ", Last>") ? range_from : c; i <= c; i++)
            flags[i] = category(field[2]);
        ccc[c] = (unsigned char)atoi(field[3]);
        read_decomposition(c, field[5]);
        lower[c] = (uint32_t)strtoul(field[13], NULL, 16);
    }
    fclose(f);
    for (uint32_t c = 9; c <= 13; c++)
        flags[c] = CC_SPACE;
    flags[0x85] = CC_SPACE;
}

/* Calls the lines of DerivedNormalizationProps.txt that have this property and value. */
static void read_property(const char *folder, const char *name, unsigned char *out,
                          unsigned char bit)
{
    FILE *f = open_file(folder, "DerivedNormalizationProps.txt");
    char line[1024], property[64];
    while (fgets(line, sizeof line, f)) {
        uint32_t from, to;
        if (sscanf(line, "%x..%x ; %63s", &from, &to, property) != 3) {
            if (sscanf(line, "%x ; %63s", &from, property) != 2) continue;
            to = from;
        }
        property[strcspn(property, ";")] = 0;
        for (uint32_t c = from; !strcmp(property, name) && c <= to; c++)
            out[c] |= bit;
    }
    fclose(f);
}

static void set_flags(void)
{
    for (uint32_t c = 0; c < N; c++) {
        if (n_decomp[c] || ccc[c] || (c >= 0xac00 && c <= 0xd7a3)) flags[c] |= NORM;
        if (flags[c] & NFC_MAYBE) flags[c] |= NORM;
        if (lower[c]) flags[c] |= LOWER;
    }
}

static int column;
static void number(const char *fmt, uint32_t v)
{
    char text[32];
    int n = snprintf(text, sizeof text, fmt, v);
    if (column + n > 95) column = printf("\n") - 1;
    column += printf("%s", text);
}

static void begin(const char *declaration)
{
    printf("\n%s = {\n", declaration);
    column = 0;
}

static void write_blocks(void)
{
    static int first_of[N / BLOCK], index[N / BLOCK];
    int n_blocks = 0;
    for (int b = 0; b < N / BLOCK; b++) {
        index[b] = -1;
        for (int k = 0; k < n_blocks && index[b] < 0; k++)
            if (!memcmp(flags + b * BLOCK, flags + first_of[k] * BLOCK, BLOCK)) index[b] = k;
        if (index[b] < 0) first_of[index[b] = n_blocks++] = b;
    }
    begin("const uint16_t unicode_index[0x110000 / 128]");
    for (int b = 0; b < N / BLOCK; b++)
        number("%u,", (uint32_t)index[b]);
    printf("};\n");
    printf("\nconst uint8_t unicode_block[][128] = {");
    for (int k = 0; k < n_blocks; k++) {
        printf("{\n");
        column = 0;
        for (int i = 0; i < BLOCK; i++)
            number("%u,", flags[first_of[k] * BLOCK + i]);
        printf("},");
    }
    printf("};\n");
}

static void write_lower(void)
{
    uint32_t n = 0;
    begin("const uint32_t unicode_lower[][2]");
    for (uint32_t c = 0; c < N; c++)
        if (lower[c]) {
            number("{0x%x,", c);
            number("0x%x},", lower[c]);
            n++;
        }
    printf("};\nconst size_t unicode_n_lower = %u;\n", n);
}

static void write_classes(void)
{
    uint32_t n = 0;
    begin("const uint32_t unicode_ccc[][3]");
    for (uint32_t c = 0, end; c < N; c = end) {
        for (end = c + 1; end < N && ccc[end] == ccc[c];)
            end++;
        if (!ccc[c]) continue;
        number("{0x%x,", c);
        number("0x%x,", end - 1);
        number("%u},", ccc[c]);
        n++;
    }
    printf("};\nconst size_t unicode_n_ccc = %u;\n", n);
}

static void write_decompositions(void)
{
    uint32_t n = 0, at = 0;
    begin("const uint32_t unicode_decomp[][2]");
    for (uint32_t c = 0; c < N; c++)
        if (n_decomp[c]) {
            number("{0x%x,", c);
            number("0x%x},", at | (uint32_t)n_decomp[c] << 24 | (uint32_t)compat[c] << 31);
            at += n_decomp[c];
            n++;
        }
    printf("};\nconst size_t unicode_n_decomp = %u;\n", n);
    begin("const uint32_t unicode_decomp_pool[]");
    for (uint32_t c = 0; c < N; c++)
        for (int i = 0; i < n_decomp[c]; i++)
            number("0x%x,", decomp[c][i]);
    printf("};\n");
}

static int by_pair(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(uint32_t))
               ? (((const uint32_t *)a)[0] != ((const uint32_t *)b)[0]
                      ? (((const uint32_t *)a)[0] < ((const uint32_t *)b)[0] ? -1 : 1)
                      : (((const uint32_t *)a)[1] < ((const uint32_t *)b)[1] ? -1 : 1))
               : 0;
}

static void write_compositions(void)
{
    static uint32_t pairs[4096][3];
    uint32_t n = 0;
    for (uint32_t c = 0; c < N; c++)
        if (n_decomp[c] == 2 && !compat[c] && !excluded[c]) {
            pairs[n][0] = decomp[c][0];
            pairs[n][1] = decomp[c][1];
            pairs[n++][2] = c;
        }
    qsort(pairs, n, sizeof pairs[0], by_pair);
    begin("const uint32_t unicode_compose[][3]");
    for (uint32_t i = 0; i < n; i++) {
        number("{0x%x,", pairs[i][0]);
        number("0x%x,", pairs[i][1]);
        number("0x%x},", pairs[i][2]);
    }
    printf("};\nconst size_t unicode_n_compose = %u;\n", n);
}

int main(int argc, char **argv)
{
    char version[64] = "?";
    if (argc != 2) return fprintf(stderr, "usage: unicode_tables FOLDER\n"), 2;
    FILE *f = open_file(argv[1], "PropList.txt");
    if (fscanf(f, "# PropList-%63[0-9.]", version) == 1) version[strcspn(version, "t") - 1] = 0;
    fclose(f);
    read_data(argv[1]);
    read_property(argv[1], "NFC_QC", flags, NFC_MAYBE);
    read_property(argv[1], "Full_Composition_Exclusion", excluded, 1);
    set_flags();
    printf("/* Generated by tools/unicode_tables from Unicode %s; do not edit.\n", version);
    printf(" * Data: Unicode Character Database, (c) Unicode, Inc., terms of use at\n");
    printf(" * https://www.unicode.org/copyright.html. unicode_priv.h says what the tables "
           "mean. */\n");
    printf("/* clang-format off */\n#include \"unicode_priv.h\"\n");
    printf("\nconst char unicode_version[] = \"%s\";\n", version);
    write_blocks();
    write_lower();
    write_classes();
    write_decompositions();
    write_compositions();
    return 0;
}
