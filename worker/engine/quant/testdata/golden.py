#!/usr/bin/env python3
"""Golden files for the block formats, from the gguf package's own quantisation (pip install gguf==0.19.0 numpy).

usage: golden.py    writes beside itself NAME.values (float32) and NAME.blocks (bytes) for each type that is encoded,
and NAME.decoded (float32) with NAME.raw (bytes) for each type that is decoded; all little-endian.
"""
import os
import numpy as np, gguf
from gguf import GGMLQuantizationType as T

OUT = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(5)


def save(name, a):
    a.tofile(os.path.join(OUT, name))


rows = [rng.standard_normal(256) * s for s in (1e-7, 1e-3, 0.02, 1, 30, 3000)]
rows.append(np.round(rng.standard_normal(256) * 4) / 2)  # ties
rows.append(np.zeros(256))
mixed = np.zeros(256)
mixed[3], mixed[40], mixed[41], mixed[255] = 1, -2, 2, 5e-8
rows.append(mixed)
values = np.stack(rows).astype(np.float32)
save("values", values)
for t in (T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0):
    blocks = gguf.quants.quantize(values, t)
    save(t.name + ".blocks", blocks)
    save(t.name + ".decoded", gguf.quants.dequantize(blocks, t).astype(np.float32))

for t in (T.Q4_K, T.Q6_K):  # the package does not encode these: blocks of random bytes, with finite scales
    size = gguf.GGML_QUANT_SIZES[t][1]
    blocks = rng.integers(0, 256, (8, size), dtype=np.uint8)
    halves = [0, 2] if t == T.Q4_K else [208]
    for at in halves:
        blocks[:, at:at + 2] = (rng.standard_normal((8, 1)) * 0.03).astype(np.float16).view(np.uint8)
    save(t.name + ".blocks", blocks)
    save(t.name + ".decoded", gguf.quants.dequantize(blocks, t).astype(np.float32))
