/* Data files: any bytes are records, bad lines, or refused. Each record is read, digested and
 * counted. */
#include <stdint.h>

#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source s;
    source_record from;
    record r = {0};
    size_t bytes = 0;
    if (size > 1 << 16 || source_begin(&s, (cn_str){(const char *)data, size}, NULL)) return 0;
    uint64_t line = 0;
    while (source_next(&s, &from)) {
        cn_err err = {0};
        bytes += from.bytes.n;
        if (from.line <= line || bytes > size) __builtin_trap();
        line = from.line;
        cn_status st = record_read(&r, &s, &from, &err);
        if (st && (st != CN_E_FORMAT || !err.why[0])) __builtin_trap();
        if (st) continue;
        uint64_t n, n_loss;
        record_characters(&r, false, &n, &n_loss);
        record_digests d = record_digests_of(&r);
        if (n_loss > n || (r.empty && r.form == RECORD_TEXT && d.has_prompt)) __builtin_trap();
    }
    if (s.rest.n || s.line < line) __builtin_trap();
    record_deinit(&r);
    return 0;
}
