/* Log lines on stderr: `level=info area=model key=value ...`. Never prompts, answers, keys. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "compiler.h"

typedef enum cn_log_level { CN_LOG_ERROR, CN_LOG_WARN, CN_LOG_INFO, CN_LOG_DEBUG } cn_log_level;

void cn_log_set_level(cn_log_level most_verbose); /* warnings and errors by default */
void cn_log(cn_log_level level, const char *area, const char *fmt, ...) CN_PRINTF(3, 4);

#endif
