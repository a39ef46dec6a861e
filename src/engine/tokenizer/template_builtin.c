/* The formats as their models were taught them, written as short as they go. */
#include "template_builtin.h"

#include <stddef.h>
#include <string.h>

#include "compiler.h"

#define EACH "{% for message in messages %}"
#define CONTENT "{{ message.content | trim }}"
#define TEXT "{{ message.content }}"
#define END "{% endfor %}"
#define ASK "{% if add_generation_prompt %}"

/* Formats without a place for a system text put it before the first question. */
#define SYSTEM_FIRST                                                                           \
    "{% if messages and messages[0].role == 'system' %}"                                       \
    "{% set system = messages[0].content | trim ~ '\n\n' %}{% set messages = messages[1:] %}"  \
    "{% else %}{% set system = '' %}{% endif %}"

static const struct {
    const char *name, *text;
} builtins[] = {
    {"chatml", EACH "<|im_start|>{{ message.role }}\n" TEXT "<|im_end|>\n" END ASK
                    "<|im_start|>assistant\n{% endif %}"},
    {"llama2",
     "{% if messages and messages[0].role == 'system' %}"
     "{% set system = '<<SYS>>\n' ~ messages[0].content | trim ~ '\n<</SYS>>\n\n' %}"
     "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}" EACH
     "{% if message.role == 'user' %}{{ bos_token }}[INST] {{ system if loop.first }}" CONTENT
     " [/INST]{% else %} " CONTENT " {{ eos_token }}{% endif %}" END},
    {"llama3",
     "{{ bos_token }}" EACH "<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n" CONTENT
     "<|eot_id|>" END ASK "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"},
    {"mistral",
     SYSTEM_FIRST "{{ bos_token }}" EACH
                  "{% if message.role == 'user' %}[INST] {{ system if loop.first }}" CONTENT
                  " [/INST]{% else %} " CONTENT "{{ eos_token }}{% endif %}" END},
    {"phi3",
     EACH "<|{{ message.role }}|>\n" TEXT "<|end|>\n" END ASK "<|assistant|>\n{% endif %}"},
    {"gemma", SYSTEM_FIRST
     "{{ bos_token }}" EACH
     "<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n"
     "{{ system if loop.first }}" CONTENT "<end_of_turn>\n" END ASK
     "<start_of_turn>model\n{% endif %}"},
    {"zephyr", EACH "<|{{ message.role }}|>\n" TEXT "{{ eos_token }}\n" END ASK
                    "<|assistant|>\n{% endif %}"},
    {"vicuna",
     EACH "{% if message.role == 'system' %}" TEXT
          "\n\n{% elif message.role == 'user' %}USER: " TEXT "\n{% else %}ASSISTANT: " TEXT
          "{{ eos_token }}\n{% endif %}" END ASK "ASSISTANT:{% endif %}"},
    {"alpaca",
     EACH "{% if message.role == 'system' %}" TEXT "\n\n{% elif message.role == 'user' %}"
          "### Instruction:\n" TEXT "\n\n{% else %}### Response:\n" TEXT "{{ eos_token }}\n\n"
          "{% endif %}" END ASK "### Response:\n{% endif %}"},
    {"command-r",
     "{{ bos_token }}" EACH "<|START_OF_TURN_TOKEN|>"
     "{% if message.role == 'user' %}<|USER_TOKEN|>"
     "{% elif message.role == 'assistant' %}<|CHATBOT_TOKEN|>"
     "{% else %}<|SYSTEM_TOKEN|>{% endif %}" CONTENT "<|END_OF_TURN_TOKEN|>" END ASK
     "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"},
    {"granite",
     EACH "<|start_of_role|>{{ message.role }}<|end_of_role|>" TEXT "<|end_of_text|>\n" END ASK
          "<|start_of_role|>assistant<|end_of_role|>{% endif %}"},
    {"raw", EACH TEXT END},
};

const char *template_fallback_chatml(void)
{
    return builtins[0].text;
}

const char *template_builtin(const char *name)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(builtins); i++)
        if (strcmp(builtins[i].name, name) == 0) return builtins[i].text;
    return NULL;
}

const char *template_builtin_name(unsigned i)
{
    return i < CN_ARRAY_LEN(builtins) ? builtins[i].name : NULL;
}
