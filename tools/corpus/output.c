/* Games as JSON lines and as text to read. */
#include "output.h"

#include <string.h>

static void message(cn_buf *line, const char *role, const char *text)
{
    if (line->p[line->n - 1] == '}') cn_buf_putc(line, ',');
    cn_buf_printf(line, "{\"role\":\"%s\",\"content\":", role);
    cn_buf_json(line, cn_str_of(text));
    cn_buf_putc(line, '}');
}

void co_json_meta(const co_game *g, cn_buf *line)
{
    static const char *const bents[] = {"progressive", "stagnating", "regressing",
                                        "good",        "bad",        "rogue"};
    static const char *const styles[] = {"good", "sms", "short", "long", "brilliant"};
    cn_buf_lit(line, "\"question\":");
    cn_buf_json(line, g->question);
    cn_buf_printf(line, ",\"bent\":\"%s\",\"style\":\"%s\",\"heldout\":%u,\"turns\":[",
                  bents[g->bent], styles[g->style], g->gen->heldout_used);
    for (int i = 0; i < g->n; i++) {
        const co_turn *t = &g->turns[i];
        cn_buf_printf(line,
                      "%s{\"intent\":\"%s\",\"act\":\"%s\",\"events\":%u,\"idea\":\"%s\",",
                      i ? "," : "", co_intent_names[t->intent], t->act, t->events, t->idea);
        cn_buf_printf(line, "\"level\":%.2f,\"key\":", t->level);
        cn_buf_json(line, t->key);
        cn_buf_putc(line, '}');
    }
    cn_buf_putc(line, ']');
}

void co_json_game(const co_game *g, cn_buf *line)
{
    cn_buf system = {0};
    cn_buf_str(&system, g->persona);
    cn_buf_lit(&system, "\nQuestion : ");
    cn_buf_str(&system, g->question);
    cn_buf_putc(&system, '\0');
    cn_buf_lit(line, "{\"messages\":[");
    message(line, "system", system.p);
    cn_buf_deinit(&system);
    for (int i = 0; i < g->n; i++) {
        message(line, "user", g->turns[i].user);
        message(line, "assistant", g->turns[i].reply);
    }
    cn_buf_lit(line, "],\"kind\":\"game\",\"meta\":{");
    co_json_meta(g, line);
    cn_buf_lit(line, "}}\n");
}

void co_json_intent(const co_game *g, int turn, cn_buf *line)
{
    cn_buf_lit(line, "{\"messages\":[");
    message(line, "system", "Intention de l'élève : accord, confusion, résistance ou neutre ?");
    message(line, "user", g->turns[turn].user);
    message(line, "assistant", co_intent_names[g->turns[turn].intent]);
    cn_buf_printf(line, "],\"kind\":\"intent\",\"meta\":{\"act\":\"%s\"}}\n",
                  g->turns[turn].act);
}

void co_text_game(const co_game *g, cn_buf *out)
{
    cn_buf_printf(out, "## %.*s\n", CN_STR_ARG(g->question));
    for (int i = 0; i < g->n; i++) {
        const co_turn *t = &g->turns[i];
        cn_buf_printf(out, "[%s %.2f %s key=%.*s]\nÉlève: %s\nSpinoza: %s\n", t->act, t->level,
                      t->idea, CN_STR_ARG(t->key), t->user, t->reply);
    }
    cn_buf_putc(out, '\n');
}
