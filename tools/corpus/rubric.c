/* The rubric of the game: bands first (what alone decides), then a point more or less. */
#include "rubric.h"

#include <stdbool.h>

enum {
    GRASP = CO_EV_RIGHT | CO_EV_PRECISE | CO_EV_MORAL,
    SHARP = CO_EV_PRECISE | CO_EV_MORAL,
    LINK = CO_EV_LINK | CO_EV_EXAMPLE,
    HOSTILE = CO_EV_INSULT | CO_EV_LEAVE,
    IDLE = CO_EV_BARE | CO_EV_STUFF | CO_EV_COPY | CO_EV_OFFTOPIC | CO_EV_PROMPT,
    ENGAGED = GRASP | LINK | CO_EV_PARTIAL | CO_EV_WRONG | CO_EV_QUESTION | CO_EV_LOST |
              CO_EV_OBJECT | CO_EV_CONTRARY,
};

static bool refuses(unsigned e)
{
    return (e & RUBRIC_WONT_PLAY) == RUBRIC_WONT_PLAY;
}

static int count(const unsigned *e, size_t n, unsigned any)
{
    int k = 0;
    for (size_t i = 0; i < n; i++)
        k += (e[i] & any) != 0;
    return k;
}

/* An answer of his own in which nothing of Spinoza's is taken up. */
static int opinions(const unsigned *e, size_t n)
{
    int k = 0;
    for (size_t i = 0; i < n; i++)
        k += (e[i] & ~(unsigned)CO_EV_EXAMPLE) == 0;
    return k;
}

static int refusals(const unsigned *e, size_t n)
{
    int k = 0;
    for (size_t i = 0; i < n; i++)
        k += refuses(e[i]);
    return k;
}

/* Contempt or walking out; or insults that do not stop. */
static bool scorned(const unsigned *e, size_t n)
{
    bool end = n && e[n - 1] & HOSTILE;
    for (size_t i = 0; i < n; i++) {
        if ((e[i] & RUBRIC_CONTEMPT) == RUBRIC_CONTEMPT || e[i] & CO_EV_LEAVE) return true;
    }
    return end || count(e, n, CO_EV_INSULT) >= 2;
}

static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* Without one right reformulation: at most 4, but for those who ask what they do not
 * understand. */
static int comprehension_without(const unsigned *e, size_t n)
{
    int asks = count(e, n, CO_EV_QUESTION), lost = count(e, n, CO_EV_LOST);
    int argued = count(e, n, CO_EV_OBJECT), half = count(e, n, CO_EV_PARTIAL);
    if (count(e, n, CO_EV_GIVE_UP) || refusals(e, n)) {
        return clamp(1 + (asks > 0) + (half + argued > 0), 0, 3);
    }
    if (half >= 2 || (half && asks)) return 5;
    if (asks >= 2) return asks >= 3 || argued ? 6 : 5;
    if (asks && lost >= 2) return 5;
    if (half || asks || argued || count(e, n, CO_EV_LINK)) return 4;
    if (lost >= 1 || opinions(e, n) || count(e, n, CO_EV_WRONG)) {
        return 2 + (lost + opinions(e, n) + count(e, n, CO_EV_EXAMPLE) >= 2);
    }
    return count(e, n, CO_EV_REFUSE | CO_EV_COPY | CO_EV_BARE)
               ? 1 + (count(e, n, CO_EV_COPY) == 1)
               : 0;
}

static int comprehension(const unsigned *e, size_t n)
{
    int grasped = count(e, n, GRASP), sharp = count(e, n, SHARP);
    if (!grasped) return comprehension_without(e, n);
    int mark = grasped >= 2 ? 7 : 6;
    if (grasped >= 3 || (grasped == 2 && count(e, n, CO_EV_LINK))) mark = 8;
    if (sharp) mark = grasped >= 2 || count(e, n, CO_EV_MORAL) ? 9 : 8;
    if (sharp >= 2 || (sharp && grasped >= 3)) mark = 10;
    mark -= count(e, n, CO_EV_WRONG) > 0;
    mark -= count(e, n, CO_EV_GIVE_UP) > 0;
    return clamp(mark, 0, 10);
}

static int cooperation(const unsigned *e, size_t n)
{
    int asks = count(e, n, CO_EV_QUESTION), engaged = count(e, n, ENGAGED);
    int idle = count(e, n, IDLE), grasped = count(e, n, GRASP);
    int insults = count(e, n, CO_EV_INSULT);
    if (scorned(e, n)) return engaged || opinions(e, n) ? 1 : 0;
    if (insults) return clamp(1 + engaged, 1, 4);
    if (refusals(e, n)) return clamp(engaged, 0, 2);
    int mark = asks >= 2 ? 8 : asks ? 6 : 5;
    if (!asks && engaged >= 2) mark = 6;
    if (!asks && grasped >= 2) mark = 7;
    if (asks && grasped >= 2) mark = asks >= 2 ? 10 : 8;
    if (asks && grasped == 1) mark += 1;
    mark -= count(e, n, CO_EV_REFUSE) + (count(e, n, CO_EV_LOST) >= 3 && !asks);
    mark -= idle + (count(e, n, CO_EV_PROMPT | CO_EV_STUFF) > 1);
    mark -= 2 * (count(e, n, CO_EV_GIVE_UP) > 0);
    if (!engaged) mark = clamp(mark, 0, opinions(e, n) ? 4 : 3);
    return clamp(mark, 0, 10);
}

/* How far a message is on the way, 0 to 6. */
static int stage(unsigned e)
{
    if (e & (HOSTILE | CO_EV_GIVE_UP) || refuses(e)) return 0;
    if (e & SHARP) return e & (LINK | CO_EV_QUESTION | CO_EV_CONTRARY) ? 6 : 5;
    if (e & CO_EV_RIGHT) return e & (LINK | CO_EV_QUESTION | CO_EV_CONTRARY) ? 5 : 4;
    if (e & (CO_EV_PARTIAL | CO_EV_LINK | CO_EV_CONTRARY)) return 3;
    if (e & (CO_EV_QUESTION | CO_EV_OBJECT | CO_EV_EXAMPLE)) return 2;
    return e & (IDLE | CO_EV_SMALLTALK) ? 0 : 1;
}

static int best(const unsigned *e, size_t from, size_t to)
{
    int b = 0;
    for (size_t i = from; i < to; i++)
        b = stage(e[i]) > b ? stage(e[i]) : b;
    return b;
}

static int progression(const unsigned *e, size_t n)
{
    size_t half = (n + 1) / 2;
    int start = stage(e[0]), early = best(e, 0, half), late = best(e, half, n);
    int end = stage(e[n - 1]), top = late > early ? late : early;
    if (e[n - 1] & (CO_EV_GIVE_UP | HOSTILE) || refuses(e[n - 1]))
        return top >= 3 ? 2 : top > 0;
    if (top == 0) return 0;
    if (top == 1) return 1 + (end > 0);
    if (top == 2) return 2 + (count(e, n, CO_EV_OBJECT | CO_EV_QUESTION) > 0) + (late > start);
    if (top == 3) return 4 + (late == 3);
    if (n > 1 && late < 4) return late >= 2 ? 4 : 3; /* had it, then lost it */
    int mark = 6 + (late > early) + (end >= 4 && end > start) + (end >= 5 && start <= 1);
    mark += late == 6 && end >= 5 && start < 5;
    mark -= 2 * (end < 3) + (end == 3 || (n > 1 && end < early));
    return clamp(mark, 0, 10);
}

rubric_marks rubric_grade(const unsigned *e, size_t n)
{
    if (!n) return (rubric_marks){0};
    rubric_marks m = {comprehension(e, n), cooperation(e, n), progression(e, n), 0};
    if (scorned(e, n)) {
        m.comprehension = clamp(m.comprehension, 0, 3);
        if (count(e, n, HOSTILE) < 3 && m.comprehension == 0) m.comprehension = 1;
        m.progression = clamp(m.progression, 0, 2);
    }
    m.total = m.comprehension + m.cooperation + m.progression;
    return m;
}
