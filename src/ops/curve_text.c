/* The curve as characters: a Braille character is a field of 2 x 4 dots, an ASCII one a single
 * dot. Held-out points are the letter o over the training's dots. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "curve_priv.h"
#include "mem.h"
#include "utf8.h"

enum { LABEL = 8, MOST_COLUMNS = 400, MOST_ROWS = 100 };

typedef struct canvas {
    size_t columns, rows; /* characters of the plot */
    size_t across, down;  /* dots in a character */
    uint8_t *cells;       /* Braille dots, or 1 */
    uint8_t *held;        /* 1: a held-out point */
} canvas;

/* The bit of a dot in U+2800..U+28FF: [row][column]. */
static const uint8_t braille[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};

static void set_dot(canvas *c, double x, double y)
{
    if (!(x >= 0) || !(y >= 0)) return;
    size_t dot_x = (size_t)CN_MIN(x, 1e6), dot_y = (size_t)CN_MIN(y, 1e6);
    size_t column = dot_x / c->across, row = dot_y / c->down;
    if (column >= c->columns || row >= c->rows) return;
    c->cells[row * c->columns + column] |=
        c->across == 1 ? 1 : braille[dot_y % c->down][dot_x % c->across];
}

/* Dots of the canvas: 0 is left, and top. */
static double dot_x(const canvas *c, const curve_data *d, double x)
{
    return (x - d->x0) / (d->x1 - d->x0) * (double)(c->columns * c->across - 1);
}

static double dot_y(const canvas *c, const curve_data *d, double y)
{
    double share = fmin(fmax((d->y1 - y) / (d->y1 - d->y0), -1), 2);
    return share * (double)(c->rows * c->down - 1);
}

static void draw_line(canvas *c, double x0, double y0, double x1, double y1)
{
    double n = ceil(fmax(fmax(fabs(x1 - x0), fabs(y1 - y0)), 1));
    for (double i = 0; i <= n; i++)
        set_dot(c, round(x0 + (x1 - x0) * i / n), round(y0 + (y1 - y0) * i / n));
}

static void draw(canvas *c, const curve_data *d)
{
    for (size_t i = 0; i < d->n_smooth; i++) {
        const curve_point *from = &d->smooth[i ? i - 1 : 0], *to = &d->smooth[i];
        draw_line(c, dot_x(c, d, from->x), dot_y(c, d, from->y), dot_x(c, d, to->x),
                  dot_y(c, d, to->y));
    }
    for (size_t i = 0; i < d->n_heldout; i++) {
        size_t column = (size_t)round(dot_x(c, d, d->heldout[i].x)) / c->across,
               row = (size_t)round(dot_y(c, d, d->heldout[i].y)) / c->down;
        if (column < c->columns && row < c->rows) c->held[row * c->columns + column] = 1;
    }
}

static void put_cell(cn_buf *out, const canvas *c, size_t at)
{
    char text[4];
    if (c->held[at])
        cn_buf_putc(out, 'o');
    else if (!c->cells[at])
        cn_buf_putc(out, ' ');
    else if (c->across == 1)
        cn_buf_putc(out, '*');
    else
        cn_buf_append(out, text, cn_utf8_encode(0x2800u + c->cells[at], text));
}

/* The number at the middle of a row, on the first, the middle and the last one. */
static void put_label(cn_buf *out, const canvas *c, const curve_data *d, size_t row)
{
    double y = d->y1 - (d->y1 - d->y0) * ((double)row + 0.5) / (double)c->rows;
    char text[16] = "";
    if (row == 0 || row == c->rows - 1 || row == c->rows / 2)
        snprintf(text, sizeof text, "%.3g", d->log_scale ? pow(10, y) : y);
    cn_buf_printf(out, "%*s ", LABEL, text);
}

static void put_plot(cn_buf *out, const canvas *c, const curve_data *d, bool utf8)
{
    for (size_t row = 0; row < c->rows; row++) {
        size_t last = c->columns, at = row * c->columns;
        put_label(out, c, d, row);
        cn_buf_str(out, cn_str_of(utf8 ? "\u2502" : "|"));
        while (last && !c->cells[at + last - 1] && !c->held[at + last - 1])
            last--; /* no blanks at the end */
        for (size_t i = 0; i < last; i++)
            put_cell(out, c, at + i);
        cn_buf_putc(out, '\n');
    }
}

static void put_foot(cn_buf *out, const canvas *c, const curve_data *d, bool utf8)
{
    char first[32], last[32];
    snprintf(first, sizeof first, "%.0f", d->x0);
    snprintf(last, sizeof last, "%.0f", d->x1);
    cn_buf_printf(out, "%*s %s", LABEL, "", utf8 ? "\u2514" : "+");
    for (size_t i = 0; i < c->columns; i++)
        cn_buf_str(out, cn_str_of(utf8 ? "\u2500" : "-"));
    int gap = (int)c->columns - (int)strlen(first) - (int)strlen(last);
    cn_buf_printf(out, "\n%*s  %s%*s%s\n", LABEL, "", first, CN_MAX(gap, 1), "", last);
    cn_buf_printf(out, "%*s  %s training loss, smoothed", LABEL, "", utf8 ? "\u2812" : "*");
    if (d->n_heldout) cn_buf_lit(out, "   o held-out loss");
    cn_buf_putc(out, '\n');
}

cn_status curve_text(cn_buf *out, const job_metrics *m, const curve_options *o,
                     unsigned columns, unsigned rows, bool utf8, cn_err *err)
{
    canvas c = {.across = utf8 ? 2 : 1, .down = utf8 ? 4 : 1};
    c.columns = CN_MIN(CN_MAX(columns, 20), MOST_COLUMNS) - LABEL - 2;
    c.rows = CN_MIN(CN_MAX(rows, 3), MOST_ROWS);
    if (!m->n_train && !m->n_heldout) return CN_OK;
    curve_data d;
    cn_status st = curve_prepare(&d, m, o->log_scale, c.columns * c.across, err);
    if (st) return st;
    c.cells = cn_alloc_array(c.columns * c.rows, 1);
    c.held = cn_alloc_array(c.columns * c.rows, 1);
    if (!c.cells || !c.held || (!d.n_smooth && !d.n_heldout)) {
        st = c.cells && c.held ? CN_OK : cn_fail(err, CN_E_NOMEM, "a chart");
        goto done;
    }
    draw(&c, &d);
    put_plot(out, &c, &d, utf8);
    put_foot(out, &c, &d, utf8);
    if (out->failed) st = cn_fail(err, CN_E_NOMEM, "a chart of %zu bytes", out->n);
done:
    cn_free(c.cells);
    cn_free(c.held);
    curve_data_deinit(&d);
    return st;
}
