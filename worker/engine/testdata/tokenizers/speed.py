#!/usr/bin/env python3
"""Speed of Hugging Face tokenizers on one thread, for BenchmarkEncode. usage: speed.py TOKENIZER.json TEXT.gz"""
import gzip, os, sys, time
os.environ["TOKENIZERS_PARALLELISM"], os.environ["RAYON_NUM_THREADS"] = "false", "1"
from tokenizers import Tokenizer

t = Tokenizer.from_file(sys.argv[1])
text = gzip.open(sys.argv[2]).read(4_000_000)
lines = text.decode().split("\n")
for _ in range(5):
    start = time.time()
    n = sum(len(e.ids) for e in t.encode_batch(lines, add_special_tokens=False))
    print(f"{len(text) / 1e6 / (time.time() - start):.2f} MB/s, {n} tokens")
