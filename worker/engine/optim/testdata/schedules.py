#!/usr/bin/env python3
"""Learning rates from torch's and transformers' own schedulers.

usage: schedules.py > schedules.json    (versions are in the file)

transformers starts its warm-up from 0, a step that trains nothing; ours starts from 1/warmup, which is
torch's LinearLR(1/warmup). Its schedules are compared after the warm-up.
"""
import json, sys
import torch, transformers
from torch.optim.lr_scheduler import CosineAnnealingLR, ConstantLR, LinearLR, SequentialLR
from transformers.optimization import get_cosine_with_min_lr_schedule_with_warmup


def values(make, lr, steps):
    opt = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    sched = make(opt)
    out = []
    for _ in range(steps):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        sched.step()
    return out


def warm(after, warmup):
    """torch: linear from 1/warmup, then after(opt)."""
    if warmup == 0:
        return after
    rise = lambda o: LinearLR(o, 1 / warmup, total_iters=max(1, warmup - 1)) if warmup > 1 else ConstantLR(o, 1, 1)
    return lambda o: SequentialLR(o, [rise(o), after(o)], [warmup])


found = []
for warmup, steps in [(0, 20), (1, 15), (4, 25), (10, 40)]:
    lr = 3e-3
    kinds = {
        "cosine": (lr / 10, lambda o: CosineAnnealingLR(o, steps - warmup, eta_min=lr / 10)),
        "linear": (0, lambda o: LinearLR(o, 1, 0, total_iters=steps - warmup)),
        "constant": (0, lambda o: ConstantLR(o, 1, 1)),
    }
    for name, (low, after) in kinds.items():
        found.append(dict(schedule=name, lr=lr, minlr=low, warmup=warmup, steps=steps, by="torch",
                          values=values(warm(after, warmup), lr, steps)))
    if warmup > 1:
        rise = [lr * (n + 1) / warmup for n in range(warmup)]
        for name, low, hf in [
            ("cosine", lr / 10, lambda o: get_cosine_with_min_lr_schedule_with_warmup(o, warmup, steps, min_lr_rate=0.1)),
            ("linear", 0, lambda o: transformers.get_linear_schedule_with_warmup(o, warmup, steps)),
            ("constant", 0, lambda o: transformers.get_constant_schedule_with_warmup(o, warmup)),
        ]:
            found.append(dict(schedule=name, lr=lr, minlr=low, warmup=warmup, steps=steps, by="transformers",
                              values=rise + values(hf, lr, steps)[warmup:]))
json.dump(dict(versions=dict(torch=torch.__version__, transformers=transformers.__version__), schedules=found), sys.stdout, indent=1)
print()
