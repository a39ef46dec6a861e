/* maiathon-corpus: writes the corpus of the shipped model, one JSON record a line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "output.h"
#include "stats.h"

typedef struct options {
    unsigned long long seed, games;
    const char *kind, *grammar;
    bool heldout, text, stats, lexicon;
} options;

static const char usage[] =
    "usage: maiathon-corpus [--seed N] [--games N] [--split train|heldout] [--kind KIND]\n"
    "                       [--text] [--stats] [--lexicon] [--grammar DIR]\n"
    "  --kind     all, game, evaluate, message, intent or talk (default all)\n"
    "  --text     games to read instead of JSON\n"
    "  --stats    only figures; --lexicon: only the words that appeared, sorted\n";

static bool parse(options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", 1, 0, 's'},    {"games", 1, 0, 'n'},   {"split", 1, 0, 'p'},
        {"kind", 1, 0, 'k'},    {"text", 0, 0, 't'},    {"stats", 0, 0, 'S'},
        {"lexicon", 0, 0, 'l'}, {"grammar", 1, 0, 'g'}, {0}};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            o->seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            o->games = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            o->heldout = strcmp(optarg, "heldout") == 0;
            break;
        case 'k':
            o->kind = optarg;
            break;
        case 't':
            o->text = true;
            break;
        case 'S':
            o->stats = true;
            break;
        case 'l':
            o->lexicon = true;
            break;
        case 'g':
            o->grammar = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

/* What the next record is: the mixture of the training corpus, or the one kind asked for. */
static const char *kind_of(const options *o, co_gen *gen)
{
    static const struct {
        const char *kind;
        double share;
    } mixture[] = {
        {"game", .66}, {"evaluate", .12}, {"message", .07}, {"intent", .08}, {"talk", .07}};
    if (strcmp(o->kind, "all") != 0) return o->kind;
    double at = cn_rng_unit(&gen->rng);
    int i = 0;
    while (i < 4 && (at -= mixture[i].share) >= 0)
        i++;
    return mixture[i].kind;
}

/* False when this build has nothing of the kind. */
static bool record(const options *o, co_gen *gen, co_game *g, cn_buf *line)
{
    const char *kind = kind_of(o, gen);
    const co_hooks *h = &co_hooks_table;
    if (strcmp(kind, "talk") == 0) {
        if (!h->talk) return false;
        h->talk(gen, line);
        return true;
    }
    co_play(g, gen);
    if (o->text)
        co_text_game(g, line);
    else if (strcmp(kind, "intent") == 0)
        co_json_intent(g, (int)co_below(gen, (unsigned)g->n), line);
    else if (strcmp(kind, "evaluate") == 0 && h->evaluate)
        h->evaluate(g, line);
    else if (strcmp(kind, "message") == 0 && h->message)
        h->message(g, line);
    else
        co_json_game(g, line);
    return true;
}

static uint64_t seed_of(const options *o, uint64_t i, int attempt)
{
    return (o->seed * 2 + o->heldout) * 0x9e3779b97f4a7c15u + i * 64 + (unsigned)attempt;
}

/* The words of every message of a record. */
static void count_words(co_stats *stats, cn_str line)
{
    cn_json *root = NULL;
    if (cn_json_parse(&root, line, NULL)) return;
    const cn_json *messages = cn_json_get(root, "messages");
    for (size_t i = 0; i < cn_json_size(messages); i++)
        co_stats_words(stats, cn_json_str(cn_json_get(cn_json_at(messages, i), "content")));
    cn_json_free(root);
}

static void make(const options *o, co_gen *gen, co_stats *stats)
{
    cn_buf line = {0};
    for (uint64_t i = 0; i < o->games; i++) {
        co_game g = {0};
        int attempt = 0;
        bool done;
        do { /* a held-out record holds something held out */
            cn_buf_clear(&line);
            co_gen_reset(gen, seed_of(o, i, attempt));
            done = record(o, gen, &g, &line);
        } while (++attempt < 60 && (!done || (o->heldout && !gen->heldout_used)));
        if (o->stats && g.n)
            co_stats_game(stats, &g);
        else if (o->stats || o->lexicon)
            count_words(stats, cn_buf_view(&line));
        else
            fwrite(line.p, 1, line.n, stdout);
    }
    cn_buf_clear(&line);
    if (o->stats) co_stats_print(stats, &line);
    if (o->lexicon) co_stats_lexicon(stats, &line);
    if (line.n) fwrite(line.p, 1, line.n, stdout);
    cn_buf_deinit(&line);
}

int main(int argc, char **argv)
{
    options o = {.seed = 1, .games = 10, .kind = "all", .grammar = CORPUS_GRAMMAR};
    co_grammar *g = NULL;
    co_gen gen = {0};
    cn_err err = {0};
    if (!parse(&o, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    cn_status st = co_grammar_open(&g, o.grammar, &err);
    if (!st) st = co_gen_init(&gen, g, o.seed, o.heldout, &err);
    if (st) {
        fprintf(stderr, "maiathon-corpus: %s: %s\n", err.what, err.why);
    } else {
        co_stats *stats = co_stats_new();
        make(&o, &gen, stats);
        co_stats_free(stats);
    }
    co_gen_deinit(&gen);
    co_grammar_free(g);
    return st || fflush(stdout) ? 1 : 0;
}
