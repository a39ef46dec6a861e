#include "noise_words.h"

#include <ctype.h>

static const noise_pair short_forms[] = {
    {"je ne sais pas", {"jsp", "j'sais pas", "jsais pas"}},
    {"je sais pas", {"jsp", "jsais pas", "chais pas"}},
    {"je n'en sais rien", {"j'en sais rien", "jen sais rien", "jsp"}},
    {"je ne comprends pas",
     {"jcomprends pas", "jcomprend pas", "je comprend pa", "g pas compris"}},
    {"je ne comprends rien", {"jcomprends rien", "g rien compris", "je comprend rien"}},
    {"je n'ai pas compris", {"j'ai pas compris", "g pas compris", "jai pa compris"}},
    {"qu'est-ce que c'est", {"c koi", "c quoi", "kesako"}},
    {"qu'est-ce que tu", {"keske tu", "kes tu", "qu'est ce que tu"}},
    {"qu'est-ce que", {"keske", "kes", "qu'est ce que"}},
    {"est-ce que", {"est ce que", "esque", "eske"}},
    {"c'est-à-dire", {"cad", "c a d", "cest a dire"}},
    {"c'est quoi", {"c koi", "c quoi"}},
    {"c'est ça", {"c ca", "c sa", "cest ca"}},
    {"c'était", {"cetait", "c t", "ct"}},
    {"c'est", {"c", "cest"}},
    {"ça veut dire quoi", {"sa veut dire quoi", "ca veut dire koi"}},
    {"je suis", {"jsuis", "chui", "chuis"}},
    {"je me", {"jme"}},
    {"je vois", {"jvois"}},
    {"je veux", {"jveux", "jveu"}},
    {"je peux", {"jpeux", "jpeu"}},
    {"je pense", {"jpense", "jpens"}},
    {"je crois", {"jcrois", "jcroi"}},
    {"je fais", {"jfais"}},
    {"je trouve", {"jtrouve"}},
    {"j'ai", {"jai", "g"}},
    {"j'en", {"jen"}},
    {"j'étais", {"jetais"}},
    {"tu es", {"t'es", "t", "tes"}},
    {"tu as", {"t'as", "ta", "tas"}},
    {"il y a", {"ya", "y a"}},
    {"d'accord", {"dacc", "daccord", "dac"}},
    {"parce que", {"pcq", "psk", "parceque", "pasque"}},
    {"pourquoi", {"pk", "pq", "pourkoi", "prk"}},
    {"quelque chose", {"qqch", "qqchose", "kelke chose"}},
    {"quelqu'un", {"qqn", "kelkun"}},
    {"n'importe quoi", {"nimp", "nimporte quoi", "nimporte koi"}},
    {"tout le monde", {"tt le monde", "tlm"}},
    {"tout le temps", {"tt le tps", "tt le temps"}},
    {"tout de suite", {"tt de suite"}},
    {"tout ça", {"tt ca", "tt sa"}},
    {"en fait", {"enfaite", "en faite", "enft"}},
    {"du coup", {"dc", "ducoup"}},
    {"peut-être", {"ptet", "peut etre", "pt etre"}},
    {"s'il te plaît", {"stp", "sil te plait"}},
    {"en train de", {"entrain de"}},
    {"quand même", {"qd mm", "quand mm"}},
    {"même", {"mm", "meme"}},
    {"toujours", {"tjrs", "tjs", "tjr"}},
    {"beaucoup", {"bcp", "bocou"}},
    {"maintenant", {"mtn", "mnt", "mtnt"}},
    {"vraiment", {"vrmt", "vraimen", "vrm"}},
    {"exactement", {"exactemen", "exact"}},
    {"longtemps", {"lgtps", "lontemps"}},
    {"temps", {"tps", "tem"}},
    {"quand", {"qd", "kan", "kand"}},
    {"comment", {"cmt", "comen", "cmnt"}},
    {"avant", {"avt"}},
    {"après", {"apres"}},
    {"avec", {"avc", "av"}},
    {"dans", {"ds", "dan"}},
    {"donc", {"dc", "donk"}},
    {"mais", {"mai"}},
    {"tout", {"tt"}},
    {"tous", {"ts"}},
    {"toute", {"tte"}},
    {"quoi", {"koi", "quoi", "koi", "kwa"}},
    {"que", {"ke", "q"}},
    {"qui", {"ki"}},
    {"pas", {"pa"}},
    {"jamais", {"jms", "jamai"}},
    {"rien", {"r1", "rien"}},
    {"bien", {"b1", "bi1"}},
    {"plus", {"+", "plu"}},
    {"moins", {"-", "moin"}},
    {"trop", {"tro", "trp"}},
    {"très", {"tres"}},
    {"pour", {"pr", "pour"}},
    {"vous", {"vs"}},
    {"nous", {"ns"}},
    {"on est", {"on est"}},
    {"désolé", {"dsl", "desole"}},
    {"problème", {"pb", "prblm"}},
    {"exemple", {"ex", "exemple"}},
    {"par exemple", {"par ex", "genre", "p ex"}},
    {"question", {"quest", "qst"}},
    {"liberté", {"liberté", "liberte"}},
    {"bonjour", {"bjr", "bonjour", "bj"}},
    {"salut", {"slt", "salu"}},
    {"merci", {"mci", "merci", "mrc"}},
    {"demain", {"2m1"}},
    {"demande", {"dmd", "demande"}},
    {"chose", {"chose", "truc"}},
    {"choses", {"chose", "trucs"}},
    {"oui", {"ui", "ouai", "wi"}},
    {"non", {"nn", "non"}},
    {"moi", {"moi", "moi", "moi", "mwa"}},
    {"portable", {"portable", "tel"}},
    {"téléphone", {"tel", "telephone"}},
};

static const noise_pair without_ne[] = {
    {"je ne ", {"je "}},       {"tu ne ", {"tu "}},         {"il ne ", {"il "}},
    {"elle ne ", {"elle "}},   {"on ne ", {"on "}},         {"ça ne ", {"ça "}},
    {"ce n'est ", {"c'est "}}, {"je n'ai ", {"j'ai "}},     {"je n'en ", {"j'en "}},
    {"je n'y ", {"j'y "}},     {"je n'aime ", {"j'aime "}}, {"je n'arrive ", {"j'arrive "}},
    {"tu n'as ", {"t'as "}},   {"tu n'es ", {"t'es "}},     {"on n'est ", {"on est "}},
    {"on n'a ", {"on a "}},    {"il n'y ", {"y "}},         {"ça n'a ", {"ça a "}},
    {"ne me ", {"me "}},       {"ne se ", {"se "}},         {"ne te ", {"te "}},
};

static const noise_pair faults[] = {
    {"ça", {"sa"}},
    {"à", {"a"}},
    {"où", {"ou"}},
    {"c'est", {"ces", "s'est", "sait"}},
    {"ces", {"ses"}},
    {"peut", {"peux"}},
    {"veut", {"veux"}},
    {"peux", {"peut"}},
    {"veux", {"veut"}},
    {"fait", {"fais"}},
    {"dit", {"dis"}},
    {"doit", {"dois"}},
    {"dois", {"doit"}},
    {"sais", {"sait"}},
    {"vois", {"voit"}},
    {"crois", {"croit"}},
    {"comprends", {"comprend"}},
    {"quand même", {"comme même", "quant même"}},
    {"malgré", {"malgrés"}},
    {"parmi", {"parmis"}},
    {"quelle", {"quel"}},
    {"quel", {"quelle"}},
    {"on est", {"on ait", "ont est"}},
    {"ils ont", {"il on", "ils on"}},
    {"tout à fait", {"tout a fait", "toutafait"}},
    {"est-ce que", {"est ce que", "esce que"}},
    {"peut-être", {"peut être"}},
    {"a-t-on", {"a t'on"}},
    {"t'es", {"tes"}},
    {"t'as", {"ta"}},
    {"quelqu'un", {"quelquun", "quelque un"}},
    {"maîtriser", {"maitriser", "métriser"}},
    {"d'ailleurs", {"dailleur"}},
    {"ailleurs", {"ailleur"}},
    {"toujours", {"toujour"}},
    {"jamais", {"jamai"}},
    {"autrement", {"autremant"}},
    {"vraiment", {"vraiement", "vraiman"}},
    {"enfin", {"en fin"}},
    {"plutôt", {"plus tôt", "plutot"}},
    {"bizarre", {"bizare", "bizard"}},
    {"connaître", {"connaitre"}},
    {"connais", {"connait"}},
    {"philosophe", {"filosofe", "philosphe"}},
    {"philosophie", {"filo", "philo", "filosophie"}},
};

static bool word_byte(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

static const noise_pair *longest(const noise_pair *table, size_t n, cn_str text)
{
    const noise_pair *best = NULL;
    size_t best_n = 0;
    for (size_t i = 0; i < n; i++) {
        cn_str c = cn_str_of(table[i].clean);
        if (c.n <= best_n || !cn_str_starts(text, c)) continue;
        bool border =
            text.n == c.n || c.p[c.n - 1] == ' ' || !word_byte((unsigned char)text.p[c.n]);
        if (!border) continue;
        best = &table[i];
        best_n = c.n;
    }
    return best;
}

const noise_pair *noise_short_form(cn_str text)
{
    return longest(short_forms, sizeof short_forms / sizeof *short_forms, text);
}

const noise_pair *noise_no_ne(cn_str text)
{
    return longest(without_ne, sizeof without_ne / sizeof *without_ne, text);
}

const noise_pair *noise_fault(cn_str text)
{
    return longest(faults, sizeof faults / sizeof *faults, text);
}
