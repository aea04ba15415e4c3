#!/usr/bin/env python3
"""LoRA training, this project against PyTorch with PEFT, on the CPU, in turns.

usage: compare.py [--rounds 5] [--threads 2] [--shapes small,160m] [--seconds 5]    (run by make bench-train)

Each round times our step (BenchmarkLoRAStep) and then PyTorch's (peft_step.py), on the same shapes and as many
threads, so that what else the machine does falls on both. Prints the tokens per second of each, and the ratio of
each round: median, lowest, highest. "cpu" is by processor time instead of the clock: on a busy machine, and with one
thread (PyTorch's threads spin while they wait), it says more.
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
        return [float(re.search(r"([\d.]+) " + unit, out).group(1)) for unit in ("tok/s", "tok/cpu-s")]

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
            found = run_theirs(shape, steps)
            its.append([found["tokens_per_second"], found["tokens_per_cpu_second"]])
            print(f"# {shape} round {r + 1}: {mine[-1]} against {its[-1]}", file=sys.stderr)
        print(f"{shape}, {a.threads} threads, torch {first['torch']} with peft {first['peft']}, {a.rounds} rounds")
        for i, what in enumerate(["clock", "cpu"]):
            x, y = [m[i] for m in mine], [m[i] for m in its]
            ratio = sorted(m / n for m, n in zip(x, y))
            print(f"  {what}: {statistics.median(x):.0f} tok/s ({min(x):.0f}-{max(x):.0f}) against {statistics.median(y):.0f} "
                  f"({min(y):.0f}-{max(y):.0f}), ratio {statistics.median(ratio):.2f} ({ratio[0]:.2f}-{ratio[-1]:.2f})")
