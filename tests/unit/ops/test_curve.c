/* The loss curve: nothing, one step, odd losses, a million steps; as SVG and as characters. */
#include "run_folder.h"

#include <math.h>

#include "curve.h"
#include "curve_priv.h"
#include "utf8.h"

/* A falling, noisy loss over n steps, held-out every n / 10. */
static job_metrics metrics_of(size_t n)
{
    job_metrics m = {.train = cn_alloc_array(n + 1, sizeof *m.train),
                     .heldout = cn_alloc_array(n + 1, sizeof *m.heldout)};
    for (size_t i = 1; i <= n; i++) {
        job_metric t = job_metric_new(i);
        t.loss = 1 + 4.0 / sqrt((double)i) + 0.1 * ((double)(i * 7919 % 101) / 101 - 0.5);
        m.train[m.n_train++] = t;
        if (i % (n / 10 + 1) == 0)
            m.heldout[m.n_heldout++] = job_metric_heldout(i, t.loss + 0.2);
    }
    return m;
}

/* Tags open and close in order, no entity or control character stands alone, text is UTF-8. */
static void is_well_formed(const cn_buf *svg)
{
    char open[32][32];
    size_t depth = 0;
    assert_true(cn_utf8_valid(svg->p, svg->n));
    for (const char *p = svg->p; (p = strchr(p, '<')); p++) {
        size_t name = strcspn(p + 1 + (p[1] == '/'), " />");
        const char *end = strchr(p, '>');
        assert_non_null(end);
        assert_true(name > 0 && name < 31);
        if (p[1] == '/') {
            assert_true(depth > 0);
            depth--;
            assert_memory_equal(open[depth], p + 2, name);
            assert_int_equal(open[depth][name], 0);
        } else if (end[-1] != '/') {
            assert_true(depth < 32);
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)name, p + 1);
        }
    }
    assert_int_equal(depth, 0);
    assert_null(strstr(svg->p, "nan"));
    assert_null(strstr(svg->p, "inf"));
}

static cn_buf svg_of(const job_metrics *m, const curve_options *o)
{
    cn_buf b = {0};
    assert_int_equal(curve_svg(&b, m, o, NULL), CN_OK);
    is_well_formed(&b);
    assert_true(b.n < 100000);
    return b;
}

static void any_number_of_steps(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 10, 599, 600, 601, 5000, 200000};
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(counts); i++) {
        job_metrics m = metrics_of(counts[i]);
        for (int log_scale = 0; log_scale < 2; log_scale++) {
            cn_buf svg = svg_of(&m, &(curve_options){.log_scale = log_scale});
            says(svg.p, counts[i] ? "training loss" : "no step yet");
            cn_buf_deinit(&svg);
        }
        job_metrics_deinit(&m);
    }
}

static void a_document_of_its_own(void **state)
{
    job_metrics m = metrics_of(100);
    (void)state;
    cn_buf svg = svg_of(&m, &(curve_options){.title = "LoRA <r=16> & \"co\" \x01\xff"});
    says(svg.p, "LoRA &lt;r=16&gt; &amp; \"co\" \xEF\xBF\xBD\xEF\xBF\xBD</title>");
    says(svg.p, "prefers-color-scheme:dark");
    says(svg.p, "path{fill:none"); /* or the axes become a black triangle */
    says(svg.p, "role=\"img\"");
    says(svg.p, "<desc id=\"desc\">Smoothed training loss from ");
    says(svg.p, "Lowest held-out loss");
    assert_null(strstr(svg.p, "href"));
    assert_null(strstr(svg.p, "@import"));
    cn_buf_deinit(&svg);
    job_metrics_deinit(&m);
}

static void losses_that_cannot_be_drawn(void **state)
{
    static const double odd[] = {
        (double)INFINITY, (double)-INFINITY, 1e308, -1e308, 0, -3, 5e-324};
    job_metrics m = metrics_of(40);
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(odd); i++) {
        m.train[i * 5 + 1].loss = odd[i];
        m.heldout[i % m.n_heldout].heldout_loss = odd[i];
    }
    m.train[39].step = UINT64_MAX;
    m.train[38].loss = (double)NAN;
    for (int log_scale = 0; log_scale < 2; log_scale++) {
        cn_buf svg = svg_of(&m, &(curve_options){.log_scale = log_scale}), text = {0};
        says(svg.p, "losses are not drawn");
        assert_int_equal(
            curve_text(&text, &m, &(curve_options){.log_scale = log_scale}, 60, 8, true, NULL),
            CN_OK);
        cn_buf_deinit(&text);
        cn_buf_deinit(&svg);
    }
    for (size_t i = 0; i < m.n_train; i++)
        m.train[i].loss = (double)NAN;
    for (size_t i = 0; i < m.n_heldout; i++)
        m.heldout[i].heldout_loss = (double)NAN;
    cn_buf none = svg_of(&m, &(curve_options){0}), nothing = {0};
    assert_int_equal(curve_text(&nothing, &m, &(curve_options){0}, 60, 8, true, NULL), CN_OK);
    assert_int_equal(nothing.n, 0);
    cn_buf_deinit(&none);
    job_metrics_deinit(&m);
}

static size_t characters(const char *line, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)line[i] & 0xC0) != 0x80;
    return count;
}

static void for_a_terminal(void **state)
{
    job_metrics m = metrics_of(3000);
    (void)state;
    for (int utf8 = 0; utf8 < 2; utf8++) {
        cn_buf b = {0};
        size_t lines = 0;
        assert_int_equal(curve_text(&b, &m, &(curve_options){0}, 60, 10, utf8, NULL), CN_OK);
        assert_true(cn_utf8_valid(b.p, b.n));
        for (const char *p = b.p, *end; (end = strchr(p, '\n')); p = end + 1, lines++)
            assert_true(characters(p, (size_t)(end - p)) <= 60);
        assert_int_equal(lines, 13); /* ten of the plot, the axis, its steps, the legend */
        says(b.p, "held-out");
        says(b.p, "3000");
        for (size_t i = 0; !utf8 && i < b.n; i++)
            assert_true((unsigned char)b.p[i] < 0x80);
        cn_buf_deinit(&b);
    }
    job_metrics_deinit(&m);
}

/* The loss falls: its dots begin at the top left and end at the bottom right. */
static void the_chart_falls(void **state)
{
    job_metrics m = metrics_of(0);
    cn_buf b = {0};
    (void)state;
    cn_free(m.train);
    m.train = cn_alloc_array(50, sizeof *m.train);
    for (uint64_t i = 0; i < 50; i++) {
        m.train[m.n_train] = job_metric_new(i + 1);
        m.train[m.n_train++].loss = 50 - (double)i;
    }
    assert_int_equal(curve_text(&b, &m, &(curve_options){0}, 40, 8, false, NULL), CN_OK);
    const char *first = strchr(b.p, '*'), *plot = strchr(b.p, '|');
    assert_int_equal(first - plot, 1);
    size_t last_line_start = 0, row = 0;
    for (size_t i = 0; i < b.n && row < 7; i++)
        if (b.p[i] == '\n') {
            row++;
            last_line_start = i + 1;
        }
    const char *bottom = b.p + last_line_start;
    assert_int_equal(bottom[strcspn(bottom, "\n") - 1], '*');
    assert_int_equal(strcspn(bottom, "\n"), 40);
    cn_buf_deinit(&b);
    job_metrics_deinit(&m);
}

static void ticks_are(double lo, double hi, bool log_scale, const char *want)
{
    curve_tick t[CURVE_MAX_TICKS];
    char all[400] = "";
    size_t n = curve_ticks(t, lo, hi, log_scale, 5), used = 0;
    for (size_t i = 0; i < n; i++) {
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? " " : "", t[i].label);
        assert_true(t[i].at >= lo - 1e-9 && t[i].at <= hi + 1e-9);
    }
    assert_string_equal(all, want);
}

static void round_ticks(void **state)
{
    (void)state;
    ticks_are(0, 1, false, "0 0.2 0.4 0.6 0.8 1");
    ticks_are(0.93, 3.4, false, "1 1.5 2 2.5 3");
    ticks_are(1, 500, false, "100 200 300 400 500");
    ticks_are(-1, 1, false, "-1 -0.5 0 0.5 1");
    ticks_are(-2, 1, true, "0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10");
    ticks_are(0, 0.5, true, "1 1.5 2 2.5 3");
    ticks_are(0, 10, true, "1 100 10000 1e+06 1e+08 1e+10");
}

static void one_bad_batch_does_not_flatten_the_rest(void **state)
{
    job_metrics m = metrics_of(4000);
    curve_data d;
    (void)state;
    m.train[2000].loss = 1e6;
    assert_int_equal(curve_prepare(&d, &m, false, 600, NULL), CN_OK);
    assert_true(d.n_smooth <= 601 && d.n_raw <= 1200);
    assert_true(d.y1 < 1e6);
    for (size_t i = 1; i < d.n_raw; i++)
        assert_true(d.raw[i].x > d.raw[i - 1].x);
    curve_data_deinit(&d);
    job_metrics_deinit(&m);
}

/* Thinned or not, the smoothed curve begins with the first step and ends with the last, once
 * each. */
static void both_ends_are_drawn(void **state)
{
    static const size_t counts[] = {1, 2, 3, 600, 601, 1201, 5000};
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(counts); i++) {
        job_metrics m = metrics_of(counts[i]);
        curve_data d;
        assert_int_equal(curve_prepare(&d, &m, false, 600, NULL), CN_OK);
        assert_true(d.smooth[0].x == 1);
        assert_true(d.smooth[d.n_smooth - 1].x == (double)counts[i]);
        for (size_t k = 1; k < d.n_smooth; k++)
            assert_true(d.smooth[k].x > d.smooth[k - 1].x);
        if (counts[i] <= 600) assert_int_equal(d.n_smooth, counts[i]);
        curve_data_deinit(&d);
        job_metrics_deinit(&m);
    }
}

static void beside_its_metrics(void **state)
{
    cn_err err = {0};
    cn_buf svg = {0};
    (void)state;
    mkdir(under("drawn"), 0700);
    put_file(under("drawn/metrics.jsonl"),
             "{\"step\":1,\"loss\":3}\n{\"step\":2,\"loss\":2}\n");
    assert_int_equal(curve_write(under("drawn"), &(curve_options){.title = "T"}, &err), CN_OK);
    assert_int_equal(cn_file_read(&svg, under("drawn/curve.svg"), 100000, NULL), CN_OK);
    is_well_formed(&svg);
    cn_buf_deinit(&svg);
    assert_int_not_equal(curve_write(under("nowhere"), &(curve_options){0}, &err), CN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_steps),
        cmocka_unit_test(a_document_of_its_own),
        cmocka_unit_test(losses_that_cannot_be_drawn),
        cmocka_unit_test(for_a_terminal),
        cmocka_unit_test(the_chart_falls),
        cmocka_unit_test(round_ticks),
        cmocka_unit_test(one_bad_batch_does_not_flatten_the_rest),
        cmocka_unit_test(both_ends_are_drawn),
        cmocka_unit_test(beside_its_metrics),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
