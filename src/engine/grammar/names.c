/* How many member names each state within a name can still lead to. The matcher needs it where
 * names run out: a name is written once in an object. */
#include "automaton.h"
#include "compiler.h"
#include "mem.h"

typedef struct step {
    uint32_t state, edge;
} step;

static void add(aut_state *s, const aut_edge *e, uint32_t names)
{
    uint64_t all = s->names + (uint64_t)names * (e->hi - e->lo + 1u);
    s->names = names == NAMES_MANY ? NAMES_MANY : (uint16_t)CN_MIN(all, NAMES_MANY);
}

/* Depth first; a state on the way to itself leads to names without end. */
static void count_from(aut *a, uint32_t root, uint8_t *seen, step *way)
{
    uint32_t depth = 0;
    way[depth++] = (step){root, 0};
    seen[root] = 1;
    while (depth) {
        step *top = &way[depth - 1];
        aut_state *s = &a->states[top->state];
        if (top->edge == s->n_edges) {
            seen[top->state] = 2;
            depth--;
            continue;
        }
        const aut_edge *e = &a->edges[s->edge + top->edge];
        const aut_state *to = &a->states[e->to];
        if (to->flags & AUT_KEY && !seen[e->to]) {
            seen[e->to] = 1;
            way[depth++] = (step){e->to, 0};
            continue;
        }
        add(s, e, !(to->flags & AUT_KEY) ? 1 : seen[e->to] == 1 ? NAMES_MANY : to->names);
        top->edge++;
    }
}

bool aut_count_names(aut *a)
{
    uint8_t *seen = cn_alloc_array(a->n_states, 1);
    step *way = cn_alloc_array(a->n_states, sizeof *way);
    for (uint32_t i = 0; seen && way && i < a->n_states; i++)
        if (a->states[i].flags & AUT_KEY && !seen[i]) count_from(a, i, seen, way);
    bool ok = seen && way;
    cn_free(seen);
    cn_free(way);
    return ok;
}
