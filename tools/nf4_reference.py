#!/usr/bin/env python3
"""Reference for NF4: the tables of quant_tables.c and the golden data of tests/fixtures/quants.

    nf4_reference.py tables          the two tables as C
    nf4_reference.py golden OUT.bin  a quantised matrix, see write_golden()

The formulas are those of bitsandbytes (functional.py: create_dynamic_map, quantize_4bit with
compress_statistics; csrc/kernels.cu: dQuantizeNF4, dQuantize), worked out here in exact
rationals that are rounded to f32 after each operation. torch.linspace of f32 rounds once for
start + step * i (a fused multiply-add); with that the map equals the 256 values that torch
prints on x86. The mean of the scales is the correctly rounded one: torch's own depends on the
device.
"""

import struct
import sys
from fractions import Fraction

NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]


def f32(x):
    """x (Fraction or float) rounded to the nearest f32, ties to even."""
    x = Fraction(x)
    if x == 0:
        return Fraction(0)
    sign, x, e = (-1 if x < 0 else 1), abs(x), 0
    while x >= Fraction(2) ** (e + 1):
        e += 1
    while x < Fraction(2) ** e:
        e -= 1
    unit = Fraction(2) ** (max(e, -126) - 23)
    n, rest = divmod(x, unit)
    if rest * 2 > unit or (rest * 2 == unit and n % 2):
        n += 1
    return sign * n * unit


def linspace(n):
    first, last = f32(0.1), Fraction(1)
    step = f32(f32(last - first) / (n - 1))
    return [f32(first + step * i) if i < n // 2 else f32(last - step * (n - 1 - i))
            for i in range(n)]


def dynamic_map():
    values = [Fraction(0), Fraction(1)]
    for i in range(7):
        bounds = linspace(2**i + 1)
        scale = f32(10.0 ** (i - 6))
        for a, b in zip(bounds, bounds[1:]):
            mean = f32(f32(a + b) / 2)
            values += [f32(scale * mean), -f32(scale * mean)]
    return sorted(values)


def nearest_nf4(x, bounds):
    return sum(x > b for b in bounds)


def nearest_8bit(x, code):
    """The binary search of dQuantize: a tie between two codes goes to the even one."""
    if x <= code[0]:
        return 0
    high = next((i for i, c in enumerate(code) if x <= c), 255)
    low = max(high - 1, 0)
    middle = f32(f32(code[low] + code[high]) / 2)
    if x == middle:
        return low if low % 2 == 0 else high
    return high if x > middle else low


def quantize(rows):
    """rows: flat list of f32. Returns absmax[], packed bytes a block."""
    bounds = [f32(f32(Fraction(a) + Fraction(b)) / 2) for a, b in zip(NF4, NF4[1:])]
    scales, packed = [], []
    for at in range(0, len(rows), 64):
        block = rows[at:at + 64]
        absmax = max(abs(x) for x in block)
        inverse = f32(1 / absmax) if absmax else Fraction(0)
        q = [nearest_nf4(f32(x * inverse), bounds) for x in block]
        scales.append(absmax)
        packed.append(bytes(q[i] << 4 | q[i + 1] for i in range(0, 64, 2)))
    return scales, packed


def double_quantize(scales, code):
    offset = f32(sum(scales) / len(scales))
    rest = [f32(s - offset) for s in scales]
    codes, absmax2 = [], []
    for at in range(0, len(rest), 256):
        group = rest[at:at + 256]
        absmax = max(abs(x) for x in group)
        inverse = f32(1 / absmax) if absmax else Fraction(0)
        absmax2.append(absmax)
        codes += [nearest_8bit(f32(x * inverse), code) if absmax else 0 for x in group]
    return codes, offset, absmax2


def pack(values):
    return b"".join(struct.pack("<f", float(v)) for v in values)


def fnv(data):
    hash_ = 0xCBF29CE484222325
    for byte in data:
        hash_ = (hash_ ^ byte) * 0x100000001B3 % 2**64
    return hash_


def write_golden(path):
    """u32 n_rows, n_cols; weights as i16, in units of 2^-12; the NF4 tensor; the NF4_DQ tensor;
    u64 FNV-1a of either's weights as f32. 3 rows of 5632: the second group of 256 scales begins
    inside a row; the first block is zero."""
    n_rows, n_cols, state = 3, 5632, 1
    code = dynamic_map()
    weights = [0] * 64
    for i in range(64, n_rows * n_cols):
        total = 0
        for _ in range(4):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += (state >> 52) - 2**11
        weights.append(total // 4 * (1 + i // 64 % 7))
    scales, packed = quantize([Fraction(w, 4096) for w in weights])
    codes, offset, absmax2 = double_quantize(scales, code)

    def expand(scale):
        return pack(f32(Fraction(NF4[q]) * s) for s, block in zip(scale, packed)
                    for byte in block for q in (byte >> 4, byte & 15))

    scales_again = [f32(f32(code[c] * absmax2[i // 256]) + offset) for i, c in enumerate(codes)]
    with open(path, "wb") as out:
        out.write(struct.pack("<II", n_rows, n_cols))
        out.write(struct.pack(f"<{len(weights)}h", *weights))
        out.write(b"".join(pack([s]) + p for s, p in zip(scales, packed)))
        out.write(b"".join(bytes([c]) + p for c, p in zip(codes, packed)))
        out.write(pack([offset] + absmax2))
        out.write(struct.pack("<QQ", fnv(expand(scales)), fnv(expand(scales_again))))


def literal(v):
    text = f"{float(v):.9g}"
    return (text if "." in text or "e" in text else text + ".0") + "f,"


def print_table(name, values):
    print(f"const float {name}[{len(values)}] = {{")
    for i in range(0, len(values), 4):
        print("    " + " ".join(literal(v) for v in values[i:i + 4]))
    print("};\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["tables"]:
        print_table("quant_nf4_values", NF4)
        print_table("quant_nf4_scales", dynamic_map())
    elif sys.argv[1:2] == ["golden"] and len(sys.argv) == 3:
        write_golden(sys.argv[2])
    else:
        sys.exit(__doc__)
