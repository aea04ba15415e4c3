"""Writes trace.json: workloads of S-LoRA's generator, drawn by numpy itself.

Run: python testdata/golden.py > testdata/trace.json   (numpy's version is in the file)
"""
import json

import numpy as np


def draw(n, alpha, rate, cv, duration, lens, seed):
    np.random.seed(seed)
    total = int(rate * duration)
    adapters = (np.random.power(alpha, total) * n).astype(int)
    prompts = np.random.randint(lens[0], lens[1], total)
    outputs = np.random.randint(lens[0], lens[1], total)
    gaps = np.random.gamma(1 / (cv * cv), cv * cv / rate, total)
    at = 0.0
    requests = []
    for i in range(total):
        at += gaps[i]
        requests.append([float(at), int(adapters[i]), int(prompts[i]), int(outputs[i])])
    return {"adapters": n, "alpha": alpha, "rate": rate, "cv": cv, "seconds": duration,
            "min_len": lens[0], "max_len": lens[1], "seed": seed, "requests": requests}


cases = [
    draw(2000, 1, 10, 1, 12, (8, 512), 42),     # S-LoRA's table: alpha 1, Poisson arrivals
    draw(200, 0.1, 2.5, 1, 20, (8, 512), 42),   # the most skewed of its suite
    draw(100, 0.6, 3, 2, 20, (8, 512), 42),     # bursts: shape < 1
    draw(32, 0.3, 3, 0.5, 20, (8, 64), 7),      # even arrivals: shape > 1
    draw(5, 1, 4, 8, 10, (8, 9), 1),            # one length
]
print(json.dumps({"numpy": np.__version__, "cases": cases}))
