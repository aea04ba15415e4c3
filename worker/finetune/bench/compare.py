#!/usr/bin/env python3
"""LoRA training, this project against PyTorch with PEFT, on the CPU, in turns.

usage: compare.py [--rounds 5] [--threads 2] [--shapes small,160m] [--seconds 5]    (run by make bench-train)

Each round times our step (BenchmarkLoRAStep) and then PyTorch's (peft_step.py), on the same shapes and as many
threads, so that what else the machine does falls on both. Prints the tokens per second of each, and the ratio of
each round: median, lowest, highest.
"""
import argparse, json, os, re, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
p = argparse.ArgumentParser()
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--shapes", default="small,160m")
p.add_argument("--seconds", type=int, default=5)
p.add_argument("--go", default="go")
a = p.parse_args()

with tempfile.TemporaryDirectory() as tmp:
    ours = os.path.join(tmp, "finetune.test")
    subprocess.run([a.go, "test", "-c", "-o", ours, "."], cwd=os.path.dirname(HERE), check=True)

    def run_ours(shape):
        out = subprocess.run([ours, "-test.run=^$", f"-test.bench=LoRAStep/{shape}$", f"-test.benchtime={a.seconds}s",
                              f"-threads={a.threads}"], cwd=os.path.dirname(HERE), check=True, capture_output=True, text=True).stdout
        return float(re.search(r"([\d.]+) tok/s", out).group(1))

    def run_theirs(shape, steps):
        out = subprocess.run([sys.executable, os.path.join(HERE, "peft_step.py"), "--threads", str(a.threads), "--shape", shape,
                              "--steps", str(steps)], check=True, capture_output=True, text=True).stdout
        return json.loads(out.strip().splitlines()[-1])

    for shape in a.shapes.split(","):
        first = run_theirs(shape, 2)
        per_step = 2048 if shape == "small" else 1024
        steps = max(2, round(a.seconds * first["tokens_per_second"] / per_step))
        mine, its = [], []
        for r in range(a.rounds):
            mine.append(run_ours(shape))
            its.append(run_theirs(shape, steps)["tokens_per_second"])
            print(f"# {shape} round {r + 1}: {mine[-1]:.0f} against {its[-1]:.0f} tok/s", file=sys.stderr)
        ratio = sorted(x / y for x, y in zip(mine, its))
        print(f"{shape}, {a.threads} threads: {statistics.median(mine):.0f} tok/s ({min(mine):.0f}-{max(mine):.0f}), "
              f"torch {first['torch']} with peft {first['peft']} {statistics.median(its):.0f} ({min(its):.0f}-{max(its):.0f}), "
              f"ratio {statistics.median(ratio):.2f} ({ratio[0]:.2f}-{ratio[-1]:.2f}) over {a.rounds} rounds")
