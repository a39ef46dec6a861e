/* maiathon-measure: what the model that ships can do, on what the corpus held out. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "measure.h"

typedef struct settings {
    const char *model, *corpus, *grammar, *wordlist, *calibration, *save;
    size_t games, grades, messages, intents, show;
    uint64_t seed;
    unsigned threads;
    bool json, check, speed;
} settings;

enum { SEEN = 6000 }; /* records of each half whose words are known */

static const char usage[] =
    "usage: maiathon-measure MODEL [options]\n"
    "Lets the model play held-out games and grade held-out dialogues; prints a table.\n"
    "  --games N        games (200); --grades N, --messages N, --intents N (200, 100, 300)\n"
    "  --seed N         of the records and of the answers (1)\n"
    "  --corpus FILE    the program maiathon-corpus; --grammar DIR: its grammar\n"
    "  --wordlist FILE  words that exist beside the corpus' (/usr/share/dict/french)\n"
    "  --calibration F  labelled dialogues (JSON lines), to show the marks given to them\n"
    "  --show N         print the first N games and messages\n"
    "  --threads N      compute threads (0: all)\n"
    "  --no-speed       no figure that depends on the machine\n"
    "  --json           print JSON;  --save FILE: write it there, too\n"
    "  --check          exit status 1 when a target is missed\n";

static bool parse(settings *s, int argc, char **argv)
{
    static const struct option longs[] = {{"games", 1, 0, 'n'},       {"grades", 1, 0, 'e'},
                                          {"messages", 1, 0, 'm'},    {"intents", 1, 0, 'i'},
                                          {"seed", 1, 0, 's'},        {"corpus", 1, 0, 'p'},
                                          {"grammar", 1, 0, 'g'},     {"wordlist", 1, 0, 'w'},
                                          {"calibration", 1, 0, 'l'}, {"show", 1, 0, 'S'},
                                          {"threads", 1, 0, 't'},     {"no-speed", 0, 0, 'q'},
                                          {"json", 0, 0, 'j'},        {"save", 1, 0, 'o'},
                                          {"check", 0, 0, 'c'},       {0}};
    size_t *const counts[128] = {['n'] = &s->games,
                                 ['e'] = &s->grades,
                                 ['m'] = &s->messages,
                                 ['i'] = &s->intents,
                                 ['S'] = &s->show};
    const char **const texts[128] = {['p'] = &s->corpus,
                                     ['g'] = &s->grammar,
                                     ['w'] = &s->wordlist,
                                     ['l'] = &s->calibration,
                                     ['o'] = &s->save};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        size_t n = optarg ? strtoul(optarg, NULL, 10) : 0;
        if (c == '?') return false;
        if (counts[c]) *counts[c] = n;
        if (texts[c]) *texts[c] = optarg;
        if (c == 's') s->seed = n;
        if (c == 't') s->threads = (unsigned)n;
        s->speed = s->speed && c != 'q';
        s->json = s->json || c == 'j';
        s->check = s->check || c == 'c';
    }
    if (optind + 1 != argc) return false;
    s->model = argv[optind];
    return true;
}

/* What Spinoza says in a half of the corpus. */
static cn_status learn_half(ms_run *r, bool heldout, ms_records *seen, cn_err *err)
{
    ms_source other = {r->source.program, r->source.seed + 1000};
    cn_status st = ms_records_read(seen, &other, "all", heldout, SEEN, err);
    for (size_t i = 0; i < seen->n; i++)
        for (size_t k = 2; k < ms_n_messages(&seen->items[i]); k += 2)
            ms_words_learn(&r->words, ms_content(&seen->items[i], k));
    return st;
}

/* Which words exist: those of the corpus and of the word list; without a list the check is
 * stricter. And which intent each act of a pupil has. */
static cn_status learn(ms_run *r, const settings *s, cn_err *err)
{
    ms_records train = {0}, heldout = {0};
    cn_status st = learn_half(r, false, &train, err);
    if (!st) st = learn_half(r, true, &heldout, err);
    if (!st) r->judge = ms_judge_new(r->grammar, &train);
    ms_records_deinit(&train);
    ms_records_deinit(&heldout);
    if (st) return st;
    if (cn_is_file(s->wordlist)) return ms_words_read(&r->words, s->wordlist, err);
    cn_buf_printf(&r->report.notes, "no word list %s: only the corpus' words count as known\n",
                  s->wordlist);
    return CN_OK;
}

static cn_status measure(ms_run *r, const settings *s, cn_err *err)
{
    cn_status st = co_grammar_open(&r->grammar, s->grammar, err);
    if (!st) st = learn(r, s, err);
    if (!st) st = ms_speaker_open(&r->speaker, s->model, s->threads, err);
    if (!st) st = ms_measure_judge(r, err);
    if (!st && r->games) st = ms_measure_games(r, err);
    if (!st && r->intents) st = ms_measure_intents(r, err);
    if (!st && r->grades) st = ms_measure_grades(r, err);
    if (!st && r->messages) st = ms_measure_messages(r, err);
    if (!st) st = ms_measure_calibration(r, err);
    if (!st && s->speed) st = ms_measure_speed(r, err);
    if (r->shortened)
        cn_buf_printf(&r->report.notes, "%zu questions were cut to fit the context\n",
                      r->shortened);
    return st;
}

static cn_status print(const ms_run *r, const settings *s, cn_err *err)
{
    cn_buf table = {0}, json = {0}, head = {0};
    cn_buf_printf(&head, "\"seed\":%" PRIu64 ",\"games\":%zu,\"model\":", s->seed, s->games);
    cn_buf_json(&head, cn_str_of(cn_path_base(s->model)));
    cn_buf_lit(&head, ",\n");
    ms_report_json(&r->report, cn_buf_view(&head), &json);
    ms_report_table(&r->report, &table);
    const cn_buf *shown = s->json ? &json : &table;
    fwrite(shown->p, 1, shown->n, stdout);
    cn_status st = s->save ? cn_file_write(s->save, cn_buf_view(&json), err) : CN_OK;
    cn_buf_deinit(&head);
    cn_buf_deinit(&json);
    cn_buf_deinit(&table);
    return st;
}

int main(int argc, char **argv)
{
    settings s = {.corpus = MEASURE_CORPUS,
                  .grammar = CORPUS_GRAMMAR,
                  .wordlist = "/usr/share/dict/french",
                  .calibration = MEASURE_SHARED "/calibration_avatars.jsonl",
                  .games = 200,
                  .grades = 200,
                  .messages = 100,
                  .intents = 300,
                  .seed = 1,
                  .speed = true};
    cn_err err = {0};
    if (!parse(&s, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    ms_run r = {.source = {s.corpus, s.seed},
                .games = s.games,
                .grades = s.grades,
                .messages = s.messages,
                .intents = s.intents,
                .show = s.show,
                .calibration = s.calibration,
                .out = s.json ? stderr : stdout};
    cn_status st = measure(&r, &s, &err);
    if (!st) st = print(&r, &s, &err);
    if (st) fprintf(stderr, "maiathon-measure: %s: %s\n", err.what, err.why);
    int code = st ? 2 : s.check && ms_report_missed(&r.report);
    ms_judge_free(r.judge);
    ms_speaker_close(&r.speaker);
    ms_words_deinit(&r.words);
    ms_report_deinit(&r.report);
    co_grammar_free(r.grammar);
    return code;
}
