/* Aligned columns for people, and numbers the way people read them. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "compiler.h"

typedef struct cli_table cli_table;

/* `columns`: one letter each, 'l' left or 'r' right aligned; at most 16. */
cli_table *cli_table_new(const char *columns);
void cli_table_free(cli_table *t);
/* The next cell, row by row. */
void cli_table_cell(cli_table *t, const char *fmt, ...) CN_PRINTF(2, 3);
void cli_table_print(const cli_table *t, FILE *out);

/* "4.07 GiB", "812 KiB", "17 B" in out[size]; returns out. */
const char *cli_bytes(char *out, size_t size, uint64_t bytes);
/* "7.24 B", "134 M", "260 K". */
const char *cli_count(char *out, size_t size, uint64_t n);

#endif
