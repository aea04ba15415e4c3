#!/usr/bin/env python3
"""What transformers' logits processors make of random logits: the distribution to draw from.

usage: golden.py [OUT]    (default: golden.json beside this script)

The processors run in this project's order: repetition penalty, bias, temperature, top-k, top-p, min-p. Presence and
frequency penalties, which transformers does not have, are OpenAI's formula in numpy. The versions used are in the file.
"""
import json, os, sys
import numpy as np, torch, transformers
from transformers.generation.logits_process import (
    MinPLogitsWarper, RepetitionPenaltyLogitsProcessor, SequenceBiasLogitsProcessor, TemperatureLogitsWarper,
    TopKLogitsWarper, TopPLogitsWarper)

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
rng = np.random.default_rng(20)

CASES = [
    dict(), dict(temperature=0.3), dict(temperature=1.9),
    dict(top_k=1), dict(top_k=5), dict(top_k=40, temperature=0.7), dict(top_k=10_000),
    dict(top_p=0.1), dict(top_p=0.5), dict(top_p=0.9, temperature=1.3), dict(top_p=0.999),
    dict(min_p=0.05), dict(min_p=0.4, temperature=0.8), dict(min_p=1.0),
    dict(repetition_penalty=1.3), dict(repetition_penalty=0.7, temperature=0.9),
    dict(presence_penalty=0.8), dict(frequency_penalty=0.5), dict(presence_penalty=-0.4, frequency_penalty=0.25),
    dict(bias=True), dict(bias=True, repetition_penalty=1.2, presence_penalty=0.3, frequency_penalty=-0.2),
    dict(top_k=20, top_p=0.8), dict(top_k=30, min_p=0.1), dict(top_p=0.7, min_p=0.2),
    dict(temperature=0.6, top_k=25, top_p=0.85, min_p=0.05, repetition_penalty=1.15, bias=True,
         presence_penalty=0.2, frequency_penalty=0.1),
]

out = []
for i, case in enumerate(CASES * 2):
    vocab = 300 if i < len(CASES) else 61
    scale = 3.0 if i < len(CASES) else 1.0
    logits = np.round(rng.normal(0, scale, vocab).astype(np.float32), 4).astype(np.float32)
    prompt = rng.integers(0, vocab, 7).tolist()
    output = rng.integers(0, vocab, 9).tolist()
    output += output[:4] + output[:2]
    bias = {}
    if case.get("bias"):
        bias = {int(t): float(np.float32(v)) for t, v in zip(rng.choice(vocab, 6, replace=False), rng.uniform(-6, 6, 6))}
    x = torch.from_numpy(logits.copy())[None]
    ids = torch.tensor([prompt + output])
    if (r := case.get("repetition_penalty", 1.0)) != 1.0:
        x = RepetitionPenaltyLogitsProcessor(r)(ids, x)
    y = x[0].numpy().copy()
    for t in set(output):
        y[t] -= np.float32(case.get("presence_penalty", 0.0)) + np.float32(case.get("frequency_penalty", 0.0)) * output.count(t)
    x = torch.from_numpy(y)[None]
    if bias:
        x = SequenceBiasLogitsProcessor([[[t], v] for t, v in bias.items()])(ids, x)
    x = TemperatureLogitsWarper(case.get("temperature", 1.0))(ids, x) if case.get("temperature", 1.0) != 1.0 else x
    if k := case.get("top_k", 0):
        x = TopKLogitsWarper(k)(ids, x)
    if (p := case.get("top_p", 1.0)) < 1:
        x = TopPLogitsWarper(p)(ids, x)
    if (m := case.get("min_p", 0.0)) > 0:
        x = MinPLogitsWarper(m)(ids, x)
    probs = torch.softmax(x[0].double(), -1).numpy()
    raw = torch.log_softmax(torch.from_numpy(logits).double(), -1).numpy()
    kept = [int(t) for t in np.nonzero(probs)[0]]
    out.append(dict(
        temperature=case.get("temperature", 1.0), top_k=case.get("top_k", 0), top_p=case.get("top_p", 1.0),
        min_p=case.get("min_p", 0.0), repetition_penalty=case.get("repetition_penalty", 1.0),
        presence_penalty=case.get("presence_penalty", 0.0), frequency_penalty=case.get("frequency_penalty", 0.0),
        bias=[[t, bias[t]] for t in sorted(bias)], prompt=prompt, output=output,
        logits=[float(f"{v:.4f}") for v in logits], kept=kept, probs=[float(f"{probs[t]:.9g}") for t in kept],
        logprobs=[float(f"{v:.9g}") for v in raw[:20]]))

with open(OUT, "w") as f:
    f.write('{"versions": %s,\n "cases": [\n' % json.dumps(
        {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__}))
    f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in out))
    f.write("\n]}\n")
