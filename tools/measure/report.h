/* What was measured, beside what is wanted and what the corpus' own replies reach. */
#ifndef MEASURE_REPORT_H
#define MEASURE_REPORT_H

#include <stdbool.h>

#include "buf.h"

typedef enum ms_want { MS_TOLD, MS_AT_LEAST, MS_BELOW, MS_AT_MOST } ms_want;
typedef enum ms_unit { MS_SHARE, MS_NUMBER, MS_MILLISECONDS, MS_RATE } ms_unit;

typedef struct ms_figure {
    const char *name, *what; /* of the JSON; of the table. Constant strings */
    double value, corpus;    /* NaN: nothing to measure; the corpus' own, NaN: none */
    double target;
    ms_want want;
    ms_unit unit;
    unsigned long n; /* of how many */
} ms_figure;

typedef struct ms_report {
    ms_figure figures[64];
    unsigned n;
    cn_buf calibration; /* JSON objects with commas between */
    cn_buf notes;       /* lines */
} ms_report;

void ms_report_deinit(ms_report *r);
void ms_report_add(ms_report *r, ms_figure f);
bool ms_figure_reached(const ms_figure *f); /* a figure that is only told: true */
unsigned ms_report_missed(const ms_report *r);
void ms_report_table(const ms_report *r, cn_buf *out);
/* {"figures":{NAME:{...}},"calibration":[...],"missed":N}, with `head` (members and a comma)
 * first. */
void ms_report_json(const ms_report *r, cn_str head, cn_buf *out);

#endif
