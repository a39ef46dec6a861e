/* Parsing SentencePiece models. Only the fields that change how text is cut are read; fields
 * that would change it in a way this program does not know are refused. */
#include "sentencepiece.h"

#include <inttypes.h>
#include <math.h>

#include "cursor_priv.h"
#include "err.h"
#include "mem.h"
#include "utf8.h"

#define MAX_BYTES ((size_t)64 << 20)
#define MAX_PIECES ((size_t)1 << 20)
#define MAX_PIECE 65536u

enum { MODEL_UNIGRAM = 1, MODEL_BPE = 2 };

/* One field of a protobuf message: a number, or bytes. */
typedef struct field {
    uint32_t id;
    uint32_t wire; /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t u;
    cn_str bytes;
} field;

static uint64_t read_varint(cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *p = cursor_take(c, 1);
        if (!p) return 0;
        v |= (uint64_t)(*p & 0x7f) << shift;
        if (*p < 0x80) return v;
    }
    c->failed = true; /* over ten bytes */
    return 0;
}

/* False at the end of the message; a broken field sets c->failed. */
static bool next_field(cursor *c, field *f)
{
    if (c->failed || c->left == 0) return false;
    uint64_t tag = read_varint(c);
    *f = (field){.id = (uint32_t)(tag >> 3), .wire = tag & 7};
    if (f->id == 0 || tag >> 32)
        c->failed = true;
    else if (f->wire == 0)
        f->u = read_varint(c);
    else if (f->wire == 1)
        f->u = cursor_u64(c);
    else if (f->wire == 2)
        f->bytes = cursor_str(c, read_varint(c));
    else if (f->wire == 5)
        f->u = cursor_u32(c);
    else
        c->failed = true; /* groups, which the schema has not */
    return !c->failed;
}

static cursor over(cn_str s)
{
    return (cursor){(const uint8_t *)s.p, s.n, false};
}

static cn_status broken(const char *what, cn_err *err)
{
    return cn_fail(err, CN_E_FORMAT, "not a SentencePiece model: %s is no protobuf message",
                   what);
}

/* message SentencePiece { piece = 1; score = 2; type = 3; } */
static cn_status read_piece(spm_piece *p, cn_str bytes, cn_err *err)
{
    field f;
    cursor c = over(bytes);
    *p = (spm_piece){.kind = SPM_NORMAL};
    while (next_field(&c, &f)) {
        if (f.id == 1 && f.wire == 2) p->text = f.bytes;
        if (f.id == 2 && f.wire == 5) memcpy(&p->score, &f.u, sizeof p->score);
        if (f.id == 3 && f.wire == 0) {
            if (f.u < SPM_NORMAL || f.u > SPM_BYTE)
                return cn_fail(err, CN_E_FORMAT, "piece kind %" PRIu64 ", want 1 to 6", f.u);
            p->kind = (spm_kind)f.u;
        }
    }
    if (c.failed) return broken("it", err);
    if (p->text.n == 0 || p->text.n > MAX_PIECE || !cn_utf8_valid(p->text.p, p->text.n))
        return cn_fail(err, CN_E_FORMAT, "a text of %zu bytes, want 1 to %u of UTF-8",
                       p->text.n, MAX_PIECE);
    if (!isfinite(p->score)) return cn_fail(err, CN_E_FORMAT, "its score is not finite");
    return CN_OK;
}

/* What the trainer's settings say, with the defaults of the schema. */
typedef struct trainer {
    uint64_t model_type;
    bool byte_fallback, whitespace_as_suffix;
    cn_str unk, bos, eos, pad;
} trainer;

static cn_status read_trainer(trainer *t, cn_str bytes, cn_err *err)
{
    field f;
    cursor c = over(bytes);
    while (next_field(&c, &f)) {
        cn_str *text = f.id == 45   ? &t->unk
                       : f.id == 46 ? &t->bos
                       : f.id == 47 ? &t->eos
                       : f.id == 48 ? &t->pad
                                    : NULL;
        if (text && f.wire == 2) *text = f.bytes;
        if (f.wire != 0) continue;
        if (f.id == 3) t->model_type = f.u;
        if (f.id == 24) t->whitespace_as_suffix = f.u != 0;
        if (f.id == 35) t->byte_fallback = f.u != 0;
    }
    return c.failed ? broken("trainer_spec", err) : CN_OK;
}

static cn_status read_normalizer(spm_model *m, cn_str bytes, cn_err *err)
{
    field f;
    cursor c = over(bytes);
    while (next_field(&c, &f)) {
        if (f.id == 2 && f.wire == 2) m->precompiled_charsmap = f.bytes;
        if (f.wire != 0) continue;
        if (f.id == 3) m->add_dummy_prefix = f.u != 0;
        if (f.id == 4) m->remove_extra_whitespaces = f.u != 0;
        if (f.id == 5) m->escape_whitespaces = f.u != 0;
    }
    return c.failed ? broken("normalizer_spec", err) : CN_OK;
}

static cn_status check_denormalizer(cn_str bytes, cn_err *err)
{
    field f;
    cursor c = over(bytes);
    while (next_field(&c, &f))
        if (f.id == 2 && f.wire == 2 && f.bytes.n)
            return cn_fail(err, CN_E_UNSUPPORTED,
                           "a denormalizer_spec with a table of %zu bytes", f.bytes.n);
    return c.failed ? broken("denormalizer_spec", err) : CN_OK;
}

static cn_status count_pieces(size_t *n, cn_str bytes, cn_err *err)
{
    field f;
    cursor c = over(bytes);
    *n = 0;
    while (next_field(&c, &f))
        *n += f.id == 1 && f.wire == 2;
    if (c.failed) return broken("the file", err);
    if (*n == 0) return cn_fail(err, CN_E_FORMAT, "not a SentencePiece model: no pieces");
    if (*n > MAX_PIECES)
        return cn_fail(err, CN_E_LIMIT, "%zu pieces, at most %zu", *n, MAX_PIECES);
    return CN_OK;
}

static cn_status read_model(spm_model *m, trainer *t, cn_str bytes, cn_err *err)
{
    field f;
    cursor c = over(bytes);
    cn_status st = CN_OK;
    while (!st && next_field(&c, &f)) {
        if (f.wire != 2) continue;
        if (f.id == 1) {
            st = read_piece(&m->pieces[m->n++], f.bytes, err);
            if (st) cn_ctx(err, st, "piece %zu", m->n - 1);
        } else if (f.id == 2) {
            st = read_trainer(t, f.bytes, err);
        } else if (f.id == 3) {
            st = read_normalizer(m, f.bytes, err);
        } else if (f.id == 5) {
            st = check_denormalizer(f.bytes, err);
        }
    }
    return st;
}

/* Special pieces are known by their text, as in the library: a piece of the right kind, or none
 * at all. */
static int32_t find_piece(const spm_model *m, cn_str text, spm_kind kind)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->pieces[i].kind == kind && cn_str_eq(m->pieces[i].text, text)) return (int32_t)i;
    return -1;
}

static cn_status settle(spm_model *m, const trainer *t, cn_err *err)
{
    size_t n_unknown = 0;
    if (t->model_type != MODEL_UNIGRAM && t->model_type != MODEL_BPE)
        return cn_fail(err, CN_E_UNSUPPORTED,
                       "model type %" PRIu64 ", want 1 (unigram) or 2 (BPE)", t->model_type);
    if (t->whitespace_as_suffix)
        return cn_fail(err, CN_E_UNSUPPORTED, "treat_whitespace_as_suffix is on");
    for (size_t i = 0; i < m->n; i++)
        n_unknown += m->pieces[i].kind == SPM_UNKNOWN;
    if (n_unknown != 1)
        return cn_fail(err, CN_E_FORMAT, "%zu pieces of the kind unknown, want 1", n_unknown);
    m->is_unigram = t->model_type == MODEL_UNIGRAM;
    m->byte_fallback = t->byte_fallback;
    m->unk_id = find_piece(m, t->unk, SPM_UNKNOWN);
    m->bos_id = find_piece(m, t->bos, SPM_CONTROL);
    m->eos_id = find_piece(m, t->eos, SPM_CONTROL);
    m->pad_id = find_piece(m, t->pad, SPM_CONTROL);
    return CN_OK;
}

cn_status spm_parse(spm_model *out, cn_str bytes, cn_err *err)
{
    trainer t = {MODEL_UNIGRAM, false,          false,          CN_STR("<unk>"),
                 CN_STR("<s>"), CN_STR("</s>"), CN_STR("<pad>")};
    size_t n;
    *out = (spm_model){
        .add_dummy_prefix = true, .remove_extra_whitespaces = true, .escape_whitespaces = true};
    if (bytes.n > MAX_BYTES)
        return cn_fail(err, CN_E_LIMIT, "a SentencePiece model of %zu bytes, at most %zu",
                       bytes.n, MAX_BYTES);
    cn_status st = count_pieces(&n, bytes, err);
    if (st) return st;
    out->pieces = cn_alloc_array(n, sizeof *out->pieces);
    if (!out->pieces) return cn_fail(err, CN_E_NOMEM, "%zu pieces", n);
    st = read_model(out, &t, bytes, err);
    if (!st) st = settle(out, &t, err);
    if (st) spm_deinit(out);
    return st;
}

void spm_deinit(spm_model *m)
{
    cn_free(m->pieces);
    *m = (spm_model){0};
}
