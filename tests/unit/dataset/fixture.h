/* Data files written by a test, and opened with a small tokenizer of the fixtures. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "testing.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "dataset.h"

/* Like ChatML: an end token after each message, the roles spelt out. */
#define CHATML                                                                                 \
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"             \
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

/* Path of a new file under /tmp, owned. */
static inline char *data_file(const char *text, size_t n)
{
    char name[] = "/tmp/conatus-data-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
    return cn_xstrndup(name, strlen(name));
}

static inline void drop_file(char *path)
{
    unlink(path);
    cn_free(path);
}

static inline cn_tokenizer *open_tokenizer(const char *relative)
{
    cn_tokenizer *t;
    cn_err err = {0};
    char *path = fixture(relative);
    if (cn_tokenizer_open(&t, path, &err)) fail_msg("%s: %s", path, err.why);
    cn_free(path);
    return t;
}

static inline cn_template *open_template(const char *source)
{
    cn_template *t;
    cn_err err = {0};
    if (cn_template_parse(&t, source, strlen(source), &err)) fail_msg("%s", err.why);
    return t;
}

static inline dataset *open_data(const char *text, const dataset_options *o)
{
    dataset *d;
    cn_err err = {0};
    char *path = data_file(text, strlen(text));
    const char *paths[] = {path};
    if (dataset_open(&d, paths, 1, o, &err)) fail_msg("%s: %s", err.what, err.why);
    drop_file(path);
    return d;
}

/* Opening must fail; what it says is in *err. */
static inline cn_status refuse_data(const char *text, size_t n, const dataset_options *o,
                                    cn_err *err)
{
    dataset *d;
    char *path = data_file(text, n);
    const char *paths[] = {path};
    *err = (cn_err){0};
    cn_status st = dataset_open(&d, paths, 1, o, err);
    assert_int_not_equal(st, CN_OK);
    assert_null(d);
    drop_file(path);
    return st;
}

/* The text of the tokens that the loss counts (or does not), each run in brackets. */
static inline char *learnt(const cn_tokenizer *t, dataset_record r, bool wanted)
{
    cn_buf b = {0};
    for (uint32_t i = 0, from; i < r.n; i = CN_MAX(i, from + 1)) {
        from = i;
        if ((r.loss[i] != 0) != wanted) continue;
        while (i < r.n && (r.loss[i] != 0) == wanted)
            i++;
        char *text;
        size_t n;
        assert_int_equal(cn_decode(t, r.ids + from, i - from,
                                   CN_DECODE_SPECIAL | CN_DECODE_KEEP_SPACE, &text, &n, NULL),
                         CN_OK);
        cn_buf_putc(&b, '[');
        cn_buf_append(&b, text, n);
        cn_buf_putc(&b, ']');
        cn_text_free(text);
    }
    return b.p ? cn_buf_take(&b) : cn_xstrndup("", 0);
}

static inline void assert_learnt(const cn_tokenizer *t, dataset_record r, const char *want)
{
    char *got = learnt(t, r, true);
    assert_string_equal(got, want);
    cn_free(got);
}

#endif
