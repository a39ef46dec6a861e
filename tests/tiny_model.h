/* Tiny random models of every family, written as a GGUF file and as a Hugging Face folder with
 * the same numbers, and a LoRA adapter for them; what tests of the engine run on where no
 * downloaded file is at hand. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <stdbool.h>

typedef struct tiny_model {
    char dir[64];     /* a folder under /tmp that holds all of the following */
    char gguf[96];    /* model.gguf */
    char folder[96];  /* hf/ */
    char peft[96];    /* adapter/ : rank 3, alpha 6, on every linear layer */
    char adapter[96]; /* adapter.gguf: the same numbers */
    char merged[96];  /* merged.gguf: the base with the adapter added into its weights */
} tiny_model;

/* `arch`: "llama", "llama3" (with its rope scaling), "mistral" (window of 5), "qwen2", "qwen3",
 * "phi2", "gpt2", "bert". 2 layers, width 32, 4 heads (2 for keys where grouped) of 8 (qwen3:
 * of 32), 96 tokens, context 64; no tokenizer. All F32. A failure fails the running test. */
void tiny_model_write(tiny_model *t, const char *arch);
void tiny_model_remove(tiny_model *t);

#endif
