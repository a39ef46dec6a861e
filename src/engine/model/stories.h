/* One story a family: from ids to the hidden states in ws->h. Each returns false when
 * cancelled. */
#ifndef MODEL_STORIES_H
#define MODEL_STORIES_H

#include "workspace.h"

bool story_llama(fwd *f, const atomic_bool *cancel);
bool story_phi2(fwd *f, const atomic_bool *cancel);
bool story_gpt2(fwd *f, const atomic_bool *cancel);
bool story_bert(fwd *f, const atomic_bool *cancel);

static inline bool story_cancelled(const atomic_bool *cancel)
{
    return cancel && atomic_load_explicit(cancel, memory_order_relaxed);
}

#endif
