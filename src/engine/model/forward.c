/* One pass: the family's story, with the model's threads to itself. */
#include "forward.h"

#include "mem.h"
#include "stories.h"

cn_status model_forward(const cn_model *m, workspace *ws, const int32_t *ids,
                        const fwd_run *runs, size_t n_runs, const atomic_bool *cancel,
                        cn_err *err)
{
    static bool (*const stories[])(fwd *, const atomic_bool *) = {
        [FAMILY_LLAMA] = story_llama,
        [FAMILY_PHI2] = story_phi2,
        [FAMILY_GPT2] = story_gpt2,
        [FAMILY_BERT] = story_bert,
    };
    fwd f = {.m = m, .ws = ws, .ids = ids, .runs = runs, .n_runs = n_runs};
    for (size_t i = 0; i < n_runs; i++)
        f.n += runs[i].n;
    CN_BUG_ON(f.n == 0 || f.n > ws->n_batch);
    cn_alloc_forbid();
    bool whole = stories[m->hp.family](&f, cancel);
    cn_alloc_permit();
    return whole ? CN_OK : cn_fail(err, CN_E_CANCELLED, "cancelled in layer %u", f.layer);
}
