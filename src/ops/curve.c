/* The curve as SVG. */
#include "curve.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "curve_priv.h"
#include "file.h"
#include "mem.h"
#include "utf8.h"

/* The document and the plot in it, in pixels of the viewBox. */
enum { WIDTH = 800, HEIGHT = 450, LEFT = 64, RIGHT = 768, TOP = 52, BOTTOM = 404 };
enum { MOST_POINTS = 600 }; /* about 35 KB of paths */

static const char style[] =
    "<style>"
    "svg{color-scheme:light dark;font:13px system-ui,sans-serif}"
    ".paper{fill:#fff}text{fill:#333}.head{font-size:16px;font-weight:600}"
    ".grid{stroke:#e3e6ea;stroke-width:1}.axis{stroke:#888;stroke-width:1}"
    "path{fill:none;stroke-linejoin:round}"
    ".raw{stroke:#2563eb;stroke-opacity:.25;stroke-width:1}"
    ".train{stroke:#2563eb;stroke-width:2}.held{stroke:#c2410c;stroke-width:1.5}"
    ".dot{fill:#c2410c}"
    "@media(prefers-color-scheme:dark){"
    ".paper{fill:#14171c}text{fill:#d5dae1}.grid{stroke:#2a3038}.axis{stroke:#7d8590}"
    ".raw,.train{stroke:#7aa8ff}.held{stroke:#ffa366}.dot{fill:#ffa366}}"
    "</style>\n";

/* Text of XML: markup escaped; what XML cannot hold becomes U+FFFD. */
static void put_xml(cn_buf *b, const char *s)
{
    size_t left = strlen(s), n;
    for (; left; s += n, left -= n) {
        uint32_t rune = 0;
        n = cn_utf8_decode(s, left, &rune);
        if (n == 0 || rune < 0x20 || rune == 0x7F || rune == 0xFFFE || rune == 0xFFFF) {
            cn_buf_lit(b, "\xEF\xBF\xBD");
            n = CN_MAX(n, 1);
        } else if (rune == '<') {
            cn_buf_lit(b, "&lt;");
        } else if (rune == '>') {
            cn_buf_lit(b, "&gt;");
        } else if (rune == '&') {
            cn_buf_lit(b, "&amp;");
        } else {
            cn_buf_append(b, s, n);
        }
    }
}

static double pixel_x(const curve_data *d, double x)
{
    return LEFT + (x - d->x0) / (d->x1 - d->x0) * (RIGHT - LEFT);
}

/* Held within reach of the plot, which clips it. */
static double pixel_y(const curve_data *d, double y)
{
    double share = (y - d->y0) / (d->y1 - d->y0);
    return BOTTOM - fmin(fmax(share, -1), 2) * (BOTTOM - TOP);
}

static void put_path(cn_buf *b, const curve_data *d, const char *class, const curve_point *p,
                     size_t n)
{
    if (!n) return;
    cn_buf_printf(b, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < n; i++)
        cn_buf_printf(b, "%s%.1f %.1f", i ? "L" : "M", pixel_x(d, p[i].x), pixel_y(d, p[i].y));
    if (n == 1) cn_buf_lit(b, "h.1"); /* or nothing would be seen of it */
    cn_buf_lit(b, "\"/>\n");
}

static void put_dots(cn_buf *b, const curve_data *d)
{
    for (size_t i = 0; i < d->n_heldout; i++)
        cn_buf_printf(b, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"/>\n",
                      pixel_x(d, d->heldout[i].x), pixel_y(d, d->heldout[i].y),
                      d->n_heldout > 60 ? "1.5" : "3");
}

static void put_axes(cn_buf *b, const curve_data *d)
{
    curve_tick ticks[CURVE_MAX_TICKS];
    size_t n = curve_ticks(ticks, d->y0, d->y1, d->log_scale, 6);
    for (size_t i = 0; i < n; i++) {
        double y = pixel_y(d, ticks[i].at);
        cn_buf_printf(b,
                      "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                      "text-anchor=\"end\">%s</text>\n",
                      LEFT, y, RIGHT, LEFT - 8, y + 4.5, ticks[i].label);
    }
    n = curve_ticks(ticks, d->x0, d->x1, false, 8);
    for (size_t i = 0; i < n; i++) {
        double x = pixel_x(d, ticks[i].at);
        cn_buf_printf(b,
                      "<path class=\"axis\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" "
                      "text-anchor=\"middle\">%s</text>\n",
                      x, BOTTOM, x, BOTTOM + 20, ticks[i].label);
    }
    cn_buf_printf(b,
                  "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>"
                  "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n",
                  LEFT, TOP, BOTTOM, RIGHT, (LEFT + RIGHT) / 2, BOTTOM + 38);
}

static const job_metric *lowest_heldout(const job_metrics *m)
{
    const job_metric *best = NULL;
    for (size_t i = 0; i < m->n_heldout; i++)
        if (isfinite(m->heldout[i].heldout_loss) &&
            (!best || m->heldout[i].heldout_loss < best->heldout_loss))
            best = &m->heldout[i];
    return best;
}

static double loss_of(const curve_data *d, const curve_point *p)
{
    return d->log_scale ? pow(10, p->y) : p->y;
}

/* The curve in words, for those who do not see it. */
static void put_description(cn_buf *b, const curve_data *d, const job_metrics *m)
{
    const job_metric *best = lowest_heldout(m);
    if (d->n_smooth) {
        const curve_point *first = &d->smooth[0], *last = &d->smooth[d->n_smooth - 1];
        cn_buf_printf(b, "Smoothed training loss from %.4g at step %.0f to %.4g at step %.0f.",
                      loss_of(d, first), first->x, loss_of(d, last), last->x);
    } else {
        cn_buf_lit(b, "No training step was measured.");
    }
    if (best)
        cn_buf_printf(b, " Lowest held-out loss %.4g at step %" PRIu64 ".", best->heldout_loss,
                      best->step);
    if (d->n_not_finite)
        cn_buf_printf(b, " %zu losses are not drawn: no finite number%s.", d->n_not_finite,
                      d->log_scale ? ", or not above zero" : "");
}

static void put_legend(cn_buf *b, const curve_data *d, const job_metrics *m)
{
    const job_metric *best = lowest_heldout(m);
    cn_buf_printf(
        b,
        "<path class=\"train\" d=\"M%d 40h22\"/><text x=\"%d\" y=\"44\">training loss, "
        "smoothed</text>\n",
        LEFT, LEFT + 28);
    if (best)
        cn_buf_printf(b,
                      "<path class=\"held\" d=\"M264 40h22\"/><circle class=\"dot\" cx=\"275\" "
                      "cy=\"40\" r=\"3\"/><text x=\"292\" y=\"44\">held-out loss, lowest %.4g "
                      "at step %" PRIu64 "</text>\n",
                      best->heldout_loss, best->step);
    if (d->log_scale)
        cn_buf_printf(b, "<text x=\"%d\" y=\"44\" text-anchor=\"end\">logarithmic</text>\n",
                      RIGHT);
    if (!d->n_smooth && !d->n_heldout)
        cn_buf_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">no step yet</text>\n",
                      (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2);
}

static void put_document(cn_buf *b, const curve_data *d, const job_metrics *m,
                         const char *title)
{
    cn_buf_printf(b,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                  "role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">",
                  WIDTH, HEIGHT);
    put_xml(b, title);
    cn_buf_lit(b, "</title>\n<desc id=\"desc\">");
    put_description(b, d, m);
    cn_buf_lit(b, "</desc>\n");
    cn_buf_lit(b, style);
    cn_buf_printf(b,
                  "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n"
                  "<clipPath id=\"plot\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
                  "height=\"%d\"/></clipPath>\n<text class=\"head\" x=\"%d\" y=\"24\">",
                  WIDTH, HEIGHT, LEFT - 4, TOP - 4, RIGHT - LEFT + 8, BOTTOM - TOP + 8, LEFT);
    put_xml(b, title);
    cn_buf_lit(b, "</text>\n");
    put_axes(b, d);
    cn_buf_lit(b, "<g clip-path=\"url(#plot)\">\n");
    put_path(b, d, "raw", d->raw, d->n_raw);
    put_path(b, d, "train", d->smooth, d->n_smooth);
    put_path(b, d, "held", d->heldout, d->n_heldout);
    put_dots(b, d);
    cn_buf_lit(b, "</g>\n");
    put_legend(b, d, m);
    cn_buf_lit(b, "</svg>\n");
}

cn_status curve_svg(cn_buf *out, const job_metrics *m, const curve_options *o, cn_err *err)
{
    curve_data d;
    char title[200]; /* a longer one would not fit */
    cn_status st = curve_prepare(&d, m, o->log_scale, MOST_POINTS, err);
    if (st) return st;
    size_t n = (size_t)snprintf(title, sizeof title, "%s", o->title ? o->title : "Loss");
    if (n >= sizeof title) title[cn_utf8_complete(title, sizeof title - 1)] = '\0';
    put_document(out, &d, m, title);
    curve_data_deinit(&d);
    return out->failed ? cn_fail(err, CN_E_NOMEM, "a curve of %zu bytes", out->n) : CN_OK;
}

cn_status curve_write(const char *dir, const curve_options *o, cn_err *err)
{
    job_metrics m;
    cn_buf svg = {0};
    char *path = cn_path_join(dir, "curve.svg");
    cn_status st = job_metrics_read(&m, dir, err);
    if (!st) st = curve_svg(&svg, &m, o, err);
    if (!st) st = cn_file_write(path, cn_buf_view(&svg), err);
    job_metrics_deinit(&m);
    cn_buf_deinit(&svg);
    cn_free(path);
    return st ? cn_ctx(err, st, "drawing the loss curve") : CN_OK;
}
